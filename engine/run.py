"""One run: a lab, its RNG, the step under way, and what is to be told of it. Lives on the session's thread alone."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import GeneratorType
from typing import Any

import torch

from engine import checkpoint, device, hyperparameters, marks, undo
from engine.discovery import load_lab
from engine.hyperparameters import hyperparameters_of, make_params, values_of, written
from engine.inside import Inside
from engine.interruption import Interrupted
from engine.lab import Lab, LabError, Metrics, actions_of, advance, describe, start, views_of
from engine.lookback import Viewer
from engine.messages import (
    Act,
    Changed,
    Diverged,
    Edited,
    Event,
    InsideSeen,
    Mark,
    MetricBatch,
    Opened,
    Paused,
    Playing,
    Poke,
    Revert,
    RunSpec,
    Series,
    Set,
    Status,
    WentBack,
)
from engine.metrics import columns_of, first_not_finite
from engine.own_labs import is_own
from engine.tape import Reel, size_of
from engine.watch import no_trace, rng_state, set_rng_state
from engine.watcher import Rate, Watcher

FLUSH_INTERVAL = 0.05  # seconds between two conversions of metrics to numbers: one synchronisation each
RECENT = 64  # batches of metrics that are remembered: whoever asks for a checkpoint may not have seen them yet
SNAPSHOT_SHARE = 0.01  # of the time may go into snapshots to go back to
SNAPSHOT_INTERVAL = 1.0
MEMORY = 256 << 20  # bytes of snapshots to branch from
GATHERED = 0.005  # seconds: at a pace of many steps a second those that fall due meanwhile are done at one go
BACKLOG = 0.25  # seconds of steps that are made up for at most where the pace was not kept
UNDO, REDO = "Undo: ", "Redo: "
PROBE_SEED = 2  # of the numbers that probes draw


class Run:
    """A lab in training. Every method may raise what the lab raises; the session reports it."""

    def __init__(
        self,
        number: int,
        spec: RunSpec,
        *,
        threads: int = 0,
        memory: int = MEMORY,
        script: tuple[Mark, ...] = (),
    ) -> None:
        self.number = number
        lab_class = load_lab(spec.lab)
        if is_own(spec.lab):  # its code may have changed since: what no longer fits it is left out
            dataset = spec.dataset if spec.dataset in lab_class.datasets or lab_class.accepts else ""
            values = hyperparameters.fitting(lab_class.Params, spec.hyperparameters)
            spec = dataclasses.replace(spec, hyperparameters=values, dataset=dataset)
        hp = make_params(lab_class.Params, spec.hyperparameters)
        spec = dataclasses.replace(spec, device=device.usable(spec.device))
        where = device.choose(spec.device)
        self.threads = device.threads_for(lab_class, threads)
        torch.set_num_threads(self.threads)
        self.lab: Lab = start(lab_class, hp, dataset=spec.dataset, seed=spec.seed, device=where)
        self.info = describe(lab_class, spec.lab)
        self._spec = dataclasses.replace(spec, dataset=self.lab.dataset)
        self.origin = self.spec  # with the hyperparameters it began with: they and the marks are the whole experiment
        self.resumed: Path | None = None  # or it began where this file stands
        self.resumed_at = 0  # at this step
        self.rng = rng_state(where)
        self.playing = False
        self.phase = ""
        self.speed: float | None = None
        self.budget = 0.05
        self._stepping: Generator[str, None, Metrics | None] | None = None
        self._inside: Inside | None = None  # of the step under way, where it is gone through phase by phase
        self._looked: Inside | None = None  # the same after a phase, until the session tells
        self._pending: list[Set] = []
        self.marks: list[Mark] = []  # what changed the experiment so far
        self.viewer = Viewer()  # where probes keep what they change
        self.looked_back: checkpoint.Snapshot | None = None  # where the latest look at an earlier step got to
        self.undoable = undo.Undoable()  # what edits and actions replaced
        self.found: dict[str, str] = {}  # what was left out of its data
        self.inherited = 0  # how many of them came with the file that it goes on from
        self._script = list(script)  # what is to change it as it did before
        self.refused: list[tuple[str, BaseException]] = []  # hyperparameters that the lab would not take; likewise
        self.applied: list[Event] = []  # changes that took effect within a step; the session sends and empties it
        self._next_step_at = 0.0
        self._probe_rng: tuple[torch.Tensor, torch.Tensor | None] | None = None
        self._burst = 1
        self._metrics: list[tuple[int, Metrics]] = []
        self._flushed_at = 0.0
        self.recent: deque[Series] = deque(maxlen=RECENT)
        self.snapshots: Reel[checkpoint.Snapshot] = Reel(memory)
        self.looked = time.perf_counter()  # when somebody last looked at it, or looked away
        self.rests_until = 0.0  # while others train that are looked at
        self._trusted = 0  # the step of the latest snapshot after which metrics were still finite
        self._keep(checkpoint.take(self.lab, values_of(hp), self.rng))
        self._snapshot_at = time.perf_counter() + SNAPSHOT_INTERVAL
        self.watcher = Watcher(self)
        self._rate = Rate()

    @property
    def spec(self) -> RunSpec:
        """The run as it is now. Every hyperparameter is named: a later version may have other defaults."""
        return dataclasses.replace(self._spec, hyperparameters=values_of(self.lab.hp))

    # ------------------------------------------------------------------------------------------ stepping

    def opened(self) -> Opened:
        facts = {**self.lab.facts(), **self.found}
        return Opened(self.number, self.spec, self.info, self.lab.step_count, facts, tuple(self.marks))

    def wait(self) -> float:
        """Seconds until training is to go on at the chosen speed."""
        if not self.speed or self._stepping is not None:
            return 0.0
        return max(0.0, self._next_step_at + max(0.0, GATHERED - 1 / self.speed) - time.perf_counter())

    def set_speed(self, speed: float | None) -> None:
        """So many steps a second from now on, at most; None is as fast as it goes."""
        self.speed = speed
        self.start_clock()

    def start_clock(self) -> None:
        """The next step is due now: training begins, or has another speed."""
        self._next_step_at = time.perf_counter()
        self._rate.begin()

    def due(self, now: float) -> int:
        """How many steps the chosen speed asks for by now."""
        assert self.speed
        self._next_step_at = max(self._next_step_at, now - BACKLOG)
        return max(1, int((now - self._next_step_at) * self.speed) + 1)

    def paced(self, steps: int) -> None:
        """So many steps were done at the chosen speed: when the next one is due."""
        if self.speed:
            self._next_step_at += steps / self.speed

    def reach(self, step: int) -> None:
        """Train until so many steps are done, without a look at the queue."""
        self._enter()
        before = self.lab.step_count
        try:
            if self._stepping is not None:
                self._finish_step(_never)
            while self.lab.step_count < step:
                self._many_steps(step - self.lab.step_count)
        finally:
            self._leave()
            self._rate.add(self.lab.step_count - before)

    def work(self, seconds: float, interrupted: Callable[[], bool]) -> None:
        """Train for about so long; return early, even within a step, when a command waits.

        The clock is read once per burst of steps: reading it at each would cost tiny networks several percent.
        """
        self._enter()
        before, at = self.lab.step_count, time.perf_counter()
        try:
            if self.speed:
                self._work_at_pace(seconds, at, interrupted)
            else:
                self._work_freely(seconds, at, interrupted)
        finally:
            self._leave()
            self._rate.add(self.lab.step_count - before)

    def _work_at_pace(self, seconds: float, begun: float, interrupted: Callable[[], bool]) -> None:
        """The steps that are due, as many as there is time for."""
        for _ in range(self.due(begun)):
            if not self._finish_step(interrupted):
                return
            self.paced(1)
            if time.perf_counter() - begun >= seconds or interrupted():
                return

    def _work_freely(self, seconds: float, begun: float, interrupted: Callable[[], bool]) -> None:
        """Bursts of steps that double until one takes a good part of the turn. Only a step on its own looks at the
        queue between its phases: a burst is over before anybody would notice."""
        while True:
            if self._burst == 1 or self._stepping is not None:
                if not self._finish_step(interrupted):
                    return
            else:
                self._many_steps(self._burst)
            spent = time.perf_counter() - begun
            if spent > 2 * seconds:
                self._burst = max(1, self._burst // 2)
            elif spent * 4 < seconds:
                self._burst = min(self._burst * 2, 1024)
            if spent >= seconds or interrupted():
                return

    def _many_steps(self, count: int) -> None:
        """As many whole steps, with as little around them as can be."""
        self._before_step()
        lab, metrics = self.lab, self._metrics
        if self._script:
            count = min(count, self._script[0].step - lab.step_count)
        for _ in range(count):
            returned = advance(lab)
            if returned:
                metrics.append((lab.step_count, returned))

    def _finish_step(self, interrupted: Callable[[], bool]) -> bool:
        """Begin or go on with a step; False where it was interrupted between two phases."""
        stepping = self._stepping
        if stepping is None:
            self._before_step()
            result: Any = self.lab.step()
            if type(result) is not GeneratorType:
                self._end_step(result)
                return True
            stepping = self._stepping = result
        try:
            while True:
                self.phase = next(stepping)
                if interrupted():
                    return False
        except StopIteration as stop:
            self._end_step(stop.value)
            return True
        except BaseException:
            self._leave_step()
            raise

    def _leave_step(self) -> None:
        """No step is under way."""
        self._stepping, self._inside, self._looked, self.phase = None, None, None, ""

    def _before_step(self) -> None:
        """Apply what waits for this step: the marks of a run that is repeated, and what a step that raised left."""
        while self._script and self._script[0].step <= self.lab.step_count:
            self._repeat(self._script.pop(0))
        if self._pending:
            self._apply_pending()

    def _repeat(self, mark: Mark) -> None:
        if mark.kind == "set":
            done = marks.apply(self.lab, mark)
            self.marks.append(done)
            self.applied.append(Changed(self.number, done.step, done.name, done.old, done.new, mark=done))
            return
        with self._undoable():
            done = marks.apply(self.lab, mark)
            self.marks.append(done)
        self.applied.append(Edited(self.number, done.step, done.text, done, repeated=True))

    @contextlib.contextmanager
    def _undoable(self) -> Iterator[None]:
        """Keep what the change within replaces; the mark of it comes last of all."""
        before = undo.state_of(self.lab)
        yield
        self.undoable.keep(len(self.marks) - 1, before, undo.state_of(self.lab))

    def _mark(self, mark: Mark) -> Mark:
        self.marks.append(dataclasses.replace(mark, step=self.lab.step_count))
        return self.marks[-1]

    def _end_step(self, metrics: Metrics | None) -> None:
        self._leave_step()
        self.lab.step_count += 1
        if metrics:
            self._metrics.append((self.lab.step_count, metrics))
        if self._pending:  # now, not when the next step begins: a checkpoint or a further change may come before that
            self._apply_pending()

    def finish_step(self) -> None:
        """Finish the step under way, if there is one."""
        if self._stepping is not None:
            self._enter()
            try:
                self._finish_step(_never)
            finally:
                self._leave()

    def step_once(self) -> None:
        """Finish the step under way, or do one whole step."""
        if self._stepping is not None and self._inside is not None:
            self._go_on(self._inside, _never)
            return
        self._enter()
        try:
            self._finish_step(_never)
        finally:
            self._leave()

    def micro_step(self) -> None:
        """Go on to the next phase, and see what it does inside the network."""
        self._enter()
        try:
            if self._stepping is None:
                self._before_step()
            if self._stepping is None or self._inside is None:
                self._inside = Inside(self.lab)
        finally:
            self._leave()
        self._go_on(self._inside, _always)

    def _go_on(self, inside: Inside, interrupted: Callable[[], bool]) -> None:
        self._enter()
        done = len(self._metrics)
        try:
            with inside:
                self._finish_step(interrupted)
            inside.look(self._stepping, self._metrics[-1][1] if len(self._metrics) > done else None)
            self._looked = inside
        finally:
            self._leave()

    def take_inside(self) -> list[Event]:
        """What the latest phase did inside the network, unless it has been told."""
        inside, self._looked = self._looked, None
        if inside is None:
            return []
        return [InsideSeen(self.number, self.lab.step_count, self.phase, inside.lit, inside.layers(), inside.numbers)]

    def _enter(self) -> None:
        set_rng_state(self.rng, self.lab.device)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)

    def _leave(self) -> None:
        self.rng = rng_state(self.lab.device)
        self.watcher.changed()

    # -------------------------------------------------------------------------- what the viewer changes

    def set(self, command: Set) -> list[Event]:
        """Change a hyperparameter: view ones at once, live ones between two steps."""
        declared = hyperparameters_of(self.lab.hp).get(command.name)
        make_params(type(self.lab.hp), {command.name: command.value})
        if declared is None or declared.rebuilds:
            raise LabError(f"{command.name} cannot change while the run goes on: it rebuilds the network")
        if declared.view:
            return [self._apply(command, True)]
        self._pending.append(command)
        if self._stepping is not None:
            return []
        self._enter()
        try:
            self._apply_pending()
        finally:
            self._leave()
        return self._take_applied()

    def _take_applied(self, *more: Event) -> list[Event]:
        """What took effect and has not been told, in order; `more` came last."""
        applied, self.applied = [*self.applied, *more], []
        return applied

    def _apply(self, command: Set, view_only: bool) -> Event:
        old, new = marks.set_value(self.lab, command.name, command.value)
        self.watcher.answer() if view_only else self.watcher.changed()
        text = f"{command.name} = {new}"
        mark = None if view_only else self._mark(Mark(0, "set", command.name, text, old, new))
        return Changed(self.number, self.lab.step_count, command.name, old, new, view_only, mark)

    def _apply_pending(self) -> None:
        pending, self._pending = self._pending, []
        for command in pending:
            try:
                self.applied.append(self._apply(command, False))
            except Interrupted:
                raise
            except BaseException as error:  # the step was done all the same: training goes on with the old value
                self.refused.append((command.name, error))

    def poke(self, command: Poke) -> list[Event]:
        """Hand a gesture to its view's handler."""
        view = views_of(self.lab)[command.view]
        handler = view.on_edit if command.edit else view.on_probe
        if handler is None:
            raise LabError(f"{view.description.title} takes no such gesture")
        if not command.edit:
            self._probe(lambda: handler(self.lab, command.gesture))
            self.watcher.answer(command.view)
            return []
        mark = Mark(0, "edit", command.view, view.description.title, gesture=command.gesture)
        mark = self._between_steps(lambda: handler(self.lab, command.gesture), mark)
        self.watcher.answer(command.view)
        return self._take_applied(Edited(self.number, mark.step, mark.text, mark))

    def act(self, command: Act) -> list[Event]:
        """Press a button."""
        action = actions_of(self.lab)[command.action]
        if action.probe:
            self._probe(lambda: action.method(self.lab))
            self.watcher.answer()
            return []
        mark = Mark(0, "action", command.action, action.title)
        mark = self._between_steps(lambda: action.method(self.lab), mark)
        self.watcher.answer()
        return self._take_applied(Edited(self.number, mark.step, mark.text, mark))

    def revert(self, command: Revert) -> list[Event]:
        """Take back what edits and actions changed, or an undo of them. Raises LabError where that cannot be done."""
        self.finish_step()
        places = [self._place_of(mark) for mark in command.marks]
        first = self.marks[places[0]]
        text = first.text.removeprefix(UNDO)
        present = undo.state_of(self.lab)
        patch = undo.difference(self.undoable.state_without(present, places, self.marks), present)
        title = f"{REDO if first.kind == 'undo' else UNDO}{text.removeprefix(REDO)}"
        mark = Mark(0, "undo", first.name, title, patch=patch or "[]")
        mark = self._between_steps(lambda: undo.put_back(self.lab, mark.patch), mark)
        self.undoable.undo(len(self.marks) - 1, places)
        self.watcher.answer()
        return self._take_applied(Edited(self.number, mark.step, mark.text, mark))

    def _place_of(self, mark: Mark) -> int:
        """Where a mark stands among those of this run. That of a twin, which made the same changes, is known by what
        it did."""
        places = [place for place, own in enumerate(self.marks) if own is mark]
        places = places or [place for place, own in enumerate(self.marks) if _same_change(own, mark)]
        standing = [place for place in places if not self.undoable.is_undone(place)] or places
        if standing:
            return standing[-1]
        raise LabError(f"{mark.text} cannot be undone: the run went back to a step before it")

    def _probe(self, probe: Callable[[], Any]) -> None:
        """Change what is shown, with random numbers of its own: other ones each time, and none of the training's."""
        with no_trace(self.lab), self.viewer.learning(self.lab):
            if self._probe_rng is None:
                torch.manual_seed(PROBE_SEED)
            else:
                set_rng_state(self._probe_rng, self.lab.device)
            try:
                probe()
            finally:
                self._probe_rng = rng_state(self.lab.device)

    def _between_steps(self, change: Callable[[], Any], mark: Mark) -> Mark:
        """Make a change; returns its mark as it took place."""
        self.finish_step()
        self._enter()
        try:
            with self._undoable():
                change()
                return self._mark(mark)
        finally:
            self._leave()

    # ------------------------------------------------------------------------------------------- metrics

    def flush(self, now: float, *, force: bool = False) -> tuple[MetricBatch | None, Diverged | None]:
        """Turn what the steps returned into numbers, and look for the first that is not finite."""
        if not self._metrics or (now - self._flushed_at < FLUSH_INTERVAL and not force):
            return None, None
        self._flushed_at = now
        entries, self._metrics = self._metrics, []
        series = columns_of(entries)
        self.recent.append(series)
        batch = MetricBatch(self.number, series)
        bad = self._first_not_finite(series)
        if bad is not None:
            return batch, bad
        self._keep_snapshot(now)
        return batch, None

    def _first_not_finite(self, series: dict[str, tuple[Any, Any]]) -> Diverged | None:
        found = first_not_finite(series)
        if found is None:
            return None
        step, name, value = found
        back_to = self._trusted if self._trusted < step else None
        return Diverged(self.number, step, name, value, self._likely_cause(), back_to)

    def _likely_cause(self) -> str:
        for name, declared in hyperparameters_of(self.lab.hp).items():
            if name in ("lr", "learning_rate"):
                rate, label = float(getattr(self.lab.hp, name)), declared.label.lower()
                if rate > float(declared.default) * 1.5:
                    return f"The {label}, {written(rate)}, is likely too large: each step overshoots further."
                return f"Numbers grew beyond what 32 bits hold; a smaller {label} than {written(rate)} may help."
        return "Numbers grew beyond what 32 bits hold."

    def _keep_snapshot(self, now: float) -> None:
        """Keep a state to go back to, or to branch from. One taken now is trusted only once later metrics are finite:
        the loss is computed before the update that may spoil the weights."""
        if now < self._snapshot_at or self._stepping is not None:
            return
        latest = self.snapshots.steps[-1]
        if self.lab.step_count > latest:
            self._trusted = latest
            self._keep(self.snapshot())
        cost = time.perf_counter() - now
        self._snapshot_at = now + max(SNAPSHOT_INTERVAL, cost / SNAPSHOT_SHARE)

    def _keep(self, snapshot: checkpoint.Snapshot) -> None:
        self.snapshots.add(snapshot.step, snapshot, size_of(snapshot.state))

    def snapshot(self) -> checkpoint.Snapshot:
        """The state between two steps; a step under way is finished first."""
        self.finish_step()
        taken = checkpoint.take(self.lab, values_of(self.lab.hp), self.rng)
        return dataclasses.replace(taken, marks=len(self.marks))

    def begin_at(self, snapshot: checkpoint.Snapshot) -> None:
        """Begin where another run stood. How this one was built is no past to go back to: it has the hyperparameters
        of there, not those that the other began with."""
        self.snapshots.cut(-1)
        self.restore(snapshot)

    def remember(self, earlier: Iterable[checkpoint.Snapshot]) -> None:
        """Keep snapshots of before it began where it did, to branch from."""
        latest, self.snapshots = self.snapshots.items(), Reel(self.snapshots.capacity)
        for snapshot in (*earlier, *latest):
            self._keep(snapshot)

    def descend(self, parent: Run, snapshot: checkpoint.Snapshot) -> None:
        """It is a branch: how it is repeated follows from its parent."""
        self.origin, self.resumed, self.inherited = parent.origin, parent.resumed, parent.inherited
        self.resumed_at = parent.resumed_at
        if self.resumed is None or snapshot.step >= self.resumed_at:
            return
        values = dict(parent.origin.hyperparameters)  # it leaves before the file begins: back to the first ones
        for mark in reversed(parent.marks[: parent.inherited]):
            if mark.kind == "set":
                values[mark.name] = mark.old
        self.origin = dataclasses.replace(parent.origin, hyperparameters=values)
        self.resumed, self.resumed_at, self.inherited = None, 0, 0

    def restore(self, snapshot: checkpoint.Snapshot) -> None:
        """Stand where the snapshot was taken. Raises CheckpointError where it does not fit."""
        self._leave_step()
        self._pending, self._metrics = [], []
        self.recent.clear()
        rebuilding = {n for n, d in hyperparameters_of(self.lab.hp).items() if d.rebuilds}
        now = values_of(self.lab.hp)
        if any(snapshot.hyperparameters.get(name) != now[name] for name in rebuilding):
            raise checkpoint.CheckpointError("it belongs to a network of another structure")
        self.lab.hp = make_params(type(self.lab.hp), snapshot.hyperparameters)
        for name, value in values_of(self.lab.hp).items():
            if value != now[name]:
                self.lab.changed(name)
        checkpoint.put(self.lab, snapshot)
        set_rng_state(snapshot.rng, self.lab.device)
        self.rng = rng_state(self.lab.device)
        self.snapshots.cut(snapshot.step - 1)
        self._keep(snapshot)
        self._trusted = snapshot.step
        del self.marks[snapshot.marks :]
        self.undoable.cut(len(self.marks))
        self.looked_back = None
        self.watcher.changed(restart=True)

    def go_back(self, step: int | None = None) -> list[Event]:
        """Return to the last state known to be finite, or to a `step` as it was: what was done between the snapshot
        before it and there is repeated, changes included, and is not told again."""
        before = values_of(self.lab.hp)
        self.playing = False
        self._script.clear()
        good = self.snapshots.nearest(self._trusted if step is None else step)
        assert good is not None
        since = [mark for mark in self.marks[good.marks :] if step is not None and mark.step < step]
        self.restore(good)
        if step is not None:
            self._script = since
            self.reach(step)
            self._metrics, self.applied = [], []
        step = self.lab.step_count
        events: list[Event] = [WentBack(self.number, step, tuple(self.marks))]
        for name, value in values_of(self.lab.hp).items():
            if value != before[name]:
                view_only = hyperparameters_of(self.lab.hp)[name].view
                events.append(Changed(self.number, step, name, before[name], value, view_only))
        return [*events, Paused(self.number, step)]

    def status(self, now: float) -> Status:
        epoch = None
        with contextlib.suppress(TypeError, ValueError, ArithmeticError):  # a lab of one's own may set anything
            epoch = self.lab.step_count / float(self.lab.steps_per_epoch) if self.lab.steps_per_epoch else None
        return Status(
            self.number,
            self.lab.step_count,
            epoch,
            self.phase,
            self.playing,
            self._rate.per_second(now) if self.playing else 0.0,
            self.watcher.share(now),
            device.memory(self.lab.device),
            device.describe(self.lab.device),
            self.snapshots.newest_size,
            self.snapshots.bytes,
            self._replaced(),
        )

    def _replaced(self) -> Mapping[str, str]:
        try:
            return dict(self.lab.replaced())
        except Exception:  # a lab of one's own may be wrong: its hyperparameters are shown as they are
            return {}

    def state_event(self) -> Event:
        if self.playing:
            return Playing(self.number, self.lab.step_count)
        return Paused(self.number, self.lab.step_count, self.phase)


def _same_change(own: Mark, other: Mark) -> bool:
    """Whether two runs that advance together were changed alike there."""
    return (own.step, own.kind, own.name) == (other.step, other.kind, other.name) and own.gesture is other.gesture


def _never() -> bool:
    return False


def _always() -> bool:
    return True
