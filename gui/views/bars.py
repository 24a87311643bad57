"""Named values as bars: probabilities, Q-values. The right answer is framed, the chosen one stands out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen

from engine.payloads import Array, BarsData, Pick
from gui import theme
from gui.format import number
from gui.style import mix
from gui.views.base import ViewWidget
from gui.views.parts import paint_focus, small
from gui.views.scales import room_for
from gui.views.shared import Scales

WIDEST_ROW, LEAST_ROW = 27.0, 13.0


class BarsView(ViewWidget):
    """A click, or arrow keys and Enter, pick a bar. What does not fit is reached with the wheel."""

    aspect = 0.55

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.selected: int | None = None
        self._hovered: int | None = None
        self._first = 0  # the bar at the top

    def take(self, payload: BarsData) -> None:
        if self.selected is not None and self.selected >= len(payload.values):
            self.selected = None
        self._scroll(self._first)

    def clear(self) -> None:
        self.selected, self._hovered, self._first = None, None, 0
        super().clear()

    def reset_view(self) -> None:
        self.selected, self._first = None, 0
        self.update()

    def empty(self) -> bool:
        return self.payload is None or len(self.payload.values) == 0

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        if self.empty():
            return []
        data = self.payload
        marks = [
            " ".join(w for w, i in (("target", data.target), ("chosen", data.chosen)) if i == n)
            for n in range(len(data.values))
        ]
        rows = zip(data.labels, data.values.tolist(), marks, strict=True)
        return [["label", "value", "mark"], *([label, f"{value:.6g}", mark] for label, value, mark in rows)]

    # ------------------------------------------------------------------ layout

    def scales(self) -> Scales:
        return {} if self.empty() else {"bars": self._own_range()}

    def place(self) -> Any:
        return self._hovered, self.selected, self._first

    def point(self, place: Any) -> None:
        count = 0 if self.empty() else len(self.payload.values)
        self._hovered, self.selected = (bar if bar is not None and bar < count else None for bar in place[:2])
        self._scroll(place[2])

    def range(self) -> tuple[float, float]:
        """What the track spans: the same in all runs that are compared."""
        return self.joint.get("bars") or self._own_range()

    def _own_range(self) -> tuple[float, float]:
        """The declared range, widened to round numbers where a value lies beyond it."""
        values = self.payload.values[np.isfinite(self.payload.values)]
        if self.description.log:
            return powers_of_ten(values, self.description.low, self.description.high)
        least, most = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        low, high = self.description.low, self.description.high
        low = -_round_up(-least) if low is None or least < low else low
        high = _round_up(most) if high is None or most > high else high
        low, high = (min(low, 0.0), max(high, 0.0)) if self.description.low is None else (low, high)
        return (low, high) if high > low else (low, low + 1.0)

    def _row(self) -> float:
        """The height of a row."""
        return min(max(self.height() / len(self.payload.values), LEAST_ROW), WIDEST_ROW)

    def _fitting(self) -> int:
        return max(1, int(self.height() / self._row() + 1e-6))

    def _scroll(self, first: int) -> None:
        count = 0 if self.empty() else len(self.payload.values)
        self._first = min(max(first, 0), max(0, count - self._fitting())) if count else 0
        self.update()

    def bar_at(self, at: QPointF) -> int | None:
        """The index of the bar at a place."""
        if self.empty():
            return None
        index = self._first + math.floor(at.y() / self._row())
        return index if at.y() >= 0 and index < min(len(self.payload.values), self._first + self._fitting()) else None

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.empty():
            self.paint_empty(painter)
            painter.end()
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = self._row()
        if row < 20:
            painter.setFont(small(self.font()))
        metrics = QFontMetricsF(painter.font())
        data, unit, log = self.payload, self.description.unit, self.description.log
        texts = logs_as_text(data.values, unit) if log else values_as_text(data.values, unit)
        count, fitting = len(data.values), self._fitting()
        right = float(self.width()) - (6 if count > fitting else 0)
        label_room = min(room_for(data.labels, metrics), 0.38 * right)
        if label_room < min(room_for(data.labels, metrics), room_for(["00…"], metrics)):
            label_room = -6.0  # nothing could be read; the card under the pointer tells it
        value_room = room_for(texts, metrics) if right - label_room > 90 else 0.0
        track = QRectF(label_room + 10, 0, max(8.0, right - label_room - value_room - (20 if value_room else 10)), 0)
        low, high = self.range()
        for index in range(self._first, min(count, self._first + fitting)):
            top = (index - self._first) * row
            thickness = max(8.0, min(row * 0.62, 16.0))
            area = QRectF(track.left(), top + (row - thickness) / 2, track.width(), thickness)
            self._paint_bar(painter, index, area, low, high)
            baseline = top + row / 2 + metrics.capHeight() / 2
            marked = index in (data.chosen, data.target, self._hovered, self.selected)
            painter.setPen(QColor(theme.current().text if marked else theme.current().muted))
            label = metrics.elidedText(data.labels[index], Qt.TextElideMode.ElideRight, label_room + 1)
            if label_room > 0:
                painter.drawText(QPointF(0, baseline), label)
            if value_room:
                painter.drawText(QPointF(right - metrics.horizontalAdvance(texts[index]), baseline), texts[index])
        if log:
            self._paint_decades(painter, track, min(count, fitting) * row)
        elif low < 0 < high:
            x = track.left() - low / (high - low) * track.width()
            painter.setPen(QPen(QColor(theme.current().muted), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, min(count, fitting) * row))
        if count > fitting:
            self._paint_scroll(painter, count, fitting)
        paint_focus(painter, self)
        painter.end()

    def _paint_bar(self, painter: QPainter, index: int, area: QRectF, low: float, high: float) -> None:
        look, data = theme.current(), self.payload
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.hover if index in (self._hovered, self.selected) else look.raised))
        painter.drawRoundedRect(area, 3, 3)
        value = float(data.values[index])
        if math.isfinite(value):
            zero, end = (self._share(v, low, high) * area.width() for v in (0.0, value))
            start, stop = sorted((zero, end))
            strong = data.chosen is None or index == data.chosen
            painter.setBrush(QColor(look.accent) if strong else mix(look.muted, look.raised, 0.5))
            length = max(stop - start, 0.0 if self.description.log and value <= 0 else 2.0)
            bar = QRectF(area.left() + min(start, area.width() - length), area.top(), length, area.height())
            painter.drawRoundedRect(bar, min(3.0, length / 2), 3)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if index == data.target:
            painter.setPen(QPen(QColor(look.link), 1.5))
            painter.drawRoundedRect(area.adjusted(-2, -2, 2, 2), 4.5, 4.5)

    def _share(self, value: float, low: float, high: float) -> float:
        """How far along the track a value lies, 0 to 1."""
        value = min(max(value, low), high)
        return math.log(value / low) / math.log(high / low) if self.description.log else (value - low) / (high - low)

    def _paint_decades(self, painter: QPainter, track: QRectF, bottom: float) -> None:
        """A gap at every power of ten, or at every tenth one where they would be a hatching."""
        low, high = self.range()
        count = round(math.log10(high / low))
        painter.setPen(QPen(QColor(theme.current().panel), 1))
        for decade in range(1, count):
            if track.width() / count > 6 or decade % 10 == 0:
                x = track.left() + decade / count * track.width()
                painter.drawLine(QPointF(x, 0), QPointF(x, bottom))

    def _paint_scroll(self, painter: QPainter, count: int, fitting: int) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current().hover))
        length = max(16.0, self.height() * fitting / count)
        top = (self.height() - length) * self._first / (count - fitting)
        painter.drawRoundedRect(QRectF(self.width() - 3, top, 3, length), 1.5, 1.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # ------------------------------------------------------------------ mouse and keys

    def told(self, index: int) -> str:
        """The text for a bar: label, value, and what is special about it."""
        data, unit = self.payload, f" {self.description.unit}" if self.description.unit else ""
        lines = [f"{data.labels[index]}: {number(float(data.values[index]))}{unit}"]
        lines += ["the right answer"] if index == data.target else []
        lines += ["chosen"] if index == data.chosen else []
        return "\n".join(lines)

    def mouseMoveEvent(self, event: Any) -> None:
        found = self.bar_at(event.position())
        self.tell(event.position().toPoint(), "" if found is None else self.told(found))
        if found != self._hovered:
            self._hovered = found
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.tell(QPoint(), "")
        self.update()

    def mousePressEvent(self, event: Any) -> None:
        found = self.bar_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and found is not None:
            self._pick(found)
        else:
            super().mousePressEvent(event)

    def _pick(self, index: int) -> None:
        if self.probes or self.edits:
            self.selected = index
            self.gesture.emit(Pick(index), not self.probes)
            self.update()

    def wheelEvent(self, event: Any) -> None:
        if self.empty() or len(self.payload.values) <= self._fitting():
            event.ignore()
            return
        self._scroll(self._first - round(event.angleDelta().y() / 40))
        event.accept()

    def keyPressEvent(self, event: Any) -> None:
        key = event.key()
        if not self.empty() and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            last = len(self.payload.values) - 1
            before = self._first - 1 if key == Qt.Key.Key_Down else self._first + 1
            at = before if self.selected is None else self.selected
            self.selected = min(max(at + (1 if key == Qt.Key.Key_Down else -1), 0), last)
            if not self._first <= self.selected < self._first + self._fitting():
                self._scroll(self.selected - (self._fitting() - 1 if key == Qt.Key.Key_Down else 0))
            centre = QPointF(self.width() / 2, (self.selected - self._first + 0.5) * self._row())
            self.tell(centre.toPoint(), self.told(self.selected))
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            self._pick(self.selected)
        elif key == Qt.Key.Key_Escape and self.selected is not None:
            self.selected = None
            self.tell(QPoint(), "")
            self.update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.update()

    def resizeEvent(self, event: Any) -> None:
        self._scroll(self._first)


def values_as_text(values: Array, unit: str = "") -> list[str]:
    """Values with as many decimals as the largest of them deserves: 0.87, 12.5, 1,204."""
    finite = np.abs(values[np.isfinite(values)])
    most = float(finite.max()) if len(finite) else 0.0
    suffix = f" {unit}" if unit else ""
    if most >= 1e4 or 0 < most < 0.01:
        return [number(v) + suffix for v in values.tolist()]
    whole = bool((finite == np.round(finite)).all()) and most > 1
    decimals = 0 if whole or most >= 1000 else 1 if most >= 100 else 2
    texts = [f"{v:,.{decimals}f}" if math.isfinite(v) else number(v) for v in values.tolist()]
    return [("0" + t[2:] if t.startswith("-0") and float(t) == 0 else t) + suffix for t in texts]


def logs_as_text(values: Array, unit: str = "") -> list[str]:
    """Values of all sizes, with two digits each: 0.31, 4.2e-5."""
    suffix = f" {unit}" if unit else ""
    return [number(float(f"{value:.1e}")) + suffix for value in values.tolist()]


def powers_of_ten(values: Array, low: float | None, high: float | None) -> tuple[float, float]:
    """The range of a logarithmic track: as declared, but up to the power of ten above the largest value."""
    positive = values[values > 0]
    least, most = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    low = low if low is not None and low > 0 else 10.0 ** math.floor(math.log10(least))
    high = 10.0 ** math.ceil(math.log10(most)) if high is None or most > high else high
    return low, max(high, 10 * low)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 … at or above a positive value; 0 for others."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))
