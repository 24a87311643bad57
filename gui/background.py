"""Work that would keep the window waiting: done on a thread of its own, looked at by a timer, stopped when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

LOOK_MS = 50
END_SECONDS = 2.0


class Work(QObject):
    """Exactly one of `finished`, `failed` and `stopped` follows `start`, unless `end` came before."""

    progress = Signal(int, int)  # done, in all
    finished = Signal(object)  # what the work returned
    failed = Signal(object)  # the exception
    stopped = Signal()  # as was asked
    over = Signal()  # comes last, whatever came of it

    def __init__(self, work: Callable[[Work], object], parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self._stop = threading.Event()
        self._state = (0, 0)
        self._told = (0, 0)
        self._result: tuple[object, Exception | None] | None = None
        self._thread = threading.Thread(target=self._run, name="deepscope-work", daemon=True)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def start(self) -> Work:
        """Begin."""
        self._thread.start()
        self._timer.start()
        return self

    def stop(self) -> None:
        """Ask it to stop; `stopped` follows, or `finished` where it was too late."""
        self._stop.set()

    def end(self) -> None:
        """Stop, and wait until it has: nothing follows any more. What does not stop, a file on a network that is gone
        say, is left behind: it must not hold the closing of the window."""
        self._stop.set()
        self._timer.stop()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    # ------------------------------------------------------------------ for the work, on its thread

    def note(self, done: int, of: int) -> None:
        """Say how far it is."""
        self._state = (done, of)

    def asked_to_stop(self) -> bool:
        """Whether the viewer no longer wants it."""
        return self._stop.is_set()

    def _run(self) -> None:
        try:
            self._result = self._work(self), None
        except Exception as error:
            self._result = None, error

    def _look(self) -> None:
        if self._state != self._told:
            self._told = self._state
            self.progress.emit(*self._told)
        if self._result is None:
            return
        self._timer.stop()
        self._thread.join()
        value, error = self._result
        if error is None:
            self.finished.emit(value)
        elif self._stop.is_set():
            self.stopped.emit()
        else:
            self.failed.emit(error)
        self.over.emit()
        self.deleteLater()
