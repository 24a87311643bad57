"""How the nodes, edges and texts of a computation graph look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from engine.payloads import GraphNode
from gui import theme
from gui.views.graph_layout import BELOW, LABEL, SMALLEST, Layout, Told
from gui.views.parts import faded


@dataclass(frozen=True)
class Inks:
    """The colours of what flows: forward, backward, and of positive and negative weights."""

    forward: QColor
    backward: QColor
    positive: QColor
    negative: QColor


def sized(font: QFont, size: float, bold: bool = False) -> QFont:
    result = QFont(font)
    result.setPixelSize(max(1, round(size)))
    result.setBold(bold)
    return result


def paint_arrow(painter: QPainter, tip: QPointF, size: float, left: bool = False) -> None:
    back = size if left else -size
    painter.drawPolygon(
        QPolygonF([tip, QPointF(tip.x() + back, tip.y() - size * 0.5), QPointF(tip.x() + back, tip.y() + size * 0.5)])
    )


def paint_edge(
    painter: QPainter, layout: Layout, index: int, inks: Inks, strongest: float, chosen: bool, progress: float
) -> None:
    """A curve with an arrow head. What has just flowed along it grows from its end in the first 200 ms."""
    edge, look = layout.data.edges[index], theme.current()
    # an arrow needs 6 pixels at least to be one
    head, width, tint = max(6.0, 0.55 * layout.font), 1.4, QColor(look.muted)
    if edge.number is not None:
        strength = min(1.0, abs(edge.number) / strongest) if np.isfinite(edge.number) else 1.0
        width, tint = 1.2 + 4.0 * strength, inks.positive if edge.number >= 0 else inks.negative
        head = max(head, 2.2 * width)
    samples = layout.samples[index]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if chosen:
        painter.setPen(QPen(faded(look.text, 0.35), width + 6))
        painter.drawPath(layout.paths[index])
    painter.setPen(QPen(tint, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    end = QPointF(*samples[-1].tolist())
    painter.drawPath(layout.paths[index])
    if edge.lit:
        back = edge.lit == "backward"
        lit = inks.backward if back else inks.forward
        shown = samples[::-1] if back else samples
        shown = shown[: max(2, round(progress * len(shown)))]
        pen = QPen(lit, max(width, 3.0), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF([QPointF(*place) for place in shown.tolist()]))
        head = max(head, 9.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(lit)
        if progress >= 1:
            paint_arrow(painter, QPointF(*samples[0].tolist()) if back else end, head, left=back)
        if not back:
            return
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        paint_arrow(painter, end, head)


def paint_told(painter: QPainter, layout: Layout, font: QFont, told: Told, inks: Inks) -> None:
    edge, look = layout.data.edges[told.edge], theme.current()
    text = getattr(edge, told.what)
    if not text:
        return
    lit = edge.lit == told.what
    painter.setFont(sized(font, told.size, bold=lit))
    metrics = QFontMetricsF(painter.font())
    text = "\n".join(metrics.elidedText(t, Qt.TextElideMode.ElideRight, told.box.width() + 2) for t in text.split("\n"))
    plain = QColor(look.text) if told.what == "forward" else inks.backward
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(faded(look.panel, 0.8))  # other edges pass behind it
    tight = metrics.boundingRect(told.box, int(Qt.AlignmentFlag.AlignCenter), text)
    painter.drawRoundedRect(tight.intersected(told.box), 2, 2)
    painter.setPen(inks.forward if lit and told.what == "forward" else plain)
    painter.drawText(told.box.adjusted(-4, -4, 4, 4), Qt.AlignmentFlag.AlignCenter, text)


def paint_node(
    painter: QPainter, layout: Layout, node: GraphNode, font: QFont, lit: QColor, chosen: bool, editable: bool
) -> None:
    """A card: inputs and weights with small corners, operations round, the loss with a strong frame."""
    look, box, size = theme.current(), layout.boxes[node.name], layout.font
    radius = layout.radius(node.name)
    frame, width = QColor(look.muted), 1.2
    if node.kind == "weight":
        frame, width = QColor(look.link), 1.6
    elif node.kind == "loss":
        frame, width = QColor(look.text), 2.0
    if node.lit:
        frame, width = lit, 2.6
    if chosen:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded(look.text, 0.3))
        painter.drawRoundedRect(box.adjusted(-4, -4, 4, 4), radius + 4, radius + 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(look.panel))
    painter.drawRoundedRect(box, radius, radius)
    painter.setPen(QPen(frame, width))
    painter.setBrush(faded(lit, 0.22) if node.lit else QColor(look.raised))
    painter.drawRoundedRect(box, radius, radius)
    centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
    tall = layout.room.height(node.name, "value", size)
    painter.setFont(sized(font, size * LABEL, bold=True))
    painter.setPen(QColor(look.text))
    inner = box.adjusted(0, 0.25 * size, 0, -0.25 * size)
    painter.drawText(inner.adjusted(-9, 0, 9, -tall), centre, node.label)
    if node.value:
        painter.setFont(sized(font, size))
        painter.setPen(QColor(look.link if editable else look.text))
        painter.drawText(QRectF(inner.left() - 9, inner.bottom() - tall, inner.width() + 18, tall), centre, node.value)
    width, height = layout.under(node.name)
    if node.below and height:
        painter.setFont(sized(font, max(size * BELOW, SMALLEST)))
        painter.setPen(QColor(look.muted))
        area = QRectF(box.center().x() - width / 2 - 9, box.bottom() + 2, width + 18, height)
        painter.drawText(area, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, node.below)
