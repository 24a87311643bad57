"""The small editor of one number that opens over a network."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QFrame, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget


class WeightEditor(QFrame):
    """A number and a slider over the network. Enter sets the value; Escape closes and sets nothing."""

    moved = Signal(float)  # the slider is being dragged
    closed = Signal(float, bool)  # the value, and whether it is to be set

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.view = parent
        self.setProperty("role", "panel")
        self.setAutoFillBackground(True)
        self.caption = QLabel()
        self.number = QDoubleSpinBox()
        self.number.setRange(-1e4, 1e4)
        self.number.setDecimals(3)
        self.number.setSingleStep(0.1)
        self.number.setKeyboardTracking(False)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(-1000, 1000)
        self.slider.setAccessibleName("Value")
        self.slider.setMinimumWidth(120)
        self.slider.sliderMoved.connect(self._slid)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.caption, 1)
        row.addWidget(self.number)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.slider)
        self.reach = 1.0
        self.hide()

    def open(self, caption: str, value: float, at: QPointF) -> None:
        """Show beside a place of the parent, wholly within it."""
        value = value if math.isfinite(value) else 0.0
        self.reach = max(3.0, 2 * abs(value))
        self.caption.setText(caption)
        self.number.setAccessibleName(caption)
        self.number.setValue(value)
        self.slider.setValue(round(1000 * value / self.reach))
        self.adjustSize()
        x = min(max(2, round(at.x()) + 10), max(2, self.view.width() - self.width() - 2))
        y = min(max(2, round(at.y()) + 10), max(2, self.view.height() - self.height() - 2))
        self.move(x, y)
        self.show()
        self.raise_()
        self.number.setFocus()
        self.number.selectAll()

    def _slid(self, place: int) -> None:
        self.number.setValue(place / 1000 * self.reach)
        self.moved.emit(self.number.value())

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.number.interpretText()
            self.closed.emit(self.number.value(), True)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit(self.number.value(), False)
        else:
            super().keyPressEvent(event)
