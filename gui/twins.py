"""Compare: a second run B beside the run A that the form sets, like it but for what the bar says.

Both begin at step 0 from the same seed with the same batches and advance in lock-step, so all that differs comes from
the difference. So A starts anew when a comparison begins, and both do whenever A restarts or a difference changes.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction

from engine.messages import Diverged, Event, Failed, Frame, LabInfo, Opened
from gui.twins_bar import TwinsBar

if TYPE_CHECKING:
    from gui.workbench import Workbench

REST_MS = 300  # a knob of the bar is being turned: wait until it rests before both begin anew
FIGURES_SECONDS = 0.2  # between two readings of the last metrics


class Twins(QObject):
    """Opens and closes B, and shows it beside A."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench = bench
        self._read = 0.0
        self._failed = False  # B could not be built, and A goes on alone
        self._lab: LabInfo | None = None  # what the bar was built for, once a comparison has begun
        self.bar = TwinsBar()
        self.bar.hide()
        bench.layout().insertWidget(0, self.bar)  # type: ignore[union-attr]
        self.action = QAction("Compare", bench)
        self.action.setShortcut("T")
        self.action.setCheckable(True)
        self.action.toggled.connect(self._toggle)
        bench.addAction(self.action)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._begin_anew)
        self.bar.changed.connect(self._rest.start)
        self.bar.closed.connect(lambda: self.action.setChecked(False))
        bench.runs.building.connect(self._building)
        bench.runs.adopted.connect(self._adopted)
        bench.rewinding.moved.connect(self._moved)
        bench.bridge.happened.connect(self._event)
        bench.bridge.frame.connect(self._frame)
        bench.bridge.metrics.connect(self._metrics)
        bench.bridge.polled.connect(self._polled)

    @property
    def on(self) -> bool:
        """Whether two runs are compared."""
        return self.action.isChecked()

    @property
    def run(self) -> int | None:
        """The number of B."""
        return self._bench.bridge.twin(self._bench.run)

    def _toggle(self, on: bool) -> None:
        bench = self._bench
        if not on:
            self._rest.stop()
            self._lab = None
            for run in (bench.runs.pending.run if bench.runs.pending else None, bench.run):
                bench.bridge.untie(run)
            self.bar.hide()
            self._part()
        elif bench.info is not None:
            self._begin(bench.info)
        # else the first run is being built: the comparison begins as soon as it stands

    def _begin(self, info: LabInfo) -> None:
        self._lab = info
        self.bar.build(info, self._bench.runs.values())
        self.bar.show()
        self._begin_anew()
        self._bench.toast.say("A and B begin together at step 0")

    def _begin_anew(self) -> None:
        if self.on:
            self._bench.runs.start_over()

    def _building(self) -> None:
        """A successor of A is being built: build its twin right behind it, before anybody can let it train."""
        pending = self._bench.runs.pending
        if self._lab is None or pending is None or pending.ghost is not None or pending.resume is not None:
            return
        apart = self.bar.differences()
        spec = replace(pending.spec, hyperparameters={**pending.spec.hyperparameters, **apart})
        self._bench.bridge.tie(pending.run, spec, frozenset(apart), pending.marks)

    def _adopted(self, event: Opened, told: str, play: bool) -> None:
        """Another A is shown."""
        bench = self._bench
        if not self.on:
            return
        if self._lab is None:
            self._begin(event.lab)
            return
        if self.run is None:  # a branch of A has no twin
            self.action.setChecked(False)
            bench.toast.say("The branch goes on alone: the comparison has ended")
            return
        if event.lab != self._lab:  # the code of one's own lab has changed, and maybe what there is to compare
            self.action.setChecked(False)
            bench.toast.say("The lab was loaded anew: the comparison has ended")
            return
        self._failed = False
        bench.grid.pair(event.lab)
        bench.grid.set_twin(bench.bridge.history(self.run))
        self._show_figures()

    def _part(self) -> None:
        self._bench.grid.pair(None)
        self._bench.grid.set_twin(None)

    # ------------------------------------------------------------------ what the session says of B

    def _event(self, event: Event) -> None:
        if event.run != self.run:
            return
        problems = self._bench.problems
        match event:
            case Failed(what="open", summary=summary):
                self._failed = True
                self._part()
                self._show_figures()
                problems.banner.say(f"B could not be built, so A goes on alone. {summary}", subject="open")
            case Failed(what="step"):
                problems.failed(replace(event, summary=f"B: {event.summary}"))
            case Failed(summary=summary):
                self._bench.toast.say(f"B: {summary}")
            case Diverged():
                problems.diverged(replace(event, metric=f"B's {event.metric}"))
            case _:
                pass

    def _frame(self, frame: Frame) -> None:
        if frame.run == self.run and not self._bench.rewinding.rewound:
            self._bench.grid.show_twin(frame)

    def _metrics(self, run: int, names: tuple[str, ...]) -> None:
        bench = self._bench
        if run == self.run and bench.run is not None and not bench.rewinding.rewound:
            bench.grid.show_metrics(bench.bridge.history(bench.run), names=names, now=not bench.transport.playing)

    def _moved(self, step: int) -> None:
        """The views show a step of the past, or below zero the present: so do those of B."""
        bridge, run = self._bench.bridge, self.run
        if run is None:
            return
        if step < 0:
            for frame in bridge.latest(run):
                self._bench.grid.show_twin(frame)
        else:
            for view in self._bench.grid.visible_views():
                if (past := bridge.tape(run).at(view, step)) is not None:
                    self._bench.grid.show_twin(past)
        self._show_figures()

    def _polled(self) -> None:
        if self.on and time.monotonic() - self._read >= FIGURES_SECONDS:
            self._show_figures()

    def _show_figures(self) -> None:
        """The hyperparameters that differ, and the metrics of both."""
        bench, twin = self._bench, self.run
        if bench.run is None:
            return
        self._read = time.monotonic()
        ours = bench.bridge.history(bench.run)
        theirs = bench.bridge.history(twin) if twin is not None and not self._failed else None
        self.bar.show_figures(bench.runs.values(), ours, theirs, bench.rewinding.step)
