"""Every lab of the registry in a session: branches, saved runs, marks that are repeated, and twins have the bits that
the plain run has. What holds of a lab by itself is in test_every_lab.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from desk import SEED, Desk, edits, live_values

import engine.run
from engine import checkpoint
from engine import messages as m
from engine.checkpoint import Snapshot, same, take
from engine.discovery import catalogue
from engine.hyperparameters import Value, make_params
from engine.lab import actions_of, advance, start
from engine.session import Session
from engine.watch import rng_state

every_lab = pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])


@pytest.fixture(autouse=True)
def snapshot_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(engine.run, "SNAPSHOT_SHARE", 1e9)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


def loaded(path: Path) -> Snapshot:
    return checkpoint.load(path)[1]


def alike(one: Path, other: Path) -> bool:
    """Whether two runs stand at the same point, bit for bit, with the same past."""
    a, b = loaded(one), loaded(other)
    past = [(mark.step, mark.kind, mark.name, mark.new) for mark in a.history]
    return (
        (a.step, a.hyperparameters) == (b.step, b.hyperparameters)
        and past == [(mark.step, mark.kind, mark.name, mark.new) for mark in b.history]
        and same(dict(a.state), dict(b.state))
        and same(a.rng, b.rng)
    )


def after(points: m.Series, step: int) -> dict[str, list[tuple[int, float]]]:
    """The metrics of the steps after this one."""
    later = {
        name: [(int(s), float(v)) for s, v in zip(*each, strict=True) if s > step] for name, each in points.items()
    }
    return {name: found for name, found in later.items() if found}


@every_lab
def test_a_branch_repeats_the_original(lab_id: str, session: Session, tmp_path: Path) -> None:
    desk = Desk(session, lab_id, tmp_path)
    desk.open(1)
    desk.steps(1, 1)
    for name, value in live_values(desk.lab)[:2]:
        session.send(m.Set(1, name, value))
    step = 1
    while session._runs[1].snapshots.steps[-1] < 2:  # one is kept with the metrics, which not every step returns
        step += 1
        desk.steps(1, 1)
        desk.event(m.Paused, run=1, step=step)
        assert step < 500, "it returns no metrics, so there is nothing to branch from"
    desk.steps(1, 3)
    session.send(m.Branch(2, 1, step + 1))
    begun = desk.event(m.Opened, run=2).step
    assert 2 <= begun <= step + 1
    desk.steps(2, step + 3 - begun)
    original, branch = desk.save(1, "original"), desk.save(2, "branch")
    assert loaded(branch).step == step + 3
    assert alike(original, branch)
    assert after(desk.points.get(1, {}), begun) == after(desk.points.get(2, {}), begun)


@every_lab
def test_a_saved_run_goes_on_as_if_never_stopped(lab_id: str, session: Session, tmp_path: Path) -> None:
    desk = Desk(session, lab_id, tmp_path)
    begun = desk.open(1)
    desk.steps(1, 2)
    for name, value in live_values(desk.lab)[:1]:
        session.send(m.Set(1, name, value))
    desk.steps(1, 1)
    session.send(m.MicroStep(1))  # where there are phases, saving finishes the step
    desk.save(1, "looked")
    step, curves = loaded(tmp_path / "looked").step, desk.points.get(1, {})
    half = desk.save(1, "half", curves)
    desk.steps(1, 3)
    whole = desk.save(1, "whole")
    again = desk.open(2, resume=half)
    assert (again.step, again.lab) == (step, begun.lab)
    assert again.marks == loaded(half).history
    assert len(again.marks) == len(live_values(desk.lab)[:1])
    assert {**begun.spec.hyperparameters, **{mark.name: mark.new for mark in again.marks}} == again.spec.hyperparameters
    desk.until(lambda: bool(desk.points.get(2)) == bool(curves))
    assert after(desk.points.get(2, {}), -1) == after(curves, -1)  # the curves come back
    desk.steps(2, 3)
    assert alike(whole, desk.save(2, "continued"))
    assert after(desk.points.get(1, {}), -1) == after(desk.points.get(2, {}), -1)


@every_lab
def test_its_marks_repeat_a_run(lab_id: str, session: Session, tmp_path: Path) -> None:
    desk = Desk(session, lab_id, tmp_path)
    changes: list[m.Command] = [m.Set(1, name, value) for name, value in live_values(desk.lab)]
    changes += [m.Act(1, name) for name, action in actions_of(desk.lab).items() if not action.probe]
    changes += [m.Poke(1, name, gesture, edit=True) for name, gesture in edits(desk.lab)]
    assert changes, "nothing can be changed while it trains"
    desk.open(1)
    for turn in range(4):
        desk.steps(1, 1)
        for change in changes[turn::4]:
            session.send(change)
    desk.steps(1, 2)
    first = desk.save(1, "first")
    marks = loaded(first).history
    assert len(marks) == len(changes) - sum(isinstance(event, m.Failed) for event in desk.events)
    assert len({mark.step for mark in marks}) == min(4, len(changes))
    session.send(m.Close(1))
    desk.open(2, marks=marks)
    desk.steps(2, 6)
    assert alike(first, desk.save(2, "again"))
    assert after(desk.points.get(1, {}), -1) == after(desk.points.get(2, {}), -1)


@every_lab
def test_twins_are_as_each_alone(lab_id: str, session: Session, tmp_path: Path) -> None:
    desk = Desk(session, lab_id, tmp_path)
    apart: dict[str, Value] = dict(live_values(desk.lab)[:1])
    specs: dict[int, dict[str, Value]] = {1: {}, 2: apart}
    for run, values in specs.items():
        desk.open(run, values)
    session.send(m.Lockstep(1, (1, 2)))
    session.send(m.MicroStep(2))
    desk.steps(1, 3)
    desk.steps(2, 1)
    saved = {run: loaded(desk.save(run, f"{run}")) for run in specs}
    assert saved[1].step == saved[2].step >= 4
    session.quit()  # the bare loop draws from the same generator
    torch.set_num_threads(1)
    for run, values in specs.items():
        alone = start(desk.lab, make_params(desk.lab.Params, values), seed=SEED)
        for _ in range(saved[run].step):
            advance(alone)
        bare = take(alone, {}, rng_state(alone.device))
        assert same(dict(bare.state), dict(saved[run].state))
        assert same(bare.rng, saved[run].rng)
