"""How curves look: lines, bands, labels, flags, crosshair. Functions of a painter and of pixels; no state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from engine.payloads import Array
from gui import theme
from gui.views import ghosts
from gui.views.ghosts import Ghost
from gui.views.parts import faded, polygon
from gui.views.scales import Axis, abbreviated, room_for, spread_apart

KEPT_RANGE = 0.6  # the range of y shrinks only when the curves fill less than this share of it
LEGEND_LEFT, LEGEND_GAP = 4.0, 20.0  # where the first name's dot is, and from one name's end to the next one's dot
DASHES = {"B": [4.0, 2.5], "C": [1.0, 1.6], "D": [7.0, 2.0, 1.0, 2.0]}  # in widths of the line; A's is whole
MANY = 200  # corners from which on a band is drawn without smooth edges, which would cost the most of all


@dataclass
class Line:
    """One metric as it is drawn."""

    name: str
    label: str
    colour: QColor
    x: Array  # pixels
    y: Array  # pixels, NaN where there is a gap
    raw: QPolygonF | None  # faint behind: the band from low to high, or the points themselves
    band: bool
    bad: Array  # pixels in x of NaN and infinite values
    run: str = "A"  # the letter of the run, where several are compared


def axes(painter: QPainter, plot: QRectF, x_axis: Axis, y_axis: Axis, size: QSize) -> None:
    """Grid lines and the numbers at them, as far as there is room."""
    look, metrics = theme.current(), QFontMetricsF(painter.font())
    for value, text in y_axis.ticks:
        y = round(y_axis.pixel(value)) + 0.5
        painter.setPen(QPen(QColor(look.faint), 1))
        painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        if size.width() > 120:
            painter.setPen(QColor(look.muted))
            wide = metrics.horizontalAdvance(text)
            painter.drawText(QPointF(plot.left() - 8 - wide, y + metrics.capHeight() / 2), text)
    if size.height() <= 70:
        return
    painter.setPen(QColor(look.muted))
    taken = -math.inf
    for value, text in x_axis.ticks:
        wide = metrics.horizontalAdvance(text)
        left = min(max(x_axis.pixel(value) - wide / 2, plot.left() - 4), size.width() - wide - 1)
        if left > taken:
            painter.drawText(QPointF(left, size.height() - 3 - metrics.descent() / 2), text)
            taken = left + wide + 12


def run_pen(colour: QColor, run: str, width: float = 1.6) -> QPen:
    """What the lines of a run are drawn with: a colour tells the metric, strokes and dots tell the run."""
    pen = QPen(colour, width)
    if run in DASHES:
        pen.setDashPattern(DASHES[run])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def lines(painter: QPainter, shown: Sequence[Line]) -> None:
    """The curves, with their noise faint behind them."""
    for line in shown:
        if line.raw is None:
            continue
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, line.raw.size() < MANY)
        if line.band:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded(line.colour, 0.22))
            painter.drawPolygon(line.raw)
        else:
            painter.setPen(QPen(faded(line.colour, 0.32), 1))
            painter.drawPolyline(line.raw)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for line in shown:
        pen = run_pen(line.colour, line.run)
        pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
        painter.setPen(pen)
        painter.setBrush(line.colour)
        for piece in finite_pieces(line.y):
            if piece.stop - piece.start == 1:
                painter.drawEllipse(QPointF(line.x[piece.start], line.y[piece.start]), 1.6, 1.6)
            else:
                painter.drawPolyline(polygon(np.column_stack((line.x[piece], line.y[piece]))))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def ghost_lines(painter: QPainter, shown: Sequence[tuple[Ghost, Line]]) -> None:
    """The curves of earlier runs."""
    for ghost, line in shown:
        painter.setPen(ghosts.pen(line.colour, ghost.strokes))
        for piece in finite_pieces(line.y):
            painter.drawPolyline(polygon(np.column_stack((line.x[piece], line.y[piece]))))


def crosses(painter: QPainter, shown: Sequence[Line], plot: QRectF) -> None:
    """A small red cross at the foot of the plot for each place with a NaN or infinite value."""
    painter.setPen(QPen(QColor(theme.current().bad), 1.5))
    for line in shown:
        last = -math.inf
        for x in line.bad.tolist():
            if x - last >= 5:
                last, y = x, plot.bottom() - 5
                painter.drawLine(QPointF(x - 2.5, y - 2.5), QPointF(x + 2.5, y + 2.5))
                painter.drawLine(QPointF(x - 2.5, y + 2.5), QPointF(x + 2.5, y - 2.5))


def flag(painter: QPainter, x: float, plot: QRectF, width: int) -> None:
    """A small flag on top of a dotted line."""
    colour = QColor(theme.current().warning)
    painter.setPen(QPen(faded(colour, 0.55), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    top, side = plot.top() - 6, -1 if x + 8 > width else 1
    painter.drawPolygon(QPolygonF([QPointF(x, top), QPointF(x + 7 * side, top + 3.5), QPointF(x, top + 7)]))
    painter.drawRect(QRectF(x - 0.5, top, 1, 10))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def end_labels(painter: QPainter, shown: Sequence[Line], plot: QRectF) -> None:
    """Each curve's name at its end."""
    metrics = QFontMetricsF(painter.font())
    ends = []
    for line in shown:
        known = np.flatnonzero(np.isfinite(line.y) & (line.x <= plot.right() + 1))
        ends.append(float(line.y[known[-1]]) if len(known) else plot.bottom())
    places = spread_apart(ends, metrics.height() * 0.92, plot.top() + 4, plot.bottom() - 4)
    for line, y in zip(shown, places, strict=True):
        painter.setPen(line.colour)
        painter.drawText(QPointF(plot.right() + 7, y + metrics.capHeight() / 2), line.label)


def legend_rows(labels: Sequence[str], metrics: QFontMetricsF, width: float, most: int) -> list[list[str]]:
    """The names in up to `most` rows. Where they do not fit, words are shortened ("val. rec."), as far as is needed."""
    for letters, rows in ((99, 1), *(((99, 2),) if most > 1 else ()), (5, 1), (4, 1), (3, 1), (4, most), (2, most)):
        placed: list[list[str]] = [[]]
        left = LEGEND_LEFT
        for text in (abbreviated(label, letters) for label in labels):
            wide = metrics.horizontalAdvance(text)
            if placed[-1] and left + 12 + wide > width:
                placed.append([])
                left = LEGEND_LEFT
            placed[-1].append(text)
            left += wide + LEGEND_GAP
        if len(placed) <= rows:
            break
    return placed[:most]


def legend(painter: QPainter, shown: Sequence[Line], rows: Sequence[Sequence[str]]) -> None:
    """The names in rows at the top."""
    metrics, entries, y = QFontMetricsF(painter.font()), iter(shown), 0.0
    for row in rows:
        x = LEGEND_LEFT
        for text, line in zip(row, entries, strict=False):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(line.colour)
            painter.drawEllipse(QPointF(x + 4, y + metrics.height() / 2), 3, 3)
            painter.setPen(QColor(theme.current().muted))
            painter.drawText(QPointF(x + 11, y + metrics.ascent()), text)
            x += metrics.horizontalAdvance(text) + LEGEND_GAP
        y += metrics.height()
    painter.setBrush(Qt.BrushStyle.NoBrush)


def letters(painter: QPainter, shown: Sequence[Line], plot: QRectF) -> None:
    """At the end of each line the letter of its run; where there is no room for all, at those of the last metric."""
    metrics = QFontMetricsF(painter.font())
    gap = metrics.capHeight() + 2
    if len(shown) * gap > plot.height():
        shown = [line for line in shown if line.name == shown[-1].name]
    ends = []
    for line in shown:
        known = np.flatnonzero(np.isfinite(line.y) & (line.x <= plot.right() + 1))
        ends.append(float(line.y[known[-1]]) if len(known) else plot.bottom())
    places = spread_apart(ends, gap, plot.top() + 4, plot.bottom() - 4)
    for line, y in zip(shown, places, strict=True):
        painter.setPen(line.colour)
        painter.drawText(QPointF(plot.right() + 6, y + metrics.capHeight() / 2), line.run)


def legend_of_runs(painter: QPainter, runs: str, width: int, names: Sequence[str]) -> None:
    """How the lines of each run look, at the right of the metrics' names where there is room for both."""
    metrics, pitch = QFontMetricsF(painter.font()), 44
    left = width - pitch * len(runs)
    if left < LEGEND_LEFT + sum(metrics.horizontalAdvance(name) + LEGEND_GAP for name in names):
        return
    ink = QColor(theme.current().text)
    for place, run in enumerate(runs):
        x = left + pitch * place
        painter.setPen(ink)
        painter.drawText(QPointF(x, metrics.ascent()), run)
        painter.setPen(run_pen(ink, run))
        middle = metrics.ascent() - metrics.capHeight() / 2
        painter.drawLine(QPointF(x + 12, middle), QPointF(x + 36, middle))


def cross_line(painter: QPainter, x: float, plot: QRectF) -> None:
    """The crosshair's vertical line."""
    painter.setPen(QPen(faded(theme.current().muted, 0.7), 1))
    painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))


def best(painter: QPainter, at: QPointF, text: str, plot: QRectF, *, over: bool) -> None:
    """A ring around a point, and its value over or under it."""
    metrics = QFontMetricsF(painter.font())
    painter.setPen(QPen(QColor(theme.current().text), 1.4))
    painter.drawEllipse(at, 3.5, 3.5)
    wide = metrics.horizontalAdvance(text)
    x = min(max(at.x() - wide / 2, plot.left() + 4), plot.right() - wide - 2)
    # the curve came from above to a lowest point, so there is room over it; over a highest one there is not
    up = at.y() - 8 if over else at.y() + 8 + metrics.capHeight()
    painter.fillRect(
        QRectF(x - 3, up - metrics.capHeight() - 3, wide + 6, metrics.capHeight() + 6),
        faded(theme.current().panel, 0.75),
    )
    painter.drawText(QPointF(x, up), text)


def crosshair(
    painter: QPainter,
    x: float,
    title: str,
    readings: Sequence[tuple[Line, str]],
    plot: QRectF,
    size: QSize,
    earlier: Sequence[tuple[Ghost, str]] = (),
) -> None:
    """A dot on each curve, and a card with the values there; under them those of ghosts, as far as there is room."""
    look, metrics = theme.current(), QFontMetricsF(painter.font())
    for line, text in readings:
        place = int(np.searchsorted(line.x, x + 0.5)) - 1
        if text != "–" and place >= 0 and plot.top() - 2 <= line.y[place] <= plot.bottom() + 2:
            painter.setPen(QPen(QColor(look.panel), 1.5))
            painter.setBrush(line.colour)
            painter.drawEllipse(QPointF(x, line.y[place]), 4, 4)
    high = metrics.height() + 1
    names, values = [line.label for line, _ in readings], [text for _, text in readings]
    width = max(metrics.horizontalAdvance(title), room_for(names, metrics) + room_for(values, metrics) + 26) + 16
    earlier = earlier[: max(0, int((size.height() - 14) / high) - 1 - len(readings))]
    wanted = max((ghosts.width(ghost.name, text, metrics) for ghost, text in earlier), default=0.0)
    if wanted > 0.5 * size.width():  # the card may not hide the curves: "run 3", and the list of runs tells the rest
        earlier = [(replace(ghost, name=ghost.name.partition(",")[0]), text) for ghost, text in earlier]
        wanted = max(ghosts.width(ghost.name, text, metrics) for ghost, text in earlier)
    width = max(width, min(wanted, size.width() - 2.0))
    height = high * (len(readings) + len(earlier) + 1) + 10
    left = x + 12 if x + 14 + width < size.width() else x - 12 - width
    box = QRectF(max(1.0, left), min(plot.top() + 2, max(1.0, size.height() - height - 2)), width, height)
    painter.setPen(QPen(QColor(look.border), 1))
    painter.setBrush(faded(look.raised, 0.95))
    painter.drawRoundedRect(box, 6, 6)
    painter.setPen(QColor(look.muted))
    y = box.top() + 5 + metrics.ascent()
    painter.drawText(QPointF(box.left() + 8, y), title)
    for line, text in readings:
        y += high
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(line.colour)
        painter.drawEllipse(QPointF(box.left() + 11, y - metrics.capHeight() / 2), 3, 3)
        painter.setPen(QColor(look.text))
        painter.drawText(QPointF(box.left() + 20, y), line.label)
        painter.drawText(QPointF(box.right() - 8 - metrics.horizontalAdvance(text), y), text)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ghost, text in earlier:
        y += high
        ghosts.paint_reading(painter, QRectF(box.left() + 8, y - metrics.ascent(), width - 16, high), ghost, text)


def steady_range(
    now: tuple[float, float] | None, low: float, high: float, *, log: bool, share: bool
) -> tuple[float, float]:
    """The range to show [low, high] in: `now` as long as that holds them and is not much too wide, so that the axis
    does not jump; else a new one with a margin, that does not cross zero (nor 100 %) for the margin's sake."""
    if log:
        low, high = math.log10(low), math.log10(high)
        now = None if now is None else (math.log10(now[0]), math.log10(now[1]))
    if now is not None and now[0] <= low and high <= now[1] and high - low >= KEPT_RANGE * (now[1] - now[0]):
        result = now
    else:
        margin = 0.07 * (high - low) if high > low else (0.1 if log else 0.1 * abs(high) or 1.0)
        bottom, top = low - margin, high + margin
        if not log:
            bottom = max(bottom, 0.0) if low >= 0 else bottom
            top = min(top, 0.0) if high <= 0 and high > low else top
            if share and high <= 1:
                top = min(top, 1.0)
        result = (bottom, top) if top > bottom else (bottom - 0.5, bottom + 0.5)
    return (10 ** result[0], 10 ** result[1]) if log else result


def smoothed_over(x: Array, y: Array, width: float) -> Array:
    """An exponential mean with decay length `width` in x, unbiased at its beginning (Kingma and Ba, 2015, sec. 3).
    It leaves gaps where y has them."""
    if width <= 0 or len(x) < 2:
        return y
    decays = np.exp(-np.diff(x, prepend=x[0]) / width).tolist()
    total = weight = 0.0
    result = []
    for decay, value in zip(decays, y.tolist(), strict=True):
        if value == value:  # not NaN
            total, weight = total * decay + value, weight * decay + 1.0
            result.append(total / weight)
        else:
            result.append(math.nan)
    return np.array(result)


def one_per_pixel(x: Array, low: Array, high: Array, mean: Array) -> tuple[Array, Array, Array, Array]:
    """Merge entries that fall into the same pixel column. In pixels `low` lies below, so it is the larger number."""
    starts = np.flatnonzero(np.diff(np.floor(x), prepend=-np.inf))
    counts = np.add.reduceat(np.isfinite(mean).astype(float), starts)
    sums = np.add.reduceat(np.nan_to_num(mean), starts)
    middle = np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)
    return x[starts], np.fmax.reduceat(low, starts), np.fmin.reduceat(high, starts), middle


def finite_pieces(y: Array) -> Iterator[slice]:
    """The stretches without NaN."""
    known = np.isfinite(y)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])))).tolist()
    return (slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))
