"""Two views of one kind in one panel, A and B, of equal size: beside each other, or stacked where that is larger."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from gui.views.base import ViewWidget

GUTTER = 18  # pixels for the letter


class SideBySide(QWidget):
    """Holds both; the panel takes the first one out again."""

    def __init__(self, a: ViewWidget, b: ViewWidget) -> None:
        super().__init__()
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(8)
        for letter, view in (("A", a), ("B", b)):
            label = QLabel(letter)
            label.setProperty("role", "panel-title")
            label.setFixedWidth(GUTTER)
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
            half = QWidget()
            # equal halves, whatever the views would like
            half.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
            row = QHBoxLayout(half)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(0)
            row.addWidget(label)
            row.addWidget(view, 1)
            self._box.addWidget(half, 1)
            view.show()

    @property
    def stacked(self) -> bool:
        """Whether one stands over the other."""
        return self._box.direction() == QBoxLayout.Direction.TopToBottom

    def resizeEvent(self, event: QResizeEvent) -> None:
        # whichever leaves each of them nearer to a square
        beside = self.width() >= self.height()
        self._box.setDirection(QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom)
