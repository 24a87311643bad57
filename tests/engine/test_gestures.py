"""What the viewer does is answered first; views that return start level; idle time at a pace belongs to watching."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_lab import Reader
from torch import nn

import engine.run
import engine.watcher
from engine import messages as m
from engine.checkpoint import load, same, take
from engine.hyperparameters import integer
from engine.lab import Lab, action, advance, start, view
from engine.payloads import BarsData, Pick
from engine.session import Session
from engine.views import Bars

SLICES = 20
STEPS = 30  # a step takes a millisecond: so few may be trained until a gesture is answered


@dataclass(frozen=True)
class Params:
    shown: int = integer(0, 0, 100, view=True, help="What the views show")


class Shown(Lab):
    """A cheap view beside a costly one of many slices; both show what was picked."""

    title, chapter, summary = "Shown", "Foundations", "For tests"
    Params = Params
    layout = "cheap costly"
    state = ("net",)
    seconds = 0.0005  # that a step takes
    tells = False  # the costly view yields what is ready so far

    def build(self) -> None:
        self.net = nn.Linear(2, 1)
        self.picked, self.drawn = 0, 0.0

    def step(self) -> Any:
        with torch.no_grad():
            self.net.weight += 0.001 * torch.randn(1, 2)
        _work(self.seconds)
        return {"loss": self.net.weight.detach().sum()}

    def bars(self) -> BarsData:
        return BarsData(("picked", "drawn", "knob"), (self.picked, self.drawn, self.hp.shown))

    @view(Bars("Cheap", help="In one go"))
    def cheap(self) -> Any:
        _work(0.001)
        return self.bars()

    @view(Bars("Costly", help="In slices"))
    def costly(self) -> Any:
        for _ in range(SLICES):
            _work(0.002)
            yield self.bars() if self.tells else None
        return self.bars()

    @costly.probe
    def costly(self, gesture: Pick) -> None:
        self.picked = gesture.index

    @cheap.edit
    def cheap(self, gesture: Pick) -> None:
        self.picked = gesture.index

    @action("Draw", help="Another random number", probe=True)
    def draw(self) -> None:
        self.drawn = float(torch.rand(()))


def _work(seconds: float) -> None:
    """Keep the thread busy, without the interpreter."""
    if seconds:
        time.sleep(seconds)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Shown)
    session = Session()
    session.send(m.Open(1, m.RunSpec("shown")))
    yield session
    session.quit()


@pytest.fixture
def reader(session: Session) -> Reader:
    reader = Reader(session)
    session.send(m.Look(1, ("cheap", "costly")))
    session.send(m.Budget(1, 0.01))
    reader.until(lambda: len(reader.frames) == 2)
    return reader


def step_of(reader: Reader) -> int:
    return reader.status.step if reader.status is not None else 0


def value(reader: Reader, name: str, bar: int) -> float:
    return float(reader.frames[name].payload.values[bar])  # type: ignore[union-attr]


def answered(reader: Reader, bar: int, expected: float) -> dict[str, int]:
    """The steps at which each view first shows a value."""
    steps: dict[str, int] = {}

    def all_do() -> bool:
        for name in ("cheap", "costly"):
            if value(reader, name, bar) == pytest.approx(expected):
                steps.setdefault(name, reader.frames[name].step)
        return len(steps) == 2

    reader.until(all_do)
    return steps


@pytest.mark.parametrize("edit", [False, True])
def test_a_gesture_is_answered_at_once_and_beyond_the_budget(session: Session, reader: Reader, edit: bool) -> None:
    session.send(m.Play(1))
    reader.until(lambda: step_of(reader) > 50)
    for index in (1, 2, 3):
        before = max(step_of(reader), *(frame.step for frame in reader.frames.values()))
        session.send(m.Poke(1, "cheap" if edit else "costly", Pick(index), edit=edit))
        steps = answered(reader, 0, index)
        # the status is a tenth of a second old at most; at a hundredth of the time the costly view takes four seconds
        assert max(steps.values()) < before + 300
        assert max(steps.values()) - min(steps.values()) <= STEPS
    here = step_of(reader)
    reader.until(lambda: step_of(reader) > here + 100)  # and training goes on


def test_a_knob_of_what_is_shown_is_answered_at_once(session: Session, reader: Reader) -> None:
    session.send(m.Play(1))
    reader.until(lambda: step_of(reader) > 50)
    session.send(m.Set(1, "shown", 7))
    changed = reader.event(m.Changed)
    assert max(answered(reader, 2, 7).values()) <= changed.step + STEPS


def test_one_gesture_after_the_other_starves_neither_a_view_nor_training(session: Session, reader: Reader) -> None:
    session.send(m.Play(1))
    reader.until(lambda: step_of(reader) > 50)
    before, seen = step_of(reader), {"cheap": set[float](), "costly": set[float]()}
    numbers = itertools.count(1)
    until = time.monotonic() + 1.0

    def drag() -> bool:
        session.send(m.Poke(1, "costly", Pick(next(numbers) % 100)))
        for name, values in seen.items():
            values.add(value(reader, name, 0))
        return time.monotonic() > until

    reader.until(drag)
    assert len(seen["cheap"]) > 4
    assert len(seen["costly"]) > 4
    reader.until(lambda: step_of(reader) > before)
    last = next(numbers) - 1
    answered(reader, 0, last % 100)


def test_a_costly_view_tells_what_is_ready_so_far(
    session: Session, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shown, "tells", True)
    session.send(m.Play(1))
    reader.until(lambda: step_of(reader) > 50)
    assert reader.frames["costly"].complete  # nobody waits for it
    for index in (1, 2, 3):
        session.send(m.Poke(1, "costly", Pick(index)))
        part = reader.until(lambda index=index: value(reader, "costly", 0) == index and reader.frames["costly"])  # type: ignore[misc]
        assert part.answers == index
        reader.until(lambda: reader.frames["costly"].complete)
        assert value(reader, "costly", 0) == index
        assert reader.frames["costly"].seconds > part.seconds or part.complete
    seen: set[float] = set()
    until = time.monotonic() + 0.5
    numbers = itertools.count(4)

    def drag() -> bool:  # each gesture is answered by a part, as long as it takes to finish
        session.send(m.Poke(1, "costly", Pick(next(numbers) % 100)))
        seen.add(value(reader, "costly", 0))
        return time.monotonic() > until

    reader.until(drag)
    assert len(seen) > 4
    reader.until(lambda: reader.frames["costly"].complete)


class Clock:
    """Time that passes only when it is told to."""

    now = 1000.0

    def perf_counter(self) -> float:
        return self.now


def test_a_view_that_was_enlarged_alone_returns_on_the_level_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(engine.watcher, "time", clock)
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Shown)
    run = engine.run.Run(1, m.RunSpec("shown"))
    run.playing, run.budget, watcher = True, 0.02, run.watcher

    def live(seconds: float) -> dict[str, list[float]]:
        """Train and watch; returns when each view was rendered."""
        begun, seen = clock.now, {"cheap": list[float](), "costly": list[float]()}
        while clock.now < begun + seconds:
            clock.now += 0.002
            watcher.changed()
            while (name := watcher.next_due(clock.now)) is not None:
                if watcher.render(name) is not None:
                    seen[name].append(clock.now - begun)
        return seen

    watcher.look(("cheap", "costly"), {})
    usual = live(20.0)
    watcher.look(("costly",), {})
    live(60.0)
    watcher.look(("cheap", "costly"), {})
    seen = live(20.0)
    assert seen["cheap"][0] < 0.1  # nobody has seen it yet
    for name, times in seen.items():
        assert 0.7 < len(times) / len(usual[name]) < 1.4
        assert max(later - former for former, later in itertools.pairwise([0.0, *times])) < 5


@pytest.mark.parametrize("pace", [100.0, 1000.0])
def test_idle_time_at_a_pace_belongs_to_watching(
    session: Session, reader: Reader, pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shown, "seconds", 0.0)
    session.send(m.Look(1, ("cheap",)))
    session.send(m.Budget(1, 0.002))  # by itself that makes one frame or two a second
    session.send(m.Speed(1, pace))
    session.send(m.Play(1))
    reader.until(lambda: step_of(reader) > 20)
    steps, begun = set[int](), time.monotonic()

    def watched() -> bool:
        steps.add(reader.frames["cheap"].step)
        return len(steps) > 20

    reader.until(watched)
    assert 20 / (time.monotonic() - begun) > 8  # 20 a second and more where the machine has nothing else to do


@pytest.mark.parametrize("pace", [100.0, 1000.0])
def test_a_pace_is_kept_while_everything_is_watched(
    session: Session, reader: Reader, pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shown, "seconds", 0.0)
    session.send(m.Speed(1, pace))
    session.send(m.Play(1))
    told: list[tuple[float, int]] = []

    def kept() -> bool:
        if reader.status is not None and reader.status.playing and reader.status.step > 0:
            told.append((time.monotonic(), reader.status.step))
        reader.status = None
        recent = [(at, step) for at, step in told if told[-1][0] - at < 1.5]
        (begun, first), (ended, last) = recent[0], recent[-1]
        return ended - begun > 1.2 and (last - first) / (ended - begun) == pytest.approx(pace, rel=0.05)

    reader.until(lambda: reader.status is not None and reader.status.playing and reader.status.step > 0)
    told.append((time.monotonic(), step_of(reader)))
    reader.until(kept)  # at the first try, on a machine that has nothing else to do


def test_an_action_that_draws_shows_another_number_each_time(session: Session, reader: Reader) -> None:
    drawn = [value(reader, "cheap", 1)]
    for _ in range(3):
        session.send(m.Act(1, "draw"))
        reader.until(lambda: value(reader, "cheap", 1) != drawn[-1])
        drawn.append(value(reader, "cheap", 1))
    assert len(set(drawn)) == 4


def test_gestures_and_a_pace_leave_the_training_as_it_is(session: Session, reader: Reader, tmp_path: Path) -> None:
    session.send(m.Speed(1, 500.0))
    session.send(m.Play(1))
    for index in range(1, 5):
        session.send(m.Act(1, "draw"))
        session.send(m.Poke(1, "costly", Pick(index)))
        answered(reader, 0, index)
        trained = step_of(reader)
        reader.until(lambda trained=trained: step_of(reader) > trained + 20)  # type: ignore[misc]
    session.send(m.Save(1, tmp_path / "a.deepscope"))
    reader.event(m.Saved)
    session.send(m.Close(1))
    reader.event(m.Closed)
    _, snapshot, _ = load(tmp_path / "a.deepscope")
    assert snapshot.step > 20
    torch.set_num_threads(1)
    alone = start(Shown)
    for _ in range(snapshot.step):
        advance(alone)
    kept = take(alone, {}, (torch.get_rng_state(), None))
    assert same(kept.state, snapshot.state)
    assert same(kept.rng[0], snapshot.rng[0])
