"""Recording a widget while it runs: pictures at an even pace, packed on a thread of their own."""

from __future__ import annotations

import queue
import threading
import time

import numpy as np
from PySide6.QtCore import QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from engine.export.recording import RATE, Pixels, Recording
from gui import theme

WIDTH = 1280  # pixels, at most
SHARE = 0.2  # of the window's time may go into taking pictures
WAITING = 4  # pictures not yet packed; while there are so many, none is taken


class Recorder(QObject):
    """Takes pictures of one widget from `start` to `stop`."""

    took = Signal()  # another picture

    def __init__(self, widget: QWidget, parent: QObject, recording: Recording | None = None) -> None:
        super().__init__(parent)
        self._widget = widget
        self.recording = recording or Recording()
        self.cost = 0.0  # seconds that the latest picture took
        self._size = QSize()
        self._waiting: queue.Queue[tuple[QImage, float] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._pack, name="deepscope-recorder", daemon=True)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._take)

    def start(self) -> None:
        """Begin."""
        scale = min(self._widget.devicePixelRatioF(), WIDTH / max(1, self._widget.width()))
        self._size = (self._widget.size() * scale).expandedTo(QSize(2, 2))
        self._thread.start()
        self._take()

    def stop(self) -> Recording:
        """End; what was recorded is complete."""
        self._timer.stop()
        self.recording.stop(time.perf_counter())
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        return self.recording

    def _take(self) -> None:
        begun = time.perf_counter()
        if self._widget.isVisible() and self._waiting.qsize() < WAITING:
            self._waiting.put((self._picture(), begun))
            self.cost = time.perf_counter() - begun
            self.took.emit()
        pace = max(1 / RATE, self.recording.interval, self.cost / SHARE)
        self._timer.start(max(1, round(1000 * (pace - (time.perf_counter() - begun)))))

    def _picture(self) -> QImage:
        """The widget as it is, as large as when the recording began."""
        image = QImage(self._size, QImage.Format.Format_RGB32)
        image.fill(QColor(theme.current().window))
        widget = self._widget
        scale = min(self._size.width() / max(1, widget.width()), self._size.height() / max(1, widget.height()))
        image.setDevicePixelRatio(scale)
        widget.render(image, QPoint())
        return image

    def _pack(self) -> None:
        while (item := self._waiting.get()) is not None:
            image, at = item
            self.recording.add(pixels_of(image), at)


def pixels_of(image: QImage) -> Pixels:
    """A picture as an array (H, W, 3)."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).copy()
