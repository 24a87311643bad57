"""What views over the plane share: places to pixels, pan, zoom, ticks, a range that does not jump, fast points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shiboken6
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap

from engine.payloads import Array, AxisOf
from gui import theme
from gui.format import number
from gui.views.base import ViewWidget
from gui.views.parts import draw_lines, faded, is_vector, line_height, small
from gui.views.shared import Scales

Bounds = tuple[float, float, float, float]  # x from, x to, y from, y to


def tick_step(low: float, high: float, count: int, most: int = 0) -> float:
    """The round distance of about `count` ticks in [low, high]; of at least three where `most` have room, since from
    fewer nobody can read a scale. 0 where there is nothing to divide."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return 0.0
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    steps = [power * factor for factor in (10, 5, 2, 1, 0.5, 0.2)]
    chosen = max(i for i, step in enumerate(steps) if step >= raw * 0.999)
    while (
        chosen + 1 < len(steps)
        and len(_multiples(steps[chosen], low, high)) < 3
        and len(_multiples(steps[chosen + 1], low, high)) <= most
    ):
        chosen += 1
    return steps[chosen]


def ticks(low: float, high: float, count: int, most: int = 0, step: float = 0.0) -> list[tuple[float, str]]:
    """Round places in [low, high], `step` or tick_step apart, with what is written at them."""
    step = step or tick_step(low, high, count, most)
    if not step:
        return []
    places = _multiples(step, low, high)
    if 1e-4 <= step < 1e5:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(place, f"{place + 0.0:,.{decimals}f}") for place in places]
    return [(place, number(place)) for place in places]


def _multiples(step: float, low: float, high: float) -> list[float]:
    """All multiples of `step` in [low, high]."""
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def spread(xy: Array, margin: float = 0.06) -> Bounds | None:
    """The rectangle that holds all finite places of (N, 2), with a margin; None where there is none."""
    finite = xy[np.isfinite(xy).all(axis=1)].astype(np.float64)
    if not len(finite):
        return None
    (x0, y0), (x1, y1) = finite.min(axis=0), finite.max(axis=0)
    dx, dy = max(x1 - x0, 1e-9 * abs(x1), 1e-9), max(y1 - y0, 1e-9 * abs(y1), 1e-9)
    if dx <= 2e-9 and dy <= 2e-9:
        dx = dy = 1.0 / margin / 2
    return float(x0 - dx * margin), float(x1 + dx * margin), float(y0 - dy * margin), float(y1 + dy * margin)


def union(first: Bounds | None, second: Bounds | None) -> Bounds | None:
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), max(first[3], second[3])


class Sprites:
    """Pre-drawn points of every colour, filled or hollow, ringed or not, faint or not: thousands cost one call."""

    def __init__(self, colours: tuple[QColor, ...], radius: float, ratio: float, outline: str) -> None:
        self.cell = math.ceil(2 * (radius + 4))
        self.ratio, self.radius = ratio, radius
        self.pixmap = QPixmap(round(8 * self.cell * ratio), round(len(colours) * self.cell * ratio))
        self.pixmap.setDevicePixelRatio(ratio)
        self.pixmap.fill(Qt.GlobalColor.transparent)
        self.colours, self.outline = colours, outline
        painter = QPainter(self.pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row in range(len(colours)):
            for variant in range(8):
                centre = QPointF((variant + 0.5) * self.cell, (row + 0.5) * self.cell)
                self._draw_one(painter, centre, row, variant)
        painter.end()

    def _draw_one(self, painter: QPainter, centre: QPointF, row: int, variant: int) -> None:
        """`variant` is hollow + 2 ringed + 4 faint."""
        fill, radius = QColor(self.colours[row]), self.radius
        painter.setOpacity(0.16 if variant & 4 else 1.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if variant & 1:
            painter.setPen(QPen(QColor(self.outline), max(1.0, radius * 0.55) + 1.6))
            painter.drawEllipse(centre, radius - 0.6, radius - 0.6)
            painter.setPen(QPen(fill, max(1.0, radius * 0.45)))
            painter.drawEllipse(centre, radius - 0.6, radius - 0.6)
        else:
            painter.setPen(QPen(QColor(self.outline), 0.9 if radius > 2.2 else 0.5))
            painter.setBrush(fill)
            painter.drawEllipse(centre, radius, radius)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        if variant & 2:
            painter.setPen(QPen(QColor(theme.current().text), 1.3))
            painter.drawEllipse(centre, radius + 2.4, radius + 2.4)
        painter.setOpacity(1.0)

    def draw(self, painter: QPainter, places: Array, rows: Array, variants: Array) -> None:
        """Points at pixel `places` (N, 2), all finite and within the view."""
        if not len(places):
            return
        if is_vector(painter):
            for (x, y), row, variant in zip(places.tolist(), rows.tolist(), variants.tolist(), strict=True):
                self._draw_one(painter, QPointF(x, y), row, variant)
            return
        side = self.cell * self.ratio
        # the fields of QPainter.PixmapFragment: centre, source corner, source size, scale, rotation, opacity
        fragments = np.zeros((len(places), 10))
        fragments[:, 0:2] = places
        fragments[:, 2], fragments[:, 3] = variants * side, rows * side
        fragments[:, 4:6] = side
        fragments[:, 6:8] = 1 / self.ratio
        fragments[:, 9] = 1.0
        first: Any = shiboken6.wrapInstance(fragments.ctypes.data, QPainter.PixmapFragment)
        painter.drawPixmapFragments(first, len(places), self.pixmap)


class Plane(ViewWidget):
    """Base of the views over the plane. Drag pans, the wheel zooms at the pointer, a double click resets.

    A subclass calls `aim` with what there is to show, draws within `plot()` by `to_pixels`, and may take part in the
    mouse's work through `seize`, `drag`, `drop`, `clicked` and `hovered`.
    """

    equal = True  # one unit is as long on both axes
    tight = False  # the plot has the shape of what it shows, centred, rather than fill the view
    strip = 0  # the height of the chips at the top

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.home: Bounds | None = None
        self.zoomed: Bounds | None = None
        self.there: tuple[float, float] | None = None  # the place that is pointed at in the view of another run
        self.pointer: QPointF | None = None
        self._press: QPointF | None = None
        self._press_bounds: Bounds = (0.0, 1.0, 0.0, 1.0)
        self._own = self._panning = False

    # ------------------------------------------------------------------------------------------- geometry

    def _labelled(self) -> bool:
        return self.width() >= 170 and self.height() >= 110

    def _titled(self) -> bool:
        """Whether the axis that points up has its name over it: that takes a line."""
        return bool(self.description.y_axis) and self.height() >= 160

    def plot(self) -> QRectF:
        """The part of the view, in pixels, that shows the plane."""
        line = line_height(self.font())
        top = 4.0 + self.strip
        area = QRectF(self.rect()).adjusted(4, top, -4, -4)
        if self._labelled():
            area.adjust(line * 2.3, line + 6 if self._titled() else 0, -line * 0.6, -line - 2)
        if self.tight and self.equal and (range_ := self.range()) is not None:
            x0, x1, y0, y1 = range_
            scale = min(area.width() / (x1 - x0), area.height() / (y1 - y0))
            width, height = scale * (x1 - x0), scale * (y1 - y0)
            area = QRectF(area.center().x() - width / 2, area.center().y() - height / 2, width, height)
        return area

    def range(self) -> Bounds | None:
        """What is shown unless the viewer zooms: all of it, in every run that is compared."""
        if "x" in self.joint and self.home is not None:
            return (*self.joint["x"], *self.joint["y"])
        return self.home

    def scales(self) -> Scales:
        return {} if self.home is None else {"x": self.home[:2], "y": self.home[2:]}

    def place(self) -> Any:
        at = self.pointer
        return None if at is None or not self.plot().contains(at) else self.to_plane(at), self.zoomed

    def point(self, place: Any) -> None:
        self.there, self.zoomed = place
        self.update()

    def paint_there(self, painter: QPainter) -> None:
        """Cross hairs where the pointer is in the view of another run."""
        if self.there is not None and self.following:
            x, y = (round(each) + 0.5 for each in self.to_pixels(np.array(self.there)).tolist())
            look, area = theme.current(), self.plot()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for pen in (QPen(faded(look.panel, 0.8), 3.4), QPen(QColor(look.text), 1.2)):  # to be seen on every ground
                painter.setPen(pen)
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
                painter.drawEllipse(QPointF(x, y), 4, 4)

    def bounds(self) -> Bounds:
        """What of the plane is shown now."""
        x0, x1, y0, y1 = self.zoomed or self.range() or (-1.0, 1.0, -1.0, 1.0)
        area = self.plot()
        if self.equal and area.width() > 0 and area.height() > 0:
            unit = max((x1 - x0) / area.width(), (y1 - y0) / area.height())
            dx, dy = unit * area.width() / 2, unit * area.height() / 2
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            return x - dx, x + dx, y - dy, y + dy
        return x0, x1, y0, y1

    def to_pixels(self, xy: Array) -> Array:
        """Places (..., 2) to pixels; what is not finite stays so."""
        area, (x0, x1, y0, y1) = self.plot(), self.bounds()
        scale = np.array([area.width() / (x1 - x0), -area.height() / (y1 - y0)])
        pixels: Array = (np.asarray(xy, np.float64) - (x0, y1)) * scale + (area.left(), area.top())
        return pixels

    def axes(self) -> tuple[AxisOf, AxisOf]:
        """How the axes read: in the units of the payload, where it has some."""
        own: tuple[AxisOf, ...] = getattr(self.payload, "axes", ())
        if len(own) == 2:
            return own[0], own[1]
        return (self.description.x_axis, 0.0, 1.0), (self.description.y_axis, 0.0, 1.0)

    def units_shown(self) -> Bounds:
        """What of the plane is shown now, as its axes read."""
        (x0, x1, y0, y1), ((_, x, per_x), (_, y, per_y)) = self.bounds(), self.axes()
        return x + per_x * x0, x + per_x * x1, y + per_y * y0, y + per_y * y1

    def to_plane(self, at: QPointF) -> tuple[float, float]:
        area, (x0, x1, y0, y1) = self.plot(), self.bounds()
        return (
            x0 + (at.x() - area.left()) * (x1 - x0) / max(area.width(), 1e-9),
            y1 - (at.y() - area.top()) * (y1 - y0) / max(area.height(), 1e-9),
        )

    def aim(self, target: Bounds | None) -> None:
        """Show this much: the range grows at once and shrinks slowly, so that nothing jumps while training."""
        if target is None:
            return
        if self.home is None:
            self.home = target
            return
        sides = []
        for side, (old, new) in enumerate(zip(self.home, target, strict=True)):
            outward = new < old if side % 2 == 0 else new > old
            sides.append(new if outward else old + 0.08 * (new - old))
        self.home = (sides[0], sides[1], sides[2], sides[3])

    def clear(self) -> None:
        self.home = None
        super().clear()

    def reset_view(self) -> None:
        self.zoomed = None
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Show `factor` times as much, the place under `at` staying where it is."""
        x0, x1, y0, y1 = self.bounds()
        x, y = self.to_plane(at if at is not None else self.plot().center())
        home = self.range() or (-1.0, 1.0, -1.0, 1.0)
        width = (x1 - x0) * factor
        if 1e-4 * (home[1] - home[0]) < width < 1e3 * (home[1] - home[0]):
            self.zoomed = tuple(c + (b - c) * factor for b, c in zip((x0, x1, y0, y1), (x, x, y, y), strict=True))  # type: ignore[assignment]
            self.update()

    def shift(self, dx: float, dy: float) -> None:
        """Pan by shares of what is shown."""
        x0, x1, y0, y1 = self.bounds()
        dx, dy = dx * (x1 - x0), dy * (y1 - y0)
        self.zoomed = (x0 + dx, x1 + dx, y0 + dy, y1 + dy)
        self.update()

    # -------------------------------------------------------------------------------------------- painting

    def paint_axes(self, painter: QPainter, grid: bool = True) -> None:
        """Grid lines and a few ticks, quiet."""
        look, area, (x0, x1, y0, y1) = theme.current(), self.plot(), self.units_shown()
        (name_x, *_), (name_y, *_) = self.axes()
        font = small(self.font())
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        end, title_x = min(self.width() - 4.0, area.right() + 16), ""
        if name_x and self._labelled():
            title_x = metrics.elidedText(name_x, Qt.TextElideMode.ElideRight, area.width() * 0.6)
            end -= metrics.horizontalAdvance(title_x) + 8
        # the numbers stand left of the axis' name: three of them are to be there
        free = min(x1, x0 + (end - 12 - area.left()) * (x1 - x0) / max(area.width(), 1.0))
        step = tick_step(x0, free, int((end - area.left()) / 80) or 1, int((end - area.left()) / 30))
        marks_x = ticks(x0, x1, 1, step=step)
        most = int(area.height() / 16) + 1
        step_y = tick_step(y0, y1, int(area.height() / 55) or 1, most)
        alike = self.axes()[0][2] == self.axes()[1][2]
        if self.equal and alike and step and 3 <= len(_multiples(step, y0, y1)) <= most:
            step_y = step  # the same distances on both axes
        marks_y = ticks(y0, y1, 1, step=step_y)
        if grid:
            painter.setPen(QPen(QColor(look.faint), 1))
            xs = area.left() + (np.array([v for v, _ in marks_x]) - x0) * area.width() / (x1 - x0)
            ys = area.top() + (y1 - np.array([v for v, _ in marks_y])) * area.height() / (y1 - y0)
            lines_x = np.stack([xs, np.full_like(xs, area.top()), xs, np.full_like(xs, area.bottom())], axis=1)
            lines_y = np.stack([np.full_like(ys, area.left()), ys, np.full_like(ys, area.right()), ys], axis=1)
            draw_lines(painter, np.concatenate([lines_x, lines_y]).round() + 0.5)
        if not self._labelled():
            return
        painter.setPen(QColor(look.muted))
        if title_x:
            painter.drawText(QPointF(end + 8, area.bottom() + metrics.ascent() + 2), title_x)
        for value, text in marks_x:
            width = metrics.horizontalAdvance(text)
            x = area.left() + (value - x0) * area.width() / (x1 - x0) - width / 2
            if x >= 0 and x + width <= end:
                painter.drawText(QPointF(x, area.bottom() + metrics.ascent() + 2), text)
        for value, text in marks_y:
            y = area.top() + (y1 - value) * area.height() / (y1 - y0)
            text = text if metrics.horizontalAdvance(text) < area.left() - 5 else number(value).replace(" ", "")
            painter.drawText(
                QRectF(0, y - metrics.height() / 2, area.left() - 5, metrics.height()),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                text,
            )
        if self._titled():
            left = max(2.0, area.left() - metrics.height() * 2.3)
            title = metrics.elidedText(name_y, Qt.TextElideMode.ElideRight, self.width() - left - 4)
            painter.drawText(QPointF(left, area.top() - metrics.descent() - 6), title)

    def paint_handle(self, painter: QPainter, at: QPointF) -> None:
        """The handle that can be dragged over the plane."""
        look = theme.current()
        painter.setBrush(faded(look.accent, 0.25))
        for pen, radius in ((QPen(QColor(look.panel), 4), 8.0), (QPen(QColor(look.accent), 2), 8.0)):
            painter.setPen(pen)
            painter.drawEllipse(at, radius, radius)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.accent))
        painter.drawEllipse(at, 2.5, 2.5)

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def seize(self, at: QPointF) -> bool:
        """A press: return True to have the drag instead of panning."""
        return False

    def drag(self, at: QPointF) -> None: ...

    def drop(self, at: QPointF) -> None: ...

    def clicked(self, at: QPointF) -> None: ...

    def hovered(self, at: QPointF | None) -> None:
        """The pointer moved, or left (None). Tells the coordinates in the hint."""
        if at is None or self.payload is None or not self.plot().contains(at):
            self.say("")
        else:
            x0, x1, y0, y1 = self.units_shown()
            (name_x, start_x, per_x), (name_y, start_y, per_y) = self.axes()
            x, y = self.to_plane(at)
            x, y = start_x + per_x * x, start_y + per_y * y
            # a fixed number of decimals, so that the text does not dance while the pointer moves
            digits = [max(0, 2 - math.floor(math.log10(max(span, 1e-12)))) for span in (x1 - x0, y1 - y0)]
            at_x, at_y = f"{x:.{min(digits[0], 6)}f}", f"{y:.{min(digits[1], 6)}f}"
            roomy = self.width() >= 360  # the hint has what the title leaves
            self.say(f"{name_x or 'x'} {at_x} · {name_y or 'y'} {at_y}" if roomy else f"{at_x}, {at_y}")

    def mousePressEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.payload is None:
            return
        self._press, self._press_bounds = event.position(), self.bounds()
        self._own, self._panning = self.seize(event.position()), False

    def mouseMoveEvent(self, event: Any) -> None:
        at = event.position()
        self.pointer = at
        if self._press is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = at - self._press
            if self._own:
                self.drag(at)
            elif self._panning or moved.manhattanLength() > 4:
                self._panning = True
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                area, (x0, x1, y0, y1) = self.plot(), self._press_bounds
                dx, dy = moved.x() * (x1 - x0) / area.width(), moved.y() * (y1 - y0) / area.height()
                self.zoomed = (x0 - dx, x1 - dx, y0 + dy, y1 + dy)
                self.update()
        self.hovered(at)

    def mouseReleaseEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        if self._own:
            self.drop(event.position())
        elif self._panning:
            self.unsetCursor()
        else:
            self.clicked(event.position())
        self._press, self._own, self._panning = None, False, False

    def mouseDoubleClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.payload is not None:
            if self.seize(event.position()):
                self._press, self._own = event.position(), True
            else:
                self.reset_view()

    def leaveEvent(self, event: Any) -> None:
        self.pointer = None
        self.hovered(None)
        self.update()

    def wheelEvent(self, event: Any) -> None:
        if self.payload is not None and event.angleDelta().y():
            self.zoom(0.999 ** event.angleDelta().y(), event.position())
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: Any) -> None:
        arrows = {
            Qt.Key.Key_Left: (-0.1, 0.0),
            Qt.Key.Key_Right: (0.1, 0.0),
            Qt.Key.Key_Up: (0.0, 0.1),
            Qt.Key.Key_Down: (0.0, -0.1),
        }
        key = event.key()
        if self.payload is None:
            event.ignore()
        elif key in arrows:
            self.shift(*arrows[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(0.8)
        elif key == Qt.Key.Key_Minus:
            self.zoom(1.25)
        elif key == Qt.Key.Key_Home:
            self.reset_view()
        else:
            event.ignore()
