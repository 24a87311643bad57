"""A lab's card: a picture of the lab at work over its title. Painted by hand, so that it stays sharp and quick."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from math import cos, sin, tau
from pathlib import Path

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QWidget

from engine.discovery import CHAPTERS, Card
from gui import style, theme

RADIUS = 9
PAD = 13
SEMIBOLD = QFont.Weight.DemiBold


def chapter_colour(chapter: str) -> QColor:
    """Each chapter has one of the class colours."""
    colours = theme.current().classes
    place = CHAPTERS.index(chapter) if chapter in CHAPTERS else len(CHAPTERS)
    return QColor(colours[place % len(colours)])


def thumbnail_path(lab_id: str) -> Path | None:
    """The picture of a lab for the theme in force, or one for both, or None."""
    folder = style.ASSETS / "thumbnails"
    for name in (f"{lab_id}-{theme.current().name}.png", f"{lab_id}.png"):
        if (folder / name).is_file():
            return folder / name
    return None


def thumbnail(card: Card, size: QSize, ratio: float) -> QPixmap:
    """The lab's picture, whole, on its own ground; a drawing stands in where there is none."""
    path = thumbnail_path(card.id)
    loaded = QPixmap(str(path)) if path else QPixmap()
    if loaded.isNull():
        return _drawing(card, size, ratio)
    wide, high = round(size.width() * ratio), round(size.height() * ratio)
    scaled = loaded.scaled(wide, high, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    made = QPixmap(wide, high)
    made.fill(loaded.copy(0, 0, 1, 1).toImage().pixelColor(0, 0))
    painter = QPainter(made)
    painter.drawPixmap((wide - scaled.width()) // 2, (high - scaled.height()) // 2, scaled)
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def _drawing(card: Card, size: QSize, ratio: float) -> QPixmap:
    """A pattern of curves in the chapter's colour, different for each lab, with the initial of its title."""
    made = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
    made.setDevicePixelRatio(ratio)
    colour = chapter_colour(card.chapter)
    width, height = size.width(), size.height()
    dark, base = theme.current() is theme.DARK, theme.current().panel
    ground = QLinearGradient(0, 0, width, height)
    ground.setColorAt(0, style.mix(base, colour.name(), 0.34 if dark else 0.22))
    ground.setColorAt(1, style.mix(base, colour.name(), 0.10 if dark else 0.06))
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(0, 0, width, height, ground)
    seed = zlib.crc32(card.id.encode())
    phase, waves = (seed % 628) / 100, 2 + seed // 1000 % 4
    line = QColor(colour)
    for ring in range(1, 15):
        line.setAlphaF(0.34 * (1 - ring / 16))
        painter.setPen(QPen(line, 1.2))
        path = QPainterPath()
        for k in range(61):
            angle = tau * k / 60
            radius = ring * height / 11 * (1 + 0.16 * sin(waves * angle + phase + ring / 4))
            point = QPointF(width * 0.72 + 1.35 * radius * cos(angle), height * 0.46 + radius * sin(angle))
            if k:
                path.lineTo(point)
            else:
                path.moveTo(point)
        painter.drawPath(path)
    painter.setFont(style.font(max(20, round(height * 0.42)), SEMIBOLD))
    painter.setPen(colour)
    painter.drawText(QRectF(PAD + 2, 0, width, height), Qt.AlignmentFlag.AlignVCenter, card.title[:1].upper())
    painter.end()
    return made


class CardButton(QAbstractButton):
    """A button that shows a lab."""

    focused = Signal()

    def __init__(self, card: Card, parent: QWidget) -> None:
        super().__init__(parent)
        self.card = card
        self.steer: Callable[[CardButton, int], bool] | None = None  # is told of keys first; whether it took this one
        self.setText(card.title)
        self.setAccessibleName(f"{card.title}, {card.chapter}")
        self.setAccessibleDescription(card.summary)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.holder.changed.connect(self.update)
        self.open_label = ""  # how the lab stands, where it is open
        self._picture = QPixmap()
        self._made_for = self._wanted = ("", 0, 0, 1.0)  # theme, width, height, device pixel ratio

    def set_open(self, label: str) -> None:
        """Say that the lab is open, and how it stands; "" where it is not."""
        if label != self.open_label:
            self.open_label = label
            self.setAccessibleName(f"{self.card.title}, {self.card.chapter}" + (f", {label}" if label else ""))
            self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        QTimer.singleShot(0, self, self.focused.emit)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.steer is None or not self.steer(self, event.key()):
            super().keyPressEvent(event)

    def _begin(self) -> tuple[QPainter, QPainterPath]:
        """The card's ground; what is painted next is clipped to its round corners."""
        t = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        raised = self.underMouse() or self.hasFocus()
        painter.fillPath(outline, style.mix(t.panel, t.raised, 0.9) if raised else QColor(t.panel))
        painter.setClipPath(outline)
        return painter, outline

    def _draw_picture(self, painter: QPainter, size: QSize) -> None:
        """The lab's picture at the top left. A new one is made right after this paint: the window is seen at once,
        and scrolling does not wait for files."""
        wanted = (theme.current().name, size.width(), size.height(), self.devicePixelRatioF())
        if wanted == self._made_for:
            painter.drawPixmap(0, 0, self._picture)
            return
        where = QRect(0, 0, size.width(), size.height())
        if wanted[0] == self._made_for[0]:  # the window is being resized: the former picture will do for a moment
            painter.drawPixmap(where, self._picture)
        else:
            painter.fillRect(where, style.mix(theme.current().panel, chapter_colour(self.card.chapter).name(), 0.2))
        if wanted != self._wanted:
            self._wanted = wanted
            QTimer.singleShot(0, self, self._make_picture)

    def _make_picture(self) -> None:
        _, width, height, ratio = self._made_for = self._wanted
        self._picture = thumbnail(self.card, QSize(width, height), ratio)
        self.update()

    def _end(self, painter: QPainter, outline: QPainterPath) -> None:
        t = theme.current()
        painter.setClipping(False)
        if self.isDown():
            painter.fillPath(outline, QColor(0, 0, 0, 36))
        if self.hasFocus():
            painter.setPen(QPen(QColor(t.link), 2))
            outline = QPainterPath()
            outline.addRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        elif self.underMouse():
            painter.setPen(QPen(style.mix(t.border, t.muted, 0.55), 1))
        else:
            painter.setPen(QPen(QColor(t.border), 1))
        painter.drawPath(outline)
        painter.end()


class BigCard(CardButton):
    """Picture above, title and summary below; a roomy one also says what the lab is about."""

    def __init__(self, card: Card, parent: QWidget) -> None:
        super().__init__(card, parent)
        self._roomy = False

    @staticmethod
    def height_for(width: int, roomy: bool) -> int:
        """The height of a card of that width."""
        return BigCard._picture_height(width, roomy) + (146 if roomy else 80)

    @staticmethod
    def _picture_height(width: int, roomy: bool) -> int:
        return round(width * (0.64 if roomy else 0.5))

    def set_roomy(self, roomy: bool) -> None:
        if roomy != self._roomy:
            self._roomy = roomy
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter, outline = self._begin()
        width, high = self.width(), self._picture_height(self.width(), self._roomy)
        self._draw_picture(painter, QSize(width, high))
        painter.fillRect(QRect(0, high, width, 1), QColor(t.border))
        if self.open_label:
            _pill(painter, self.open_label, width)
        inner = width - 2 * PAD
        _line(painter, self.card.title, style.font(14, SEMIBOLD), t.text, QRect(PAD, high + 9, inner, 22))
        summary = QRect(PAD, high + 33, inner, 40)
        colour = t.bad if self.card.problem else t.text if self._roomy else t.muted
        used = _paragraph(painter, self.card.summary, style.font(13), colour, summary)
        if self._roomy:
            about = QRect(PAD, high + 33 + used + 7, inner, 146 - 33 - used - 7 - 12)
            _paragraph(painter, self.card.about, style.font(12), t.muted, about)
        self._end(painter, outline)


class RecentCard(CardButton):
    """A lab opened lately: picture left, title and chapter right."""

    HEIGHT = 58

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter, outline = self._begin()
        side = QSize(74, self.height())
        self._draw_picture(painter, side)
        inner = self.width() - side.width() - 2 * PAD
        x = side.width() + PAD
        _line(painter, self.card.title, style.font(13, SEMIBOLD), t.text, QRect(x, 9, inner, 20))
        below, colour = (self.open_label, t.link) if self.open_label else (self.card.chapter, t.muted)
        _line(painter, below, style.font(12), colour, QRect(x, 29, inner, 19))
        self._end(painter, outline)


def _pill(painter: QPainter, text: str, width: int) -> None:
    """A few words on a ground of their own in the upper right corner."""
    t, font = theme.current(), style.font(11, SEMIBOLD)
    metrics = QFontMetrics(font)
    text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 36)
    wide = metrics.horizontalAdvance(text) + 16
    ground = QRectF(width - wide - 8, 8, wide, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(t.accent))
    painter.drawRoundedRect(ground, 10, 10)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setFont(font)
    painter.setPen(QColor(t.on_accent))
    painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, text)


def _line(painter: QPainter, text: str, font: QFont, colour: str, where: QRect) -> None:
    """One line of text, cut with an ellipsis where it does not fit."""
    painter.setFont(font)
    painter.setPen(QColor(colour))
    fitted = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, where.width())
    painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, fitted)


def _paragraph(painter: QPainter, text: str, font: QFont, colour: str, where: QRect) -> int:
    """Wrapped text; the last line that fits is cut with an ellipsis. Returns the height used."""
    metrics = QFontMetrics(font)
    spacing = metrics.height() + 2
    lines: list[str] = []
    words = text.split()
    while words and (len(lines) + 1) * spacing <= where.height():
        line = words.pop(0)
        while words and metrics.horizontalAdvance(f"{line} {words[0]}") <= where.width():
            line += f" {words.pop(0)}"
        lines.append(line)
    if words and lines:
        rest = f"{lines[-1]} {' '.join(words)}"
        lines[-1] = metrics.elidedText(rest, Qt.TextElideMode.ElideRight, where.width())
    painter.setFont(font)
    painter.setPen(QColor(colour))
    for index, line in enumerate(lines):
        at = QRect(where.x(), where.y() + index * spacing, where.width() + 1, spacing)
        painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, line)
    return len(lines) * spacing
