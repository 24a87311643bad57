"""What is drawn over the cells of a heatmap and beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from gui import theme
from gui.format import number
from gui.views.parts import faded
from gui.views.pixels import coloured, to_image


def paint_lit(painter: QPainter, row: QRectF, cell: QRectF) -> None:
    """A frame around the row, a stronger one around the cell: white on black reads on every colour."""
    for area, opacity in ((row, 0.55), (cell, 1.0)):
        painter.setPen(QPen(faded("#000000", 0.75 * opacity), 3))
        painter.drawRect(area)
        painter.setPen(QPen(faded("#ffffff", opacity), 1.3))
        painter.drawRect(area)


def paint_scale(painter: QPainter, matrix: QRectF, colours: str, ends: Sequence[str]) -> None:
    """A thin bar of the colours with the two ends of the range."""
    metrics = QFontMetricsF(painter.font())
    area = QRectF(matrix.right() + 12, matrix.top(), 6, min(matrix.height(), 120.0))
    table = coloured(np.linspace(1, 0, 64, dtype=np.float32)[:, None], colours, 0.0, 1.0)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(area, to_image(table))
    painter.setPen(QColor(theme.current().muted))
    painter.drawText(QPointF(area.right() + 4, area.top() + metrics.capHeight()), ends[1])
    painter.drawText(QPointF(area.right() + 4, area.bottom()), ends[0])


def short(value: float) -> str:
    """A number for a small cell: 0.87, 12, 3.1."""
    if not math.isfinite(value) or value == round(value):
        return number(value)
    return f"{value:.2f}" if abs(value) < 10 else number(value)
