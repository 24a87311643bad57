"""A download under way: on a thread of its own, looked at by a timer, and cancelled when asked."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, QTimer, Signal

from engine.data.errors import Cancelled, DataError


class Download(QObject):
    """Brings a catalogued data set to this machine. Exactly one of `finished`, `failed` and `cancelled` follows."""

    progress = Signal(object, object)  # bytes so far, bytes in all: as objects, since C's int ends at 2 GB
    finished = Signal(str)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, dataset: str, parent: QObject) -> None:
        super().__init__(parent)
        self.dataset = dataset
        self._cancel = threading.Event()
        self._state = (0, 1)
        self._result: str | None = None  # "" is success, otherwise what went wrong
        self._thread = threading.Thread(target=self._work, name=f"download {dataset}", daemon=True)
        self._timer = QTimer(self)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        self._thread.start()
        self._timer.start()

    def cancel(self) -> None:
        """Stop; what has arrived is kept, and a later download goes on from there."""
        self._cancel.set()

    def _work(self) -> None:
        from engine.data.download import download

        def note(done: int, total: int) -> None:
            self._state = (done, total)

        try:
            download(self.dataset, progress=note, cancel=self._cancel)
            self._result = ""
        except Cancelled:
            self._result = "cancelled"
        except DataError as error:
            self._result = str(error)
        except Exception as error:
            self._result = f"{type(error).__name__}: {error}"

    def _look(self) -> None:
        self.progress.emit(*self._state)
        if self._result is None:
            return
        self._timer.stop()
        if self._result == "":
            self.finished.emit(self.dataset)
        elif self._cancel.is_set():
            self.cancelled.emit()
        else:
            self.failed.emit(self._result)
