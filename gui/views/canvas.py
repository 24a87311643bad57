"""A picture to draw on: brush, eraser, moving by arrow keys, pictures dropped or pasted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QImage, QKeySequence, QPainter, QPen

from engine.payloads import Array, CanvasData, Drawing
from gui import theme
from gui.background import Work
from gui.drops import dropped_session
from gui.views.base import ViewWidget
from gui.views.parts import CHIP_HEIGHT, LINE, Chip, Throttle, faded, image_of, paint_focus, paint_tag, small
from gui.views.picture_file import read_picture

MOST_UNDO = 50
SETTLE = 300  # ms after a stroke in which payloads may still be of before it


def ink_of(picture: QImage, size: int) -> Array:
    """A picture as (size, size) in 0..1, light on dark: grey, inverted where the rim is bright, centred."""
    grey = picture.convertToFormat(QImage.Format.Format_ARGB32)
    backed = QImage(grey.size(), QImage.Format.Format_RGB32)
    backed.fill(Qt.GlobalColor.white)  # what is transparent counts as paper
    painter = QPainter(backed)
    painter.drawImage(0, 0, grey)
    painter.end()
    pixels = _to_array(backed.convertToFormat(QImage.Format.Format_Grayscale8))
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if np.median(rim) > 0.5:
        pixels = 1 - pixels
    # a drawing with empty space around it is cut out and fills 20 of 28 pixels, as in MNIST; others fill all
    marked = pixels > max(0.25 * pixels.max(), 0.1)
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    target = float(size)
    if len(rows) and (np.ptp(rows) + 1 < 0.85 * pixels.shape[0] or np.ptp(columns) + 1 < 0.85 * pixels.shape[1]):
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        target = size * 20 / 28
    source = image_of(pixels, "grey", 0.0, 1.0)
    scaled = source.scaled(
        QSize(round(target), round(target)),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    part = _to_array(scaled.convertToFormat(QImage.Format.Format_Grayscale8))
    result = np.zeros((size, size), np.float32)
    top, left = (size - part.shape[0]) // 2, (size - part.shape[1]) // 2
    result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result


def _to_array(grey: QImage) -> Array:
    """A Grayscale8 picture as (H, W) in 0..1."""
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    result: Array = rows[:, : grey.width()].astype(np.float32) / 255
    return result


class CanvasView(ViewWidget):
    """Shows CanvasData and, where the lab listens, lets the viewer draw on it. White on black in both themes."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.size_: int = description.size
        self.pixels: Array = np.zeros((self.size_, self.size_), np.float32)
        self.active = probes or edits
        self.erasing = False
        self.message = ""
        self._reading: Work | None = None  # of the picture that was dropped last
        self._history: list[Array] = []
        self._stroke: tuple[float, float] | None = None  # where the brush is, while it is down
        self._stroke_erases = False
        self._hover: QPointF | None = None
        self._image: QImage | None = None
        self._sending = Throttle(self, self._send)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLE)
        self._settling.timeout.connect(self._settle)
        self.chips: list[Chip] = []
        if self.active:
            self.setAcceptDrops(True)
            for text, help_, act in (
                ("Draw", "Draw with the left button (B)", lambda: self.choose(False)),
                ("Erase", "Erase; the right button always does (E)", lambda: self.choose(True)),
                ("Undo", "Undo the last change (Ctrl+Z)", self.undo),
                ("Clear", "Wipe the picture (C)", self.wipe),
            ):
                chip = Chip(self, text, help=help_, checkable=text in ("Draw", "Erase"))
                chip.clicked.connect(act)
                self.chips.append(chip)
            self.choose(False)

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: CanvasData) -> None:
        # what the viewer draws is not overwritten, nor by a payload that was on its way while they drew
        if self._stroke is None and not self._settling.isActive():
            self.pixels = np.nan_to_num(payload.pixels, nan=0.0).clip(0, 1).astype(np.float32)
            self._changed(tell=False)

    def clear(self) -> None:
        self._settling.stop()
        self._history.clear()
        self.message = ""
        super().clear()

    def empty_text(self) -> str:
        return "Draw here, or drop a picture" if self.active else super().empty_text()

    def _settle(self) -> None:
        if self._stroke is None and self.payload is not None:
            self.take(self.payload)

    def _send(self, pixels: Array) -> None:
        self.send(Drawing(pixels))

    def _changed(self, tell: bool = True) -> None:
        self._image = None
        self.update()
        if tell:
            self.message = ""
            self._settling.start()
            self._sending.push(self.pixels.copy())

    def hideEvent(self, event: Any) -> None:
        self._sending.flush()
        self._settling.stop()

    # -------------------------------------------------------------------------------------------- painting

    def square(self) -> QRectF:
        """Where the picture is: the largest square that leaves room for the chips."""
        beside = self._beside()
        below = 4 + CHIP_HEIGHT + LINE * (len(self._rows()) - 1) if self.chips and not beside else 0
        side = min(self.width() - 12, self.height() - 12 - below)
        whole = self.size_ * max(1, side // self.size_)
        side = whole if whole > 0.85 * side else side  # pixels of one size, where that costs little room
        return QRectF((self.width() - side) // 2, (self.height() - below - side) // 2, side, side)

    def _beside(self) -> bool:
        return self.width() - self.height() > 150

    def _rows(self) -> list[list[Chip]]:
        """The chips below the picture, in as many lines of equal length as the width asks for."""
        count = len(self.chips)
        for lines in range(1, count + 1):
            each = -(-count // lines)
            rows = [self.chips[start : start + each] for start in range(0, count, each)]
            if max(sum(chip.sizeHint().width() + 4 for chip in row) - 4 for row in rows) <= self.width():
                break
        return rows

    def resizeEvent(self, event: Any) -> None:
        if not self.chips:
            return
        if self._beside():
            width = max(chip.sizeHint().width() for chip in self.chips)
            x, y = max(4, round(self.square().left()) - width - 10), max(4, round(self.square().top()))
            for chip in self.chips:
                chip.setGeometry(x, y, width, chip.sizeHint().height())
                y += CHIP_HEIGHT + 4
        else:
            rows = self._rows()
            for line, row in enumerate(rows):
                widths = [chip.sizeHint().width() for chip in row]
                x = (self.width() - sum(widths) - 4 * (len(widths) - 1)) // 2
                y = self.height() - CHIP_HEIGHT - 2 - LINE * (len(rows) - 1 - line)
                for chip, width in zip(row, widths, strict=True):
                    chip.setGeometry(x, y, width, chip.sizeHint().height())
                    x += width + 4

    def payload_hint(self) -> str:
        """The caption stands beside the title: over the picture it would hide a part of it."""
        return "" if self.payload is None else self.payload.caption

    def paintEvent(self, event: Any) -> None:
        painter, look, square = QPainter(self), theme.current(), self.square()
        painter.setFont(small(self.font()))
        if self._image is None:
            self._image = image_of(self.pixels, "grey", 0.0, 1.0)
        painter.drawImage(square, self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(square.adjusted(-0.5, -0.5, 0.5, 0.5))
        centre = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        if not self.pixels.any() and not self.message:
            painter.setPen(QColor("#8a919e"))  # on black in both themes
            painter.drawText(square.adjusted(8, 8, -8, -8), centre, self.empty_text())
        if self.message:
            box = square.adjusted(6, 6, -6, -6)
            painter.fillRect(square, faded("#000000", 0.75))
            painter.setPen(QColor("#ee8a8a"))
            painter.drawText(box, centre, self.message)
        if self._hover is not None and square.contains(self._hover):
            self._paint_brush(painter, square, self._hover)
        paint_focus(painter, self)

    def _paint_brush(self, painter: QPainter, square: QRectF, at: QPointF) -> None:
        if self.active:
            radius = self.radius() * square.width() / self.size_
            painter.setPen(QPen(QColor("#ee8a8a" if self.erasing else "#ffffff"), 1))
            painter.drawEllipse(at, radius, radius)
        else:
            x, y = self._to_canvas(at)
            row, column = min(int(y), self.size_ - 1), min(int(x), self.size_ - 1)
            value = f"{self.pixels[row, column]:.2f}"
            paint_tag(painter, at, self.rect(), [value, f"row {row}, column {column}"])

    # --------------------------------------------------------------------------------------------- drawing

    def radius(self) -> float:
        """Of the brush, in pixels of the picture."""
        return max(0.8, self.size_ * 0.046)

    def choose(self, erasing: bool) -> None:
        """Draw or erase with the left button."""
        self.erasing = erasing
        for chip, on in zip(self.chips, (not erasing, erasing), strict=False):
            chip.setChecked(on)
        self.update()

    def _remember(self) -> None:
        self._history = [*self._history[1 - MOST_UNDO :], self.pixels.copy()]

    def undo(self) -> None:
        """Go back to before the last stroke, move, drop or wipe."""
        if self._history:
            self.pixels = self._history.pop()
            self._changed()

    def wipe(self) -> None:
        """Make all black."""
        self._remember()
        self.pixels = np.zeros_like(self.pixels)
        self._changed()

    def move_by(self, rows: int, columns: int) -> None:
        """Shift the drawing by whole pixels; what leaves the picture is lost (until undone)."""
        self._remember()
        padded = np.pad(self.pixels, 1)
        size = self.size_
        self.pixels = padded[1 - rows : 1 - rows + size, 1 - columns : 1 - columns + size].copy()
        self._changed()

    def stroke(self, start: tuple[float, float], end: tuple[float, float], erase: bool) -> None:
        """Draw a line from (x, y) to (x, y), in pixels of the picture: full within the brush, soft at its rim."""
        centres = np.arange(self.size_) + 0.5
        x, y = np.meshgrid(centres, centres)
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = ((x - start[0]) * dx + (y - start[1]) * dy) / max(dx * dx + dy * dy, 1e-9)
        along = along.clip(0, 1)
        distance = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
        paint = (self.radius() + 0.5 - distance).clip(0, 1).astype(np.float32)
        self.pixels = np.minimum(self.pixels, 1 - paint) if erase else np.maximum(self.pixels, paint)
        self._changed()

    def _to_canvas(self, at: QPointF) -> tuple[float, float]:
        square = self.square()
        scale = self.size_ / max(square.width(), 1.0)
        return (at.x() - square.left()) * scale, (at.y() - square.top()) * scale

    def mousePressEvent(self, event: Any) -> None:
        left, right = event.button() == Qt.MouseButton.LeftButton, event.button() == Qt.MouseButton.RightButton
        if not self.active or not (left or right) or not self.square().contains(event.position()):
            return
        self._remember()
        self._stroke, self._stroke_erases = self._to_canvas(event.position()), right or self.erasing
        self.stroke(self._stroke, self._stroke, self._stroke_erases)

    def mouseMoveEvent(self, event: Any) -> None:
        self._hover = event.position()
        inside = self.square().contains(event.position())
        self.setCursor(Qt.CursorShape.CrossCursor if inside and self.active else Qt.CursorShape.ArrowCursor)
        if self._stroke is not None:
            end = self._to_canvas(event.position())
            self.stroke(self._stroke, end, self._stroke_erases)
            self._stroke = end
        self.update()

    def mouseReleaseEvent(self, event: Any) -> None:
        if self._stroke is not None:
            self._stroke = None
            self._sending.flush()
            self._settling.start()

    def leaveEvent(self, event: Any) -> None:
        self._hover = None
        self.update()

    def contextMenuEvent(self, event: Any) -> None:
        if self.active:
            event.accept()  # the right button erases

    def event(self, event: Any) -> bool:
        # single letters are this view's while it has the keyboard, not shortcuts of the window
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and self.active
            and (
                event.key() in (Qt.Key.Key_B, Qt.Key.Key_E, Qt.Key.Key_C)
                or (event.matches(QKeySequence.StandardKey.Undo) and self._history)
            )
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: Any) -> None:
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key = event.key()
        if not self.active:
            event.ignore()
        elif key in moves:
            self.move_by(*moves[key])
        elif event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
        elif key in (Qt.Key.Key_C, Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and not event.modifiers():
            self.wipe()
        elif key == Qt.Key.Key_E:
            self.choose(True)
        elif key == Qt.Key.Key_B:
            self.choose(False)
        else:
            event.ignore()

    # -------------------------------------------------------------------------------- pictures from outside

    def paste(self) -> None:
        """Take the picture in the clipboard."""
        self._accept(QGuiApplication.clipboard().mimeData(), "The clipboard holds no picture.")

    def dragEnterEvent(self, event: Any) -> None:
        mime = event.mimeData()
        if dropped_session(mime) is None and (mime.hasUrls() or mime.hasImage()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        event.acceptProposedAction()
        self._accept(event.mimeData(), "What was dropped is no picture.")

    def _accept(self, mime: Any, otherwise: str) -> None:
        if mime.hasUrls() and mime.urls() and mime.urls()[0].isLocalFile():
            self.open_file(Path(mime.urls()[0].toLocalFile()))
        elif mime.hasImage() and not (picture := QImage(mime.imageData())).isNull():
            self._take(ink_of(picture, self.size_))
        else:
            self._complain(otherwise)

    def open_file(self, path: Path) -> None:
        """Take a picture file, once it is read; a message is shown in the view where that cannot be done."""
        self._complain(f"Reading {path.name}…")
        size = self.size_
        work = self._reading = Work(lambda _: ink_of(read_picture(path), size), self)
        work.finished.connect(lambda ink: self._read(work, ink))
        work.failed.connect(lambda error: self._not_read(work, error))
        work.start()

    def _read(self, work: Work, ink: Array) -> None:
        if work is self._reading and ink.shape == self.pixels.shape:
            self.message = ""
            self._take(ink)

    def _not_read(self, work: Work, error: Exception) -> None:
        if work is self._reading:
            self._complain(str(error))

    def _take(self, ink: Array) -> None:
        self._remember()
        self.pixels = ink
        self._changed()

    def _complain(self, text: str) -> None:
        self.message = text
        self.update()

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        return [
            [str(column) for column in range(self.size_)],
            *[[f"{v:.4g}" for v in row] for row in self.pixels.tolist()],
        ]
