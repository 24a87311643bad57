"""Compare: up to three more runs B, C and D beside the run A that the form sets, like it but for what the bar says.

All begin at step 0 from the same seed with the same batches and advance in lock-step, so all that differs comes from
the differences. So A starts anew when a comparison begins, and all do whenever A restarts, a run comes along or a
difference changes.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction

from engine.messages import Diverged, Event, Failed, Frame, LabInfo, LookedBack, Opened
from gui.twins_bar import LETTERS, TwinsBar

if TYPE_CHECKING:
    from gui.workbench import Workbench

T = TypeVar("T", bound=Event)

REST_MS = 300  # a knob of the bar is being turned: wait until it rests before both begin anew
FIGURES_SECONDS = 0.2  # between two readings of the last metrics


class Twins(QObject):
    """Opens and closes the runs beside A, and shows them."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench = bench
        self._read = 0.0
        self._failed: set[int] = set()  # runs that could not be built: the others go on without them
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
        self.bar.refused.connect(bench.toast.say)
        self.bar.dropped.connect(self._drop)
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
        """Whether runs are compared."""
        return self.action.isChecked()

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of B, C and D."""
        return self._bench.bridge.twins(self._bench.run)

    def letter(self, run: int) -> str:
        """Of one of the runs compared; "" for others."""
        return (
            LETTERS[self.runs.index(run)] if run in self.runs else "A" if self.runs and run == self._bench.run else ""
        )

    def named(self, event: T) -> T:
        """What the session says of one of several runs that are compared says of which."""
        letter = self.letter(event.run)
        if letter and isinstance(event, Diverged):
            return replace(event, metric=f"{letter}'s {event.metric}")
        if letter and isinstance(event, Failed) and not event.what.startswith("view"):
            return replace(event, summary=f"{letter}: {event.summary}")
        return event

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

    def _begin_anew(self) -> None:
        if self.on:
            self._bench.runs.start_over()
            names = ["A", *self.bar.letters]
            self._bench.toast.say(f"{', '.join(names[:-1])} and {names[-1]} begin together at step 0")

    def _drop(self, place: int) -> None:
        """One run is compared no longer. The others go on; where they are about to begin anew, they do without it."""
        if self._bench.runs.pending is not None or self._rest.isActive():
            self._rest.start()
        if place < len(self.runs):
            self._bench.bridge.untie(self._bench.run, self.runs[place])
            self._show()
            self._moved(self._bench.rewinding.step)

    def _building(self) -> None:
        """A successor of A is being built: build its twins right behind it, before anybody can let it train."""
        pending = self._bench.runs.pending
        if self._lab is None or pending is None or pending.branches or pending.resume is not None:
            return
        self._bench.bridge.tie(pending.run, self.bar.differences(), pending.marks)

    def _adopted(self, event: Opened, told: str, play: bool | None) -> None:
        """Another A is shown."""
        bench = self._bench
        if not self.on:
            bench.bridge.untie(event.run)  # it is brought back from a comparison that has ended
            return
        if self._lab is None:
            self._begin(event.lab)
            return
        if not self.runs:  # a branch of A has no twins, nor has a run from before the comparison
            self.action.setChecked(False)
            bench.toast.say("This run goes on alone: the comparison has ended")
            return
        if event.lab != self._lab:  # the code of one's own lab has changed, and maybe what there is to compare
            self.action.setChecked(False)
            bench.toast.say("The lab was reloaded: the comparison has ended")
            return
        if (differences := bench.bridge.differences(event.run)) != self.bar.differences():
            self.bar.put(differences, bench.runs.values())
        self._failed.clear()
        self._show()
        self._moved(-1)

    def _show(self) -> None:
        """Every view has a place for each of the runs that stand."""
        bench = self._bench
        standing = {self.letter(run): run for run in self.runs if run not in self._failed}
        bench.grid.pair(bench.info, "".join(standing))
        bench.grid.set_twins({letter: bench.bridge.history(run) for letter, run in standing.items()})
        self._show_figures()

    def _part(self) -> None:
        self._bench.grid.pair(None)
        self._bench.grid.set_twins({})

    # ------------------------------------------------------------------ what the session says of the runs beside A

    def _event(self, event: Event) -> None:
        if not (letter := self.letter(event.run)) or event.run == self._bench.run:
            return
        problems = self._bench.problems
        match event:
            case Failed(what="open", summary=summary):
                self._failed.add(event.run)
                self._show()
                self._moved(self._bench.rewinding.step)
                rest = "A goes on alone" if self._failed.issuperset(self.runs) else "the others go on without it"
                problems.banner.say(f"{letter} could not be built, so {rest}. {summary}", subject="open")
            case Failed(what="step"):
                problems.failed(self.named(event))
            case Failed(summary=summary):
                self._bench.toast.say(f"{letter}: {summary}")
            case Diverged():
                problems.diverged(self.named(event))
            case LookedBack(step=step, frames=frames) if step == self._bench.rewinding.step:
                for frame in frames:
                    self._bench.grid.show_twin(letter, frame)
            case _:
                pass

    def _frame(self, frame: Frame) -> None:
        if frame.run in self.runs and not self._bench.rewinding.rewound:
            self._bench.grid.show_twin(self.letter(frame.run), frame)

    def _metrics(self, run: int, names: tuple[str, ...]) -> None:
        bench = self._bench
        if run in self.runs and bench.run is not None and not bench.rewinding.rewound:
            bench.grid.show_metrics(bench.bridge.history(bench.run), names=names, now=not bench.transport.playing)

    def _moved(self, step: int) -> None:
        """The views show a step of the past, or below zero the present: so do those of the runs beside A."""
        bridge, grid = self._bench.bridge, self._bench.grid
        for run in self.runs:
            if step < 0:
                frames = bridge.latest(run)
            else:
                frames = tuple(filter(None, (bridge.tape(run).at(view, step) for view in grid.visible_views())))
            for frame in frames:
                grid.show_twin(self.letter(run), frame)
        self._show_figures()

    def _polled(self) -> None:
        if self.on and time.monotonic() - self._read >= FIGURES_SECONDS:
            self._show_figures()

    def _show_figures(self) -> None:
        """The hyperparameters that differ, and the metrics of all."""
        bench = self._bench
        if bench.run is None:
            return
        self._read = time.monotonic()
        known = [*(None if run in self._failed else run for run in self.runs)]
        known += [None] * (len(self.bar.runs) - len(known))  # that of one being built will come
        histories = [None if run is None else bench.bridge.history(run) for run in (bench.run, *known)]
        self.bar.show_figures(bench.runs.values(), histories, bench.rewinding.step)
