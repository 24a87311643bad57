"""The flags on curves and timeline: after which step a knob was turned, a weight edited, a button pressed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from engine.messages import Changed, Edited, LabInfo, Mark
from gui.control_panel import readable
from gui.timeline import Timeline
from gui.view_grid import ViewGrid

TOGETHER = 1.5  # seconds: turns of one knob that follow each other closer than this are one flag
NEAR = 0.01  # so close, as a share of the steps done, are turns of which nobody knows any more when they were made


@dataclass(frozen=True)
class Flag:
    """One change as the viewer sees it: turns of a knob that is dragged are one."""

    text: str
    marks: tuple[Mark, ...]
    at: float  # seconds, on the clock; minus infinity where the change came with a file or a branch

    @property
    def step(self) -> int:
        return self.marks[0].step


class Flags(QObject):
    """Those of the run that is shown."""

    changed = Signal()

    def __init__(self, grid: ViewGrid, timeline: Timeline, parent: QObject) -> None:
        super().__init__(parent)
        self._grid, self._timeline = grid, timeline
        self._info: LabInfo | None = None
        self.flags: list[Flag] = []

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All that changed the run."""
        return tuple(mark for flag in self.flags for mark in flag.marks)

    def happened(self, event: Changed | Edited) -> None:
        """Flag what changed the experiment; a knob that is being dragged leaves one flag."""
        if event.mark is not None:
            self._add(event.mark, time.monotonic(), TOGETHER, math.inf)
            self._show()

    def restore(self, marks: Sequence[Mark], step: int, info: LabInfo) -> None:
        """Another run is shown, or the same at an earlier step: these are what changed it."""
        self._info, self.flags = info, []
        for mark in marks:
            self._add(mark, -math.inf, math.inf, NEAR * step)
        self._show()

    def _add(self, mark: Mark, at: float, seconds: float, steps: float) -> None:
        marks: tuple[Mark, ...] = (mark,)
        last = self.flags[-1] if self.flags else None
        if last is not None and (last.marks[-1].kind, last.marks[-1].name) == (mark.kind, mark.name):
            since = 0.0 if at == last.at else at - last.at
            if since < seconds and mark.step - last.marks[-1].step <= steps:
                marks = (*self.flags.pop().marks, mark)
        self.flags.append(Flag(self._text(mark), marks, at))

    def _text(self, mark: Mark) -> str:
        declared = self._info.hyperparameters.get(mark.name) if self._info and mark.kind == "set" else None
        return readable(declared, mark.new) if declared else mark.text

    def _show(self) -> None:
        flags = [(flag.step, flag.text) for flag in self.flags]
        self._grid.set_flags(flags)
        self._timeline.set_flags(flags)
        self.changed.emit()
