"""More views: functions of one variable, surfaces, graphs of a computation, numbers as numbers, formulas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from engine import bounds
from engine.bounds import ViewError
from engine.payloads import (
    FormulaData,
    FormulaLine,
    GraphData,
    GraphEdge,
    GraphNode,
    Grid,
    Line,
    LinesData,
    NumbersData,
    SurfaceData,
)
from engine.views import Description, Points, optional_array, paths_of, to_array, words_of


@dataclass(frozen=True)
class Lines(Description):
    """Functions of one variable, with bands, points and a cursor. The method returns LinesData or a tuple of Line.

    A click or a drag of the cursor is a PointPick; with `draws` the viewer draws a function with the mouse (Stroke).
    """

    x_axis: str = field(default="", kw_only=True)
    y_axis: str = field(default="", kw_only=True)
    log_x: bool = field(default=False, kw_only=True)
    log_y: bool = field(default=False, kw_only=True)
    low: float | None = field(default=None, kw_only=True)  # the range of y, where it is fixed
    high: float | None = field(default=None, kw_only=True)
    draws: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "lines"

    def pack(self, value: Any) -> LinesData:
        data = value if isinstance(value, LinesData) else LinesData(tuple(value) if _is_sequence(value) else (value,))
        bounds.check(len(data.lines), bounds.LINES, self.title, "lines")
        lines = []
        for line in data.lines:
            if not isinstance(line, Line):
                raise ViewError(f"{self.title}: a Line is declared, {type(line).__name__} was returned")
            if line.style not in ("solid", "dashed", "dotted", "faint"):
                raise ViewError(f"{self.title}: there is no line style {line.style!r}")
            x, y = (to_array(array, (1,), line.name, np.float64) for array in (line.x, line.y))
            band = [optional_array(array, (1,), line.name, np.float64) for array in (line.lower, line.upper)]
            if any(array is not None and array.shape != x.shape for array in (y, *band)):
                raise ViewError(f"{self.title}: {line.name} has {len(x)} x, but not as many y")
            if (band[0] is None) != (band[1] is None):
                raise ViewError(f"{self.title}: the band of {line.name} needs both its bounds")
            lines.append(Line(str(line.name), x, y, line.style, *band))
        bounds.check(sum(len(line.x) for line in lines), bounds.VERTICES, self.title, "places on lines")
        points = None if data.points is None else Points(self.title, help="").pack(data.points)
        cursor = None if data.cursor is None else float(data.cursor)
        spans = tuple((float(low), float(high), str(text)) for low, high, text in data.spans)
        marks = tuple((float(x), str(text)) for x, text in data.marks)
        return LinesData(tuple(lines), points, cursor, spans, marks, data.hint)


@dataclass(frozen=True)
class Surface(Description):
    """A height over the plane in perspective, turned with the mouse, with trails on it. The method returns SurfaceData.

    A click on it is a PointPick. `log` compresses heights: what is shown is log(1 + height - lowest).
    """

    x_axis: str = field(default="", kw_only=True)
    y_axis: str = field(default="", kw_only=True)
    z_axis: str = field(default="", kw_only=True)
    log: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "surface"

    def pack(self, value: Any) -> SurfaceData:
        if not isinstance(value, SurfaceData):
            raise ViewError(f"{self.title}: SurfaceData is declared, {type(value).__name__} was returned")
        values = to_array(value.values, (2,), self.title, most=bounds.WEIGHTS)
        if min(values.shape) < 2:
            raise ViewError(f"{self.title}: a surface needs at least 2 x 2 heights, not {values.shape}")
        paths = paths_of(value.paths, self.title)
        marks = tuple((float(x), float(y), str(name)) for x, y, name in value.marks)
        cursor = None if value.cursor is None else (float(value.cursor[0]), float(value.cursor[1]))
        return SurfaceData(
            values, value.extent, paths, words_of(value.path_names, self.title), marks, cursor, value.hint
        )


@dataclass(frozen=True)
class Graph(Description):
    """A computation as nodes and edges, with the numbers that flow. The method returns GraphData.

    A click on a node or an edge is a Pick (`text` is its name); where it has a `number`, it can be changed (ValueEdit).
    """

    kind: ClassVar[str] = "graph"

    def pack(self, value: Any) -> GraphData:
        if not isinstance(value, GraphData):
            raise ViewError(f"{self.title}: GraphData is declared, {type(value).__name__} was returned")
        bounds.check(len(value.nodes), bounds.NODES, self.title, "nodes")
        bounds.check(len(value.edges), bounds.EDGES, self.title, "edges")
        bounds.words((t for n in value.nodes for t in (n.name, n.label, n.value, n.below)), self.title)
        bounds.words((text for edge in value.edges for text in (edge.forward, edge.backward)), self.title)
        names = [node.name for node in value.nodes]
        placed = [name for column in value.columns for name in column]
        if sorted(names) != sorted(placed):
            raise ViewError(f"{self.title}: columns place {sorted(placed)}, the nodes are {sorted(names)}")
        for edge in value.edges:
            if not {edge.source, edge.target} <= set(names):
                raise ViewError(f"{self.title}: the edge {edge.source} -> {edge.target} leads nowhere")
        numbered: tuple[GraphNode | GraphEdge, ...] = (*value.nodes, *value.edges)
        for named in numbered:
            if named.number is not None and not isinstance(named.number, int | float):
                raise ViewError(f"{self.title}: the number of {named.name} is a {type(named.number).__name__}")
        return value


@dataclass(frozen=True)
class Numbers(Description):
    """Arrays as the numbers they are, in a row, each cell coloured by its value. The method returns NumbersData.

    `colour` as for Images. A click is a CellPick (`map` counts the grids); with an edit handler a cell can be changed
    (ValueEdit, whose name is the grid's).
    """

    colour: str = field(default="diverging", kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    kind: ClassVar[str] = "numbers"

    def pack(self, value: Any) -> NumbersData:
        if not isinstance(value, NumbersData):
            raise ViewError(f"{self.title}: NumbersData is declared, {type(value).__name__} was returned")
        cells = sum(max(1, bounds.numbers_in(grid.values)) for grid in value.grids)
        bounds.check(cells, bounds.NUMBER_CELLS, self.title, "numbers")
        grids = []
        for grid in value.grids:
            name = f"{self.title} {grid.name}"
            values = np.atleast_2d(to_array(grid.values, (0, 1, 2), name, np.float64, bounds.NUMBER_CELLS))
            lit = optional_array(grid.lit, (0, 1, 2), name, np.bool_)
            lit = None if lit is None else np.atleast_2d(lit)
            if lit is not None and lit.shape != values.shape:
                raise ViewError(f"{self.title} {grid.name}: {values.shape} numbers, {lit.shape} lit")
            for words, length in zip((grid.rows, grid.columns), values.shape, strict=True):
                if words and len(words) != length:
                    raise ViewError(f"{self.title} {grid.name}: {length} rows or columns, {len(words)} names for them")
            grids.append(
                Grid(
                    grid.name,
                    values,
                    grid.caption,
                    grid.before,
                    words_of(grid.rows, self.title),
                    words_of(grid.columns, self.title),
                    lit,
                )
            )
        return NumbersData(tuple(grids), value.hint)


@dataclass(frozen=True)
class Formula(Description):
    """Formulas with the numbers of this moment. The method returns FormulaData or a tuple of FormulaLine."""

    kind: ClassVar[str] = "formula"

    def pack(self, value: Any) -> FormulaData:
        data = (
            value if isinstance(value, FormulaData) else FormulaData(tuple(value) if _is_sequence(value) else (value,))
        )
        bounds.check(len(data.lines), bounds.FORMULAS, self.title, "formulas")
        for line in data.lines:
            if not isinstance(line, FormulaLine):
                raise ViewError(f"{self.title}: a FormulaLine is declared, {type(line).__name__} was returned")
            bounds.words((line.latex, line.numbers, line.note), self.title)
        return data


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)
