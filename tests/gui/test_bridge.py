"""The bridge against a session that says what the test wants: what is handed on, dropped, asked for and sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from engine.messages import (
    Budget,
    Close,
    Command,
    Event,
    Failed,
    Frame,
    LabInfo,
    Log,
    Look,
    MetricBatch,
    News,
    Open,
    Opened,
    Paused,
    Play,
    Playing,
    RunSpec,
    WentBack,
)
from engine.payloads import HeatmapData, TableData
from gui.session_bridge import SessionBridge


class ScriptedSession:
    """Takes commands, and says what the test puts into `next`."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.sent: list[Command] = []
        self.next = News()
        self.alive = True
        self.why_dead = ""
        self.quits = 0
        self.memory = self.remembered = 0
        self.devices = {"cpu": "CPU: 2 cores"}

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def news(self) -> News:
        news, self.next = self.next, News()
        return news

    def remember(self, memory: int) -> None:
        self.memory = memory

    def quit(self, limit: float | None = None) -> None:
        assert limit
        self.quits += 1

    def overdue(self) -> None:
        return None

    def looks(self) -> list[Look]:
        return [command for command in self.sent if isinstance(command, Look)]


@pytest.fixture
def bridge() -> Iterator[SessionBridge]:
    made = SessionBridge(make_session=ScriptedSession, threads=3)  # type: ignore[arg-type]
    yield made
    made.shutdown()


def session_of(bridge: SessionBridge) -> ScriptedSession:
    assert isinstance(bridge._session, ScriptedSession)
    return bridge._session


def info() -> LabInfo:
    from pathlib import Path

    return LabInfo("some", "Some", "Vision", "", "", (("a",),), {}, frozenset(), frozenset(), {}, (), (), (), Path("x"))


def opened(run: int) -> Opened:
    return Opened(run, RunSpec("some", {"lr": 0.1}), info(), 0, {})


def batch(run: int, *steps: int) -> MetricBatch:
    return MetricBatch(run, {"loss": (np.array(steps), np.array(steps, float))})


def test_the_session_is_made_when_it_is_first_needed(bridge: SessionBridge) -> None:
    assert bridge._session is None
    run = bridge.open(RunSpec("some"))
    assert session_of(bridge).threads == 3
    assert session_of(bridge).sent == [Open(run, RunSpec("some"))]


def test_devices_are_told_once_loaded(bridge: SessionBridge, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bridge.loaded):
        bridge.warm_up()
    assert bridge.devices == {"cpu": "CPU: 2 cores"}


def test_news_of_a_run_are_handed_on_in_order(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    heard: list[object] = []
    bridge.opened.connect(heard.append)
    bridge.happened.connect(heard.append)
    bridge.frame.connect(heard.append)
    frame = Frame(run, "table", 3, "", TableData((), ()), 0.001)
    events: tuple[Event, ...] = (opened(run), Playing(run, 0), Paused(run, 3))
    session_of(bridge).next = News(events, (), (frame,))
    qtbot.waitUntil(lambda: len(heard) == 4)
    assert heard == [*events, frame]


def test_what_belongs_to_a_closed_run_is_dropped(bridge: SessionBridge, qtbot: QtBot) -> None:
    old, new = bridge.open(RunSpec("some")), bridge.open(RunSpec("some"))
    assert new > old
    heard: list[int] = []
    bridge.happened.connect(lambda event: heard.append(event.run))
    bridge.metrics.connect(lambda run, _: heard.append(run))
    bridge.close(old)
    assert session_of(bridge).sent[-1] == Close(old)
    session_of(bridge).next = News((Playing(old, 1), Playing(new, 1)), (batch(old, 1), batch(new, 1)))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard == [new, new]


def test_metrics_are_kept_per_run_and_cut_when_it_goes_back(bridge: SessionBridge, qtbot: QtBot) -> None:
    run, twin = bridge.open(RunSpec("some")), bridge.open(RunSpec("some"))
    session_of(bridge).next = News((), (batch(run, 1, 2, 3), batch(twin, 1)))
    with qtbot.waitSignal(bridge.metrics):
        pass
    assert bridge.history(run).last("loss") == (3, 3.0)
    assert bridge.history(twin).last("loss") == (1, 1.0)
    session_of(bridge).next = News((WentBack(run, 2),), (batch(run, 4),))
    with qtbot.waitSignal(bridge.happened):
        pass
    assert bridge.history(run).last("loss") == (2, 2.0)


def test_views_are_told_at_once_and_drawing_is_reported(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    costs = [{"a": 0.0}, {"a": 0.004, "b": 0.0}]
    bridge.watch(run, ("a", "b"), lambda: costs.pop(0) if costs else {})
    assert session_of(bridge).looks() == [Look(run, ("a", "b"), {})]
    qtbot.waitUntil(lambda: len(session_of(bridge).looks()) == 2)
    assert session_of(bridge).looks()[1] == Look(run, ("a", "b"), {"a": 0.004})
    bridge.watch(run, ())
    assert session_of(bridge).looks()[-1].views == ()


def test_a_view_that_costs_nothing_sends_nothing(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    asked: list[int] = []

    def nothing() -> dict[str, float]:
        asked.append(1)
        return {"a": 0.0}

    bridge.watch(run, ("a",), nothing)
    qtbot.waitUntil(lambda: len(asked) > 4)
    assert len(session_of(bridge).looks()) == 1


def test_the_budget_holds_for_runs_to_come(bridge: SessionBridge) -> None:
    first = bridge.open(RunSpec("some"))
    bridge.set_budget(0.3)
    second = bridge.open(RunSpec("some"))
    budgets = [command for command in session_of(bridge).sent if isinstance(command, Budget)]
    assert budgets == [Budget(first, 0.3), Budget(second, 0.3)]


def test_polling_is_slow_when_nothing_happens(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    session_of(bridge).next = News((opened(run),))
    qtbot.waitUntil(lambda: bridge._timer.interval() >= 200)
    bridge.send(Play(run))
    assert bridge._timer.interval() <= 16


def test_after_shutdown_nothing_is_sent_or_heard(bridge: SessionBridge) -> None:
    run = bridge.open(RunSpec("some"))
    session = session_of(bridge)
    bridge.shutdown()
    bridge.shutdown()
    assert session.quits == 1
    sent = len(session.sent)
    bridge.close(run)
    bridge.send(Play(run))
    bridge.watch(run, ("a",))
    assert len(session.sent) == sent
    assert not bridge._timer.isActive()


def test_memory_for_rewinding_is_shared_by_frames_and_snapshots(bridge: SessionBridge) -> None:
    first = bridge.open(RunSpec("some"))
    assert (bridge.tape(first).capacity, session_of(bridge).memory) == (256 << 20, 256 << 20)
    bridge.set_memory(64 << 20)
    second, third = bridge.open(RunSpec("some")), bridge.branch(first, 0, {})
    assert session_of(bridge).memory == 32 << 20
    assert [bridge.tape(run).capacity >> 20 for run in (first, second, third)] == [32, 32, 32]


def frame_of(run: int, view: str, step: int) -> Frame:
    return Frame(run, view, step, "", HeatmapData(np.zeros((1, 64, 64), np.float32)), 0.0)


def test_one_bound_holds_for_all_runs_and_the_oldest_thin_first(bridge: SessionBridge, qtbot: QtBot) -> None:
    bridge.set_memory(16 << 20)  # half of it for frames, of 16 kB each: 512 of them
    runs = [bridge.open(RunSpec("some")) for _ in range(6)]
    for run in runs:
        bridge.watch(run, ("a", "b"))
        for start in range(0, 120, 40):
            frames = tuple(frame_of(run, view, step) for step in range(start, start + 40) for view in "ab")
            session_of(bridge).next = News((), (), frames)
            with qtbot.waitSignal(bridge.polled):
                pass
            assert bridge.recorded <= 8 << 20
        bridge.watch(run, ())
    counts = [len(bridge.tape(run).steps("ab")) for run in runs]
    assert counts[-1] == 120  # the newest has its whole timeline
    assert counts[0] < 20
    assert counts == sorted(counts)
    for run in runs:
        assert bridge.tape(run).span() == (0, 119)  # the first and the last frame of each
    session_of(bridge).remembered = 1000
    bridge.set_memory(2 << 20)
    assert bridge.recorded <= (1 << 20) + 1000  # at once
    assert all(bridge.tape(run).span() == (0, 119) for run in runs)
    bridge.watch(runs[0], ("a", "b"))  # it is looked at again, and gets the room of the others
    session_of(bridge).next = News((), (), tuple(frame_of(runs[0], "a", step) for step in range(120, 160)))
    with qtbot.waitSignal(bridge.polled):
        pass
    assert len(bridge.tape(runs[0]).steps("a")) > 24


def test_a_session_that_ends_by_itself_is_reported(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    session = session_of(bridge)
    heard: list[object] = []
    bridge.happened.connect(heard.append)
    session.alive, session.why_dead = False, "PyTorch could not be loaded: ImportError: no. Check your installation."
    session.next = News((Log(run, "the last word"),))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard[0] == Log(run, "the last word")
    failed = heard[1]
    assert isinstance(failed, Failed)
    assert (failed.run, failed.what, failed.expected) == (run, "open", True)
    assert failed.summary == session.why_dead


def test_whatever_is_raised_while_polling_the_next_look_comes(bridge: SessionBridge, qtbot: QtBot) -> None:
    run = bridge.open(RunSpec("some"))
    session, news, heard = session_of(bridge), session_of(bridge).news, []

    def interrupted() -> News:
        session.news = news  # type: ignore[method-assign]
        raise RuntimeError("in the middle of a look")

    bridge.happened.connect(heard.append)
    session.news = interrupted  # type: ignore[method-assign]
    with qtbot.captureExceptions() as raised:
        qtbot.waitUntil(lambda: session.news == news)
    assert len(raised) == 1
    session.next = News((Playing(run, 1),))
    qtbot.waitUntil(lambda: len(heard) == 1)


def test_messages_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        opened(1).run = 2  # type: ignore[misc]
