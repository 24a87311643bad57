"""Small parts that the painted views share: throttle, chips, the tag beside the pointer, pictures from arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import shiboken6
from PySide6.QtCore import QLineF, QObject, QPointF, QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPaintEngine, QPainter, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QAbstractButton, QWidget

from engine.payloads import Array
from gui import colour, theme
from gui.plain import plain

CHIP_HEIGHT = 22
LINE = 20  # from one line of chips to the next
LEAST_NAME = 16  # pixels: names are not cut to less


class Throttle(QObject):
    """Passes the first value on at once, then the latest of those that follow, at most every `interval` ms."""

    def __init__(self, parent: QObject, deliver: Callable[[Any], None], interval: int = 33) -> None:
        super().__init__(parent)
        self._deliver = deliver
        self._waiting: list[Any] = []
        self._timer = QTimer(self)
        self._timer.setInterval(interval)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._due)

    def push(self, value: Any) -> None:
        if self._timer.isActive():
            self._waiting = [value]
        else:
            self._timer.start()
            self._deliver(value)

    def flush(self) -> None:
        """Deliver now what still waits, and stop the timer: the gesture is over."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, []
        for value in waiting:
            self._deliver(value)

    def drop(self) -> None:
        """Forget what still waits: it is not wanted any more."""
        self._timer.stop()
        self._waiting = []

    def _due(self) -> None:
        if self._waiting:
            self.push(self._waiting.pop())


# ------------------------------------------------------------------------------------------------- drawing


def small(font: QFont, factor: float = 0.88) -> QFont:
    """The same font, a little smaller: for ticks and captions."""
    result = QFont(font)
    if font.pixelSize() > 0:
        result.setPixelSize(max(9, round(font.pixelSize() * factor)))
    else:
        result.setPointSizeF(font.pointSizeF() * factor)
    return result


_heights: dict[str, float] = {}


def line_height(font: QFont) -> float:
    """The height of a line in the small font. Asked for many times while a view is painted, hence kept."""
    key = font.key()
    if key not in _heights:
        _heights[key] = QFontMetricsF(small(font)).height()
    return _heights[key]


def monospace(font: QFont) -> QFont:
    """A fixed-width font of the same size."""
    result = QFont(font)
    result.setFamilies(["JetBrains Mono", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace"])
    result.setStyleHint(QFont.StyleHint.Monospace)
    return result


def faded(name: str | QColor, alpha: float) -> QColor:
    """A colour with an opacity of 0..1."""
    result = QColor(name)
    result.setAlphaF(alpha)
    return result


def rgb_of(name: str | QColor) -> Array:
    """(3,) red, green, blue in 0..255."""
    tint = QColor(name)
    return np.array([tint.red(), tint.green(), tint.blue()], np.float64)


def is_vector(painter: QPainter) -> bool:
    """Whether the painter writes a drawing (SVG, PDF) rather than pixels."""
    return painter.paintEngine().type() in (QPaintEngine.Type.SVG, QPaintEngine.Type.Pdf)


def polygon(places: Array) -> QPolygonF:
    """(K, 2) pixels as a QPolygonF, copied in one go."""
    result = QPolygonF()
    result.resize(len(places))
    if len(places):
        pointer: Any = shiboken6.VoidPtr
        memory = pointer(result.data(), len(places) * 16, True)
        np.frombuffer(memory, np.float64).reshape(-1, 2)[:] = places
    return result


def draw_lines(painter: QPainter, segments: Array) -> None:
    """Draw (K, 4) segments x1, y1, x2, y2 in one call: a list of QLineF would cost more than the drawing."""
    if len(segments):
        memory = np.ascontiguousarray(segments, np.float64)
        first: Any = shiboken6.wrapInstance(memory.ctypes.data, QLineF)
        painter.drawLines(first, len(memory))


@cache
def _packed(name: str) -> Array:
    table = colour.lookup_table(name).astype(np.uint32)
    return pack_rgb(table)


def pack_rgb(rgb: Array) -> Array:
    """(..., 3) bytes to the 32-bit words of QImage.Format_RGB32."""
    wide = rgb.astype(np.uint32)
    packed: Array = 0xFF000000 | wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


def image_of(values: Array, name: str, low: float, high: float, table: Array | None = None) -> QImage:
    """(H, W) values through a colour map, or (H, W, 3) in 0..1, as a QImage. `table`: other packed colours (256,)."""
    if values.ndim == 3:
        words = pack_rgb(np.nan_to_num(values, nan=0.5).clip(0, 1) * 255)
    else:
        scaled = (values - low) * (255.0 / max(high - low, 1e-30))
        index = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)
        words = (_packed(name) if table is None else table)[index]
        missing = np.isnan(values)
        if missing.any():
            words[missing] = 0xFF808080
    words = np.ascontiguousarray(words, np.uint32)
    height, width = words.shape
    return QImage(words.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def paint_focus(painter: QPainter, widget: QWidget) -> None:
    """A thin accent line around the view that has the keyboard."""
    if widget.hasFocus():
        painter.setPen(QPen(faded(theme.current().accent, 0.7), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)


def paint_tag(
    painter: QPainter,
    at: QPointF,
    within: QRect,
    lines: Sequence[str],
    *,
    swatch: QColor | None = None,
    picture: QImage | None = None,
    picture_size: int = 84,
) -> None:
    """A small card beside a place: a picture, a headline and muted lines. It stays within the view."""
    look = theme.current()
    metrics = QFontMetricsF(painter.font())
    line_height = metrics.height() + 1
    text_width = max((metrics.horizontalAdvance(line) for line in lines), default=0.0) + (14 if swatch else 0)
    side = min(picture_size, max(24, within.height() - round(line_height * len(lines)) - 28)) if picture else 0
    width, height = max(text_width, side) + 16, line_height * len(lines) + 12 + (side + 4 if picture else 0)
    left = at.x() + 14 if at.x() + 18 + width < within.right() else at.x() - 14 - width
    top = at.y() + 12 if at.y() + 16 + height < within.bottom() else at.y() - 12 - height
    left = max(within.left() + 2.0, min(left, within.right() - width - 2))
    top = max(within.top() + 2.0, min(top, within.bottom() - height - 2))
    painter.setPen(QPen(QColor(look.border), 1))
    painter.setBrush(faded(look.raised, 0.96))
    painter.drawRoundedRect(QRectF(left, top, width, height), 6, 6)
    y = top + 6
    if picture is not None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(QRectF(left + 8, y + 2, side, side), picture)
        y += side + 4
    for number, line in enumerate(lines):
        painter.setPen(QColor(look.text if number == 0 else look.muted))
        x = left + 8
        if swatch is not None and number == 0:
            painter.save()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(swatch)
            painter.drawEllipse(QPointF(x + 4, y + line_height / 2), 4, 4)
            painter.restore()
            x += 14
        painter.drawText(QPointF(x, y + metrics.ascent()), line)
        y += line_height


# --------------------------------------------------------------------------------------------------- chips


class Chip(QAbstractButton):
    """A small button with an optional dot of colour."""

    def __init__(
        self, parent: QWidget, text: str, *, swatch: str = "", help: str = "", checkable: bool = False
    ) -> None:
        super().__init__(parent)
        self.swatch, self.dimmed = swatch, False
        self.tight = False  # dot and name close together: many have to stand in a row
        self.within = False  # the name stands within the dot: closer still
        self.room = math.inf  # for the name: what is longer is cut
        self._drawn: tuple[Any, ...] = ()
        self._picture = QPixmap()
        self.setText(text)
        self.setAccessibleName(text)
        self.setToolTip(plain(help))
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def text_width(self) -> float:
        """What the whole name takes."""
        return QFontMetricsF(small(self.font())).horizontalAdvance(self.text())

    def sizeHint(self) -> QSize:
        if self.within:
            return QSize(max(17, math.ceil(self.text_width()) + 6), CHIP_HEIGHT - 2)
        pad = 2.0 if self.tight else 5.0
        width = 2 * pad + min(self.text_width(), self.room) + (0 if self.swatch else 4)
        if self.swatch:
            width += 11 if self.tight else 14
        return QSize(math.ceil(width), CHIP_HEIGHT - 2)

    def paintEvent(self, event: Any) -> None:
        """Each look is drawn once: chips are painted with every frame of the view below them."""
        ratio, state = self.devicePixelRatioF(), (self.isChecked() or self.isDown(), self.underMouse(), self.hasFocus())
        key = (
            self.size(),
            ratio,
            theme.current().name,
            self.font().key(),
            self.text(),
            self.room,
            *state,
            self.tight,
            self.within,
            self.dimmed,
            self.swatch,
        )
        if key != self._drawn:
            self._drawn = key
            self._picture = QPixmap(self.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(Qt.GlobalColor.transparent)
            self._draw(QPainter(self._picture))
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        painter.end()

    def _draw(self, painter: QPainter) -> None:
        look = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small(self.font()))
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(QColor(look.accent), 1) if self.hasFocus() else Qt.PenStyle.NoPen)
        if self.isChecked() or self.isDown():
            painter.setBrush(faded(look.accent, 0.28))
        elif self.underMouse():
            painter.setBrush(QColor(look.hover))
        else:
            painter.setBrush(QColor(look.raised) if not self.swatch else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(area, 5, 5)
        if self.within:
            self._paint_within(painter, area)
            painter.end()
            return
        x = 2.0 if self.tight else 5.0
        if self.swatch:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded(self.swatch, 0.3 if self.dimmed else 1.0))
            painter.drawEllipse(QPointF(x + (4 if self.tight else 5), area.center().y()), 4, 4)
            x += 11 if self.tight else 14
        ink = QColor(look.text if self.isChecked() else look.muted)
        painter.setPen(faded(ink, 0.45) if self.dimmed else ink)
        text = self.text()
        if self.text_width() > self.room:
            text = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, self.room + 0.5)
        painter.drawText(
            QRectF(x + (0 if self.swatch else 2), 0, self.width(), self.height()), Qt.AlignmentFlag.AlignVCenter, text
        )
        painter.end()

    def _paint_within(self, painter: QPainter, area: QRectF) -> None:
        tint = QColor(self.swatch)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded(tint, 0.3 if self.dimmed else 1.0))
        painter.drawRoundedRect(QRectF(area.left(), area.center().y() - 7.5, area.width(), 15), 7.5, 7.5)
        dark = tint.lightnessF() > 0.45
        painter.setPen(QColor("#15171b" if dark and not self.dimmed else "#ffffff"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


class ChipRow(QWidget):
    """Chips in a line or a few. Where they do not fit they move together, then names are cut; the last make way."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.chips: list[Chip] = []
        self.left_out = 0
        self.hide()

    def fill(self, chips: Sequence[Chip]) -> None:
        """Replace all chips (made with this row as parent)."""
        for chip in self.chips:
            chip.hide()
            chip.deleteLater()
        self.chips = list(chips)
        self.setVisible(bool(self.chips))

    def arrange(self, x: int, y: int, width: int, lines: int = 1) -> int:
        """Place the chips in up to so many lines; returns the width they take."""
        placed = self._fitted(width, lines)
        self.left_out = len(self.chips) - sum(len(line) for line in placed)
        for chip in self.chips:
            chip.setVisible(any(chip is shown for line in placed for shown in line))
        right = 1
        for row, line in enumerate(placed):
            left = 0
            for chip in line:
                size = chip.sizeHint()
                chip.setGeometry(left, 1 + row * LINE, size.width(), size.height())
                chip.update()
                left += size.width() + _gap(chip)
            right = max(right, left)
        more = width - right if self.left_out else 0
        self.setGeometry(x, y, right + more, CHIP_HEIGHT + LINE * (max(len(placed), 1) - 1))
        return right

    def _fitted(self, width: int, lines: int) -> list[list[Chip]]:
        """The chips line by line: roomy in one, else tight, else with short names within their dots, else in as few
        lines as possible, else with the longest names cut."""
        short = all(len(chip.text()) <= 2 for chip in self.chips if chip.swatch)
        looks = [(False, False, 1), (True, False, 1), *([(True, True, 1)] if short else [])]
        for tight, within, most in looks + [(True, short, count) for count in range(2, lines + 1)]:
            for chip in self.chips:
                chip.tight, chip.within = (tight, within) if chip.swatch else (False, False)
                chip.room = math.inf
            placed = self._broken(width, most)
            if sum(len(line) for line in placed) == len(self.chips):
                return placed
        named = [chip for chip in self.chips if chip.swatch and not chip.within]
        for room in range(round(max((chip.text_width() for chip in named), default=0.0)), LEAST_NAME, -2):
            for chip in named:
                chip.room = room
            placed = self._broken(width, lines)
            if sum(len(line) for line in placed) == len(self.chips):
                return placed
        return self._broken(width - 30, lines)  # and "+ 12" beside them

    def _broken(self, width: int, lines: int) -> list[list[Chip]]:
        """As many chips as fit into so many lines."""
        placed: list[list[Chip]] = [[]]
        left = 0
        for chip in self.chips:
            wide = chip.sizeHint().width()
            if left and left + wide > width:
                if len(placed) == lines:
                    break
                placed.append([])
                left = 0
            placed[-1].append(chip)
            left += wide + _gap(chip)
        return placed

    def paintEvent(self, event: Any) -> None:
        if not self.left_out:
            return
        painter = QPainter(self)
        painter.setFont(small(self.font()))
        painter.setPen(QColor(theme.current().muted))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, f"+ {self.left_out} ")


def _gap(chip: Chip) -> int:
    return 2 if chip.tight else 4
