"""Where the nodes, edges and texts of a computation graph lie, so that no text covers another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QFont, QFontMetricsF, QPainterPath

from engine.payloads import Array, GraphData, GraphEdge

LARGEST, SMALLEST = 22, 9  # pixels: the sizes of the font
LABEL, BELOW, TOLD = 1.3, 0.9, 0.92  # sizes of other texts: in a node, under it, along an edge
MARGIN = 10.0
SPARE = 0.65  # so much room more, in units of the font's size: a digit more is no reason to move
LEAST = 5  # a text that is cut keeps so much, in units of its font's size; else it is left to the pointer
SAMPLES = 12  # places on each piece of an edge
REACH = np.linspace(0, 1, 9)
PLACES = (0.5, 0.35, 0.65, 0.2, 0.8, 0.08, 0.92)  # along an edge, tried in turn for a text


class Room:
    """The widths that texts have taken so far, in units of the font's size: they only grow, so that nothing jumps."""

    def __init__(self, font: QFont) -> None:
        reference = QFont(font)
        reference.setPixelSize(64)
        reference.setBold(True)  # as what has just flowed is written
        self._metrics = QFontMetricsF(reference)
        self._taken: dict[tuple[str, str], float] = {}
        self._lines: dict[tuple[str, str], int] = {}
        self.version = 0

    def take(self, key: tuple[str, str], text: str) -> None:
        lines = text.split("\n") if text else []
        width = max((self._metrics.horizontalAdvance(line) for line in lines), default=0.0) / 64
        if width > self._taken.get(key, 0.0):
            self._taken[key] = width * 1.02 + SPARE
            self.version += 1
        if len(lines) > self._lines.get(key, 0):
            self._lines[key] = len(lines)
            self.version += 1

    def take_all(self, data: GraphData) -> None:
        for node in data.nodes:
            for what in ("label", "value", "below"):
                self.take((node.name, what), getattr(node, what))
        for index, edge in enumerate(data.edges):
            for what in ("forward", "backward"):
                self.take((f"edge {index}", what), getattr(edge, what))

    def width(self, name: str, what: str, size: float) -> float:
        return self._taken.get((name, what), 0.0) * size

    def height(self, name: str, what: str, size: float) -> float:
        return self._lines.get((name, what), 0) * size * 1.3


@dataclass
class Told:
    """A text along an edge."""

    edge: int
    what: str  # "forward" or "backward"
    box: QRectF
    size: float  # of its font


@dataclass
class Curve:
    """An edge: cubic pieces, each four points, from the source's right side to the target's left side."""

    pieces: list[Array] = field(default_factory=list)  # each (4, 2)
    gaps: list[tuple[float, float]] = field(default_factory=list)  # from which to which x it passes no other node
    first: str = ""  # where its texts should lie: "source", "target" or ""

    def samples(self) -> Array:
        """(K, 2) places along it."""
        t = np.linspace(0, 1, SAMPLES)[:, None]
        return np.concatenate(
            [
                (1 - t) ** 3 * p[0] + 3 * t * (1 - t) ** 2 * p[1] + 3 * t * t * (1 - t) * p[2] + t**3 * p[3]
                for p in self.pieces
            ]
        )

    def path(self) -> QPainterPath:
        path = QPainterPath(QPointF(*self.pieces[0][0].tolist()))
        for piece in self.pieces:
            path.cubicTo(*(QPointF(*place) for place in piece[1:].tolist()))
        return path


class Layout:
    """A graph in a view of a certain size: the largest font at which everything fits, else less and less text."""

    def __init__(self, data: GraphData, room: Room, size: QSizeF) -> None:
        self.data, self.room, self.size = data, room, size
        self.nodes = {node.name: node for node in data.nodes}
        self.column_of = {name: c for c, names in enumerate(data.columns) for name in names}
        self.shrink, self.with_below = 1.0, True
        self._choose_font()
        self.boxes: dict[str, QRectF] = {}
        self._place()
        self.curves = [self._curve(index, edge) for index, edge in enumerate(data.edges)]
        self.samples = [curve.samples() for curve in self.curves]
        self.paths = [curve.path() for curve in self.curves]
        self.told: list[Told] = []
        self._tell()

    # ------------------------------------------------------------------------------------------- how large

    def _choose_font(self) -> None:
        for size in range(LARGEST, SMALLEST - 1, -1):
            self.font = float(size)
            self.gaps = self._wanted_gaps()
            width, height = self._extent()
            if width <= self.size.width() and height <= self.size.height():
                return
        least = [2.6 * self.font] * len(self.gaps)  # the texts of edges are cut
        over = self._extent()[0] - self.size.width()
        spare = sum(self.gaps) - sum(least)
        if over > 0 and spare > 0:
            share = min(1.0, over / spare)
            self.gaps = [gap - share * (gap - low) for gap, low in zip(self.gaps, least, strict=True)]
        width, height = self._extent()
        if width > self.size.width() + 0.5 or height > self.size.height():
            self.with_below = False
            width, height = self._extent()
        self.shrink = min(1.0, self.size.width() / width, self.size.height() / height)
        self.size = QSizeF(self.size.width() / self.shrink, self.size.height() / self.shrink)

    def _wanted_gaps(self) -> list[float]:
        gaps = [2.6 * self.font] * max(0, len(self.data.columns) - 1)
        for index, edge in enumerate(self.data.edges):
            wide = max(self.room.width(f"edge {index}", what, self.font * TOLD) for what in ("forward", "backward"))
            column = self.column_of[edge.source]
            if column < len(gaps) and wide:
                gaps[column] = max(gaps[column], wide + 2.6 * self.font)
        return gaps

    def _extent(self) -> tuple[float, float]:
        heights = [
            sum(self._size(name)[1] + self.under(name)[1] for name in names) + (len(names) - 1) * self._least()
            for names in self.data.columns
        ]
        return sum(self._widths()) + sum(self.gaps) + 2 * MARGIN, max(heights, default=0.0) + 2 * MARGIN

    def _least(self) -> float:
        """The least distance between two nodes above one another: texts of their edges fit in between."""
        return 0.8 * self.font

    def _widths(self) -> list[float]:
        return [
            max((max(self._size(name)[0], self.under(name)[0]) for name in names), default=0.0)
            for names in self.data.columns
        ]

    def _size(self, name: str) -> tuple[float, float]:
        """Width and height of a node's card."""
        size, room = self.font, self.room
        width = max(room.width(name, "label", size * LABEL), room.width(name, "value", size))
        height = size * LABEL * 1.3 + room.height(name, "value", size) + 0.5 * size
        rounded = self.nodes[name].kind == "operation"
        width += (0.5 * height if rounded and room.height(name, "value", size) else 1.1 * size) if width else 0
        return max(width, height if rounded else 2.6 * size), height

    def under(self, name: str) -> tuple[float, float]:
        """Width and height of what stands under a node."""
        size = max(self.font * BELOW, SMALLEST)
        height = self.room.height(name, "below", size)
        if not self.with_below or not height:
            return 0.0, 0.0
        return self.room.width(name, "below", size), height + 3

    # ---------------------------------------------------------------------------------------------- where

    def _place(self) -> None:
        """Columns from left to right; within one, each node is as near to what it is connected with as order allows."""
        size, columns = self.size, self.data.columns
        widths = self._widths()
        spare = size.width() - sum(widths) - sum(self.gaps) - 2 * MARGIN
        if self.gaps and spare > 0:
            more = min(spare / len(self.gaps), 7 * self.font)
            self.gaps = [gap + more for gap in self.gaps]
            spare -= more * len(self.gaps)
        self.spans: list[tuple[float, float]] = []  # of each column
        x = MARGIN + max(spare, 0.0) / 2
        for width, gap in zip(widths, [*self.gaps, 0.0], strict=True):
            self.spans.append((x, x + width))
            x += width + gap
        tall = [sum(self._size(name)[1] + self.under(name)[1] for name in names) for names in columns]
        room = [
            (size.height() - 2 * MARGIN - t) / (len(n) - 1) for t, n in zip(tall, columns, strict=True) if len(n) > 1
        ]
        self.between = max(self._least(), min([6.0 * self.font, *room]))
        rows = [list(names) for names in columns]
        middle = self._settle(rows)
        self.bends: dict[tuple[int, int], str] = {}  # where a long edge passes a column: edge and column to its row
        for index, edge in enumerate(self.data.edges):
            first, last = self.column_of[edge.source], self.column_of[edge.target]
            for column in range(first + 1, last):
                share = (column - first) / (last - first)
                bend = f"\0{index}.{column}"
                middle[bend] = middle[edge.source] + share * (middle[edge.target] - middle[edge.source])
                rows[column].append(bend)
                self.bends[index, column] = bend
        if self.bends:
            rows = [sorted(names, key=middle.__getitem__) for names in rows]
            middle = self._settle(rows)
        self.middle = middle
        for name, column in self.column_of.items():
            width, height = self._size(name)
            left, right = self.spans[column]
            self.boxes[name] = QRectF((left + right - width) / 2, middle[name] - height / 2, width, height)

    def _reach(self, name: str) -> tuple[float, float]:
        """How far what stands in a column reaches above and below its middle."""
        if name not in self.nodes:
            return 1.2 * self.font, 1.2 * self.font
        half = self._size(name)[1] / 2
        return half, half + self.under(name)[1]

    def _settle(self, rows: list[list[str]]) -> dict[str, float]:
        """The middle of everything: where its neighbours to the left are, else those to the right."""
        before: dict[str, list[str]] = {}
        after: dict[str, list[str]] = {}
        for index, edge in enumerate(self.data.edges):
            first, last = self.column_of[edge.source], self.column_of[edge.target]
            chain = [self.bends[index, c] for c in range(first + 1, last)] if getattr(self, "bends", None) else []
            for source, target in pairwise([edge.source, *chain, edge.target]):
                before.setdefault(target, []).append(source)
                after.setdefault(source, []).append(target)
        height = self.size.height()
        middle: dict[str, float] = {}
        for names in rows:
            middle |= self._stack(names, [height / 2] * len(names))
        for _ in range(3):
            for names in rows:
                wanted = []
                for name in names:
                    near = before.get(name) or after.get(name) or [name]
                    wanted.append(sum(middle[other] for other in near) / len(near))
                middle |= self._stack(names, wanted)
        if middle:
            top = min(middle[name] - self._reach(name)[0] for name in middle)
            bottom = max(middle[name] + self._reach(name)[1] for name in middle)
            middle = {name: y + height / 2 - (top + bottom) / 2 for name, y in middle.items()}
        return middle

    def _stack(self, names: Sequence[str], wanted: Sequence[float]) -> dict[str, float]:
        """Middles as near to those wanted as order and distance allow (pooling adjacent violators)."""
        offsets, at = [], 0.0
        for above, name in zip([None, *names], names, strict=False):
            at += 0.0 if above is None else self._reach(above)[1] + self.between + self._reach(name)[0]
            offsets.append(at)
        pools: list[list[float]] = []  # sum and number of those that move together
        for y, offset in zip(wanted, offsets, strict=True):
            pools.append([y - offset, 1.0])
            while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
                total, count = pools.pop()
                pools[-1][0] += total
                pools[-1][1] += count
        bases = [total / count for total, count in pools for _ in range(round(count))]
        if names:  # within the view, where that is high enough
            low = MARGIN + self._reach(names[0])[0]
            high = self.size.height() - MARGIN - self._reach(names[-1])[1] - offsets[-1]
            bases = [max(min(base, high), low) for base in bases]
        return {name: base + offset for name, base, offset in zip(names, bases, offsets, strict=True)}

    # ---------------------------------------------------------------------------------------------- edges

    def radius(self, name: str) -> float:
        box = self.boxes[name]
        return box.height() / 2 if self.nodes[name].kind == "operation" else min(0.6 * self.font, box.height() / 2)

    def _port(self, index: int, edge: GraphEdge, end: str) -> tuple[float, float]:
        """Where an edge touches a node: several spread over its side, in the order of what they lead to."""
        name = getattr(edge, end)
        other = "target" if end == "source" else "source"
        alike = [(i, e) for i, e in enumerate(self.data.edges) if getattr(e, end) == name]

        def seen(entry: tuple[int, GraphEdge]) -> float:
            i, e = entry
            column = self.column_of[name] + (1 if end == "source" else -1)
            return self.middle[self.bends.get((i, column), getattr(e, other))]

        rank = [i for i, _ in sorted(alike, key=seen)].index(index)
        box, radius = self.boxes[name], self.radius(name)
        pitch = min(0.9 * self.font, 0.7 * box.height() / len(alike))
        y = (rank - (len(alike) - 1) / 2) * pitch
        into = max(0.0, abs(y) - (box.height() / 2 - radius))
        dent = radius - np.sqrt(max(radius**2 - into**2, 0.0))
        return float(box.right() - dent if end == "source" else box.left() + dent), box.center().y() + y

    def _curve(self, index: int, edge: GraphEdge) -> Curve:
        x0, y0 = self._port(index, edge, "source")
        x1, y1 = self._port(index, edge, "target")
        first, last = self.column_of[edge.source], self.column_of[edge.target]
        places = [(x0, y0)]
        curve = Curve()
        for column in range(first + 1, last):
            y = self.middle[self.bends[index, column]]
            places += [(self.spans[column][0], y), (self.spans[column][1], y)]
        places.append((x1, y1))
        leaving = sum(e.source == edge.source for e in self.data.edges)
        arriving = sum(e.target == edge.target for e in self.data.edges)
        wide = max(self.room.width(f"edge {index}", what, self.font * TOLD) for what in ("forward", "backward"))
        if wide and (leaving == 1 or arriving == 1):
            curve.first = "source" if leaving == 1 else "target"
        for number, ((ax, ay), (bx, by)) in enumerate(pairwise(places)):
            a, b = np.array([ax, ay]), np.array([bx, by])
            if number % 2:  # past a column
                curve.gaps.append((ax, bx))
                curve.pieces.append(np.stack([a, a + (b - a) / 3, b - (b - a) / 3, b]))
                continue
            curve.gaps.append((ax, bx))
            far, font = bx - ax, self.font
            flat = max(0.0, min(wide + 2.4 * font, max(far - 2.4 * font, min(wide + 0.8 * font, far - 0.8 * font))))
            begin = a + np.array([flat, 0]) if curve.first == "source" and number == 0 else a
            end = b - np.array([flat, 0]) if curve.first == "target" and number == len(places) - 2 else b
            half = np.array([(end[0] - begin[0]) / 2, 0])
            if begin is not a:
                curve.pieces.append(np.stack([a, a + (begin - a) / 3, begin - (begin - a) / 3, begin]))
            curve.pieces.append(np.stack([begin, begin + half, end - half, end]))
            if end is not b:
                curve.pieces.append(np.stack([end, end + (b - end) / 3, b - (b - end) / 3, b]))
        return curve

    # ---------------------------------------------------------------------------------------------- texts

    def _tell(self) -> None:
        """Find a place for every text of an edge, where it covers no node and no other text, and few other edges."""
        taken = [box.adjusted(-1, -1, 1, 1) for box in self.boxes.values()]
        for name, box in self.boxes.items():
            width, height = self.under(name)
            if height:
                taken.append(QRectF(box.center().x() - width / 2, box.bottom(), width, height))
        frame = QRectF(QPointF(), self.size)
        for index in range(len(self.curves)):
            for what in ("forward", "backward"):
                size = max(self.font * TOLD, SMALLEST)
                wide = self.room.width(f"edge {index}", what, size) + 2
                tall = self.room.height(f"edge {index}", what, size)
                if not tall:
                    continue
                fonts = [size, (size + SMALLEST) / 2, float(SMALLEST)]
                trials = [(wide * font / size, tall * font / size, font) for font in fonts]
                trials.append((trials[-1][0] - SPARE * SMALLEST, trials[-1][1], float(SMALLEST)))
                width, height, font = trials[-1]
                if 0.6 * width > LEAST * font:  # a number cut short would be another number
                    trials += [(0.8 * width, height, font), (0.6 * width, height, font)]
                for width, height, font in trials:
                    found = self._best(index, what, width, height, taken, frame)
                    if found is not None:
                        taken.append(found)
                        self.told.append(Told(index, what, found, font))
                        break

    def _best(
        self, index: int, what: str, width: float, height: float, taken: list[QRectF], frame: QRectF
    ) -> QRectF | None:
        curve, own = self.curves[index], self.samples[index]
        others = np.concatenate([np.empty((0, 2)), *self.samples[:index], *self.samples[index + 1 :]])
        crowd: Array = others.T[:, None]  # (2, 1, M)
        walls: Array = np.array([box.getCoords() for box in taken]).T[:, None]  # (4, 1, K): left, top, right, bottom
        best, least = None, np.inf
        for number, (left, right) in enumerate(curve.gaps):
            left, right = left + 0.3 * self.font, right - 0.3 * self.font  # beside the arrow heads
            if right - left < width:
                continue
            first = curve.first == "source" and number == 0
            last = curve.first == "target" and number == len(curve.gaps) - 1
            shares = np.array([0.0, *PLACES] if first else [1.0, *PLACES] if last else PLACES)
            x = left + shares * (right - left - width)  # (P,)
            # what its own edge covers there: a text hangs on a flat part of it
            fine = np.interp(x[:, None] + width * REACH, own[:, 0], own[:, 1])  # (P, 9)
            rise = fine.max(1) - fine.min(1)
            y = fine.min(1) - 3 - height if what == "forward" else fine.max(1) + 3
            boxes = np.stack([x, y, x + width, y + height])[:, :, None]  # (4, P, 1)
            free = ~((boxes[:2] < walls[2:]) & (boxes[2:] > walls[:2])).all(0).any(1)
            free &= (boxes[:2, :, 0] >= 0).all(0) & (x + width <= frame.right()) & (y + height <= frame.bottom())
            if curve.first:
                free &= rise <= self.font
            inside = ((crowd > boxes[:2]) & (crowd < boxes[2:])).all(0).sum(1)
            cost = inside + rise / self.font + 0.3 * np.arange(len(x)) + (0 if number % 2 else number + 1)
            cost[~free] = np.inf
            choice = int(cost.argmin())
            if cost[choice] < least:
                best, least = QRectF(x[choice], y[choice], width, height), cost[choice]
        return best

    # -------------------------------------------------------------------------------------- what is where

    def element_at(self, at: QPointF, reach: float = 6.0) -> int:
        """The node (its index) or edge (counted on after the nodes) at a place of the scene, else -1."""
        for index, node in enumerate(self.data.nodes):
            if self.boxes[node.name].adjusted(-2, -2, 2, 2).contains(at):
                return index
        for told in self.told:
            if told.box.contains(at):
                return len(self.data.nodes) + told.edge
        place = np.array([at.x(), at.y()])
        nearest, least = -1, reach
        for index, samples in enumerate(self.samples):
            a, b = samples[:-1], samples[1:]
            length = np.maximum(((b - a) ** 2).sum(1), 1e-9)
            t = (((place - a) * (b - a)).sum(1) / length).clip(0, 1)[:, None]
            distance = float(np.sqrt(((a + t * (b - a) - place) ** 2).sum(1).min()))
            if distance < least:
                nearest, least = len(self.data.nodes) + index, distance
        return nearest

    def spot(self, element: int) -> QPointF:
        """A place at an element: beside a node, on an edge."""
        if element < len(self.data.nodes):
            return self.boxes[self.data.nodes[element].name].bottomRight()
        samples = self.samples[element - len(self.data.nodes)]
        return QPointF(*samples[len(samples) // 2].tolist())
