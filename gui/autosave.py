"""Autosave: what was learned survives a crash, a power cut, and closing the window without saving.

While a lab is open its run is written every minute, and once more when it closes, to a file of this process's own. The
next start finds the files of processes that are gone and offers the newest.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from engine.messages import Event, Failed, Saved
from gui.runs import Runs

EVERY_MS = 60_000
KEEP_DAYS = 30


class Autosave(QObject):
    """Writes the run that is shown, if it has got anywhere since the last time."""

    def __init__(self, runs: Runs, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._runs = runs
        self.path = folder / f"{runs.lab_id}-{os.getpid()}.deepscope"
        self._told = False  # that it cannot be written
        self._former: Path | None = None  # the autosave that the present run goes on from
        self._written: tuple[int, int] | None = None  # the run and the step that the file holds
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self.save)
        self._timer.start()

    def save(self) -> None:
        """Write the run, unless the file holds it already. The worker does it between two steps."""
        run = self._runs.run
        if run is None:
            return
        span = self._runs.bridge.history(run).span()
        state = (run, span[1] if span else 0)
        if not span or state == self._written:
            return  # nothing was learned: nothing to lose
        with contextlib.suppress(OSError):  # a read-only home must not stop the lesson
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._written = state
            self._runs.save(self.path)

    def concerns(self, event: Event) -> bool:
        """Whether an event answers an autosave: then the viewer need not hear of it."""
        if isinstance(event, Saved) and event.path == self.path:
            if self._former is not None:  # what was opened lies in the new file now
                with contextlib.suppress(OSError):
                    self._former.unlink()
                self._former = None
            return True
        if isinstance(event, Failed) and event.path == self.path:
            self._written = None
            told, self._told = self._told, True
            return told  # a full disk is worth a word, but not one a minute
        return False

    def adopts(self, path: Path) -> bool:
        """Whether a file that was opened is an autosave: it is no file of the viewer's, and gives way to the next."""
        if path.parent != self.path.parent:
            return False
        self._former = path if path != self.path else None
        return True

    def close(self) -> None:
        """The lab is left: keep its last state. To be called while there is an engine; later calls do nothing."""
        if self._timer.isActive():
            self._timer.stop()
            self.save()


@dataclass(frozen=True)
class Left:
    """A run that an earlier start left behind."""

    path: Path
    lab_id: str
    saved: float  # seconds since the epoch


def left_behind(folder: Path) -> Left | None:
    """The newest autosave of a process that is gone. Very old ones and half-written files are removed."""
    found = []
    for path in folder.glob("*.deepscope") if folder.is_dir() else ():
        lab_id, _, number = path.stem.rpartition("-")
        with contextlib.suppress(OSError):
            saved = path.stat().st_mtime
            if time.time() - saved > KEEP_DAYS * 86_400:
                path.unlink()
            elif number.isdigit() and not _alive(int(number)):
                found.append(Left(path, lab_id, saved))
    for path in folder.glob(".*.part") if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()
    return max(found, key=lambda left: left.saved, default=None)


def forget(folder: Path) -> None:
    """Remove what processes that are gone left behind."""
    while (left := left_behind(folder)) is not None:
        try:
            left.path.unlink()
        except OSError:
            return


def _alive(process: int) -> bool:
    import psutil

    return process != os.getpid() and bool(psutil.pid_exists(process))
