"""The session as a state machine: whatever is done to a run, in whatever order, its weights are those of the plain loop
from the seed with the changes that survived, nothing that was asked for goes unanswered, and no step is lost."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from desk import SEED, Desk, edits, live_values
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tiny_lab import Tiny

import engine.run
from engine import checkpoint, marks
from engine import messages as m
from engine.checkpoint import same, take
from engine.discovery import catalogue
from engine.hyperparameters import Value, make_params, values_of
from engine.lab import actions_of, advance, hyperparameters, start
from engine.payloads import WeightEdit
from engine.session import Session
from engine.watch import rng_state

Past = list[tuple[int, str, str, Value]]


def past_of(changes: list[m.Mark] | tuple[m.Mark, ...]) -> Past:
    return [(mark.step, mark.kind, mark.name, mark.new) for mark in changes]


@dataclass
class Life:
    """What a run must be by now: where it stands and what has changed it, told without looking at it."""

    values: dict[str, Value]  # that it began with, at the seed
    step: int = 0
    phase: str = ""
    done: list[m.Mark] = field(default_factory=list)
    waiting: list[m.Mark] = field(default_factory=list)  # set within a step: they take effect at its end
    future: list[m.Mark] = field(default_factory=list)  # of a run that is repeated
    first_point: int = 1  # the step of its first metrics

    def advance(self, step: int, phase: str) -> None:
        """It trained, and stands there."""
        assert (step, bool(phase)) >= (self.step, bool(self.phase))
        while self.step < step:
            self._begin()
            self.step, self.phase = self.step + 1, ""
            waiting, self.waiting = self.waiting, []
            for mark in waiting:
                self.change(mark)
        if phase:
            self._begin()
        self.phase = phase

    def _begin(self) -> None:
        while not self.phase and self.future and self.future[0].step <= self.step:
            self.change(self.future.pop(0))

    def change(self, mark: m.Mark) -> None:
        """A change took effect here."""
        self.done.append(m.Mark(self.step, mark.kind, mark.name, "", "", mark.new, mark.gesture))

    def back(self, step: int, left: tuple[m.Mark, ...]) -> None:
        """It stands at an earlier step; `left` is what it says has changed it by then."""
        assert past_of(left) == past_of(self.done[: len(left)])
        assert all(mark.step <= step for mark in left)
        assert all(mark.step >= step for mark in self.done[len(left) :])
        assert step <= self.step
        self.step, self.phase, self.waiting, self.future = step, "", [], []
        del self.done[len(left) :]

    def check(self, lab: Desk, path: Path) -> None:
        """The file has the bits of the plain loop."""
        _, snapshot, _ = checkpoint.load(path)
        plain = start(lab.lab, make_params(lab.lab.Params, self.values), seed=SEED)
        changes = list(self.done)
        while True:
            while changes and changes[0].step == plain.step_count:
                marks.apply(plain, changes.pop(0))
            if plain.step_count == self.step:
                break
            advance(plain)
        bare = take(plain, {}, rng_state(plain.device))
        assert snapshot.step == self.step
        assert past_of(snapshot.history) == past_of(self.done)
        assert snapshot.hyperparameters == values_of(plain.hp)
        assert same(dict(bare.state), dict(snapshot.state))
        assert same(bare.rng, snapshot.rng)


class Machine(RuleBasedStateMachine):
    """Everything that the window says to the session. With a twin, what is said to one is said to both."""

    lab_id = "tiny"
    some = st.integers(0, 99)

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.session = Session(threads=1)
        self.desk = Desk(self.session, self.lab_id, Path(self.folder.name))
        lab = self.desk.lab
        self.settings: list[tuple[str, Value]] = live_values(lab) if lab is not Tiny else [("lr", 0.02), ("noise", 0.6)]
        self.settings += [(name, hyperparameters(lab)[name].default) for name, _ in self.settings]
        self.edits = edits(lab) if lab is not Tiny else [("weights", WeightEdit(0, 1, 1, 0.25))]
        self.actions = [name for name, action in actions_of(lab).items() if not action.probe]
        self.seen = self.runs = 0
        self.saved: list[tuple[Path, Life]] = []
        self.lives: dict[int, Life] = {}
        self.opens(Life({}))

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        try:
            self.saves()
            self.session.quit()  # the plain loop draws from the same generator
            torch.set_num_threads(1)
            for path, life in self.saved:
                life.check(self.desk, path)
        finally:
            self.session.quit()
            self.folder.cleanup()

    # ------------------------------------------------------------------ asking, and hearing the answers

    def first(self) -> int:
        return next(iter(self.lives))

    def heard(self) -> list[m.Event]:
        """All events since the last time, once all that was asked for is done; and check where the runs stand."""
        at = self.seen
        self.session.send(m.Set(self.first(), "nothing", at))
        self.desk.until(lambda: any(isinstance(e, m.Failed) and e.what == "set nothing" for e in self.desk.events[at:]))
        self.desk.event(m.Paused, run=self.first())
        self.desk.read()
        events = self.desk.events[at:]
        self.seen = len(self.desk.events)
        failed = [event for event in events if isinstance(event, m.Failed) and event.what != "set nothing"]
        assert not failed, failed
        for run, life in self.lives.items():
            states = [e for e in events if isinstance(e, m.Paused) and e.run == run]
            for event in events:
                if event.run == run and isinstance(event, m.WentBack):
                    life.back(event.step, event.marks)
            if states:
                life.advance(states[-1].step, states[-1].phase)
            self.check_points(run, life)
        return events

    def check_points(self, run: int, life: Life) -> None:
        """Each step of a lab that measures something at each has its point, and none comes twice."""
        if self.lab_id == "tiny" and life.step >= life.first_point:
            steps = self.desk.points[run]["loss"][0].tolist()
            kept = dict.fromkeys(step for step in steps if step <= life.step)
            assert list(kept) == list(range(life.first_point, life.step + 1))

    def say(self, command: Any, **fields: Any) -> list[m.Event]:
        """Say it to all runs at one step."""
        said = tuple(command(run, **fields) for run in self.lives)
        self.session.send(m.Together(self.first(), said) if len(said) > 1 else said[0])
        return self.heard()

    def opens(self, life: Life, **more: Any) -> m.Opened:
        self.runs += 1
        opened = self.desk.open(self.runs, life.values, **more)
        self.lives[self.runs] = life
        return opened

    def closes(self) -> None:
        for run in list(self.lives):
            self.session.send(m.Close(run))
            self.desk.event(m.Closed, run=run)
        self.lives.clear()

    def saves(self) -> None:
        for run in self.lives:
            path = self.desk.folder / f"{len(self.saved)}.deepscope"
            self.session.send(m.Save(run, path, self.desk.points.get(run, {})))
            self.desk.event(m.Saved, path=path)
            self.heard()
            self.saved.append((path, copy.deepcopy(self.lives[run])))

    def changed(self, events: list[m.Event], mark: m.Mark) -> None:
        """A change was asked for: each run tells of it once."""
        for run, life in self.lives.items():
            told = [e.mark for e in events if isinstance(e, m.Changed | m.Edited) and e.run == run and e.mark]
            if life.phase and mark.kind == "set":
                life.waiting.append(mark)
                continue
            life.change(mark)
            assert past_of(told) == past_of(life.done[-len(told) :])
            assert told

    # ------------------------------------------------------------------ rules

    @rule(count=some)
    def play(self, count: int) -> None:
        before = {run: life.step for run, life in self.lives.items()}
        run = self.first()
        target = before[run] + 1 + (count if self.lab_id == "tiny" else count % 4)
        speed = 400.0 if count % 2 else None
        self.session.send(m.Speed(run, speed))
        self.session.send(m.Play(run))
        self.desk.event(m.Playing, run=run)
        self.desk.until(lambda: self.desk.steps_done.get(run, 0) >= target)
        self.session.send(m.Pause(run))
        self.heard()
        assert all(life.step >= before[run] for run, life in self.lives.items())
        assert self.lives[run].step >= target

    @rule()
    def step(self) -> None:
        step = self.lives[self.first()].step
        self.session.send(m.StepOnce(self.first()))
        self.heard()
        assert {(life.step, life.phase) for life in self.lives.values()} == {(step + 1, "")}

    @rule()
    def micro_step(self) -> None:
        life = self.lives[self.first()]
        step, phase = life.step, life.phase
        self.session.send(m.MicroStep(self.first()))
        self.heard()
        assert life.phase != phase or not phase
        assert life.step == step + (not life.phase)

    @rule(which=some)
    def set(self, which: int) -> None:
        if self.settings:
            name, value = self.settings[which % len(self.settings)]
            self.changed(self.say(m.Set, name=name, value=value), m.Mark(0, "set", name, "", new=value))

    @rule(which=some)
    def edit(self, which: int) -> None:
        if self.edits:
            view, gesture = self.edits[which % len(self.edits)]
            events = self.say(m.Poke, view=view, gesture=gesture, edit=True)
            self.changed(events, m.Mark(0, "edit", view, "", gesture=gesture))

    @rule(which=some)
    def act(self, which: int) -> None:
        if self.actions:
            name = self.actions[which % len(self.actions)]
            self.changed(self.say(m.Act, action=name), m.Mark(0, "action", name, ""))

    @rule()
    def look(self) -> None:
        self.session.send(m.Look(self.first(), tuple(engine.run.views_of(self.desk.lab))))

    @rule()
    def save(self) -> None:
        self.saves()

    @rule()
    def go_back(self) -> None:
        self.session.send(m.GoBack(self.first()))
        events = self.heard()
        assert {event.run for event in events if isinstance(event, m.WentBack)} == set(self.lives)
        assert len({life.step for life in self.lives.values()}) == 1

    @precondition(lambda self: self.saved)
    @rule(which=some)
    def open(self, which: int) -> None:
        path, life = self.saved[which % len(self.saved)]
        self.closes()
        again = copy.deepcopy(life)
        again.future, again.waiting = [], []
        opened = self.opens(again, resume=path)
        assert (opened.step, past_of(opened.marks)) == (life.step, past_of(life.done))
        curves = checkpoint.load(path)[2]  # none before a lab that measures seldom has measured
        self.desk.until(lambda: not curves or self.runs in self.desk.points)  # they come back
        self.heard()

    @rule()
    def run_again_with_the_changes(self) -> None:
        life = self.lives[self.first()]
        script = [*life.done, *life.future]
        self.closes()
        self.opens(Life(life.values, future=script), marks=tuple(script))
        self.heard()

    @precondition(lambda self: len(self.lives) == 1)
    @rule(percent=some)
    def branch(self, percent: int) -> None:
        parent, life = next(iter(self.lives.items()))
        asked = life.step * percent // 99
        self.runs += 1
        self.session.send(m.Branch(self.runs, parent, asked))
        opened = self.desk.event(m.Opened, run=self.runs)
        assert opened.step <= asked or opened.step <= self.session._runs[parent].snapshots.steps[0]
        other = copy.deepcopy(life)
        other.back(opened.step, opened.marks)
        other.first_point = opened.step + 1
        self.closes()
        self.lives[self.runs] = other
        self.heard()

    @precondition(lambda self: len(self.lives) == 1)
    @rule()
    def compare(self) -> None:
        values = self.lives[self.first()].values
        self.closes()
        self.opens(Life(values))
        self.opens(Life({**values, **dict(self.settings[:1])}))
        self.session.send(m.Lockstep(self.first(), tuple(self.lives)))
        self.heard()

    @precondition(lambda self: len(self.lives) > 1)
    @rule()
    def end_comparison(self) -> None:
        last = list(self.lives)[-1]
        self.saves()
        self.session.send(m.Close(last))
        self.desk.event(m.Closed, run=last)
        del self.lives[last]
        self.heard()


def try_machine(lab_id: str, examples: int, rules: int) -> None:
    machine = type(f"Machine_{lab_id}", (Machine,), {"lab_id": lab_id})
    how = settings(
        max_examples=examples,
        stateful_step_count=rules,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink what fails takes minutes of training
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)


@pytest.fixture(autouse=True)
def snapshot_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(engine.run, "SNAPSHOT_SHARE", 1e9)


def test_the_small_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Tiny)
    try_machine("tiny", examples=12, rules=25)


@pytest.mark.slow
def test_the_small_lab_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Tiny)
    try_machine("tiny", examples=80, rules=40)


@pytest.mark.slow
@pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])
def test_every_lab(lab_id: str) -> None:
    try_machine(lab_id, examples=5, rules=20)
