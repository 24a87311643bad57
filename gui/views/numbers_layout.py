"""Arrays as numbers: how the numbers of one are written, and where several stand side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QFontMetricsF

from engine.payloads import Array, Grid
from gui.format import number
from gui.views.scales import room_for

LEAST_TEXT, MOST_TEXT = 9.0, 44.0  # pixels: where numbers would be smaller there are colours alone
LINE, PAD = 1.9, 1.1  # the height of a cell, and what it has beside its number, in units of the text's size
BRACKET, GAP = 9.0, 20.0  # beside an array; between two
SMALL = 64  # cells: the numbers of such arrays are all of one size
THIN = 14.0  # an array is at least so wide and high
KEPT = 4096  # numbers of an array that are written at once
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # 12,345, as it is written in a cell
MEASURED = 400  # numbers of a larger one that are measured to find the widest


def texts(values: Array) -> list[list[str]]:
    """The numbers of (R, C), all with as many decimals as tell them apart at about three digits of the largest."""
    finite = values[np.isfinite(values)]
    size = float(np.abs(finite).max()) if finite.size else 0.0
    if size and not 1e-3 <= size < 1e6:
        return [[minus(number(value)) for value in row] for row in values.tolist()]
    digits = decimals(values)
    return [[_written(value, digits) for value in row] for row in values.tolist()]


def decimals(values: Array) -> int:
    """How many decimals the numbers of an array have."""
    finite = values[np.isfinite(values)]
    size = float(np.abs(finite).max()) if finite.size else 0.0
    if not size:
        return 0
    most = 1 if size >= 10 else 2 if size >= 0.1 else 3 if size >= 0.01 else 4
    rounded = np.round(finite, most)
    exact = bool(np.allclose(rounded, finite, rtol=0, atol=10.0 ** -(most + 4)))
    fewer = [digits for digits in range(most) if (np.round(finite, digits) == rounded).all()]
    return fewer[0] if exact and fewer else most


def _written(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return minus(number(value))
    return minus(f"{round(value, digits) + 0.0:,.{digits}f}")


def minus(text: str) -> str:
    """With a minus sign as long as a plus, in the place of a hyphen."""
    return text.replace("-", "−")


def plain(value: float) -> str:
    """A number as it is told on hover, and offered for editing: six digits, no separators."""
    return f"{value:.6g}" if math.isfinite(value) else number(value)


def parsed(text: str) -> float | None:
    """The number that was typed; None where it is none that can be used."""
    text = text.strip().replace("−", "-")
    if THOUSANDS.fullmatch(text) or "." in text:
        text = text.replace(",", "")
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@dataclass
class Block:
    """One array and where it stands, in pixels of the view when it is not zoomed."""

    grid: Grid
    widest: float  # of its numbers, where the text's size is 1
    longest: str = ""
    written: list[list[str]] | None = None  # its numbers; of a large one they are written where they are seen
    body: QRectF = field(default_factory=QRectF)  # its cells
    left: float = 0.0  # of all that belongs to it

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.grid.values.shape
        return max(1, rows), max(1, columns)

    @property
    def small(self) -> bool:
        return self.shape[0] * self.shape[1] <= SMALL

    def cell(self) -> tuple[float, float]:
        """Width and height of a cell where the text's size is 1: narrow in large arrays, square in pictures."""
        if self.small:
            return max(self.widest + PAD, LINE), LINE
        wide, high = max(self.widest + PAD / 3, LINE * 0.8), LINE * 0.8
        return wide, wide if min(self.shape) >= 8 else high

    def size_for(self, reach: float, numbers: bool) -> tuple[float, float]:
        """Width and height of its cells: a small array takes what its numbers need (if they are wanted), and these are
        the larger the longer a large one may be, `reach` pixels. Colours alone are square, unless it is but a line."""
        rows, columns = self.shape
        wide, high = self.cell()
        text = common_text(reach)
        if not self.small:
            text = min(text, reach / max(columns * wide, rows * high))
        if text >= LEAST_TEXT and (numbers or not self.small):
            return columns * wide * text, rows * high * text
        cell = reach / max(rows, columns)
        return max(columns * cell, THIN), max(rows * cell, THIN)


def common_text(reach: float) -> float:
    """The size of the text in small arrays, where large ones may be so long."""
    return max(MOST_TEXT * math.pow(min(reach / 500, 1.0), 0.6), LEAST_TEXT)


def measure(grid: Grid, font: QFont, former: Block | None) -> Block:
    """A block for a grid. Its cells do not get narrower from one moment to the next: nothing jumps."""
    values, written = grid.values, None
    if values.size <= KEPT:
        written = texts(values)
        found = {text for row in written for text in row}
    else:  # some in even distances, and the extremes
        flat = values.ravel()
        tame = np.nan_to_num(flat)
        some = np.concatenate([flat[:: flat.size // MEASURED], flat[[tame.argmin(), tame.argmax()]]])
        digits = decimals(some)
        found = {_written(value, digits) for value in some.tolist()}
    found = set(sorted(found, key=len)[-MEASURED:])
    large = QFont(font)
    large.setPixelSize(100)
    metrics = QFontMetricsF(large)
    widths = [(metrics.horizontalAdvance(text) / 100, text) for text in found]
    widest, longest = max(widths, default=(0.6, "0"))
    if former is not None and former.grid.values.shape == values.shape and former.widest > widest:
        widest, longest = former.widest, former.longest
    return Block(grid, widest, longest, written)


@dataclass
class Room:
    """What stands around the bodies, in pixels."""

    names: float
    captions: float
    labels: QFontMetricsF
    sign: QFontMetricsF
    least: float = 0.4  # of the view's width: what the labels of rows may take

    def before(self, block: Block) -> float:
        """Left of a body: its sign, the labels of its rows, a bracket."""
        sign = self.sign.horizontalAdvance(block.grid.before) + 14 if block.grid.before else 0.0
        return sign + self.row_labels(block) + BRACKET

    def row_labels(self, block: Block) -> float:
        return min(room_for(block.grid.rows, self.labels) + 6, 110.0) if block.grid.rows else 0.0

    def above(self, block: Block) -> float:
        columns = self.labels.height() if block.grid.columns else 0.0
        return columns + (self.names if block.grid.name else 0.0) + 4

    def below(self, block: Block) -> float:
        return (self.captions if block.grid.caption else 0.0) + 4

    def width(self, block: Block, body: float) -> float:
        """Of all: a name or caption may be wider than the array."""
        words = max(self.labels.horizontalAdvance(text) for text in (block.grid.name, block.grid.caption))
        return self.before(block) + max(body + BRACKET, min(words * 1.1, 170.0))


def place(blocks: Sequence[Block], area: QRectF, room: Room) -> None:
    """Put the blocks side by side, in lines where they do not fit, as large as they can be."""
    if not blocks:
        return
    for numbers, least in ((True, 20.0), (False, 6.0)):  # where the numbers do not fit, their colours do
        in_lines = _fitted(blocks, area, room, numbers, least, area.width())
        in_one = _fitted(blocks, area, room, numbers, least, math.inf)
        # an equation is best read in one line, though it be smaller
        chosen = in_one if in_one.fits and in_one.size >= 0.5 * in_lines.size else in_lines
        if chosen.fits:
            break
    sizes, lines, heights, widths = chosen.sizes, chosen.lines, chosen.heights, chosen.widths
    y = area.top() + max(0.0, (area.height() - sum(sum(parts) for parts in heights)) / 2)
    for line, (above, body, below), wide in zip(lines, heights, widths, strict=True):
        x = area.left() + max(0.0, (area.width() - wide) / 2)
        for index in line:
            block, (width, height) = blocks[index], sizes[index]
            block.left = x
            block.body = QRectF(x + room.before(block), y + above + (body - height) / 2, width, height)
            x += room.width(block, width) + GAP
        y += above + body + below


@dataclass(frozen=True)
class Arranged:
    """One way to place the blocks."""

    fits: bool
    sizes: list[tuple[float, float]]
    lines: list[list[int]]
    heights: list[tuple[float, float, float]]
    widths: list[float]

    @property
    def size(self) -> float:
        """Of all bodies together, in square pixels."""
        return sum(width * height for width, height in self.sizes)


def _fitted(blocks: Sequence[Block], area: QRectF, room: Room, numbers: bool, least: float, breadth: float) -> Arranged:
    """As large as they fit, in lines of at most that breadth; what does not fit is as small as can be."""
    reach = max(area.width(), area.height())
    while True:
        reach *= 0.97
        sizes = [block.size_for(reach, numbers) for block in blocks]
        lines = _broken(blocks, sizes, breadth, room)
        heights = [_line_height(line, sizes, blocks, room) for line in lines]
        widths = [sum(room.width(blocks[i], sizes[i][0]) for i in line) + GAP * (len(line) - 1) for line in lines]
        fits = sum(sum(parts) for parts in heights) <= area.height() and max(widths) <= area.width()
        if fits or reach <= least:
            return Arranged(fits, sizes, lines, heights, widths)


def _broken(blocks: Sequence[Block], sizes: Sequence[tuple[float, float]], width: float, room: Room) -> list[list[int]]:
    """Which blocks stand in which line."""
    lines: list[list[int]] = [[]]
    taken = 0.0
    for index, block in enumerate(blocks):
        wide = room.width(block, sizes[index][0]) + GAP
        if lines[-1] and taken + wide - GAP > width:
            lines.append([])
            taken = 0.0
        lines[-1].append(index)
        taken += wide
    return lines


def _line_height(
    line: Sequence[int], sizes: Sequence[tuple[float, float]], blocks: Sequence[Block], room: Room
) -> tuple[float, float, float]:
    """Above the bodies of a line, of the highest one, and below."""
    return (
        max(room.above(blocks[i]) for i in line),
        max(sizes[i][1] for i in line),
        max(room.below(blocks[i]) for i in line) + 6,
    )


def neighbourhood(values: Array, row: int, column: int, reach: int = 2) -> tuple[Array, int, int]:
    """The cells around one, and its place among them."""
    top, left = max(0, row - reach), max(0, column - reach)
    return values[top : row + reach + 1, left : column + reach + 1], row - top, column - left


def outline(lit: Array) -> Array:
    """The border of the lit cells of (R, C): (K, 4) segments x1, y1, x2, y2 in cells."""
    padded = np.pad(lit, 1)
    here = padded[1:-1, 1:-1]
    found = []
    for beside, start, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[2:, 1:-1], (0, 1), (1, 1)),
        (padded[1:-1, :-2], (0, 0), (0, 1)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
    ):
        rows, columns = np.nonzero(here & ~beside)
        corner = np.stack([columns, rows], axis=1)
        found.append(np.concatenate([corner + start, corner + end], axis=1))
    return np.concatenate(found).astype(np.float64)


@dataclass(frozen=True)
class Lens:
    """How the plane of the blocks is seen: zoomed about the origin, then moved."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def rect(self, area: QRectF) -> QRectF:
        return QRectF(
            area.x() * self.zoom + self.x,
            area.y() * self.zoom + self.y,
            area.width() * self.zoom,
            area.height() * self.zoom,
        )

    def zoomed(self, factor: float, at: QPointF) -> Lens:
        """Larger by a factor, what is under `at` staying there; never smaller than all."""
        zoom = max(1.0, self.zoom * factor)
        factor = zoom / self.zoom
        if zoom == 1.0:
            return Lens()
        return Lens(zoom, at.x() - (at.x() - self.x) * factor, at.y() - (at.y() - self.y) * factor)

    def moved(self, dx: float, dy: float, width: float, height: float) -> Lens:
        """Shifted, without leaving what there is."""
        x = min(max(self.x + dx, width * (1 - self.zoom)), 0.0)
        y = min(max(self.y + dy, height * (1 - self.zoom)), 0.0)
        return Lens(self.zoom, x, y)
