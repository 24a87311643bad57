"""Names of points in a scatter: beside them, or, where they are single letters, in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from engine.payloads import Array
from gui import theme
from gui.views.parts import faded, small


def apart(places: Array, font: QFont) -> Array:
    """(N,) bool: which points at pixels (N, 2) can be drawn as letters, none over another. The rest stay dots."""
    line = 0.62 * QFontMetricsF(font).height()
    finite = np.isfinite(places).all(axis=1)
    scaled = np.where(finite[:, None], places, np.inf) / (0.8 * line, line)
    with np.errstate(invalid="ignore"):  # two infinite places
        close: Array = (np.abs(scaled[:, None] - scaled) < 1).all(axis=2)  # (N, N)
    chosen = np.zeros(len(places), np.bool_)
    for index in np.flatnonzero(finite):
        chosen[index] = not (close[index] & chosen).any()
    return chosen


def paint_letters(
    painter: QPainter,
    places: Array,
    names: Sequence[str],
    chosen: Array,
    labels: Array,
    tints: Mapping[int, QColor],
    seen: Array,
    font: QFont,
) -> None:
    """The chosen ones' letters in the colours of their classes; faint those that are not seen."""
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    painter.setFont(bold)
    metrics = QFontMetricsF(bold)
    up, key = metrics.capHeight() / 2, bold.key()
    for index in sorted(np.flatnonzero(chosen).tolist(), key=lambda index: (int(labels[index]), bool(seen[index]))):
        tint = tints[int(labels[index])]
        painter.setPen(tint if seen[index] else faded(tint, 0.16))
        if (key, names[index]) not in _halves:
            _halves[key, names[index]] = metrics.horizontalAdvance(names[index]) / 2
        x, y = places[index].tolist()
        painter.drawText(QPointF(x - _halves[key, names[index]], y + up), names[index])


_halves: dict[tuple[str, str], float] = {}  # half the widths of letters, by font


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
