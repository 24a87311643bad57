"""Names of points in a scatter: beside them, or, where they are single letters, in their place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from engine.payloads import Array
from gui import theme
from gui.views.parts import faded, small


def apart(places: Array, font: QFont) -> Array:
    """(N,) bool: which points at pixels (N, 2) can be drawn as letters, none over another. The rest stay dots."""
    line = 0.62 * QFontMetricsF(font).height()
    chosen = np.zeros(len(places), np.bool_)
    for index in np.flatnonzero(np.isfinite(places).all(axis=1)):
        distance = np.abs(places[chosen] - places[index])
        chosen[index] = not ((distance[:, 0] < 0.8 * line) & (distance[:, 1] < line)).any()
    return chosen


def paint_letters(
    painter: QPainter,
    places: Array,
    names: Sequence[str],
    chosen: Array,
    tints: Sequence[QColor],
    seen: Array,
    font: QFont,
) -> None:
    """The chosen ones' letters in the colours of their classes; faint those that are not seen."""
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    painter.setFont(bold)
    metrics = QFontMetricsF(bold)
    up = metrics.capHeight() / 2
    for index in np.flatnonzero(chosen).tolist():
        x, y = places[index].tolist()
        painter.setPen(tints[index] if seen[index] else faded(tints[index], 0.16))
        painter.drawText(QPointF(x - metrics.horizontalAdvance(names[index]) / 2, y + up), names[index])


def paint_beside(
    painter: QPainter, places: Array, names: Sequence[str], seen: Array, radius: float, font: QFont
) -> None:
    """The names at the right of the points that are seen; those that would lie over another point or name are left out:
    hovering tells them."""
    painter.setFont(small(font))
    painter.setPen(QColor(theme.current().text))
    metrics = QFontMetricsF(painter.font())
    right, up = radius + 2, metrics.capHeight() / 2
    line = max(4, round(metrics.capHeight()))
    finite = np.isfinite(places).all(axis=1) & (np.abs(places) < 1e5).all(axis=1)
    taken = {(int(x) // 4, int(y) // line) for x, y in places[finite].tolist()}  # by the points themselves
    for index in np.flatnonzero(finite & seen).tolist():
        x, y = places[index].tolist()
        columns = range(int(x + right) // 4, int(x + right + metrics.horizontalAdvance(names[index])) // 4 + 1)
        cells = {(column, int(y + down) // line) for column in columns for down in (-up, up)}
        if not taken & cells:
            taken |= cells
            painter.drawText(QPointF(x + right, y + up), names[index])
