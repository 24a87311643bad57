"""Scrubbing back: every view shows what it showed then, while training goes on; a branch goes on from there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from engine.hyperparameters import Value
from gui.runs import Runs
from gui.session_bridge import SessionBridge
from gui.timeline import Timeline
from gui.view_grid import ViewGrid


class Rewinding(QObject):
    """Knows whether the views are live, or which step they show."""

    moved = Signal(int)  # the step that is shown now; below zero the views are live

    def __init__(self, runs: Runs, grid: ViewGrid, timeline: Timeline, parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._grid, self._timeline = runs, grid, timeline
        self._bridge: SessionBridge = runs.bridge
        self.step = -1  # the step that is shown; below zero the views are live
        timeline.scrubbed.connect(self.scrub)
        timeline.walked.connect(self.walk)
        timeline.live_pressed.connect(self.live)
        self._bridge.polled.connect(self._grown)

    @property
    def rewound(self) -> bool:
        return self.step >= 0

    def scrub(self, step: int) -> None:
        """Show every view, and the cursor of the curves, as of `step`."""
        if (run := self._runs.run) is None:
            return
        self.step = step
        self._timeline.show_step(step)
        tape = self._bridge.tape(run)
        for view in self._grid.visible_views():
            if (frame := tape.at(view, step)) is not None:
                self._grid.show_frame(frame)
        self._grid.show_metrics(self._bridge.history(run), step=step, now=True)
        self.moved.emit(step)

    def walk(self, frames: int) -> None:
        """Go so many recorded pictures of the visible views on, or back."""
        if (run := self._runs.run) is None:
            return
        found = self._bridge.tape(run).steps(self._grid.visible_views())
        steps = found or self._bridge.history(run).steps().tolist()  # curves alone: from measurement to measurement
        if not steps:
            return
        at = self.step if self.rewound else self._timeline.track.last
        place = bisect_left(steps, at) + frames if frames < 0 else bisect_right(steps, at) - 1 + frames
        self.scrub(steps[min(max(place, 0), len(steps) - 1)])

    def live(self) -> None:
        """Show the present again."""
        if not self.rewound:
            return
        self.step = -1
        self._timeline.show_step(-1)
        if (run := self._runs.run) is not None:
            for frame in self._bridge.latest(run):
                self._grid.show_frame(frame)
            self._grid.show_metrics(self._bridge.history(run), now=True)
        self.moved.emit(-1)

    def branch(self, values: Mapping[str, Value] | None = None) -> None:
        """Go on from the step that is shown, with these hyperparameters changed."""
        if self.rewound:
            self._runs.branch(self.step, values or {})

    def adopted(self) -> None:
        """Another run is shown."""
        self.step = -1
        self._timeline.show_step(-1)
        self._timeline.show_span(0, 0)
        self._grown()

    def _grown(self) -> None:
        run = self._runs.run
        if run is None:
            return
        spans = list(filter(None, (self._bridge.tape(run).span(), self._bridge.history(run).span())))
        if spans:
            self._timeline.show_span(min(first for first, _ in spans), max(last for _, last in spans))
