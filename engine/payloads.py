"""The frozen payloads that labs fill views with, and the gestures that come back from the window.

Arrays are numpy once packed; a lab may put tensors into them, ``Description.pack`` copies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any  # a numpy array once packed; a lab may fill in a tensor
Extent = tuple[float, float, float, float]  # x from, x to, y from, y to


@dataclass(frozen=True)
class ImageGroup:
    """Pictures that belong together: (N, H, W) grey or signed, or (N, H, W, 3) colour in 0..1."""

    name: str
    pixels: Array
    captions: tuple[str, ...] = ()
    size: tuple[int, ...] = ()  # rows and columns that each really has, where neighbours were averaged to fit a screen


@dataclass(frozen=True)
class ImagesData:
    groups: tuple[ImageGroup, ...]
    hint: str = ""  # here and below: replaces the description's muted hint, where not empty


@dataclass(frozen=True)
class HeatmapData:
    """K matrices (K, R, C) over the same rows and columns, K names for the selector."""

    values: Array
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    hint: str = ""
    size: tuple[int, ...] = ()  # rows and columns that there really are, where neighbours were averaged to fit a screen


@dataclass(frozen=True)
class PointsData:
    """Points in the plane. Labels are class indices, -1 for none; `hollow` ones are drawn as rings (test data)."""

    xy: Array  # (N, 2)
    labels: Array | None = None  # (N,) int
    classes: tuple[str, ...] = ()
    values: Array | None = None  # (N,) float: coloured by the diverging map instead of by class (regression)
    hollow: Array | None = None  # (N,) bool
    ringed: Array | None = None  # (N,) bool: emphasised, e.g. misclassified
    pictures: Array | None = None  # (N, H, W) in 0..1, shown on hover
    names: tuple[str, ...] = ()  # (N,) words: told on hover, and written beside the points where there are few
    paths: tuple[Array, ...] = ()  # each (K, 2): trajectories
    path_names: tuple[str, ...] = ()
    cursor: tuple[float, float] | None = None  # a handle to drag
    backdrop: Array | None = None  # (H, W) or (H, W, 3) in 0..1, row 0 at the top
    extent: Extent | None = None  # of the backdrop, or the range to show


AxisOf = tuple[str, float, float]  # a quantity's name, its value at 0, and what it grows by per unit of the axis


@dataclass(frozen=True)
class FieldData:
    """A function over a rectangle: values (H, W), row 0 at the top (largest y), sampled up to and at its edges."""

    values: Array
    extent: Extent
    points: PointsData | None = None
    arrows: Array | None = None  # (K, 4): x, y, dx, dy
    shares: Array | None = None  # (K, H, W), each place summing to 1: mixes the class colours instead of the colour map
    hint: str = ""
    axes: tuple[AxisOf, ...] = ()  # x and y, where they read in other units than the places are given in


@dataclass(frozen=True)
class NetworkData:
    """A layered network: unit names per layer (inputs first), and between layers weights (out, in), biases (out,)."""

    units: tuple[tuple[str, ...], ...]
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activation: str = ""
    thumbnails: tuple[Array, ...] | None = None  # per layer (units, h, w), signed
    values: tuple[Array, ...] | None = None  # per layer (units,): the activations for the probed sample
    gradients: tuple[Array, ...] | None = None  # like weights: d loss / d weight
    layer_names: tuple[str, ...] = ()
    hint: str = ""
    sizes: tuple[int, ...] = ()  # how many units each layer really has, where of some only a few are listed
    chosen: int | None = None  # the unit of the last layer that is the answer, emphasised
    answers: tuple[float, float] | None = None  # what the last layer's values lie between, as 0 and 1 for probabilities


@dataclass(frozen=True)
class BarsData:
    labels: tuple[str, ...]
    values: Array  # (N,)
    target: int | None = None  # the right answer, marked
    chosen: int | None = None  # highlighted
    hint: str = ""


@dataclass(frozen=True)
class CanvasData:
    pixels: Array  # (H, W) in 0..1
    caption: str = ""


@dataclass(frozen=True)
class FilmRow:
    """One row of frames: pictures (T, H, W) or (T, H, W, 3), or clouds of points (T, N, 2)."""

    name: str
    pixels: Array | None = None
    points: Array | None = None


@dataclass(frozen=True)
class FilmstripData:
    rows: tuple[FilmRow, ...]
    labels: tuple[str, ...] = ()  # (T,): what stands under each frame


@dataclass(frozen=True)
class TextData:
    """Tokens; probabilities in 0..1 of those that the network wrote, NaN for those it was given."""

    tokens: tuple[str, ...]
    probabilities: Array  # (N,)
    alternatives: tuple[tuple[tuple[str, float], ...], ...] = ()  # per token, likeliest first
    chosen: int | None = None  # the probed position
    hint: str = ""


@dataclass(frozen=True)
class TableData:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Line:
    """A function of one variable: y over x, both (N,); NaN interrupts it. `lower` and `upper` (N,) bound a band."""

    name: str
    x: Array
    y: Array
    style: str = "solid"  # "solid", "dashed", "dotted" or "faint" (thin and muted: one of many)
    lower: Array | None = None
    upper: Array | None = None


@dataclass(frozen=True)
class LinesData:
    """Lines over one axis, and what lies among them."""

    lines: tuple[Line, ...]
    points: PointsData | None = None
    cursor: float | None = None  # an x at which all lines are read off; the viewer drags it
    spans: tuple[tuple[float, float, str], ...] = ()  # shaded ranges of x: from, to, what they are
    marks: tuple[tuple[float, str], ...] = ()  # upright lines: at which x, and why
    hint: str = ""


@dataclass(frozen=True)
class SurfaceData:
    """A height over a rectangle: values (H, W), row 0 at the top (largest y), sampled up to and at its edges."""

    values: Array
    extent: Extent
    paths: tuple[Array, ...] = ()  # each (K, 2): places on the surface, drawn as a trail with a ball at its end
    path_names: tuple[str, ...] = ()
    marks: tuple[tuple[float, float, str], ...] = ()  # places worth knowing, such as minima: x, y, name
    cursor: tuple[float, float] | None = None  # where the next ball is dropped
    hint: str = ""


@dataclass(frozen=True)
class GraphNode:
    """A value or an operation of a computation."""

    name: str  # unique: what edges and gestures call it
    label: str  # what is written in it: x₁, ×, σ, W²
    kind: str = "operation"  # "input", "weight", "operation", "loss"
    value: str = ""  # the number (or how a tensor looks) that is there now
    below: str = ""  # written under it: its shape, its gradient
    lit: bool = False  # what has just been computed
    number: float | None = None  # what the viewer may change (gesture ValueEdit)


@dataclass(frozen=True)
class GraphEdge:
    """An edge from a node to another. `forward` is told on its upper side, `backward` on its lower one."""

    source: str
    target: str
    forward: str = ""
    backward: str = ""
    lit: str = ""  # "forward" or "backward": what has just flowed along it
    name: str = ""  # what gestures call it
    number: float | None = None  # a weight: width and colour of the edge; the viewer may change it (ValueEdit)


@dataclass(frozen=True)
class GraphData:
    """A directed acyclic graph; columns[i] names the nodes of column i, from top to bottom."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    columns: tuple[tuple[str, ...], ...]
    hint: str = ""


@dataclass(frozen=True)
class Grid:
    """An array (R, C) of numbers, or (N,) as one row, or () as one cell."""

    name: str
    values: Array
    caption: str = ""  # under it: its shape, dtype, what it is
    before: str = ""  # the sign that stands left of it: = × +
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    lit: Array | None = None  # (R, C) bool: cells that are emphasised


@dataclass(frozen=True)
class NumbersData:
    grids: tuple[Grid, ...]
    hint: str = ""


@dataclass(frozen=True)
class FormulaLine:
    """A formula in LaTeX, which rarely changes, and behind it the numbers of this moment, as plain text."""

    latex: str
    numbers: str = ""
    note: str = ""  # in muted words
    lit: bool = False


@dataclass(frozen=True)
class FormulaData:
    lines: tuple[FormulaLine, ...]
    hint: str = ""


@dataclass(frozen=True)
class TensorData:
    """A tensor of any size: a small picture of it, and numbers of all of it."""

    shape: tuple[int, ...]
    picture: Array  # (h, w) int8: -127..127 is blue to red, -128 a gap
    shows: str  # what the picture is of, "the maps of the first sample"; "" for weights
    low: float
    high: float
    mean: float
    deviation: float
    zeros: float  # share of values that are exactly zero
    histogram: Array  # (24,) shares, from min(low, 0) to max(high, 0)
    share: float | None = None  # gradients, changes: their length over that of the weights; None where those are zero


@dataclass(frozen=True)
class ParameterData:
    """What a step has done so far with one parameter of a layer."""

    name: str
    shape: tuple[int, ...]
    gradient: TensorData | None = None
    change: TensorData | None = None


@dataclass(frozen=True)
class LayerData:
    """What a step has done so far in one layer."""

    name: str
    kind: str  # "Conv2d"
    activation: TensorData | None = None
    parameters: tuple[ParameterData, ...] = ()


Payload = (
    ImagesData
    | HeatmapData
    | PointsData
    | FieldData
    | NetworkData
    | BarsData
    | CanvasData
    | FilmstripData
    | TextData
    | TableData
    | LinesData
    | SurfaceData
    | GraphData
    | NumbersData
    | FormulaData
)

# ------------------------------------------------------------------ what the user points at, draws or edits


@dataclass(frozen=True)
class Pick:
    """An element was clicked: picture `index` of `group`, bar `index`, frame `index`, token `index` …"""

    index: int
    group: str = ""
    text: str = ""  # Text: the alternative token chosen


@dataclass(frozen=True)
class CellPick:
    """A cell of a heatmap."""

    map: int
    row: int
    column: int


@dataclass(frozen=True)
class PointPick:
    """A place in the plane was clicked or the cursor dragged there; `index` is the point hit, else -1."""

    x: float
    y: float
    index: int = -1


@dataclass(frozen=True)
class Stroke:
    """Data drawn into the plane: places (K, 2) and the class they are to have."""

    xy: tuple[tuple[float, float], ...]
    label: int = 0
    clear: bool = False


@dataclass(frozen=True)
class UnitPick:
    layer: int
    unit: int


@dataclass(frozen=True)
class WeightEdit:
    """Weight (row, column) of the weights after `layer` is to become `value`; column -1 is the bias of `row`."""

    layer: int
    row: int
    column: int
    value: float


@dataclass(frozen=True)
class Drawing:
    """What was drawn on a canvas: pixels (H, W) in 0..1."""

    pixels: Array


@dataclass(frozen=True)
class Typed:
    """A text was typed."""

    text: str


@dataclass(frozen=True)
class ValueEdit:
    """The number of node, edge or grid `name` is to become `value`; in a grid, that of one cell."""

    name: str
    value: float
    row: int = 0
    column: int = 0


Gesture = Pick | CellPick | PointPick | Stroke | UnitPick | WeightEdit | Drawing | Typed | ValueEdit
