"""The flags on curves and timeline: after which step a knob was turned, a weight edited, a button pressed."""

from __future__ import annotations

import time

from gui.timeline import Timeline
from gui.view_grid import ViewGrid

TOGETHER = 1.5  # seconds: turns of one knob that follow each other closer than this are one flag


class Flags:
    """Those of the run that is shown."""

    def __init__(self, grid: ViewGrid, timeline: Timeline) -> None:
        self._grid, self._timeline = grid, timeline
        self._flags: list[tuple[int, str, str, float]] = []  # step, name, text, when

    def add(self, step: int, name: str, text: str) -> None:
        """Mark a step; a knob that is being dragged leaves one flag."""
        now = time.monotonic()
        if self._flags and self._flags[-1][1] == name and now - self._flags[-1][3] < TOGETHER:
            step = self._flags.pop()[0]
        self._flags.append((step, name, text, now))
        self._show()

    def cut(self, step: int) -> None:
        """Forget those after a step; all of them below zero."""
        self._flags = [flag for flag in self._flags if flag[0] <= step]
        self._show()

    def _show(self) -> None:
        flags = [(step, text) for step, _, text, _ in self._flags]
        self._grid.set_flags(flags)
        self._timeline.set_flags(flags)
