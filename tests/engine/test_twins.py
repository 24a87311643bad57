"""Runs in lock-step: equally many steps at every moment, and the bits that each would have alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_lab import Reader, Tiny

import engine.checkpoint
import engine.run
from engine import messages as m
from engine.checkpoint import same, take
from engine.hyperparameters import make_params
from engine.lab import advance, start
from engine.session import Session


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Tiny)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


class Pair(Reader):
    """Two runs, tied, and everything that their states said."""

    def __init__(self, session: Session, **apart: Any) -> None:
        super().__init__(session)
        self.seen: list[dict[int, m.Status]] = []
        self.shown: list[dict[str, dict[int, int]]] = []  # of each reading: view, run, step
        self.points: dict[int, dict[int, float]] = {1: {}, 2: {}}
        spec = m.RunSpec("tiny", {"lr": 0.02}, seed=3)
        session.send(m.Open(1, spec))
        session.send(m.Open(2, replace(spec, hyperparameters={**spec.hyperparameters, **apart})))
        session.send(m.Lockstep(1, (1, 2)))
        self.event(m.Opened, run=2)

    def read(self) -> None:
        news = self.session.news()
        self.events += news.events
        for batch in news.metrics:
            steps, values = batch.series["loss"]
            self.points[batch.run].update(zip(steps.tolist(), values.tolist(), strict=True))
        if news.frames:
            self.shown.append({})
        for frame in news.frames:
            self.shown[-1].setdefault(frame.view, {})[frame.run] = frame.step
        if news.status:
            self.seen.append({status.run: status for status in news.status})

    def steps(self) -> list[tuple[int, ...]]:
        return [tuple(status.step for status in seen.values()) for seen in self.seen]

    def now(self) -> int:
        return min(self.seen[-1][run].step for run in (1, 2)) if self.seen and len(self.seen[-1]) == 2 else 0

    def events_of(self, run: int, kind: Any) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and event.run == run]


def stop_and_compare(pair: Pair, folder: Path, specs: dict[int, dict[str, Any]]) -> int:
    """Save and close all; each has the weights and the RNG of the bare loop."""
    for run in specs:
        pair.session.send(m.Pause(run))
        pair.session.send(m.Save(run, folder / f"{run}"))
    for run in specs:
        pair.session.send(m.Close(run))
    for run in specs:
        pair.event(m.Closed, run=run)
    steps = set()
    for run, values in specs.items():
        _, snapshot, _ = engine.checkpoint.load(folder / f"{run}")
        torch.set_num_threads(1)
        lab = start(Tiny, make_params(Tiny.Params, values), seed=3)
        for _ in range(snapshot.step):
            advance(lab)
        bare = take(lab, {}, (torch.get_rng_state(), None))
        assert same(bare.state, snapshot.state)
        assert same(bare.rng[0], snapshot.rng[0])
        steps.add(snapshot.step)
    assert len(steps) == 1
    return steps.pop()


@pytest.mark.parametrize("apart", [{"lr": 0.005}, {"width": 13}], ids=["live", "structural"])
def test_they_advance_together_with_the_bits_of_the_bare_loop(
    session: Session, tmp_path: Path, apart: dict[str, Any]
) -> None:
    pair = Pair(session, **apart)
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Look(2, ("weights",)))
    session.send(m.Play(1))
    pair.until(lambda: pair.now() > 200 and sum(len(steps) == 2 for steps in pair.steps()) > 3)
    session.send(m.Pause(2))
    pair.until(lambda: not any(status.playing for status in pair.seen[-1].values()))
    assert pair.events_of(1, m.Playing)
    assert pair.events_of(2, m.Playing)
    assert all(len(set(steps)) == 1 for steps in pair.steps() if len(steps) == 2)
    assert stop_and_compare(pair, tmp_path, {1: {"lr": 0.02}, 2: {"lr": 0.02, **apart}}) > 200


def test_step_and_phase_move_both(session: Session) -> None:
    pair = Pair(session, lr=0.001)
    session.send(m.MicroStep(2))
    assert [pair.event(m.Paused, run=run, phase="forward").step for run in (1, 2)] == [0, 0]
    session.send(m.StepOnce(1))
    for run in (1, 2):
        pair.event(m.Paused, run=run, step=1, phase="")
    session.send(m.MicroStep(1))
    session.send(m.Act(1, "shrink"))  # finishes the step under way, in both
    for run in (1, 2):
        pair.event(m.Paused, run=run, step=2, phase="")
    assert all(len(set(steps)) == 1 for steps in pair.steps() if len(steps) == 2)
    assert pair.until(lambda: pair.points[1].keys() == pair.points[2].keys() == {1, 2})


@pytest.mark.parametrize("playing", [True, False])
def test_a_view_shows_both_at_one_step(session: Session, playing: bool) -> None:
    pair = Pair(session, width=13)
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Look(2, ("weights", "slow")))
    session.send(m.Play(1) if playing else m.StepOnce(1))

    def both(view: str) -> list[dict[int, int]]:
        return [views[view] for views in pair.shown if len(views.get(view, ())) == 2]

    pair.until(lambda: bool(both("weights")) and bool(both("slow")))
    pair.shown.clear()  # before, one of them may have been looked at alone
    if not playing:
        session.send(m.StepOnce(1))
    pair.until(lambda: len(both("weights")) > (3 if playing else 0) and bool(both("slow")))
    seen = [steps for views in pair.shown for steps in views.values()]
    assert all(len(steps) == 2 and len({*steps.values()}) == 1 for steps in seen)  # nor ever one without the other


def test_at_a_chosen_speed(session: Session) -> None:
    pair = Pair(session, lr=0.001)
    session.send(m.Speed(2, 40.0))
    session.send(m.Play(1))
    pair.until(lambda: pair.now() > 8)
    assert max(status.steps_per_second for seen in pair.seen for status in seen.values()) < 160
    assert all(len(set(steps)) == 1 for steps in pair.steps() if len(steps) == 2)


def test_what_is_said_together_acts_at_one_step(session: Session) -> None:
    pair = Pair(session)  # nothing differs, so nothing ever may
    session.send(m.Play(1))
    for value in (0.05, 0.01, 0.03):
        pair.until(lambda: True)
        session.send(m.Together(1, (m.Set(1, "lr", value), m.Set(2, "lr", value))))
        session.send(m.Together(1, (m.Act(1, "shrink"), m.Act(2, "shrink"))))
    pair.until(lambda: len(pair.events_of(2, m.Edited)) == 3 and pair.now() > 100)
    session.send(m.Pause(1))
    pair.until(lambda: not any(status.playing for status in pair.seen[-1].values()))
    pair.until(lambda: len(pair.points[1]) == len(pair.points[2]))
    assert pair.points[1] == pair.points[2]
    changes = [[(e.step, e.new) for e in pair.events_of(run, m.Changed)] for run in (1, 2)]
    assert changes[0] == changes[1]
    assert len(changes[0]) == 3


def test_closing_one_frees_the_other(session: Session, tmp_path: Path) -> None:
    pair = Pair(session, width=5)
    session.send(m.Play(1))
    pair.until(lambda: pair.now() > 50)
    session.send(m.Close(2))
    pair.event(m.Closed, run=2)
    before = len(pair.points[1])
    pair.until(lambda: len(pair.points[1]) > before + 50)
    assert isinstance(pair.events_of(1, m.Paused | m.Playing)[-1], m.Playing)
    assert stop_and_compare(pair, tmp_path, {1: {"lr": 0.02}}) > 100


def test_an_error_in_one_pauses_all_and_they_go_on_level(session: Session) -> None:
    pair = Pair(session)
    session.send(m.Play(1))
    pair.until(lambda: pair.now() > 20)
    session.send(m.Set(2, "broken_step", True))
    failed = pair.event(m.Failed)
    assert (failed.run, failed.what) == (2, "step")
    pair.until(lambda: not any(status.playing for status in pair.seen[-1].values()))
    session.send(m.StepOnce(1))  # the one behind is broken still, and the other waits for it
    pair.until(lambda: len(pair.events_of(2, m.Failed)) == 2)
    session.send(m.Set(2, "broken_step", False))
    at = max(status.step for status in pair.seen[-1].values())
    session.send(m.Play(2))
    pair.until(lambda: pair.now() > at + 20)
    assert len(set(pair.steps()[-1])) == 1


def test_divergence_in_one_pauses_all_and_going_back_takes_both_along(session: Session, tmp_path: Path) -> None:
    pair = Pair(session)
    session.send(m.Play(1))
    pair.until(lambda: pair.now() > 100)
    session.send(m.Set(2, "lr", 1e6))
    diverged = pair.event(m.Diverged)
    assert diverged.run == 2
    pair.until(lambda: not any(status.playing for status in pair.seen[-1].values()))
    session.send(m.GoBack(2))
    back = [pair.event(m.WentBack, run=run).step for run in (1, 2)]
    assert back[0] == back[1] == diverged.back_to
    stop_and_compare(pair, tmp_path, {1: {"lr": 0.02}, 2: {"lr": 0.02}})


def test_one_follows_another_back_through_its_own_changes(session: Session) -> None:
    pair = Pair(session)
    for _ in range(3):
        session.send(m.StepOnce(1))
    session.send(m.Set(1, "lr", 0.5))
    for _ in range(3):
        session.send(m.StepOnce(1))
    pair.until(lambda: pair.points[1].keys() == set(range(1, 7)))
    run = session._runs[1]  # it stands, so that nobody else moves it
    weights = take(run.lab, {}, run.rng)
    session.send(m.StepOnce(1))
    pair.until(lambda: 7 in pair.points[2])
    run.go_back(6)
    assert run.lab.step_count == 6
    assert [mark.new for mark in run.marks] == [0.5]
    assert same(take(run.lab, {}, run.rng).state, weights.state)


def test_runs_at_different_steps_are_not_tied(session: Session) -> None:
    pair = Pair(session)
    session.send(m.Lockstep(1, ()))
    session.send(m.StepOnce(1))
    session.send(m.Lockstep(1, (1, 2)))
    failed = pair.event(m.Failed)
    assert failed.expected
    assert "different steps" in failed.summary
    session.send(m.StepOnce(1))
    pair.event(m.Paused, run=1, step=2)
    assert not [event for event in pair.events_of(2, m.Paused) if event.step]
