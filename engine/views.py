"""What can be shown: frozen descriptions of views. What labs fill them with is in engine.payloads.

A lab marks a method with ``@view(Images("Filters", help="..."))`` and returns plain tensors; the session calls
``description.pack(returned)`` on the worker thread, which checks shapes and copies everything to numpy, so that
nothing that leaves the thread can alias a live weight. The window has one widget per kind.

Every ``pack`` raises ViewError when what the lab returned is not of the declared shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from engine import bounds
from engine.bounds import ViewError
from engine.payloads import (
    Array,
    BarsData,
    CanvasData,
    FieldData,
    FilmRow,
    FilmstripData,
    HeatmapData,
    ImageGroup,
    ImagesData,
    NetworkData,
    Payload,
    PointsData,
    TableData,
    TextData,
)


def to_array(
    value: Any, dims: tuple[int, ...], what: str, dtype: Any = np.float32, most: int = bounds.NUMBERS
) -> Array:
    """A copy of `value` (tensor, array, sequence) as numpy with one of `dims` dimensions and at most so many numbers;
    else ViewError."""
    bounds.check(bounds.numbers_in(value), most, what, "numbers")
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.array(value, dtype=dtype)  # np.array copies: the payload never aliases a weight
    except (TypeError, ValueError) as error:
        raise ViewError(f"{what}: not an array of numbers ({error})") from None
    if array.ndim not in dims:
        wanted = " or ".join(map(str, dims))
        raise ViewError(f"{what}: {wanted} dimensions are declared, shape {array.shape} was returned")
    bounds.check(array.size, most, what, "numbers")
    return array


def optional_array(
    value: Any, dims: tuple[int, ...], what: str, dtype: Any = np.float32, most: int = bounds.NUMBERS
) -> Array | None:
    return None if value is None else to_array(value, dims, what, dtype, most)


SIDE = 2048  # pixels or cells a side: as many as a screen shows


def averaged(array: Array, axes: tuple[int, int]) -> Array:
    """The means of equally many neighbours along each of `axes` that is longer than SIDE: copying and painting the rest
    would hold up the window for nothing."""
    for axis in axes:
        length = array.shape[axis]
        if length > SIDE:
            begins = np.arange(0, length, -(-length // SIDE))
            shape = [1] * array.ndim
            shape[axis] = len(begins)
            counts = np.diff(np.append(begins, length)).reshape(shape)
            array = (np.add.reduceat(array, begins, axis=axis, dtype=np.float32) / counts).astype(np.float32)
    return array


def optional_averaged(array: Array | None, axes: tuple[int, int]) -> Array | None:
    return None if array is None else averaged(array, axes)


def real_size(before: Array, after: Array, axes: tuple[int, int]) -> tuple[int, ...]:
    """Rows and columns before they were averaged; () where they were not."""
    return () if before.shape == after.shape else tuple(before.shape[axis] for axis in axes)


def words_of_blocks(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names of rows or columns of which neighbours were averaged to `count`: "first – last"."""
    if not words or len(words) == count:
        return words
    many = -(-len(words) // count)
    blocks = [words[begin : begin + many] for begin in range(0, len(words), many)]
    return tuple(block[0] if len(block) == 1 else f"{block[0]} – {block[-1]}" for block in blocks)


def picture(value: Any, dims: tuple[int, ...], what: str) -> Array:
    """An array whose last two axes are rows and columns, or the two before the three colours."""
    array = to_array(value, dims, what)
    coloured = array.ndim > 2 and array.shape[-1] == 3 and array.ndim == max(dims)
    bounds.check_sides(array.shape[:-1] if coloured else array.shape, what)
    return array


def optional_picture(value: Any, dims: tuple[int, ...], what: str) -> Array | None:
    return None if value is None else picture(value, dims, what)


def paths_of(value: Any, what: str) -> tuple[Array, ...]:
    """Paths (K, 2), all together within the bound."""
    bounds.check(len(value), bounds.LINES, what, "paths")
    paths = tuple(to_array(path, (2,), what) for path in value)
    bounds.check(sum(map(len, paths)), bounds.VERTICES, what, "places on paths")
    return paths


def words_of(value: Any, what: str) -> tuple[str, ...]:
    return bounds.words(value, what)


# ------------------------------------------------------------------------------------------ descriptions


@dataclass(frozen=True)
class Description:
    """What every view has: a title, a help line, and a muted hint at the right of its title."""

    title: str
    help: str = field(kw_only=True)
    hint: str = field(default="", kw_only=True)

    kind: ClassVar[str] = ""

    def pack(self, value: Any) -> Payload:
        """Check what the lab returned and copy it into a frozen payload. Raises ViewError."""
        raise ViewError(f"{type(self).__name__} takes no payload")


@dataclass(frozen=True)
class Curves(Description):
    """Metrics over steps. It has no method: its data are the metrics that ``step`` returns, by name."""

    metrics: tuple[str, ...] = field(kw_only=True)
    unit: str = field(default="", kw_only=True)
    log_y: bool = field(default=False, kw_only=True)
    percent: bool = field(default=False, kw_only=True)
    best: str = field(default="", kw_only=True)  # "low" or "high": mark the best step of the last metric
    kind: ClassVar[str] = "curves"


@dataclass(frozen=True)
class Images(Description):
    """Grids of pictures. The method returns (N, H, W) or (N, H, W, 3), a dict of such by group, or ImagesData.

    `colour`: "grey" (0 black, 1 white), "viridis" (sequential), "diverging" (signed, white at zero) or "rgb";
    `colours` gives single groups another one. `tabs` shows one group at a time. `shared` scales all pictures of a
    group alike, otherwise each to its own range (the viewer can switch).
    """

    colour: str = field(default="grey", kw_only=True)
    colours: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    shared: bool = field(default=True, kw_only=True)
    tabs: bool = field(default=False, kw_only=True)
    columns: int = field(default=0, kw_only=True)  # 0: as many as fit
    kind: ClassVar[str] = "images"

    def pack(self, value: Any) -> ImagesData:
        hint = value.hint if isinstance(value, ImagesData) else ""
        if isinstance(value, ImagesData):
            groups = {group.name: (group.pixels, group.captions) for group in value.groups}
        elif isinstance(value, Mapping):
            groups = {name: (pixels, ()) for name, pixels in value.items()}
        else:
            groups = {"": (value, ())}
        packed = []
        for name, (pixels, captions) in groups.items():
            array = picture(pixels, (3, 4), f"{self.title} {name}".strip())
            bounds.check(len(array), bounds.PICTURES, f"{self.title} {name}".strip(), "pictures")
            if array.ndim == 4 and array.shape[-1] != 3:
                raise ViewError(f"{self.title} {name}: pictures are (N, H, W) or (N, H, W, 3), not {array.shape}")
            if captions and len(captions) != len(array):
                raise ViewError(f"{self.title} {name}: {len(array)} pictures, {len(captions)} captions")
            small = averaged(array, (1, 2))
            words = words_of(captions, self.title)
            packed.append(ImageGroup(str(name), small, words, real_size(array, small, (1, 2))))
        return ImagesData(tuple(packed), hint)


@dataclass(frozen=True)
class Heatmap(Description):
    """Matrices with labelled rows and columns; several of them get a selector of thumbnails.

    The method returns (R, C), (K, R, C) or HeatmapData. `colour` as for Images; `low` and `high` fix the scale.
    """

    colour: str = field(default="viridis", kw_only=True)
    row_axis: str = field(default="", kw_only=True)
    column_axis: str = field(default="", kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    numbers: bool = field(default=False, kw_only=True)  # write each value into its cell where there is room
    kind: ClassVar[str] = "heatmap"

    def pack(self, value: Any) -> HeatmapData:
        data = value if isinstance(value, HeatmapData) else HeatmapData(value)
        values = to_array(data.values, (2, 3), self.title)
        bounds.check_sides(values.shape, self.title)
        values = values[None] if values.ndim == 2 else values
        for words, length, what in (
            (data.rows, values.shape[1], "rows"),
            (data.columns, values.shape[2], "columns"),
            (data.names, values.shape[0], "matrices"),
        ):
            if words and len(words) != length:
                raise ViewError(f"{self.title}: {length} {what}, {len(words)} names for them")
        small = averaged(values, (1, 2))
        return HeatmapData(
            small,
            words_of_blocks(words_of(data.rows, self.title), small.shape[1]),
            words_of_blocks(words_of(data.columns, self.title), small.shape[2]),
            words_of(data.names, self.title),
            data.hint,
            real_size(values, small, (1, 2)),
        )


@dataclass(frozen=True)
class Points(Description):
    """A scatter in the plane. The method returns PointsData or (N, 2)."""

    x_axis: str = field(default="", kw_only=True)
    y_axis: str = field(default="", kw_only=True)
    equal: bool = field(default=True, kw_only=True)  # one unit is as long on both axes
    kind: ClassVar[str] = "points"

    def pack(self, value: Any) -> PointsData:
        data = value if isinstance(value, PointsData) else PointsData(value)
        xy = to_array(data.xy, (2,), self.title)
        bounds.check(len(xy), bounds.POINTS, self.title, "points")
        if xy.shape[1] != 2:
            raise ViewError(f"{self.title}: points are (N, 2), not {xy.shape}")
        per_point = {
            "labels": optional_array(data.labels, (1,), self.title, np.int64),
            "values": optional_array(data.values, (1,), self.title),
            "hollow": optional_array(data.hollow, (1,), self.title, np.bool_),
            "ringed": optional_array(data.ringed, (1,), self.title, np.bool_),
            "pictures": optional_picture(data.pictures, (3, 4), self.title),
        }
        for name, array in per_point.items():
            if array is not None and len(array) != len(xy):
                raise ViewError(f"{self.title}: {len(xy)} points, {len(array)} {name}")
        if data.names and len(data.names) != len(xy):
            raise ViewError(f"{self.title}: {len(xy)} points, {len(data.names)} names")
        paths = paths_of(data.paths, self.title)
        backdrop = optional_averaged(optional_picture(data.backdrop, (2, 3), self.title), (0, 1))
        if backdrop is not None and data.extent is None:
            raise ViewError(f"{self.title}: a backdrop needs its extent")
        cursor = None if data.cursor is None else (float(data.cursor[0]), float(data.cursor[1]))
        return PointsData(
            xy,
            classes=words_of(data.classes, self.title),
            names=words_of(data.names, self.title),
            paths=paths,
            path_names=words_of(data.path_names, self.title),
            cursor=cursor,
            backdrop=backdrop,
            extent=data.extent,
            **per_point,
        )


@dataclass(frozen=True)
class Field(Description):
    """A function over the plane as a coloured surface, with contours, points and arrows over it.

    The method returns FieldData. `low`/`high` fix the colour scale; `level` is the contour drawn strongest.
    `draws` lets the viewer draw points of a chosen class into it (gesture Stroke).
    """

    colour: str = field(default="diverging", kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    level: float | None = field(default=None, kw_only=True)
    x_axis: str = field(default="", kw_only=True)
    y_axis: str = field(default="", kw_only=True)
    draws: tuple[str, ...] = field(default=(), kw_only=True)  # class names of the brush
    kind: ClassVar[str] = "field"

    def pack(self, value: Any) -> FieldData:
        if not isinstance(value, FieldData):
            raise ViewError(f"{self.title}: FieldData is declared, {type(value).__name__} was returned")
        points = None if value.points is None else Points(self.title, help="").pack(value.points)
        arrows = optional_array(value.arrows, (2,), self.title, most=4 * bounds.POINTS)
        values = to_array(value.values, (2,), self.title, most=bounds.FIELD)
        shares = optional_array(value.shares, (3,), self.title)
        bounds.check_sides(values.shape, self.title)
        if shares is not None and shares.shape[1:] != values.shape:
            raise ViewError(f"{self.title}: shares {shares.shape} do not lie over values {values.shape}")
        if len(value.axes) not in (0, 2):
            raise ViewError(f"{self.title}: axes are those of x and y, or none, not {len(value.axes)}")
        axes = tuple((str(name), float(start), float(scale)) for name, start, scale in value.axes)
        values, shares = averaged(values, (0, 1)), optional_averaged(shares, (1, 2))
        return FieldData(values, value.extent, points, arrows, shares, value.hint, axes)


@dataclass(frozen=True)
class Network(Description):
    """Neurons and weights: edge width is size, colour is sign. The method returns NetworkData.

    With an ``edit`` handler a click on an edge or neuron lets the viewer change the weight or bias. `colour` is that of
    values, as for Images. With `flow` an edge shows what it carries for these values, its weight times the activation
    that it comes from, compared with the other edges of its layer.
    """

    colour: str = field(default="diverging", kw_only=True)
    flow: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "network"

    def pack(self, value: Any) -> NetworkData:
        if not isinstance(value, NetworkData):
            raise ViewError(f"{self.title}: NetworkData is declared, {type(value).__name__} was returned")
        sizes = [len(layer) for layer in value.units]
        bounds.check(sum(sizes), bounds.UNITS, self.title, "units")
        weights = tuple(to_array(w, (2,), self.title, most=bounds.WEIGHTS) for w in value.weights)
        biases = tuple(to_array(b, (1,), self.title) for b in value.biases)
        expected = list(zip(sizes[1:], sizes[:-1], strict=True))
        if [w.shape for w in weights] != expected or [len(b) for b in biases] != sizes[1:]:
            raise ViewError(f"{self.title}: layers of {sizes} units do not fit weights {[w.shape for w in weights]}")
        real = tuple(int(size) for size in value.sizes)
        if real and (len(real) != len(sizes) or any(size < n for size, n in zip(real, sizes, strict=True))):
            raise ViewError(f"{self.title}: {sizes} units are listed, which cannot be of layers of {list(real)}")

        def each(arrays: Sequence[Any] | None, dims: tuple[int, ...]) -> tuple[Array, ...] | None:
            return None if arrays is None else tuple(to_array(a, dims, self.title) for a in arrays)

        return NetworkData(
            tuple(words_of(layer, self.title) for layer in value.units),
            weights,
            biases,
            value.activation,
            each(value.thumbnails, (3,)),
            each(value.values, (1,)),
            each(value.gradients, (2,)),
            words_of(value.layer_names, self.title),
            value.hint,
            real,
            value.chosen,
            None if value.answers is None else (float(value.answers[0]), float(value.answers[1])),
        )


@dataclass(frozen=True)
class Bars(Description):
    """Named values: probabilities, Q-values. The method returns BarsData.

    With `log` the track is of powers of ten, from `low` to `high`; a bar for what is zero or less has no length.
    """

    low: float | None = field(default=0.0, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)
    log: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "bars"

    def pack(self, value: Any) -> BarsData:
        if not isinstance(value, BarsData):
            raise ViewError(f"{self.title}: BarsData is declared, {type(value).__name__} was returned")
        values = to_array(value.values, (1,), self.title)
        bounds.check(len(values), bounds.BARS, self.title, "bars")
        if len(values) != len(value.labels):
            raise ViewError(f"{self.title}: {len(values)} values, {len(value.labels)} labels")
        return BarsData(words_of(value.labels, self.title), values, value.target, value.chosen, value.hint)


@dataclass(frozen=True)
class Canvas(Description):
    """A picture to draw on, to move, to drop a file on. The method returns (H, W) in 0..1 or CanvasData."""

    size: int = field(default=28, kw_only=True)
    kind: ClassVar[str] = "canvas"

    def pack(self, value: Any) -> CanvasData:
        data = value if isinstance(value, CanvasData) else CanvasData(value)
        pixels = to_array(data.pixels, (2,), self.title)
        if pixels.shape != (self.size, self.size):
            raise ViewError(f"{self.title}: a canvas is ({self.size}, {self.size}), not {pixels.shape}")
        return CanvasData(pixels, data.caption)


@dataclass(frozen=True)
class Filmstrip(Description):
    """A process over time, in rows of frames that can be scrubbed and played. The method returns FilmstripData."""

    colour: str = field(default="grey", kw_only=True)
    kind: ClassVar[str] = "filmstrip"

    def pack(self, value: Any) -> FilmstripData:
        if not isinstance(value, FilmstripData):
            raise ViewError(f"{self.title}: FilmstripData is declared, {type(value).__name__} was returned")
        rows = []
        for row in value.rows:
            pixels = optional_averaged(optional_picture(row.pixels, (3, 4), f"{self.title} {row.name}"), (1, 2))
            points = optional_array(row.points, (3,), f"{self.title} {row.name}", most=20 * bounds.POINTS)
            frames = pixels if pixels is not None else points
            if frames is None or (value.labels and len(frames) != len(value.labels)):
                raise ViewError(f"{self.title} {row.name}: as many frames as labels are needed")
            bounds.check(len(frames), bounds.FRAMES, f"{self.title} {row.name}", "frames")
            rows.append(FilmRow(row.name, pixels, points))
        return FilmstripData(tuple(rows), words_of(value.labels, self.title))


@dataclass(frozen=True)
class Text(Description):
    """Tokens coloured by probability, alternatives on hover, click to branch. The method returns TextData.

    With a ``probe`` handler the viewer can click a token (Pick, with the alternative in `text`) and type (Typed).
    """

    kind: ClassVar[str] = "text"

    def pack(self, value: Any) -> TextData:
        if not isinstance(value, TextData):
            raise ViewError(f"{self.title}: TextData is declared, {type(value).__name__} was returned")
        bounds.check(len(value.tokens), bounds.TOKENS, self.title, "tokens")
        longest = max(map(len, value.alternatives), default=0)
        bounds.check(longest, bounds.ALTERNATIVES, self.title, "alternatives to one token")
        probabilities = to_array(value.probabilities, (1,), self.title)
        if len(probabilities) != len(value.tokens):
            raise ViewError(f"{self.title}: {len(value.tokens)} tokens, {len(probabilities)} probabilities")
        alternatives = tuple(tuple((str(t), float(p)) for t, p in row) for row in value.alternatives)
        return TextData(words_of(value.tokens, self.title), probabilities, alternatives, value.chosen, value.hint)


@dataclass(frozen=True)
class Table(Description):
    """Rows of text. The method returns TableData."""

    kind: ClassVar[str] = "table"

    def pack(self, value: Any) -> TableData:
        if not isinstance(value, TableData):
            raise ViewError(f"{self.title}: TableData is declared, {type(value).__name__} was returned")
        bounds.check(len(value.rows) * max(1, len(value.columns)), bounds.CELLS, self.title, "cells")
        if any(len(row) != len(value.columns) for row in value.rows):
            raise ViewError(f"{self.title}: every row has as many cells as there are columns")
        rows = tuple(words_of(row, self.title) for row in value.rows)
        bounds.check(sum(len(cell) for row in rows for cell in row), bounds.ALL_LETTERS, self.title, "letters")
        return TableData(words_of(value.columns, self.title), rows)
