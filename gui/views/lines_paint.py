"""How functions of one variable look: lines, bands, spans, marks, legend, cursor. Functions of a painter; no state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from engine.payloads import Array, Line
from gui import theme
from gui.format import number
from gui.style import mix
from gui.views import curve_paint
from gui.views.curve_paint import finite_pieces
from gui.views.parts import draw_lines, faded, polygon
from gui.views.scales import Axis

CROWD = 3  # points a pixel from which on a line is thinned to what can be seen
KEY, GAP = 22.0, 18.0  # the width of the stroke before a name in the legend, and the distance to the next one
NARROW = (math.inf, 160.0, 110.0, 80.0, 56.0, 40.0)  # what names in the legend are cut to, as far as is needed
MORE = 26.0  # the width of "+ 3" at the end of a legend that leaves names out
SMOOTH_BAND = 400  # corners from which on a band is drawn without smooth edges
FAR = 1e5  # pixels: what lies further off is drawn there


def crowded(x: Array) -> bool:
    """Whether a line has far more samples than pixels to be drawn on."""
    return len(x) >= CROWD * max(abs(float(x[-1] - x[0])), 1.0)


def envelope(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Of each pixel column that a line passes: both its sides, the least and the greatest y, the next column's first
    included, so that the columns hang together. All (2 K,)."""
    columns = np.floor(x)
    starts = np.flatnonzero(np.diff(columns, prepend=-np.inf))
    after = y[np.append(starts[1:], len(y) - 1)]
    low = np.minimum(np.minimum.reduceat(y, starts), after)
    high = np.maximum(np.maximum.reduceat(y, starts), after)
    sides = np.column_stack((columns[starts], columns[starts] + 1)).ravel()
    return sides, low.repeat(2), high.repeat(2)


def value_at(line: Line, x: float) -> float:
    """The line's height at x, between its samples; NaN beyond them and in gaps."""
    xs = np.asarray(line.x)
    if not len(xs) or not math.isfinite(x):
        return math.nan
    if (np.diff(xs) < 0).any():  # it turns back: the nearest sample
        return float(line.y[np.nanargmin(np.abs(xs - x))]) if np.isfinite(xs).any() else math.nan
    after = int(np.searchsorted(xs, x))
    if after < len(xs) and xs[after] == x:
        return float(line.y[after])
    if not 0 < after < len(xs):
        return math.nan
    share = (x - xs[after - 1]) / (xs[after] - xs[after - 1])
    return float(line.y[after - 1] * (1 - share) + line.y[after] * share)


def reading(value: float, span: float) -> str:
    """A value with as many decimals as a range that wide deserves, so that it does not dance while it changes."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else number(value)
    if not 1e-4 < span < 1e5:
        return number(value)
    decimals = min(max(0, 2 - math.floor(math.log10(span))), 6)
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"  # no minus before a zero


# ------------------------------------------------------------------------------------------------- within the plot


def grid(painter: QPainter, plot: QRectF, x_axis: Axis, y_axis: Axis) -> None:
    """Upright grid lines (the level ones come with the axes), and the zero lines a little stronger."""
    look = theme.current()
    painter.setPen(QPen(QColor(look.faint), 1))
    xs = x_axis.pixels(np.array([value for value, _ in x_axis.ticks])).round() + 0.5
    draw_lines(painter, np.column_stack((xs, np.full_like(xs, plot.top()), xs, np.full_like(xs, plot.bottom()))))
    painter.setPen(QPen(mix(look.faint, look.muted, 0.45), 1))
    if not x_axis.log and x_axis.low <= 0 <= x_axis.high:
        x = round(x_axis.pixel(0.0)) + 0.5
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
    if not y_axis.log and y_axis.low <= 0 <= y_axis.high:
        y = round(y_axis.pixel(0.0)) + 0.5
        painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))


def spans(painter: QPainter, plot: QRectF, x_axis: Axis, shown: Sequence[tuple[float, float, str]]) -> None:
    """Shaded ranges of x."""
    look = theme.current()
    for low, high, _ in shown:
        left, right = (min(max(x_axis.pixel(x), plot.left()), plot.right()) for x in sorted((low, high)))
        if right > left:
            painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), faded(look.muted, 0.13))


def marks(
    painter: QPainter,
    plot: QRectF,
    x_axis: Axis,
    shown: Sequence[tuple[float, str]],
    captions: Sequence[Caption],
    line: float,
) -> None:
    """Upright lines, as far up as their captions, whose rows are `line` high."""
    rows = {caption.x: caption.row + 1 for caption in captions}
    pen = QPen(faded(theme.current().muted, 0.9), 1.2)
    pen.setDashPattern([3, 3])
    painter.setPen(pen)
    for x, _ in shown:
        at = x_axis.pixel(x)
        if plot.left() - 1 <= at <= plot.right() + 1:
            up = 3 + line * rows[at] if at in rows else 0.0
            painter.drawLine(QPointF(at, plot.bottom()), QPointF(at, plot.top() - up))


def pen_of(colour: QColor, style: str) -> QPen:
    """The pen of a line's style."""
    pen = QPen(colour, 1.0 if style == "faint" else 2.0)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    if style == "dashed":
        pen.setDashPattern([4.5, 3])
    elif style == "dotted":
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setDashPattern([0.1, 2.2])
    return pen


def colour_of_faint(count: int) -> QColor:
    """Of one of many lines: the more there are, the fainter."""
    return faded(theme.current().muted, min(0.6, max(0.16, 4.5 / max(count, 1))))


def band(painter: QPainter, line: Line, colour: QColor, x_axis: Axis, y_axis: Axis) -> None:
    """What lies between a line's bounds, in its colour."""
    assert line.lower is not None
    assert line.upper is not None
    x = x_axis.pixels(line.x)
    low, high = (y_axis.pixels(bound).clip(-FAR, FAR) for bound in (line.lower, line.upper))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(faded(colour, 0.2))
    for piece in finite_pieces(x + low + high):
        at, below, above = x[piece], low[piece], high[piece]
        if crowded(at):
            at, _, below = envelope(at, below)  # downwards pixels count up
            _, above, _ = envelope(x[piece], above)
        edge = np.concatenate((np.column_stack((at, below)), np.column_stack((at, above))[::-1]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(edge) < SMOOTH_BAND)
        painter.drawPolygon(polygon(edge))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def stroke(painter: QPainter, x: Array, y: Array, pen: QPen) -> None:
    """A line in pixels, with gaps where y is NaN; a sample all alone is a dot."""
    painter.setPen(pen)
    y = y.clip(-FAR, FAR)
    for piece in finite_pieces(x + y):
        if piece.stop - piece.start == 1:
            painter.setBrush(pen.color())
            painter.drawEllipse(QPointF(float(x[piece.start]), float(y[piece.start])), 1.4, 1.4)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        elif crowded(x[piece]):  # filled, since stroking a thousand zigzags takes too long
            at, above, below = envelope(x[piece], y[piece])
            half = pen.widthF() / 2
            edge = np.concatenate((np.column_stack((at, above - half)), np.column_stack((at, below + half))[::-1]))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(pen.color())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.drawPolygon(polygon(edge))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(pen)
        else:
            painter.drawPolyline(polygon(np.column_stack((x[piece], y[piece]))))


# ----------------------------------------------------------------------------------------------- around the plot


@dataclass(frozen=True)
class Entry:
    """One name in the legend. `style` is that of a line, or "point"."""

    name: str
    colour: QColor
    style: str


Placed = list[list[tuple[float, Entry, str]]]  # rows of: x, what, its name as far as there is room


def legend_rows(entries: Sequence[Entry], slot: float, metrics: QFontMetricsF, width: float, most: int) -> Placed:
    """The names in up to `most` rows, each line's with room for its value (`slot`). Long names are cut; where that is
    not enough the last ones are only counted."""
    rows: Placed = [[]]
    for room in NARROW:
        rows, x = [[]], 0.0
        for entry in entries:
            name = entry.name
            if metrics.horizontalAdvance(name) > room:
                name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
            wide = KEY + metrics.horizontalAdvance(name) + (slot if has_value(entry) else 0)
            if rows[-1] and x + wide > width - (MORE if room == NARROW[-1] else 0):
                rows.append([])
                x = 0.0
            rows[-1].append((x, entry, name))
            x += wide + GAP
        if len(rows) <= most:
            break
    return rows[:most]


def has_value(entry: Entry) -> bool:
    return entry.style not in ("point", "faint")


def legend(painter: QPainter, rows: Placed, area: QRectF, count: int, values: dict[str, str]) -> None:
    """The names over the plot, and how many of `count` are left out; `values` are told behind them."""
    metrics = QFontMetricsF(painter.font())
    look, y = theme.current(), area.top() + metrics.ascent()
    for row in rows:
        for x, entry, name in row:
            x, middle = x + area.left(), y - metrics.capHeight() / 2
            if entry.style == "point":
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(entry.colour)
                painter.drawEllipse(QPointF(x + 9, middle), 3.6, 3.6)
                painter.setBrush(Qt.BrushStyle.NoBrush)
            else:
                painter.setPen(pen_of(entry.colour, entry.style))
                painter.drawLine(QPointF(x + 1, middle), QPointF(x + 17, middle))
            told = values.get(entry.name, "") if has_value(entry) else ""
            painter.setPen(QColor(look.muted))
            painter.drawText(QPointF(x + KEY, y), name)
            if told:
                at = x + KEY + metrics.horizontalAdvance(name)
                painter.drawText(QPointF(at, y), " = ")
                painter.setPen(QColor(look.text))
                painter.drawText(QPointF(at + metrics.horizontalAdvance(" = "), y), told)
        y += metrics.height() + 1
    if rows and (more := count - sum(map(len, rows))):
        text = f"+ {more}"
        painter.setPen(QColor(look.muted))
        painter.drawText(QPointF(area.right() - metrics.horizontalAdvance(text), y - metrics.height() - 1), text)


@dataclass(frozen=True)
class Caption:
    """Words over the plot. `x` is the mark they belong to, None for a span's."""

    left: float
    row: int  # 0 is the lowest
    text: str
    x: float | None = None


def place_captions(
    marked: Sequence[tuple[float, str]],
    centred: Sequence[tuple[float, str]],
    metrics: QFontMetricsF,
    low: float,
    high: float,
    taken: float,
    most: int,
) -> list[Caption]:
    """Captions of marks, at their right like flags, and of spans, over their middles; none over another, nor over a
    mark. In row 0 all up to `taken` has gone to the name of the axis. What has no room even in the last row is left
    out."""
    free: list[list[tuple[float, float]]] = [[(low - 1e6, taken)] if row == 0 else [] for row in range(most)]
    placed = []
    wanted = [(x, text, True) for x, text in sorted(marked, reverse=True)]  # so that no mark crosses another's words
    wanted += [(x, text, False) for x, text in centred]
    for x, text, flag in wanted:
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(40.0, 0.6 * (high - low)))
        wide = metrics.horizontalAdvance(text)
        left = x + 5 if flag else x - wide / 2
        if flag and left + wide > high:
            left = x - 5 - wide
        left = min(max(left, low), max(low, high - wide))
        for row, others in enumerate(free if text else []):
            if all(left > end + 8 or left + wide < start - 8 for start, end in others):
                others.append((left, left + wide))
                for below in free[:row] if flag else ():
                    below.append((x, x))
                placed.append(Caption(left, row, text, x if flag else None))
                break
    return placed


def cursor(painter: QPainter, x: float, plot: QRectF, dots: Sequence[tuple[float, QColor]], grip: bool) -> None:
    """The upright line at which all lines are read off, a dot on each; a grip at its foot where it can be dragged."""
    look = theme.current()
    painter.setPen(QPen(QColor(look.accent), 1.6))
    painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
    if grip:
        painter.setPen(QPen(QColor(look.panel), 1.5))
        painter.setBrush(QColor(look.accent))
        painter.drawRoundedRect(QRectF(x - 4.5, plot.top() - 3, 9, 13), 4, 4)
    for y, colour in dots:
        if plot.top() - 3 <= y <= plot.bottom() + 3:
            painter.setPen(QPen(QColor(look.panel), 1.6))
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(x, y), 4.6, 4.6)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def pill(painter: QPainter, x: float, text: str, plot: QRectF, width: float, metrics: QFontMetricsF) -> None:
    """Where the cursor stands, written over the numbers at the axis."""
    look, wide = theme.current(), metrics.horizontalAdvance(text) + 12
    left = min(max(x - wide / 2, plot.left() - 6), width - wide - 1)
    box = QRectF(left, plot.bottom() + 2.5, wide, metrics.height() + 1)
    painter.setPen(QPen(QColor(look.panel), 2))
    painter.setBrush(QColor(look.accent))
    painter.drawRoundedRect(box, 5, 5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QColor(look.on_accent))
    painter.drawText(QPointF(left + 6, box.top() + metrics.ascent() + 0.5), text)


def as_curve(name: str, colour: QColor, x: Array, y: Array) -> curve_paint.Line:
    """A line for what the curves' painting does as well: names at the ends, crosshair."""
    return curve_paint.Line(name, name, colour, x, y, None, False, np.zeros(0))
