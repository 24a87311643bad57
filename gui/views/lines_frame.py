"""Functions of one variable: what is where, and a picture of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPixmap

from engine.payloads import Array, Line, LinesData, PointsData
from gui import colour, theme
from gui.views import curve_paint, point_names
from gui.views import lines_paint as paint
from gui.views.base import ViewWidget
from gui.views.curve_paint import KEPT_RANGE, steady_range
from gui.views.lines_paint import Entry, reading, value_at
from gui.views.parts import faded, is_vector, paint_focus, small
from gui.views.plane import Sprites
from gui.views.points import NAMED, SHADES
from gui.views.scales import Axis, room_for
from gui.views.shared import Scales

DRAW = "Draw a function here with the mouse"
END_LABELS = 7  # up to so many lines have their names at their ends
BEHIND = 200  # points from which on they lie behind the lines
GRIP = 9.0  # pixels within which the cursor is taken hold of

LIKE_ITS_NAME = {"blue": 0, "green": 2, "red": 5}  # among the colours of classes


class LinesFrame(ViewWidget):
    """What LinesView shows and where; what the viewer does with it is up to that."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.at: float | None = None  # the x of the cursor
        self.zoomed: tuple[float, float] | None = None  # the range of x; None shows all
        self.drawn: Array | None = None  # a height for each pixel column of the plot, NaN where nothing is drawn
        self._cross: float | None = None  # the x under the pointer, where there is something to read
        self._range_x: tuple[float, float] | None = None
        self._range_y: tuple[float, float] | None = None
        self._x, self._y, self._plot = Axis(), Axis(), QRectF()
        self._slot = 0.0  # the room for a value in the legend
        self._entries: list[Entry] = []
        self._legend: paint.Placed = []
        self._at_ends = True  # names stand at the ends of the lines; once they do not, they stay over the plot
        self._rows = 0  # of captions; they grow only, so that the plot does not jump
        self._captions: list[paint.Caption] = []
        self._version = 0
        self._layer: tuple[Any, QPixmap | None] = (None, None)  # all but what follows the pointer
        self._sprites: tuple[Any, Sprites] | None = None
        self._mode = ""  # of the drag under way: "pick", "draw", "select", "pan"
        self._press, self._pointer = QPointF(), QPointF()

    # ------------------------------------------------------------------------------------------------ payload

    def take(self, payload: LinesData) -> None:
        if self._mode != "pick":
            self.at = payload.cursor if payload.cursor is None or math.isfinite(payload.cursor) else None
        if self._mode != "draw":
            self.drawn = None
        self._changed()
        self.setAccessibleDescription(self.spoken())

    def clear(self) -> None:
        self.at = self.zoomed = self.drawn = self._cross = self._range_x = self._range_y = None
        self._at_ends, self._rows, self._mode = True, 0, ""
        self._changed()
        super().clear()

    def reset_view(self) -> None:
        self.zoomed = self._range_x = self._range_y = None
        self._rows = 0
        self._changed()

    def restyle(self) -> None:
        self._sprites = None
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        self.update()

    def scales(self) -> Scales:
        if self.empty():
            return {}
        x = self.x_range()
        return {"x": x, "y": self.y_range(*x)}

    def share_scales(self, scales: Scales) -> None:
        if scales != self.joint:
            super().share_scales(scales)
            self._changed()

    def place(self) -> Any:
        return self._cross, self.zoomed

    def point(self, place: Any) -> None:
        self._cross, zoomed = place
        if zoomed != self.zoomed:
            self.zoomed, self._range_y = zoomed, None
            self._version += 1
        self.update()

    def payload_hint(self) -> str:
        own = super().payload_hint()
        return own or ("" if self.description.hint or not self._can_draw() else "draw with the mouse")

    def empty(self) -> bool:
        """Whether there is nothing to paint at all."""
        data = self.payload
        return data is None or not (data.lines or data.points is not None or self._can_draw())

    def empty_text(self) -> str:
        return super().empty_text() if self.payload is None else "No line to show yet: train a little"

    def _can_draw(self) -> bool:
        return bool(self.description.draws) and self._handled()

    def _handled(self) -> bool:
        return self.probes or self.edits

    def spoken(self) -> str:
        """What is shown, in words."""
        parts = []
        for line in self._named():
            known = line.y[np.isfinite(line.y)]
            if len(known):
                parts.append(f"{line.name}: {self._told(known.min())} to {self._told(known.max())}")
        if self.at is not None:
            read = [f"{line.name} = {self._told(value_at(line, self.at))}" for line in self._named()]
            parts.append(f"at {self._x_name()} = {self._told_x(self.at)}: {', '.join(read)}")
        return ". ".join([self.description.help.rstrip("."), *parts])

    def _named(self) -> list[Line]:
        """The lines that are told of one by one."""
        return [line for line in self.payload.lines if line.style != "faint" and line.name]

    def _x_name(self) -> str:
        name = str(self.description.x_axis)
        return name if name and len(name) <= 12 else "x"

    def _told(self, value: float) -> str:
        """A height, as text."""
        return reading(float(value), math.nan if self._y.log else abs(self._y.high - self._y.low))

    def _told_x(self, value: float) -> str:
        return reading(value, math.nan if self._x.log else abs(self._x.high - self._x.low))

    # ------------------------------------------------------------------------------------------------- colours

    def colour_of(self, name: str) -> QColor:
        """Classes of the points have the colours they have everywhere; the lines take those that follow. What is named
        after a colour has that one."""
        if name in LIKE_ITS_NAME:
            return QColor(theme.current().classes[LIKE_ITS_NAME[name]])
        points: PointsData | None = self.payload.points
        names = list(points.classes) if points is not None else []
        names += dict.fromkeys(line.name for line in self.payload.lines if line.style != "faint")
        look = theme.current()
        return QColor(look.classes[list(dict.fromkeys(names)).index(name) % len(look.classes)])

    def entries(self) -> list[Entry]:
        """The legend: lines, one name for all that are faint, classes of points."""
        found = {}
        for line in self.payload.lines:
            faint = line.style == "faint"
            tint = faded(theme.current().muted, 0.8) if faint else self.colour_of(line.name) if line.name else QColor()
            if line.name and line.name not in found:
                found[line.name] = Entry(line.name, tint, line.style)
        for name in self.payload.points.classes if self.payload.points is not None else ():
            if name not in found:
                found[name] = Entry(name, self.colour_of(name), "point")
        alone = list(found.values())
        if len(alone) == 1 and self.at is None and alone[0].name in (self.description.title, self.description.y_axis):
            return []  # the title says it
        return alone

    # -------------------------------------------------------------------------------------------------- layout

    def x_range(self) -> tuple[float, float]:
        """All x there are. It grows at once, and shrinks only when much of it is empty."""
        data, log = self.payload, self.description.log_x
        arrays = [np.asarray(line.x) for line in data.lines]
        ends = _extent(arrays, log)
        loose = [data.points.xy[:, 0]] if data.points is not None else []
        loose.append(np.array([x for x, _ in data.marks]))
        around = _extent([*arrays, *loose], log)
        if around is None:
            return self._range_x or ((0.1, 10.0) if log else (-1.0, 1.0))
        low, high = around
        if ends is None or low < ends[0] or high > ends[1]:  # points stand off the edges; lines run to them
            low, high = steady_range(None, low, high, log=log, share=False)
        if not low < high:
            low, high = (low / 2, low * 2) if log else (low - 0.5, high + 0.5)
        if (now := self._range_x) is not None and now[0] <= low and high <= now[1]:
            a, b, c, d = (math.log(v) if log else v for v in (*now, low, high))
            if d - c >= KEPT_RANGE * (b - a):
                return now
        self._range_x = (low, high)
        return self._range_x

    def y_range(self, first: float, last: float) -> tuple[float, float]:
        """The heights within a range of x, as calm, or what the description fixes."""
        data, log, fixed = self.payload, self.description.log_y, (self.description.low, self.description.high)
        arrays = []
        if None in fixed:
            for line in data.lines:
                seen = (line.x >= first) & (line.x <= last)
                arrays += [each[seen] for each in (line.y, line.lower, line.upper) if each is not None]
            if data.points is not None:
                xs, ys = data.points.xy[:, 0], data.points.xy[:, 1]
                arrays.append(ys[(xs >= first) & (xs <= last)])
        found = _extent(arrays, log)
        if found is not None:
            low, high = found
            if not log and high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
                low, high = low - 0.5 * max(abs(low), 1.0), high + 0.5 * max(abs(high), 1.0)
            self._range_y = steady_range(self._range_y, low, high, log=log, share=False)
        low, high = self._range_y or ((0.1, 10.0) if log else (-1.0, 1.0))
        low = low if fixed[0] is None else fixed[0]
        high = high if fixed[1] is None else fixed[1]
        return (low, high) if low < high else (low, low * 10 if log and low > 0 else low + 1)

    def _lay_out(self, font_metrics: QFontMetricsF) -> None:
        """Scale and place all that is drawn."""
        data, metrics, width, height = self.payload, font_metrics, self.width(), self.height()
        line = metrics.height()
        first, last = self.zoomed or self.joint.get("x") or self.x_range()
        low, high = self.joint.get("y") or self.y_range(first, last)
        self._y = Axis(low, high, 1.0, 0.0, log=self.description.log_y)
        self._entries = self.entries()
        strokes = [entry for entry in self._entries if paint.has_value(entry)]
        reading_off = self.at is not None and bool(strokes)
        right = room_for([entry.name for entry in self._entries], metrics) + 12
        at_ends = not reading_off and len(strokes) == len(self._entries) <= END_LABELS and width >= 160
        at_ends = (
            at_ends
            and right < 0.28 * width
            and height > 34 + 14 * len(strokes)
            and self._end_near(last, 0.1 * (last - first))
        )
        self._at_ends = self._at_ends and at_ends
        right = right if self._at_ends and self._entries else 12.0
        self._legend, self._slot = [], 0.0
        if reading_off:
            ends = [self._told(value) for value in (low, high, *self._heights())]
            self._slot = room_for([f" = {text}" for text in ends], metrics)
        if not self._at_ends and self._entries and height >= 80:
            most = 1 if height < 170 else 2 if height < 300 else 3
            self._legend = paint.legend_rows(self._entries, self._slot, metrics, width - 8, most)
        top = 3 + len(self._legend) * (line + 1) + (5 if self._legend else 0)
        # between legend and plot: the name of the axis that points up, and captions
        bottom = line + 6 if height > 70 else 4.0
        titled = bool(self.description.y_axis) and height >= 150
        room = max(10.0, height - top - bottom - (line + 4 if titled or data.marks or data.spans else 6))
        self._y.choose_ticks(round(room / 46) + 1, int(room / 18) + 1)
        left = room_for([text for _, text in self._y.ticks], metrics) + 10 if width > 120 else 4.0
        self._x = Axis(first, last, left, max(left + 10, width - right), log=self.description.log_x)
        self._x.choose_ticks(max(2, round((self._x.end - left) / 74)), int((self._x.end - left) / 40) + 1)
        marked = [(self._x.pixel(x), text) for x, text in data.marks if first <= x <= last]
        centred = []
        for a, b, text in data.spans:
            a, b = max(min(a, b), first), min(max(a, b), last)
            if a < b:
                centred.append(((self._x.pixel(a) + self._x.pixel(b)) / 2, text))
        most = 0 if height < 110 else 1 if height < 160 else 2 if height < 320 else 3
        title_end = metrics.horizontalAdvance(self.description.y_axis) + 6 if titled else 0.0
        self._captions = paint.place_captions(marked, centred, metrics, left, width - 4.0, title_end, most)
        self._rows = max([self._rows, *(caption.row + 1 for caption in self._captions), 1 if titled else 0])
        top += self._rows * (line + 1) + 4
        self._plot = QRectF(left, top, self._x.end - left, max(10.0, height - top - bottom))
        self._y.start, self._y.end = self._plot.bottom(), self._plot.top()

    def _heights(self) -> list[float]:
        """Least and greatest of all named lines: the widest of what may be read off."""
        known = [line.y[np.isfinite(line.y)] for line in self._named()]
        return [float(pick(y)) for y in known if len(y) for pick in (np.min, np.max)]

    def _end_near(self, last: float, reach: float) -> bool:
        """Whether all lines end near the right edge, where their names would stand."""
        ends = [line.x[np.isfinite(line.y)] for line in self._named()]
        return all(not len(x) or self.description.log_x or x.max() >= last - reach for x in ends)

    # ------------------------------------------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:  # Qt dies of a painter that outlives what it paints on
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.empty():
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        painter.setFont(small(self.font()))
        metrics = QFontMetricsF(painter.font())
        ratio = self.devicePixelRatioF()
        key = (self._version, self.size(), ratio, theme.current().name, painter.font().key(), self.at is None)
        if self._layer[0] != key:
            self._lay_out(metrics)
            self._layer = key, None
        if is_vector(painter):
            self._paint_still(painter)
        else:
            if self._layer[1] is None:
                self._layer = key, self._still(ratio, painter)
            assert self._layer[1] is not None
            painter.drawPixmap(0, 0, self._layer[1])
        self._paint_moving(painter, metrics)
        paint_focus(painter, self)

    def _still(self, ratio: float, like: QPainter) -> QPixmap:
        """The layer that stays while the pointer moves."""
        layer = QPixmap(self.size() * ratio)
        layer.setDevicePixelRatio(ratio)
        layer.fill(Qt.GlobalColor.transparent)
        painter = QPainter(layer)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(like.font())
            self._paint_still(painter)
        finally:
            painter.end()
        return layer

    def _paint_still(self, painter: QPainter) -> None:
        data, plot, metrics = self.payload, self._plot, QFontMetricsF(painter.font())
        paint.spans(painter, plot, self._x, data.spans)
        paint.grid(painter, plot, self._x, self._y)
        self._paint_axes(painter, metrics)
        painter.save()
        painter.setClipRect(plot.adjusted(-1, -3, 2, 3))
        for line in data.lines:
            if line.lower is not None:
                faint = line.style == "faint"
                tint = QColor(theme.current().muted) if faint or not line.name else self.colour_of(line.name)
                paint.band(painter, line, tint, self._x, self._y)
        faint = [line for line in data.lines if line.style == "faint"]
        pen = paint.pen_of(paint.colour_of_faint(len(faint)), "faint")
        for line in faint:
            paint.stroke(painter, self._x.pixels(line.x), self._y.pixels(line.y), pen)
        many = data.points is not None and len(data.points.xy) >= BEHIND
        if many:
            self._paint_points(painter, data.points)
        for line in reversed([line for line in data.lines if line.style != "faint"]):  # the first lies uppermost
            pen = paint.pen_of(self.colour_of(line.name), line.style)
            paint.stroke(painter, self._x.pixels(line.x), self._y.pixels(line.y), pen)
        if data.points is not None and not many:
            self._paint_points(painter, data.points)
        painter.restore()
        paint.marks(painter, plot, self._x, data.marks, self._captions, metrics.height() + 1)
        if self._at_ends and self._entries:
            ends = [
                curve for line in self._named() if (curve := self._curve(line)).name in [e.name for e in self._entries]
            ]
            curve_paint.end_labels(painter, list({curve.name: curve for curve in ends}.values()), plot)

    def _curve(self, line: Line) -> curve_paint.Line:
        """A line's end, for its name to stand at."""
        x, y = self._x.pixels(line.x), self._y.pixels(line.y)
        return paint.as_curve(line.name, self.colour_of(line.name), x, y.clip(self._plot.top(), self._plot.bottom()))

    def _paint_axes(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        """Numbers at the axes, their names, and the captions over the plot."""
        look, plot = theme.current(), self._plot
        title = str(self.description.x_axis) if self.height() > 70 and self.width() >= 170 else ""
        title = metrics.elidedText(title, Qt.TextElideMode.ElideRight, 0.6 * plot.width())
        start = self.width() - 4 - metrics.horizontalAdvance(title)
        all_ticks = self._x.ticks
        if title:
            self._x.ticks = [
                (value, text)
                for value, text in all_ticks
                if self._x.pixel(value) + metrics.horizontalAdvance(text) / 2 + 10 < start
            ]
        curve_paint.axes(painter, plot, self._x, self._y, QSize(self.width(), self.height()))
        self._x.ticks = all_ticks
        painter.setPen(QColor(look.muted))
        if title:
            painter.drawText(QPointF(start, self.height() - 3 - metrics.descent() / 2), title)
        base = plot.top() - 5 - metrics.descent()
        if self.description.y_axis and self.height() >= 150:
            title = metrics.elidedText(self.description.y_axis, Qt.TextElideMode.ElideRight, self.width() - 8)
            painter.drawText(QPointF(2, base), title)
        painter.setPen(QColor(look.text))
        for caption in self._captions:
            painter.drawText(QPointF(caption.left, base - caption.row * (metrics.height() + 1)), caption.text)

    def _pixels(self, data: PointsData) -> Array:
        """(N, 2) the points' places."""
        return np.column_stack((self._x.pixels(data.xy[:, 0]), self._y.pixels(data.xy[:, 1])))

    def _paint_points(self, painter: QPainter, data: PointsData) -> None:
        look, places = theme.current(), self._pixels(data)
        count = len(places)
        key = (look.name, count < 60, count > 1000, self.devicePixelRatioF(), data.values is None)
        if self._sprites is None or self._sprites[0] != key:
            radius = 4.4 if count < 60 else 3.6 if count <= 1000 else 2.4
            tints = [QColor(look.text), *(QColor(name) for name in look.classes)]
            if data.values is not None:
                shades = colour.colourise(np.linspace(-1, 1, SHADES), "diverging", -1, 1)
                tints = [QColor(*map(int, shade)) for shade in shades]
            self._sprites = key, Sprites(tuple(tints), radius, self.devicePixelRatioF(), look.panel)
        rows, variants = np.zeros(count, np.int64), np.zeros(count, np.int64)
        if data.values is not None:
            _, high = colour.limits(data.values, "diverging")
            scaled = np.nan_to_num(data.values / high, nan=0.0, posinf=1.0, neginf=-1.0).clip(-1, 1)
            rows = np.rint((scaled + 1) * (SHADES - 1) / 2).astype(np.int64)
        elif data.labels is not None:
            rows = np.where(data.labels < 0, 0, 1 + data.labels % len(look.classes))
        variants += 0 if data.hollow is None else data.hollow
        variants += 0 if data.ringed is None else 2 * data.ringed
        with np.errstate(invalid="ignore"):
            seen = (
                np.abs(places - (self._plot.center().x(), self._plot.center().y()))
                <= (self._plot.width() / 2 + 6, self._plot.height() / 2 + 6)
            ).all(axis=1)
        order = np.flatnonzero(seen)
        self._sprites[1].draw(painter, places[order], rows[order], variants[order])
        if data.names and count <= NAMED:
            point_names.paint_beside(painter, places, data.names, seen, self._sprites[1].radius, self.font())
            painter.setFont(small(self.font()))

    def _paint_moving(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        """What follows the pointer: values, cursor, crosshair, the function being drawn."""
        plot, named = self._plot, self._named()
        shown = {}
        if self.at is not None:
            shown = {line.name: self._told(value_at(line, self.at)) for line in reversed(named)}
        area = QRectF(4, 3, self.width() - 8, 0)
        paint.legend(painter, self._legend, area, len(self._entries), shown if self._slot else {})
        if self.drawn is not None:
            columns = plot.left() + np.arange(len(self.drawn))
            paint.stroke(painter, columns, self.drawn, paint.pen_of(QColor(theme.current().accent), "solid"))
        elif self._can_draw() and not self.payload.lines:
            painter.setPen(QColor(theme.current().muted))
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, DRAW)
        if self.at is not None and plot.left() - 1 <= (x := self._x.pixel(self.at)) <= plot.right() + 1:
            dots = [(self._y.pixel(value_at(line, self.at)), self.colour_of(line.name)) for line in reversed(named)]
            paint.cursor(painter, x, plot, dots, self._handled())
            if self.height() > 70 and self.width() > 120:
                paint.pill(painter, x, self._told_x(self.at), plot, self.width(), metrics)
        if self._mode == "select":
            left, right = sorted((self._press.x(), self._pointer.x()))
            painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), faded(theme.current().accent, 0.18))
        elif self._cross is not None and not self._mode and named and self.width() >= 200 and plot.height() > 60:
            self._paint_crosshair(painter, named, self._cross)

    def _paint_crosshair(self, painter: QPainter, named: Sequence[Line], x: float) -> None:
        at = self._x.pixel(x)
        found = {line.name: value_at(line, x) for line in reversed(named)}
        readings = [
            (
                paint.as_curve(name, self.colour_of(name), np.array([at]), np.array([self._y.pixel(value)])),
                self._told(value),
            )
            for name, value in reversed(found.items())
            if not math.isnan(value)
        ]
        if readings:
            curve_paint.cross_line(painter, at, self._plot)
            title = f"{self._x_name()} = {self._told_x(x)}"
            curve_paint.crosshair(painter, at, title, readings[:12], self._plot, self.size())


def _extent(arrays: Sequence[Array], log: bool) -> tuple[float, float] | None:
    """Least and greatest of what is finite, and positive on a logarithmic axis; None where there is nothing."""
    kept = [each[np.isfinite(each) & (each > 0 if log else True)] for each in map(np.asarray, arrays)]
    kept = [each for each in kept if len(each)]
    if not kept:
        return None
    return float(min(each.min() for each in kept)), float(max(each.max() for each in kept))
