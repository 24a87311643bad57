"""Functions of one variable: lines with bands, points, spans, marks, and a cursor at which all are read off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt

from engine.payloads import Array, Line, LinesData, PointPick, Stroke
from gui.views.lines_frame import LinesFrame
from gui.views.lines_paint import reading, value_at
from gui.views.parts import Throttle
from gui.views.points import REACH, points_csv
from gui.views.scales import Axis

GRIP = 9.0  # pixels within which the cursor is taken hold of


class LinesView(LinesFrame):
    """Shows LinesData. A click or a drag is a PointPick and moves the cursor; with `draws` it draws a function.

    The wheel zooms x at the pointer, a drag with the right button selects a range, with shift or the middle button
    moves it, a double click resets. Arrow keys move the cursor, with shift in bigger steps; where there is none, those
    with shift move the crosshair, since without it they step the training.
    """

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self._press_range = (0.0, 1.0)
        self._hit = -1
        self._sending = Throttle(self, self.send, 16)

    # --------------------------------------------------------------------------------------------- zoom and pan

    def zoom(self, factor: float, at: float | None = None) -> None:
        """Magnify x by `factor` about the pixel `at` (the middle)."""
        at = (self._x.start + self._x.end) / 2 if at is None else at
        self._show(*(self._x.value(at + (edge - at) / factor) for edge in (self._x.start, self._x.end)))

    def _show(self, first: float, last: float) -> None:
        """Show a range of x, within what there is."""
        whole: tuple[float, float] = self.joint.get("x") or self.x_range()
        axis = Axis(*whole, 0.0, 1.0, log=self.description.log_x)
        a, b = axis.pixel(first), axis.pixel(last)
        if b - a >= 1:
            return self.reset_view()
        if b - a < 1e-6:
            return
        shift = max(0.0, -a) - max(0.0, b - 1)
        self.zoomed, self._range_y = (axis.value(a + shift), axis.value(b + shift)), None
        self._x.low, self._x.high = self.zoomed  # the next turn of the wheel may come before the next paint
        self._changed()

    # ------------------------------------------------------------------------------------------- mouse and keys

    def hit(self, at: QPointF) -> int:
        """The point within reach of a pixel, else -1."""
        data = self.payload.points
        if data is None or not len(data.xy):
            return -1
        distance = np.nan_to_num(((self._pixels(data) - (at.x(), at.y())) ** 2).sum(axis=1), nan=math.inf)
        return int(distance.argmin()) if distance.min() <= REACH**2 else -1

    def _movable(self) -> bool:
        """Whether there is a cursor, and the lab listens."""
        return self.at is not None and self._handled()

    def _over_cursor(self, at: QPointF) -> bool:
        return self._movable() and abs(self._x.pixel(self.at or 0.0) - at.x()) <= GRIP

    def mousePressEvent(self, event: Any) -> None:
        at, button = event.position(), event.button()
        if self.empty() or self._plot.isEmpty() or not self._plot.adjusted(-6, -6, 6, 20).contains(at):
            return super().mousePressEvent(event)
        self._press = self._pointer = at
        self._press_range = (self._x.low, self._x.high)
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if button == Qt.MouseButton.RightButton:
            self._mode = "select"
        elif button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and shifted):
            self._mode = "pan"
        elif button == Qt.MouseButton.LeftButton and self._can_draw() and not self._over_cursor(at):
            self._mode = "draw"
            self.drawn = np.full(max(2, math.ceil(self._plot.width()) + 1), np.nan)
            self._draw(at, at)
        elif button == Qt.MouseButton.LeftButton and self._handled():
            self._mode, self._hit = "pick", -1 if self._over_cursor(at) else self.hit(at)
            self._pick(at)

    def mouseMoveEvent(self, event: Any) -> None:
        before, self._pointer = self._pointer, event.position()
        if self.empty():
            return
        if self._mode == "draw":
            self._draw(before, self._pointer)
        elif self._mode == "pick":
            self._pick(self._pointer)
        elif self._mode == "pan" and self.zoomed is not None:
            axis = Axis(*self._press_range, self._x.start, self._x.end, log=self._x.log)
            moved = self._pointer.x() - self._press.x()
            self._show(axis.value(axis.start - moved), axis.value(axis.end - moved))
        inside = self._plot.adjusted(-3, -3, 3, 3).contains(self._pointer)
        self._cross = self._x.value(self._pointer.x()) if inside and not self._over_cursor(self._pointer) else None
        self._tell_point(self.hit(self._pointer) if inside and not self._mode else -1)
        if self._over_cursor(self._pointer):
            self.setCursor(Qt.CursorShape.SplitHCursor)
        elif self._can_draw() and inside:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.unsetCursor()
        self.update()

    def mouseReleaseEvent(self, event: Any) -> None:
        mode, self._mode = self._mode, ""
        if mode == "pick":
            self._sending.flush()
        elif mode == "draw":
            self._finish_drawing(event.position())
        elif mode == "select":
            start, end = sorted((self._press.x(), event.position().x()))
            if end - start > 5:
                self._show(self._x.value(max(start, self._x.start)), self._x.value(min(end, self._x.end)))
        self.update()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        if self.zoomed is not None:
            self.reset_view()
        else:
            self.mousePressEvent(event)

    def _pick(self, at: QPointF) -> None:
        """Tell of a place; the cursor goes there, unless a point was taken hold of."""
        x = self._x.value(min(max(at.x(), self._plot.left()), self._plot.right()))
        y = self._y.value(min(max(at.y(), self._plot.top()), self._plot.bottom()))
        if self.at is not None and self._hit < 0:
            self.at = x
        self._sending.push(PointPick(x, y, self._hit))
        self.update()

    def _draw(self, start: QPointF, end: QPointF) -> None:
        """Draw from one pixel to another: one height for each column, whichever way the mouse goes."""
        assert self.drawn is not None
        area = self._plot
        (x0, y0), (x1, y1) = sorted(
            (at.x() - area.left(), min(max(at.y(), area.top()), area.bottom())) for at in (start, end)
        )
        columns = np.arange(max(0, round(x0)), min(len(self.drawn) - 1, round(x1)) + 1)
        self.drawn[columns] = np.interp(columns, [x0, x1], [y0, y1]) if x1 > x0 else end.y()
        self.update()

    def _finish_drawing(self, at: QPointF) -> None:
        assert self.drawn is not None
        columns = np.flatnonzero(np.isfinite(self.drawn))
        if len(columns) < 4:  # a click
            self.drawn, self._hit = None, self.hit(at)
            self._pick(at)
            return self._sending.flush()
        pixels = np.minimum(self._plot.left() + columns, self._x.end)
        heights = self.drawn[columns]
        xy = tuple((self._x.value(x), self._y.value(y)) for x, y in zip(pixels.tolist(), heights.tolist(), strict=True))
        self.send(Stroke(xy), edit=True)

    def _tell_point(self, index: int) -> None:
        """The name and value of the point under the pointer."""
        data, lines = self.payload.points, []
        if data is not None and index >= 0:
            lines += [data.names[index]] if data.names else []
            if data.labels is not None and 0 <= data.labels[index] < len(data.classes):
                lines.append(data.classes[data.labels[index]])
            if data.values is not None:
                lines.append(f"value {reading(float(data.values[index]), math.nan)}")
            x, y = data.xy[index].tolist()
            lines.append(f"{self._told_x(x)}, {self._told(y)}")
        self.say(" · ".join(lines))

    def leaveEvent(self, event: QEvent) -> None:
        self._cross = None
        self.say("")
        self.update()

    def wheelEvent(self, event: Any) -> None:
        notches = event.angleDelta().y() / 120
        if self.empty() or not notches or self._plot.isEmpty():
            event.ignore()
            return
        self.zoom(1.25**notches, event.position().x())
        event.accept()

    def keyPressEvent(self, event: Any) -> None:
        key, big = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if self.empty() or self._plot.isEmpty():
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and (big or self._movable()):
            self._move(self._plot.width() / 100 * (10 if big else 1) * (1 if key == Qt.Key.Key_Right else -1))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self._movable():
            self._move(math.copysign(1e6, 1 if key == Qt.Key.Key_End else -1))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            about = None if self.at is None else self._x.pixel(self.at)
            self.zoom(0.8 if key == Qt.Key.Key_Minus else 1.25, about)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_0):
            self.reset_view()
        elif key == Qt.Key.Key_Escape and self._cross is not None:
            self._cross = None
            self.update()
        else:
            super().keyPressEvent(event)

    def _move(self, pixels: float) -> None:
        """Move the cursor; where there is none to move, the crosshair."""
        ours = self._movable()
        now = self.at if ours else self._cross
        at = (self._x.start + self._x.end) / 2 if now is None else self._x.pixel(now)
        x = self._x.value(min(max(at + pixels, self._x.start), self._x.end))
        if not ours:
            self._cross = x
        else:
            self.at = x
            known = [y for line in self._named() if not math.isnan(y := value_at(line, x))]
            self._sending.push(PointPick(x, known[0] if known else 0.0))
        self.update()

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.update()

    def resizeEvent(self, event: Any) -> None:
        self._at_ends, self._rows = True, 0
        self._changed()

    # --------------------------------------------------------------------------------------------------- export

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        return [] if self.payload is None else lines_csv(self.payload, self.description.x_axis or "x")


def lines_csv(data: LinesData, x_axis: str) -> list[list[str]]:
    """The lines as columns; those over the same x stand side by side. Then the points."""
    blocks: list[tuple[Array, list[Line]]] = []
    for line in data.lines:
        for x, lines in blocks:
            if np.array_equal(x, line.x, equal_nan=True):
                lines.append(line)
                break
        else:
            blocks.append((line.x, [line]))
    rows: list[list[str]] = []
    for x, lines in blocks:
        columns = [(x_axis, x)]
        for line in lines:
            columns.append((line.name, line.y))
            if line.lower is not None:
                columns += [(f"{line.name} lower", line.lower), (f"{line.name} upper", line.upper)]
        rows += [[], *_table(columns)] if rows else _table(columns)
    if data.points is not None and len(data.points.xy):
        rows += [*([[]] if rows else []), *points_csv(data.points, x_axis, "y")]
    return rows


def _table(columns: Sequence[tuple[str, Array]]) -> list[list[str]]:
    lists = [np.asarray(values).tolist() for _, values in columns]
    return [[name for name, _ in columns], *([f"{cell:.8g}" for cell in row] for row in zip(*lists, strict=True))]
