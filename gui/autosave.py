"""Autosave: what was learned survives a crash, a power cut, and closing the window without saving.

While a lab is open its run is written every minute, and once more when it closes, to a file of this workbench's own.
What a process leaves behind is offered at the next start (gui/left_behind.py).
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from engine.messages import Event, Failed, Saved
from gui.left_behind import file_name
from gui.runs import Runs

EVERY_MS = 60_000

_numbers = itertools.count(1)  # of the workbenches of this process


class Autosave(QObject):
    """Writes the run that is shown, if it has got anywhere since the last time."""

    def __init__(self, runs: Runs, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._folder = runs, folder
        self._number = next(_numbers)
        self._path: Path | None = None
        self._told = False  # that it cannot be written
        self._former: tuple[int, Path] | None = None  # a run that goes on from an autosave, and that file
        self._written: tuple[int, int, int] | None = None  # the run, and how far it had got when it was written
        self._saved: tuple[int, int] | None = None  # the run and the step that the file holds
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self.save)
        self._timer.start()

    @property
    def path(self) -> Path:
        """The file. Its name says which process it belongs to, and takes a moment to find out."""
        if self._path is None:
            self._path = self._folder / file_name(self._runs.lab_id, self._number)
        return self._path

    def save(self) -> None:
        """Write the run, unless the file holds it already. The worker does it between two steps."""
        run = self._runs.run
        learned = self._runs.bridge.learned(run) if run is not None else None
        if run is None or learned is None or self._runs.bridge.lost(run):
            return  # nothing was learned: nothing to lose
        if (run, *learned) == self._written:
            return
        with contextlib.suppress(OSError):  # a read-only home must not stop the lesson
            self._folder.mkdir(parents=True, exist_ok=True)
            self._written = (run, *learned)
            self._runs.save(self.path)

    def concerns(self, event: Event) -> bool:
        """Whether an event answers an autosave: then the viewer need not hear of it."""
        if isinstance(event, Saved) and event.path == self.path:
            self._saved = event.run, event.step
            if self._former is not None and self._former[0] == event.run:  # what was opened lies in the new file now
                with contextlib.suppress(OSError):
                    self._former[1].unlink()
                self._former = None
            return True
        if isinstance(event, Failed) and event.path == self.path:
            self._written = None
            told, self._told = self._told, True
            return told  # a full disk is worth a word, but not one a minute
        return False

    def adopts(self, run: int, path: Path) -> bool:
        """Whether the file that a run goes on from is an autosave: it is no file of the viewer's, and is removed once
        that run has been written again."""
        if path.parent != self._folder:
            return False
        if path != self.path:
            self._former = run, path
        return True

    def step_of(self, run: int) -> int | None:
        """The step at which the file holds this run; None where it does not."""
        return self._saved[1] if self._saved is not None and self._saved[0] == run else None

    def close(self) -> None:
        """The lab is left: keep its last state. To be called while there is an engine; later calls do nothing."""
        if self._timer.isActive():
            self._timer.stop()
            self.save()

    def discard(self) -> None:
        """The lab is closed, and what it has learned lies in another file: the autosave is not needed any more."""
        self._timer.stop()
        for path in (self._path, self._former[1] if self._former else None):
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
