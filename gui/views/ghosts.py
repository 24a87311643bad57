"""Ghosts: the curves of earlier runs, faint behind those of the present one, each with strokes of its own."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap

from engine.recorder import MetricHistory
from gui import theme
from gui.views.parts import faded

# in widths of the line; none is whole. They are finer than those of runs that are compared, which are not faint either
STROKES: tuple[tuple[float, ...], ...] = ((), (1, 2), (5, 3), (5, 2, 1, 2), (2, 5), (9, 2, 1, 2, 1, 2))
WIDTH = 1.4
SAMPLE = 22  # pixels


@dataclass(frozen=True)
class Ghost:
    """The curves of another run."""

    name: str
    history: MetricHistory
    strokes: int = 0  # an index into STROKES


def pen(colour: QColor, strokes: int) -> QPen:
    """What the curves of a ghost are drawn with."""
    made = QPen(faded(colour, 0.45 if strokes == 0 else 0.7), WIDTH)
    made.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    if pattern := STROKES[strokes % len(STROKES)]:
        made.setDashPattern(pattern)
        made.setCapStyle(Qt.PenCapStyle.FlatCap)
    return made


def value_at(history: MetricHistory, name: str, step: int) -> float | None:
    """A metric at a step; None before its beginning, and after the run's end."""
    span = history.span()
    return history.at(name, step) if span is not None and step <= span[1] else None


def width(name: str, text: str, metrics: QFontMetricsF) -> float:
    """Of the card that has such a row."""
    return SAMPLE + 34 + metrics.horizontalAdvance(text) + metrics.horizontalAdvance(name)


def paint_reading(painter: QPainter, box: QRectF, ghost: Ghost, text: str) -> None:
    """A row of the card at the crosshair: the ghost's strokes, its name, and its values."""
    look, metrics = theme.current(), QFontMetricsF(painter.font())
    middle, base = box.center().y(), box.center().y() + metrics.capHeight() / 2
    painter.setPen(pen(QColor(look.text), ghost.strokes))
    painter.drawLine(QPointF(box.left(), middle), QPointF(box.left() + SAMPLE, middle))
    wide = metrics.horizontalAdvance(text)
    painter.setPen(QColor(look.muted))
    room = box.width() - SAMPLE - 6 - 12 - wide
    name = metrics.elidedText(ghost.name, Qt.TextElideMode.ElideRight, room)
    painter.drawText(QPointF(box.left() + SAMPLE + 6, base), name)
    painter.setPen(QColor(look.text))
    painter.drawText(QPointF(box.right() - wide, base), text)


def sample(strokes: int, ratio: float) -> QPixmap:
    """How a ghost's curves look, for a list of them."""
    size = QSize(SAMPLE + 2, 12)
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen(QColor(theme.current().text), strokes))
    painter.drawLine(QPointF(1, size.height() / 2), QPointF(size.width() - 1, size.height() / 2))
    painter.end()
    return picture
