"""The session, tried with labs written for it: order of events, exactness, faults, and random command sequences."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_lab import Reader, Tiny

import engine.checkpoint
import engine.files
import engine.run
from engine import messages as m
from engine.checkpoint import same, take
from engine.lab import Lab, advance, start
from engine.payloads import Pick, WeightEdit
from engine.session import Session


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Tiny)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.quit()
    assert not session.alive


def reference(steps: int, seed: int = 0) -> Lab:
    """The bare loop: no session, nobody watching."""
    torch.set_num_threads(1)
    lab = start(Tiny, seed=seed)
    for _ in range(steps):
        advance(lab)
    return lab


def saved_state(session: Session, reader: Reader, run: int, path: Path) -> tuple[int, Any]:
    """Save a run and stop it: the bare loop that it is compared with draws from the same RNG."""
    curves = {"loss": (np.array([1, 2]), np.array([0.5, 0.25]))}
    session.send(m.Save(run, path, curves))
    reader.event(m.Saved, run=run, path=path)
    session.send(m.Close(run))
    reader.event(m.Closed, run=run)
    _, snapshot, _ = engine.checkpoint.load(path)
    return snapshot.step, snapshot


def same_as_reference(snapshot: Any, seed: int = 0) -> bool:
    lab = reference(snapshot.step, seed)
    kept = take(lab, {}, (torch.get_rng_state(), None))
    return same(kept.state, snapshot.state) and same(kept.rng[0], snapshot.rng[0])


def test_steps_and_phases(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    opened = reader.event(m.Opened)
    assert opened.spec.hyperparameters["width"] == 8
    assert opened.lab.probes == {"slow"}
    assert opened.lab.edits == {"weights"}
    assert opened.facts == {"parameters": "41"}
    session.send(m.MicroStep(1))
    reader.event(m.Paused, step=0, phase="forward")
    session.send(m.MicroStep(1))
    reader.event(m.Paused, step=0, phase="backward")
    session.send(m.MicroStep(1))
    reader.event(m.Paused, step=1, phase="")
    session.send(m.MicroStep(1))
    session.send(m.StepOnce(1))
    reader.event(m.Paused, step=2, phase="")
    session.send(m.MicroStep(1))
    reader.event(m.Paused, step=2, phase="forward")
    session.send(m.Pause(1))  # ends at a step's end, as otherwise the next phase would not be a step's first
    reader.event(m.Paused, step=3, phase="")
    reader.until(lambda: len(reader.metrics.get("loss", {})) == 3)
    assert reader.metrics["twice"][2] == pytest.approx(2 * reader.metrics["loss"][2])


def test_watched_is_unwatched(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=3)))
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Budget(1, 1.0))
    session.send(m.Play(1))
    reader.until(lambda: {"weights", "slow"} <= reader.frames.keys() and reader.status and reader.status.step > 100)
    step, snapshot = saved_state(session, reader, 1, tmp_path / "a.deepscope")
    assert step > 100
    assert same_as_reference(snapshot, seed=3)


def test_alone_is_beside_another(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=3)))
    session.send(m.Open(2, m.RunSpec("tiny", seed=4)))
    session.send(m.Play(1))
    session.send(m.Play(2))
    reader.until(lambda: max(reader.metrics.get("loss", {0: 0})) > 50)
    saved = [saved_state(session, reader, run, tmp_path / f"{run}.deepscope") for run in (1, 2)]
    for (step, snapshot), seed in zip(saved, (3, 4), strict=True):
        assert step > 10
        assert same_as_reference(snapshot, seed)


def test_resumed_is_uninterrupted(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=5)))
    for _ in range(7):
        session.send(m.StepOnce(1))
    session.send(m.MicroStep(1))  # saving finishes the step under way
    step, _ = saved_state(session, reader, 1, tmp_path / "a.deepscope")
    assert step == 8
    session.send(m.Open(2, m.RunSpec("tiny", device="cpu"), resume=tmp_path / "a.deepscope"))
    reader.metrics.clear()
    assert reader.event(m.Opened, run=2).step == 8
    curve = reader.until(lambda: reader.metrics.get("loss"))  # the curves come back, and what came since they were seen
    assert list(curve) == list(range(1, 9))
    assert (curve[1], curve[2]) == (0.5, 0.25)
    for _ in range(5):
        session.send(m.StepOnce(2))
    step, snapshot = saved_state(session, reader, 2, tmp_path / "b.deepscope")
    assert step == 13
    assert same_as_reference(snapshot, seed=5)


def test_a_branch_repeats_the_original_or_goes_its_own_way(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=6)))
    for _ in range(4):
        session.send(m.StepOnce(1))
    session.send(m.Save(1, tmp_path / "four"))
    session.send(m.Open(2, m.RunSpec("tiny"), resume=tmp_path / "four"))
    for _ in range(3):
        session.send(m.StepOnce(2))
    session.send(m.Branch(3, parent=2, step=6))
    session.send(m.Branch(4, parent=2, step=6, hyperparameters={"lr": 0.5}))
    assert reader.event(m.Opened, run=3).step == 4  # the latest snapshot not after step 6
    assert reader.event(m.Opened, run=4).spec.hyperparameters["lr"] == 0.01
    assert reader.event(m.Changed, run=4).step == 4
    for run in (3, 4):
        for _ in range(5):
            session.send(m.StepOnce(run))
    session.send(m.Branch(5, parent=2, step=0, hyperparameters={"width": 3}))
    assert "rebuilds" in reader.event(m.Failed, run=5, what="branch").summary
    session.send(m.Branch(6, parent=99, step=0))
    assert "closed" in reader.event(m.Failed, run=6, what="branch").summary
    saved = [saved_state(session, reader, run, tmp_path / f"{run}") for run in (3, 4)]
    assert [step for step, _ in saved] == [9, 9]
    assert same_as_reference(saved[0][1], seed=6)
    assert not same_as_reference(saved[1][1], seed=6)


def test_a_branch_has_no_past_before_it(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=6)))
    session.send(m.StepOnce(1))
    session.send(m.Set(1, "lr", 0.5))
    for _ in range(3):
        session.send(m.StepOnce(1))
    session.send(m.Save(1, tmp_path / "four"))
    session.send(m.Open(2, m.RunSpec("tiny"), resume=tmp_path / "four"))
    session.send(m.Branch(3, parent=2, step=4))
    for run in (2, 3):  # how they were built, with the rate of step 4 at step 0, never was
        session.send(m.Branch(run + 2, parent=run, step=0))
        assert reader.event(m.Opened, run=run + 2).step == 4


def test_marks_repeat_a_run(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny", seed=6)))
    for step in range(12):
        session.send(m.StepOnce(1))
        if step == 2:
            session.send(m.Set(1, "lr", 0.1))
        if step == 5:
            session.send(m.MicroStep(1))
            session.send(m.Set(1, "noise", 0.7))  # acts when the step ends, which the edit waits for
            session.send(m.Poke(1, "weights", WeightEdit(0, 1, 1, 0.25), edit=True))
        if step == 8:
            session.send(m.Act(1, "shrink"))
            session.send(m.Poke(1, "slow", Pick(1)))
            session.send(m.Set(1, "shown", 2))
    session.send(m.Save(1, tmp_path / "first"))
    reader.event(m.Saved)
    marks = session._runs[1].marks
    assert [(mark.step, mark.kind, mark.name) for mark in marks] == [
        (3, "set", "lr"),
        (7, "set", "noise"),
        (7, "edit", "weights"),
        (10, "action", "shrink"),
    ]
    session.send(m.Open(2, m.RunSpec("tiny", seed=6), marks=tuple(marks)))
    session.send(m.Play(2))
    reader.until(lambda: reader.status and reader.status.run == 2 and reader.status.step >= 13)
    session.send(m.Pause(2))
    session.send(m.Close(1))
    session.send(m.Open(3, m.RunSpec("tiny", seed=6), marks=tuple(marks)))
    for _ in range(13):
        session.send(m.StepOnce(3))
    _, again = saved_state(session, reader, 3, tmp_path / "again")
    _, first, _ = engine.checkpoint.load(tmp_path / "first")
    assert again.step == first.step == 13
    state = dict(first.state) | {"chosen": 0}  # a probe is no mark
    assert same(dict(again.state), state)
    assert same(again.rng[0], first.rng[0])


def test_live_hyperparameters_act_between_steps_and_keep_the_weights(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.StepOnce(1))
    session.send(m.MicroStep(1))
    session.send(m.Set(1, "lr", 0.5))
    session.send(m.Set(1, "shown", 1))
    assert reader.event(m.Changed, name="shown").view_only
    assert not [e for e in reader.events if isinstance(e, m.Changed) and e.name == "lr"]
    session.send(m.StepOnce(1))
    session.send(m.StepOnce(1))
    changed = reader.event(m.Changed, name="lr")
    assert (changed.step, changed.old, changed.new) == (2, 0.01, 0.5)
    session.send(m.Set(1, "lr", 1e9))
    assert "from 1e-5 to 1,000,000" in reader.event(m.Failed, what="set lr").summary
    session.send(m.Set(1, "width", 9))
    assert reader.event(m.Failed, what="set width").expected


def test_what_was_set_within_a_step_does_not_undo_what_is_set_after_it(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.MicroStep(1))
    session.send(m.Set(1, "lr", 0.5))
    session.send(m.Save(1, tmp_path / "kept"))
    reader.event(m.Saved)
    assert reader.event(m.Changed, name="lr").step == 1
    assert engine.checkpoint.load(tmp_path / "kept")[1].hyperparameters["lr"] == 0.5
    session.send(m.MicroStep(1))
    session.send(m.Set(1, "noise", 0.6))
    session.send(m.StepOnce(1))
    session.send(m.Set(1, "noise", 0.7))
    session.send(m.StepOnce(1))
    reader.event(m.Paused, step=3)
    assert session._runs[1].lab.hp.noise == 0.7


def test_pokes_and_actions(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Poke(1, "weights", WeightEdit(0, 1, 2, 7.0), edit=True))
    reader.event(m.Edited, what="Weights")
    reader.until(lambda: "weights" in reader.frames and reader.frames["weights"].payload.values[0, 1, 2] == 7.0)
    session.send(m.Act(1, "shrink"))
    reader.event(m.Edited, what="Shrink")
    reader.until(lambda: reader.frames["weights"].payload.values[0, 1, 2] == 3.5)
    session.send(m.Poke(1, "slow", Pick(2)))
    reader.until(lambda: "slow" in reader.frames and reader.frames["slow"].payload.chosen == 2)
    session.send(m.Poke(1, "slow", Pick(3)))
    assert reader.event(m.Failed, what="edit slow").summary == "there are three bars"


def test_divergence_pauses_names_the_step_and_goes_back(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.Set(1, "lr", 1e6))
    session.send(m.Set(1, "noise", 1.0))
    session.send(m.Play(1))
    diverged = reader.event(m.Diverged)
    bad = [step for step, value in reader.metrics["loss"].items() if not abs(value) < float("inf")]
    assert diverged.step == min(bad)
    assert "1,000,000" in diverged.cause
    assert diverged.back_to is not None
    reader.event(m.Paused)
    session.send(m.GoBack(1))
    back = reader.event(m.WentBack)
    assert back.step == diverged.back_to
    assert reader.event(m.Changed, name="lr", new=0.01).step == back.step
    reader.metrics.clear()
    session.send(m.StepOnce(1))
    reader.until(lambda: reader.metrics.get("loss"))
    assert all(abs(value) < float("inf") for value in reader.metrics["loss"].values())


def test_faults_are_told_and_survived(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Set(1, "broken_view", True))
    failed = reader.event(m.Failed, what="view weights")
    assert "the view is broken" in failed.summary
    assert "RuntimeError" in failed.traceback
    assert not failed.expected
    reader.until(lambda: "slow" in reader.frames)  # the others go on
    session.send(m.Set(1, "broken_view", False))
    session.send(m.Set(1, "broken_step", True))
    session.send(m.Play(1))
    assert reader.event(m.Failed, what="step").spec.lab == "tiny"
    assert reader.status is not None
    reader.until(lambda: not reader.status.playing)
    session.send(m.Set(1, "broken_step", False))
    session.send(m.StepOnce(1))
    reader.event(m.Paused, step=1)

    kept = tmp_path / "kept.deepscope"
    session.send(m.Save(1, kept))
    reader.event(m.Saved)
    before = kept.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(engine.files.os, "fsync", full)
        session.send(m.Save(1, kept))
        assert "disk is full" in reader.event(m.Failed, what="save").summary
    assert kept.read_bytes() == before
    assert list(tmp_path.iterdir()) == [kept]

    session.send(m.Open(2, m.RunSpec("tiny", {"width": 0})))
    assert "from 1 to 64" in reader.event(m.Failed, what="open", run=2).summary
    session.send(m.Open(3, m.RunSpec("tiny", device="abacus")))
    assert "no device 'abacus'" in reader.event(m.Failed, what="open", run=3).summary


def test_speed_and_budget_are_kept(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.Look(1, ("weights", "slow")))
    session.send(m.Speed(1, 50.0))
    session.send(m.Play(1))
    begun = time.monotonic()
    reader.until(lambda: reader.status and reader.status.step >= 25)
    assert time.monotonic() - begun > 0.35  # 25 steps at 50 a second
    session.send(m.Speed(1, None))
    reader.until(lambda: reader.status and reader.status.step >= 1000)
    session.send(m.Pause(1))
    reader.event(m.Paused, phase="", run=1)


OPERATIONS = (
    "play pause step micro set bad-set poke bad-poke edit act save load restart look unlook back speed broken mended"
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(st.sampled_from(OPERATIONS.split()), max_size=30))
def test_random_commands_hang_nothing_and_lose_nothing(operations: list[str], tmp_path: Path) -> None:
    session = Session()
    reader = Reader(session)
    run, path = 1, tmp_path / "random.deepscope"
    session.send(m.Open(run, m.RunSpec("tiny")))
    expected_failures = void = 0
    for operation in operations:
        match operation:
            case "play":
                session.send(m.Play(run))
            case "pause":
                session.send(m.Pause(run))
            case "step":
                session.send(m.StepOnce(run))
            case "micro":
                session.send(m.MicroStep(run))
            case "set":
                session.send(m.Set(run, "noise", 0.2))
            case "bad-set":
                session.send(m.Set(run, "nothing", 1))
                expected_failures += 1
            case "poke":
                session.send(m.Poke(run, "slow", Pick(1)))
            case "bad-poke":
                session.send(m.Poke(run, "weights", Pick(1)))
                expected_failures += 1
            case "edit":
                session.send(m.Poke(run, "weights", WeightEdit(0, 0, 0, 0.5), edit=True))
            case "act":
                session.send(m.Act(run, "shrink"))
            case "save":
                session.send(m.Save(run, path))
            case "load" | "restart":
                session.send(m.Close(run))
                void = expected_failures  # what the session had not got to is not done
                run += 1
                resume = path if operation == "load" and path.exists() else None
                session.send(m.Open(run, m.RunSpec("tiny"), resume))
            case "look":
                session.send(m.Look(run, ("weights", "slow", "unknown")))
            case "unlook":
                session.send(m.Look(run, ()))
            case "back":
                session.send(m.GoBack(run))
            case "speed":
                session.send(m.Speed(run, 100.0))
            case "broken" | "mended":
                session.send(m.Set(run, "broken_step", operation == "broken"))
    session.send(m.Set(run, "broken_step", False))
    session.send(m.Pause(run))
    session.send(m.Open(run + 1, m.RunSpec("tiny")))  # the last thing asked for is answered
    reader.event(m.Opened, run=run + 1)
    session.quit()
    reader.read()
    assert not session.alive
    assert not [thread for thread in threading.enumerate() if thread.name == "deepscope-session"]
    unexpected = [e for e in reader.events if isinstance(e, m.Failed) and "is broken" not in e.summary]
    assert expected_failures - void <= len(unexpected) <= expected_failures, unexpected


def test_what_waits_for_a_run_that_is_closed_is_not_done(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(session)
    built: list[int] = []
    inside, go_on = threading.Event(), threading.Event()

    def build(lab: Tiny) -> None:
        built.append(lab.hp.width)
        if len(built) == 1:
            inside.set()
            go_on.wait(20)

    whole = Tiny.build
    monkeypatch.setattr(Tiny, "build", lambda lab: (build(lab), whole(lab))[1])
    session.send(m.Open(1, m.RunSpec("tiny")))
    assert inside.wait(20)
    for run in range(2, 20):  # a slider is dragged while the first network is built
        session.send(m.Open(run, m.RunSpec("tiny", {"width": run})))
        session.send(m.Close(run))
    session.send(m.Open(20, m.RunSpec("tiny", {"width": 20})))
    for _ in range(50):
        session.send(m.StepOnce(1))
    session.send(m.Close(1))
    go_on.set()
    reader.event(m.Opened, run=20)
    assert built == [8, 20]
    assert [event.run for event in reader.events if isinstance(event, m.Opened)] == [1, 20]
    reader.event(m.Closed, run=1)
    assert not reader.metrics


@pytest.mark.parametrize("end", ["close", "quit"])
def test_what_is_to_be_saved_is_saved_before_the_end(session: Session, tmp_path: Path, end: str) -> None:
    session.send(m.Open(1, m.RunSpec("tiny")))
    reader = Reader(session)
    session.send(m.StepOnce(1))
    reader.event(m.Paused, run=1, step=1)
    for _ in range(10_000):
        session.send(m.StepOnce(1))
    session.send(m.Save(1, tmp_path / "run.deepscope"))
    session.send(m.Close(1) if end == "close" else m.Quit())
    session.quit()
    assert 1 <= engine.checkpoint.load(tmp_path / "run.deepscope")[1].step < 10_000


def test_what_is_told_of_a_failure_is_as_the_run_was_then(session: Session) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("tiny")))
    session.send(m.Set(1, "lr", 0.5))
    reader.event(m.Changed, name="lr")
    session.send(m.Set(1, "broken_step", True))
    session.send(m.StepOnce(1))
    assert reader.event(m.Failed, what="step").spec.hyperparameters["lr"] == 0.5


# ------------------------------------------------------------------ several unrelated runs


def test_many_runs_stay_within_one_bound_of_snapshots(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(engine.run, "SNAPSHOT_SHARE", 1e9)
    monkeypatch.setattr(engine.run, "FLUSH_INTERVAL", 0.0)
    reader = Reader(session)
    runs = range(1, 6)
    for run in runs:
        session.send(m.Open(run, m.RunSpec("tiny", {"width": 64})))
        reader.event(m.Opened, run=run)
        session.send(m.Look(run, ("weights",)))
        for _ in range(60):
            session.send(m.StepOnce(run))
        reader.event(m.Paused, run=run, step=60)
        session.send(m.Look(run, ()))
    reader.until(lambda: session.remembered > 0 and len(session._runs[5].snapshots) > 40)
    whole = session.remembered
    session.remember(whole // 3)
    reader.until(lambda: 0 < session.remembered <= whole // 3)
    kept = [session._runs[run].snapshots.steps for run in runs]
    assert [(steps[0], steps[-1]) for steps in kept] == [(0, 60)] * 5
    assert len(kept[4]) > 40  # the one looked at last is whole
    assert len(kept[0]) < 10


def test_runs_beside_one_another_are_what_they_are_alone(session: Session, tmp_path: Path) -> None:
    reader = Reader(session)
    for run in (1, 2, 3):
        session.send(m.Open(run, m.RunSpec("tiny", seed=run)))
        reader.event(m.Opened, run=run)
    session.send(m.Look(2, ("weights", "slow")))  # the others are in the background
    for run in (1, 2, 3):
        session.send(m.Play(run))
    reader.until(lambda: all(session._runs[run].lab.step_count > 100 for run in (1, 2, 3)))
    for run in (1, 2, 3):
        session.send(m.Pause(run))
    states = [saved_state(session, reader, run, tmp_path / f"{run}.deepscope") for run in (1, 2, 3)]
    for run, (step, snapshot) in zip((1, 2, 3), states, strict=True):
        alone = take(reference(step, seed=run), {}, (torch.get_rng_state(), None))
        assert same(snapshot.state, alone.state)


def test_the_run_on_screen_keeps_most_of_the_time(session: Session) -> None:
    reader = Reader(session)
    for run in (1, 2, 3):
        session.send(m.Open(run, m.RunSpec("tiny", seed=run)))
        reader.event(m.Opened, run=run)
    session.send(m.Look(2, ("weights",)))
    for run in (1, 2, 3):
        session.send(m.Play(run))
    counts = {run: session._runs[run].lab for run in (1, 2, 3)}
    reader.until(lambda: counts[2].step_count > 1000, seconds=60)
    first, shown, last = (counts[run].step_count for run in (1, 2, 3))
    assert shown > 1.5 * (first + last)
    assert min(first, last) > 0.4 * max(first, last)
    session.send(m.Pause(2))
    reader.event(m.Paused, run=2)
    before = counts[1].step_count
    reader.until(lambda: counts[1].step_count > before + 200)  # the others go on
