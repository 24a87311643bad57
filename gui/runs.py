"""Which run a lab shows, which one is being built, and how one leads to the next.

A run is replaced only once its successor is built: until `Opened` arrives the former one goes on, so that a setting
that cannot be built loses nothing. Then it is parked (gui/parking.py), and may be brought back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from engine.hyperparameters import HyperparameterError, Value
from engine.messages import Changed, LabInfo, Lesson, Mark, Opened, Play, RunSpec, Save, Set
from engine.own_labs import is_own
from gui.control_panel import dataset_title, readable
from gui.parking import CHEAP, CURVE_POINTS, Former, Parking
from gui.session_bridge import SessionBridge
from gui.settings import Settings

DEBOUNCE_MS = 250  # a structural slider is being dragged: wait until it rests before building
ROOM = "timeline"  # among what a file says of the window: how much of the timeline the viewer chose to keep
OVERHEAD = 12_000  # bytes of a file: what describes the tensors, and the state of the random numbers
DATASET = "@dataset"  # among the remembered hyperparameters


@dataclass(frozen=True)
class Pending:
    """A run that is being built."""

    run: int
    spec: RunSpec
    told: str = ""  # what changed, for the notice once it stands
    play: bool = False
    resume: Path | None = None  # goes on from this file
    remembered: bool = False  # made of what was used last time: may no longer fit
    branches: bool = False  # off the present run
    marks: tuple[Mark, ...] = ()  # what is to change it, as it changed a former run
    why: str = ""  # what the viewer did, for undo
    former: Former | None = None  # an earlier run that it brings back
    then: Callable[[Former], None] | None = None  # told of the run that gave way, in place of `replaced`


class Runs(QObject):
    """Opens, replaces and closes the runs of one lab, and remembers its hyperparameters."""

    building = Signal()  # a run is being built
    leaving = Signal(int, object, object)  # a run that gives way, its RunSpec, the step at which a branch leaves it
    adopted = Signal(object, str, object)  # Opened, what changed since the former run, whether it is to play (or None)
    replaced = Signal(object, str)  # the Former that gave way, and what the viewer did
    returned = Signal(object)  # a Former that is shown again
    chose = Signal(object)  # hyperparameters that act at once, by name: the value before and after
    cancelled = Signal()  # the run that was being built is not wanted any more
    settled = Signal()  # the form is to show what is in force

    def __init__(self, bridge: SessionBridge, lab_id: str, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self.bridge, self.lab_id, self.settings = bridge, lab_id, settings
        self.own = is_own(lab_id)  # its code may change at any time
        self.asked: RunSpec | None = None  # what the last run was to be made of, whether or not it could be built
        self.info: LabInfo | None = None
        self.run: int | None = None
        self.spec: RunSpec | None = None
        self.pending: Pending | None = None
        self.resumed: Path | None = None  # the file that the present run goes on from
        self.wanted: dict[str, Value] = {}  # structural changes that wait for the slider to rest
        self.sent: dict[str, Value] = {}  # live changes that were not confirmed yet
        self.arranged: Callable[[], Mapping[str, str]] = dict  # how the window is, to be saved with a run
        self._formers: dict[int, Former] = {}  # the runs that gave way, by number
        self._opened_as: Opened | None = None  # how the present run was announced
        self.parking = Parking(bridge, lab_id, settings.kept_folder, self)
        self.parking.arranged = lambda: self.arranged()
        self.lesson: Callable[[], Lesson] = Lesson  # what else is to be saved with it
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(DEBOUNCE_MS)
        self._debounce.timeout.connect(self._open_wanted)
        bridge.opened.connect(self._opened)

    # ------------------------------------------------------------------ opening and closing

    def open_first(
        self, resume: Path | None, values: Mapping[str, Value] | None, dataset: str, seed: int | None
    ) -> None:
        """Open the lab with what is given, else with what was used last time."""
        remembered = {} if resume or values is not None else self.settings.hyperparameters(self.lab_id)
        last = str(remembered.pop(DATASET, ""))
        spec = RunSpec(self.lab_id, values or remembered, dataset or last, seed or 0, self.settings.device)
        self.asked = spec
        run = self.bridge.open(spec, resume)
        self.pending = Pending(run, spec, resume=resume, remembered=bool(remembered or last) and not self.own)

    def open(
        self,
        spec: RunSpec,
        told: str = "",
        *,
        play: bool = False,
        resume: Path | None = None,
        marks: tuple[Mark, ...] = (),
        why: str = "restart",
    ) -> None:
        """Build a run; the present one goes on until it stands. `why` is what the viewer did, in a word."""
        if self.pending is not None:
            self.bridge.close(self.pending.run)
            told, play = told or self.pending.told, play or self.pending.play
        self.asked = spec
        run = self.bridge.open(spec, resume, marks)
        self.pending = Pending(run, spec, told, play, resume, marks=marks, why=told or why)
        self.building.emit()

    def branch(self, step: int, values: Mapping[str, Value]) -> None:
        """Go on from an earlier step, with these hyperparameters changed."""
        if self.run is None or self.spec is None or self.pending is not None:
            return
        run = self.bridge.branch(self.run, step, values)
        self.pending = Pending(run, self.spec, branches=True, why="branch")
        self.building.emit()

    def _opened(self, event: Opened) -> None:
        pending = self.pending
        if pending is None or event.run != pending.run:
            return
        self.pending = None
        resumed = None if pending.former is not None and pending.former.resumed != pending.resume else pending.resume
        former = self._show(event, resumed, branched=event.step if pending.branches else None)
        if pending.former is not None:
            self.returned.emit(pending.former)
        self.adopted.emit(event, pending.told if former is not None else "", pending.play or None)
        if former is not None and pending.then is not None:
            pending.then(former)
        elif former is not None:
            self.replaced.emit(former, pending.why)

    def _show(self, event: Opened, resumed: Path | None, branched: int | None = None) -> Former | None:
        """A run takes the place of the present one, if there is one; that is parked."""
        former = None
        if self.run is not None and self.spec is not None and self._opened_as is not None:
            playing = self.bridge.standing(self.run).playing
            former = Former(self.run, self.spec, self._opened_as, self.resumed, playing)
            self._formers[self.run] = former
        self.run, self.spec, self.info, self.resumed = event.run, event.spec, event.lab, resumed
        self._opened_as = replace(event, lesson=Lesson(), tape=None)  # shown again, it has what it has by then
        self.sent.clear()
        if former is not None:
            self.leaving.emit(former.run, former.spec, branched)
            self.parking.park(former)
        self.remember()
        return former

    def bring_back(self, former: Former, then: Callable[[Former], None]) -> None:
        """Show an earlier run again: as it is, where it is open; else from its file; else built anew. `then` is told
        of the run that gives way."""
        self.cancel()
        if not former.is_open:
            spec = replace(former.spec, device=self.spec.device) if self.spec is not None else former.spec
            self.open(spec, resume=former.file, play=former.playing)
            assert self.pending is not None
            self.pending = replace(self.pending, former=former, then=then)
            return
        self.parking.take(former)
        standing = self.bridge.standing(former.run)
        self.asked = standing.spec
        event = replace(former.opened, spec=standing.spec, step=standing.step, marks=tuple(standing.marks), window={})
        present = self._show(event, former.resumed)
        self.returned.emit(former)
        self.adopted.emit(event, "", former.playing)
        if present is not None:
            then(present)

    def former(self, run: int | None) -> Former | None:
        """The run of this number, once it has given way."""
        return self._formers.get(run or 0)

    def cancel(self) -> bool:
        """Leave it at the present run: whatever was to take its place will not. False where nothing was to."""
        waiting = bool(self.wanted) or (self.pending is not None and self.run is not None)
        if waiting:
            self._debounce.stop()
            self.wanted.clear()
            if self.pending is not None:
                self.bridge.close(self.pending.run)
                self.pending = None
                self.cancelled.emit()
            self.settled.emit()
        return waiting

    def save(self, path: Path, room: int = CHEAP) -> None:
        """Write the present run to a file, with its curves, earlier runs and bookmarks, how the window is arranged, and
        of its timeline at most `room` bytes."""
        if self.run is not None:
            curves = self.bridge.history(self.run).thinned(CURVE_POINTS)
            frames = self.bridge.tape(self.run).frames() if room else ()
            lesson = replace(self.lesson(), frames=frames, room=room)
            self.bridge.send(Save(self.run, path, curves, {**self.arranged(), ROOM: str(room)}, lesson))

    def sizes(self) -> tuple[int, int]:
        """About how many bytes a file of the present run takes: for all but the timeline, and for that."""
        if self.run is None:
            return 0, 0
        state, timeline = self.bridge.sizes(self.run)
        curves = [self.bridge.history(self.run).thinned(CURVE_POINTS), *(run.curves for run in self.lesson().earlier)]
        numbers = sum(column.nbytes for series in curves for pair in series.values() for column in pair)
        return state + numbers + OVERHEAD, timeline

    def drop_pending(self) -> Pending:
        """The run that was being built will not be; returns what it was to be."""
        pending, self.pending = self.pending, None
        assert pending is not None
        self.bridge.close(pending.run)
        self.settled.emit()
        return pending

    def close(self) -> None:
        """End all runs; nothing is heard of them any more."""
        self.remember()
        self._debounce.stop()
        for run in (self.pending.run if self.pending else None, self.run):
            if run is not None:
                self.bridge.close(run)
        self.parking.close()
        self.run = self.pending = None

    def remember(self) -> None:
        """Keep the hyperparameters for the next time."""
        if self.spec is not None:
            values = {**self.spec.hyperparameters, DATASET: self.spec.dataset}
            self.settings.remember_hyperparameters(self.lab_id, values)

    # ------------------------------------------------------------------ what is in force

    def values(self) -> dict[str, Value]:
        """The hyperparameters as the viewer has set them: those on their way included."""
        return {**(self.spec.hyperparameters if self.spec else {}), **self.sent, **self.wanted}

    def _target(self) -> RunSpec | None:
        """What the next run is made of: the run being built, else the present one, with the live knobs as they are."""
        base = self.pending.spec if self.pending else self.spec
        if base is None or self.info is None or self.spec is None:
            return base
        declared = self.info.hyperparameters
        live = {n: v for n, v in {**self.spec.hyperparameters, **self.sent}.items() if not declared[n].rebuilds}
        return replace(base, hyperparameters={**base.hyperparameters, **live})

    def confirm(self, event: Changed) -> bool:
        """A hyperparameter took effect. False while the viewer is still turning that knob."""
        assert self.spec is not None
        self.spec = replace(self.spec, hyperparameters={**self.spec.hyperparameters, event.name: event.new})
        if event.name in self.sent and self.sent[event.name] != event.new:
            return False  # what was chosen last is on its way
        self.sent.pop(event.name, None)
        return True

    # ------------------------------------------------------------------ what the viewer changes

    def choose(self, name: str, value: Value) -> None:
        """Set a hyperparameter: live ones act at the next step, the others build anew once the knob rests."""
        if self.info is None or self.run is None:
            return
        if self.info.hyperparameters[name].rebuilds:
            self.wanted[name] = value
            self._debounce.start()
        else:
            self._set({name: value})

    def _set(self, values: Mapping[str, Value]) -> None:
        """Set hyperparameters that act at once."""
        assert self.run is not None
        before = self.values()
        self.sent |= values
        for name, value in values.items():
            self.bridge.send(Set(self.run, name, value))
        self.chose.emit({name: (before[name], value) for name, value in values.items()})

    def _open_wanted(self) -> None:
        target = self._target()
        wanted, self.wanted = self.wanted, {}
        if target is not None and wanted:
            self.open(replace(target, hyperparameters={**target.hyperparameters, **wanted}), self._told(wanted))

    def _told(self, values: Mapping[str, Value]) -> str:
        declared = self.info.hyperparameters if self.info else {}
        return ", ".join(readable(declared[name], value) for name, value in values.items())

    def choose_dataset(self, name: str) -> None:
        """Learn from other data: a new run with the same seed."""
        if (target := self._target()) is not None:
            self.open(replace(target, dataset=name), dataset_title(name))

    def apply_texts(self, asked: Mapping[str, str]) -> None:
        """Set hyperparameters (and `dataset`) given as text, as a link in a guide does, and train.

        A word may be a hyperparameter's name or its label. Raises HyperparameterError where something does not fit.
        """
        target = self._target()
        if self.info is None or self.run is None or target is None:
            return
        declared = self.info.hyperparameters
        by_label = {d.label.lower().replace(" ", "_").replace(",", ""): n for n, d in declared.items()}
        values: dict[str, Value] = {}
        for word, text in asked.items():
            name = word if word in declared else by_label.get(word, "")
            if name:
                values[name] = declared[name].parse(text)
            elif word != "dataset":
                raise HyperparameterError(f"this lab has no {word!r}")
        dataset = asked.get("dataset", target.dataset)
        changed = {name: value for name, value in values.items() if target.hyperparameters.get(name) != value}
        if dataset != target.dataset or any(declared[name].rebuilds for name in changed):
            told = [self._told(changed)] if changed else []
            told += [dataset_title(dataset)] if dataset != target.dataset else []
            new = {**target.hyperparameters, **values}
            self.open(replace(target, hyperparameters=new, dataset=dataset), ", ".join(told), play=True)
            return
        self._set(changed)
        self.settled.emit()
        self.bridge.send(Play(self.run))

    def rebuild(self) -> None:
        """Build it anew, as the lab's code has changed, with the seed and the hyperparameters that it has now."""
        if (target := self._target() or self.asked) is not None:
            self._debounce.stop()
            wanted, self.wanted = self.wanted, {}
            self.open(replace(target, hyperparameters={**target.hyperparameters, **wanted}), why="other code")

    def start_over(self, *, new_seed: bool = False) -> None:
        """From the beginning, with the same seed or the next."""
        if (target := self._target()) is not None:
            self._debounce.stop()
            wanted, self.wanted = self.wanted, {}
            seed = target.seed + 1 if new_seed else target.seed
            spec = replace(target, hyperparameters={**target.hyperparameters, **wanted}, seed=seed)
            self.open(spec, why=f"new seed {seed}" if new_seed else "restart")

    def change_device(self, device: str) -> None:
        """Compute elsewhere from now on."""
        if (target := self._target()) is not None and target.device != device:
            # what is being opened is opened there
            resume, marks = (self.pending.resume, self.pending.marks) if self.pending else (None, ())
            self.open(replace(target, device=device), resume=resume, marks=marks, why="other device")
