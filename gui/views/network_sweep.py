"""Another sample runs through a network: what is active lights up from left to right, layer after layer."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QVariantAnimation
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from engine.payloads import Array
from gui.views.network_paint import Layout
from gui.views.parts import is_vector

LASTS = 800  # milliseconds
OTHER = 0.12  # of the largest input: inputs that differ by more, on average, are another sample's


class Sweep(QVariantAnimation):
    """Runs while the layers light up. A stroke that is being drawn changes too little to start it again."""

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._seen = np.zeros(0)
        self.setDuration(LASTS)
        self.setStartValue(0.0)
        self.setEndValue(1.0)
        self.valueChanged.connect(self._advance)

    def _view(self) -> QWidget:
        parent = self.parent()  # asked for rather than kept: two objects that hold each other are freed by chance
        assert isinstance(parent, QWidget)
        return parent

    def _advance(self, _: object) -> None:
        self._view().update()

    def follow(self, values: tuple[Array, ...] | None) -> None:
        """Look at the activations that are shown from now on."""
        before, self._seen = self._seen, values[0] if values else np.zeros(0)
        if before.shape == self._seen.shape and before.size and self._view().isVisible():
            before, now = np.nan_to_num(before.astype(float)), np.nan_to_num(self._seen.astype(float))
            largest = max(np.abs(before).max(), np.abs(now).max())
            if np.abs(before - now).mean() > OTHER * largest and self.state() != self.State.Running:
                self.start()

    def front(self, layout: Layout, painter: QPainter) -> float:
        """The pixel up to which the activations have come."""
        if self.state() != self.State.Running or is_vector(painter):
            return math.inf
        return layout.x[0] + float(self.currentValue()) * (layout.x[-1] - layout.x[0])
