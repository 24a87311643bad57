"""Signals that ask the application to end: Ctrl+C in the terminal, SIGTERM, SIGHUP. The window is closed as by hand, so
that what was learned is saved.

Python runs its handlers only when it gets a turn, and Qt's loop gives it none while nothing happens. So the system
writes each signal's number into a pipe, which wakes the loop. Windows has no such pipe; there a timer looks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, QTimer

from engine.interruption import end_process

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
LOOK_MS = 200  # on Windows


class Signals(QObject):
    """Calls `close` for the first signal; the second ends the process at once. Make it on the main thread."""

    def __init__(self, close: Callable[[], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._close = close
        self.status = 0  # to exit with, once a signal has come: 128 and its number, as shells do
        self._closing = False
        numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
        # one that is ignored was set so by whoever started us: nohup, or a shell in the background
        taken = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        self._former = {number: signal.signal(number, self._arrived) for number in taken}
        self._pipe: tuple[int, int] | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        if sys.platform == "win32":
            self._timer.start(LOOK_MS)
        else:
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
            signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            self._notifier = QSocketNotifier(self._pipe[0], QSocketNotifier.Type.Read, self)
            self._notifier.activated.connect(self._look)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self.status:
            end_process(128 + number)
        self.status = 128 + number

    def _look(self) -> None:
        if self._pipe is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._pipe[0], 64)
        if self.status and not self._closing:
            self._closing = True
            self._close()

    def remove(self) -> None:
        """Leave signals to whoever had them before."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._timer.stop()
        if self._pipe is not None:
            self._notifier.setEnabled(False)
            signal.set_wakeup_fd(-1)
            for end in self._pipe:
                os.close(end)
            self._pipe = None
