"""Earlier runs: when a run of a lab is replaced its curves are kept, to be pinned beside those of the next as ghosts.

They are those of one open lab, from the first run that it showed until it is closed. A branch pins the run that it
left, until something else than a branch takes its place.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QTimer
from PySide6.QtGui import QAction

from engine.hyperparameters import Hyperparameter, HyperparameterError, Value
from engine.messages import FormerRun, LabInfo, Opened, RunSpec
from engine.recorder import MetricHistory
from gui import format
from gui.control_panel import dataset_title, readable
from gui.earlier_list import EarlierList, Row
from gui.parking import Former
from gui.views.ghosts import STROKES, Ghost

if TYPE_CHECKING:
    from gui.workbench import Workbench

MOST_KEPT = 20
MOST_PINNED = len(STROKES)
POINTS = 2048  # per metric: as many as a screen has columns, and with the pyramid over them about 100 kB
REST_MS = 300


@dataclass
class EarlierRun:
    """What is kept of a run that was replaced."""

    number: int  # in the order in which they ended, from 1
    spec: RunSpec  # with the hyperparameters that it had at last
    history: MetricHistory
    changes: int  # how often it was changed on the way
    ended: float  # seconds since the epoch
    branched: int | None = None  # the step at which a branch left it
    pinned: int | None = None  # an index into STROKES
    by_branch: bool = False  # it was a branch that pinned it, not the viewer
    run: int | None = None  # its number in the session, by which it may be brought back

    @property
    def steps(self) -> int:
        return (self.history.span() or (0, 0))[1]


def thinned(history: MetricHistory) -> MetricHistory:
    """A history with the same curves, in bounded memory."""
    kept = MetricHistory()
    for name, (steps, values) in history.thinned(POINTS).items():
        kept.append(name, steps, values)
    return kept


def _brought_back(former: FormerRun) -> EarlierRun:
    history = MetricHistory()
    for name, (steps, values) in former.curves.items():
        history.append(name, steps, values)
    return EarlierRun(
        former.number,
        former.spec,
        history,
        former.changes,
        former.ended,
        former.branched,
        former.pinned,
        former.by_branch,
    )


def phrase(declared: Hyperparameter, value: Value) -> str:
    """A hyperparameter in the middle of a sentence: "learning rate 0.1", "filters, layer 1: 8", "ELU"."""
    label, said = declared.label, readable(declared, value).removeprefix(f"{declared.label}: ")
    word = label if label[1:2].isupper() or label[1:2].isdigit() else label[:1].lower() + label[1:]
    return f"{word}{':' if label[-1:].isdigit() else ''} {said}"


def apart(specs: Sequence[RunSpec], info: LabInfo) -> tuple[str, ...]:
    """The hyperparameters that are not the same in all runs; those of what is shown tell nothing."""
    names = [name for name, declared in info.hyperparameters.items() if not declared.view]
    return tuple(name for name in names if len({spec.hyperparameters.get(name) for spec in specs}) > 1)


def told_apart(spec: RunSpec, specs: Sequence[RunSpec], info: LabInfo) -> list[str]:
    """What sets a run apart from the others: its seed always, then only what differs."""
    parts = [f"seed {spec.seed}"]
    if len({each.dataset for each in specs}) > 1:
        parts.append(dataset_title(spec.dataset))
    values = spec.hyperparameters
    return parts + [phrase(info.hyperparameters[name], values[name]) for name in apart(specs, info) if name in values]


def outcome(history: MetricHistory, info: LabInfo) -> list[str]:
    """How far a run came, and its last metric: an accuracy where the lab measures one."""
    steps = (history.span() or (0, 0))[1]
    parts = [f"{steps:,} step{'' if steps == 1 else 's'}"]
    curves = [view for view in info.views.values() if view.kind == "curves"]
    for view in sorted(curves, key=lambda view: not view.percent):  # type: ignore[attr-defined]
        for name in reversed(view.metrics):  # type: ignore[attr-defined]
            if (last := history.last(name)) is not None:
                said = format.percent(last[1]) if view.percent else format.number(last[1])  # type: ignore[attr-defined]
                return [*parts, f"{name} {said}"]
    return parts


class EarlierRuns(QObject):
    """Keeps them, shows their list, and has the pinned ones drawn."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench, self._runs = bench, bench.runs
        self.kept: list[EarlierRun] = []  # the oldest first
        self._count = 0
        self.button = bench.timeline.runs
        self.list = EarlierList(self.button)
        self.action = QAction("Earlier runs", bench)
        self.action.setShortcut("H")
        self.action.triggered.connect(self.open)
        bench.addAction(self.action)
        self.button.clicked.connect(self.open)
        self.list.pinned.connect(self.pin)
        self.list.chosen.connect(self.go_back)
        self._rest = QTimer(self)  # a knob that is dragged changes the names of ghosts many times a second
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._show)
        bench.flags.changed.connect(self._rest.start)
        self._runs.leaving.connect(self.keep)
        self._runs.returned.connect(self._returned)
        self._runs.adopted.connect(self._adopted)

    # ------------------------------------------------------------------ keeping

    def keep(self, run: int, spec: RunSpec, branched: int | None = None) -> None:
        """Keep what a run has learned so far, if anything: it ends, or a branch leaves it at that step."""
        if branched is None:
            for each in self.kept:
                if each.by_branch:
                    each.pinned, each.by_branch = None, False
        elif branched < (asked := self._bench.rewinding.step):  # states are kept less often than pictures
            self._bench.toast.say(f"Branched at step {branched:,}, the last state kept before step {asked:,}")
        history = self._bench.bridge.history(run)
        if history.span() is None:
            return
        self._count += 1
        kept = EarlierRun(self._count, spec, thinned(history), len(self._bench.flags.flags), time.time(), branched)
        kept.run = run
        if branched is not None:
            kept.pinned, kept.by_branch = self._free_strokes(), True
        self.kept.append(kept)
        if len(self.kept) > MOST_KEPT:
            self.kept.remove(next(each for each in self.kept if each.pinned is None))

    def _free_strokes(self) -> int | None:
        taken = {each.pinned for each in self.kept}
        return next((index for index in range(MOST_PINNED) if index not in taken), None)

    # ------------------------------------------------------------------ in a session file

    def former(self) -> tuple[FormerRun, ...]:
        """All of them, to be saved."""
        return tuple(
            FormerRun(
                each.number,
                each.spec,
                each.history.thinned(POINTS),
                each.changes,
                each.ended,
                each.branched,
                each.pinned,
                each.by_branch,
            )
            for each in self.kept
        )

    def bring_back(self, former: Sequence[FormerRun]) -> None:
        """Those that a file keeps come before those that are there, and keep their numbers."""
        saved = [each for each in former if self._fits(each)]
        present = self.kept
        there = {(each.number, each.ended): each for each in present}
        self.kept = [there.get((each.number, each.ended)) or _brought_back(each) for each in saved]
        self._count = max((each.number for each in self.kept), default=0)
        for each in present:
            if each not in self.kept:
                self._count += 1
                self.kept.append(replace(each, number=self._count))
        taken: set[int] = set()
        for each in self.kept:
            if each.pinned in taken or (each.pinned or 0) >= MOST_PINNED:
                each.pinned = None
            if each.pinned is not None:
                taken.add(each.pinned)
        self.kept = self.kept[-MOST_KEPT:]
        if len(saved) < len(former):
            self._bench.toast.say("Earlier runs that do not fit this lab as it is now were left out")
        self._show()

    def _fits(self, former: FormerRun) -> bool:
        declared = self._runs.info.hyperparameters if self._runs.info else {}
        try:
            for name, value in former.spec.hyperparameters.items():
                if name in declared:
                    declared[name].check(value)
        except HyperparameterError:
            return False
        return former.spec.lab == self._runs.lab_id

    # ------------------------------------------------------------------ what the viewer does

    def open(self) -> None:
        """Show the list over its button."""
        self._show()
        corner = self.button.mapToGlobal(QPoint(self.button.width(), 0))
        self.list.move(corner - QPoint(self.list.width(), self.list.height() + 4))
        self.list.show()
        self.list.take_keyboard()

    def pin(self, number: int, on: bool) -> None:
        """Draw a run's curves beside the present ones, or no longer."""
        run = self._numbered(number)
        run.by_branch = False
        run.pinned = (self._free_strokes() if run.pinned is None else run.pinned) if on else None
        self._show()

    def go_back(self, number: int) -> None:
        """Show an earlier run again, or where its network is gone begin one with its hyperparameters, data and seed.
        Undo takes it back."""
        info, present = self._runs.info, self._runs.spec
        if info is None or present is None:
            return
        self.list.hide()
        run = self._numbered(number)
        if (former := self._runs.former(run.run)) is not None and former.has_network:
            self._bench.undo.bring_back(former, f"back to run {number}")
            return
        values = {name: value for name, value in run.spec.hyperparameters.items() if name in info.hyperparameters}
        spec = replace(run.spec, hyperparameters=values, device=present.device)
        told = ", ".join(told_apart(spec, (spec, present), info))
        self._runs.open(spec, told, play=self._bench.transport.playing)

    def _numbered(self, number: int) -> EarlierRun:
        return next(each for each in self.kept if each.number == number)

    # ------------------------------------------------------------------ showing

    def _returned(self, former: Former) -> None:
        """A run is shown again: it is no earlier one any more."""
        self.kept = [each for each in self.kept if each.run != former.run]

    def _adopted(self, event: Opened, told: str, play: bool | None) -> None:
        if event.lesson.earlier:
            self.bring_back(event.lesson.earlier)
        self._show()

    def _specs(self, kept: Sequence[EarlierRun]) -> list[RunSpec]:
        """Of these and of the present run, as its form stands."""
        present = [replace(self._runs.spec, hyperparameters=self._runs.values())] if self._runs.spec else []
        return [*(each.spec for each in kept), *present]

    def name(self, run: EarlierRun) -> str:
        """What the curves call it, in a few words: what sets it apart from all that they show."""
        assert self._runs.info is not None
        specs = self._specs([each for each in self.kept if each.pinned is not None])
        parts = told_apart(run.spec, specs, self._runs.info)
        return ", ".join([f"run {run.number}", *parts[len({spec.seed for spec in specs}) == 1 :]])

    def describe(self, run: EarlierRun) -> str:
        """A line that tells it from the others, and what it came to."""
        assert self._runs.info is not None
        parts = told_apart(run.spec, self._specs(self.kept), self._runs.info) + outcome(run.history, self._runs.info)
        if run.changes:
            parts.append(f"{run.changes:,} change{'' if run.changes == 1 else 's'}")
        if run.branched is not None:
            parts.append(f"branched at step {run.branched:,}")
        return " · ".join(parts)

    def _present(self, info: LabInfo) -> str:
        run, specs = self._runs.run, self._specs(self.kept)
        if run is None or not specs:
            return ""
        return " · ".join(told_apart(specs[-1], specs, info) + outcome(self._bench.bridge.history(run), info))

    def _row(self, run: EarlierRun, declared: Mapping[str, Hyperparameter]) -> Row:
        former = self._runs.former(run.run)
        has_network = former is not None and former.has_network
        return Row(run.number, run.pinned, self.describe(run), run.ended, self._details(run, declared), has_network)

    def _details(self, run: EarlierRun, declared: Mapping[str, Hyperparameter]) -> str:
        """All that is known of it, for whoever lingers."""
        values = [readable(declared[n], v) for n, v in run.spec.hyperparameters.items() if n in declared]
        last = [f"{n}: {format.number(entry[1])}" for n in run.history.names() if (entry := run.history.last(n))]
        return "\n".join([self.describe(run), "", *values, "", *last])

    def _show(self) -> None:
        """The list, the number on its button, and the ghosts."""
        info = self._runs.info
        if info is None:
            return
        pinned = [run for run in self.kept if run.pinned is not None]
        self._bench.grid.set_ghosts([Ghost(self.name(run), run.history, run.pinned or 0) for run in pinned])
        self._bench.timeline.show_runs(len(self.kept))
        full = len(pinned) >= MOST_PINNED
        rows = [self._row(run, info.hyperparameters) for run in reversed(self.kept)]
        self.list.show_rows(rows, self._present(info), full=full)
