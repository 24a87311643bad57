"""Scrubbing back: every view shows what it showed then, while training goes on; a branch goes on from there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from PySide6.QtCore import QObject, QTimer, Signal

from engine.hyperparameters import Value
from engine.messages import Act, Changed, Event, Failed, LookBack, LookedBack, Poke
from engine.payloads import Drawing
from gui.runs import Runs
from gui.session_bridge import SessionBridge
from gui.timeline import Timeline
from gui.view_grid import ViewGrid

REST_MS = 120  # so long the handle rests before the past is rendered anew


class Rewinding(QObject):
    """Knows whether the views are live, or which step they show."""

    moved = Signal(int)  # the step that is shown now; below zero the views are live
    coarse = Signal(int)  # what depends on the viewer's own picture is shown as of this step, the nearest that is kept

    def __init__(self, runs: Runs, grid: ViewGrid, timeline: Timeline, parent: QObject) -> None:
        super().__init__(parent)
        self._runs, self._grid, self._timeline = runs, grid, timeline
        self._bridge: SessionBridge = runs.bridge
        self.step = -1  # the step that is shown; below zero the views are live
        timeline.scrubbed.connect(self.scrub)
        timeline.walked.connect(self.walk)
        timeline.live_pressed.connect(self.live)
        self._bridge.polled.connect(self._grown)
        self._bridge.happened.connect(self._happened)
        self._asked = False  # the session was asked to look back, and has not answered yet
        self._probes: list[Poke | Act] = []  # what the viewer did in the past meanwhile
        self._reached = -1
        self._rest = QTimer(self)  # while the handle is dragged, what was recorded is shown
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._look)

    @property
    def rewound(self) -> bool:
        return self.step >= 0

    def scrub(self, step: int) -> None:
        """Show every view, and the cursor of the curves, as of `step`."""
        if (run := self._runs.run) is None:
            return
        self.step = step
        self._timeline.show_step(step)
        tape, own = self._bridge.tape(run), {frame.view: frame for frame in self._bridge.latest(run)}
        for view in self._grid.visible_views():
            frame = own.get(view) if self._is_own(view) else tape.at(view, step)
            if frame is not None:
                self._grid.show_frame(frame)
        self._grid.show_metrics(self._bridge.history(run), step=step, now=True)
        self.moved.emit(step)
        self._reached = -1
        self._rest.start()

    def _is_own(self, view: str) -> bool:
        """Whether a view is a picture that the viewer draws: it stays what it is now."""
        info = self._runs.info
        return info is not None and view in info.probes and info.views[view].kind == "canvas"

    def probe(self, probe: Poke | Act) -> None:
        """The viewer draws, picks or points at something in a view of the past: it acts there."""
        if self._probes and _drawing_of(self._probes[-1]) == _drawing_of(probe) != "":
            self._probes.pop()  # the latest drawing shows all
        self._probes.append(probe)
        self._look()

    def _look(self) -> None:
        """Ask for the views of then with the viewer's picture of now."""
        run, info = self._runs.run, self._runs.info
        probing = info is not None and (info.probes or any(action.probe for action in info.actions))
        if run is None or not self.rewound or self._asked or not probing:
            return
        probe = self._probes.pop(0) if self._probes else None
        self._asked = True
        self._bridge.send(LookBack(run, self.step, self._grid.visible_views(), probe))

    def _happened(self, event: Event) -> None:
        if event.run != self._runs.run:
            return
        if isinstance(event, LookedBack):
            self._looked(event)
        elif isinstance(event, Failed) and event.what == "lookback":
            self._asked = False
        elif isinstance(event, Changed) and event.view_only and self.rewound:
            self._rest.start()

    def _looked(self, event: LookedBack) -> None:
        self._asked = False
        if not self.rewound:
            self._probes.clear()
            return
        if event.step == self.step:
            for frame in event.frames:
                self._grid.show_frame(frame)
        nearer = self._reached < event.reached < event.step
        if self._probes or event.step != self.step or nearer:
            self._reached = event.reached if event.step == self.step else -1
            self._look()
        elif event.frames and event.reached < event.step:
            self.coarse.emit(event.reached)

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
        self._rest.stop()
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
        self._asked = False
        self._probes.clear()
        self._rest.stop()
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


def _drawing_of(probe: Poke | Act) -> str:
    """The view that a probe draws a whole picture in; "" for other probes."""
    return probe.view if isinstance(probe, Poke) and isinstance(probe.gesture, Drawing) else ""
