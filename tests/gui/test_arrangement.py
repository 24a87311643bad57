"""How the window is arranged: labs open at their own speed, sessions with their view, side panel and speed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from helpers import LAB, PATIENCE, SMALL, bench_of, learn, open_file
from helpers import WindowOpener as Opener
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import Command, Play, Speed
from gui.workbench import Workbench


def ready(bench: Workbench, qtbot: QtBot) -> Workbench:
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    return bench


def test_a_lab_opens_at_its_speed_and_has_it_before_it_trains(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = ready(bench_of(open_window("losses", values={})), qtbot)
    assert bench.transport.chosen_speed == 50
    sent: list[Command] = []
    send = bench.bridge.send
    monkeypatch.setattr(bench.bridge, "send", lambda command: (sent.append(command), send(command)))
    bench.toggle_play()
    qtbot.waitUntil(lambda: bench.transport.playing, timeout=PATIENCE)
    run = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    of_new = [type(command) for command in sent if command.run == bench.run]
    assert of_new.index(Speed) < of_new.index(Play)


def test_a_speed_that_was_chosen_outlives_a_restart(open_window: Opener, qtbot: QtBot) -> None:
    bench = ready(bench_of(open_window("losses", values={})), qtbot)
    bench.transport.show_speed(None)
    bench.transport.speed_chosen.emit(None)
    run = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert bench.transport.chosen_speed is None


def test_a_session_comes_back_as_the_window_was(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    learn(bench_of(window), qtbot)
    bench = bench_of(window)
    bench.grid.enlarge("surface")
    bench.code_action.setChecked(True)
    bench.transport.show_speed(30.0)
    path = tmp_path / "run.deepscope"
    bench.runs.save(path)
    qtbot.waitUntil(path.exists, timeout=PATIENCE)
    window.open_lab("losses", values={}, seed=0)
    ready(bench_of(window), qtbot)
    open_file(window, qtbot, path)
    qtbot.waitUntil(lambda: bench_of(window).lab_id == LAB and bench_of(window).ready, timeout=PATIENCE)
    again = bench_of(window)
    assert again is not bench
    assert again.arrangement.now() == {"enlarged": "surface", "side": "code", "speed": "30.0"}
    assert not again.code.isHidden()
    assert again.grid.visible_views() == ("surface",)


STRANGE = (
    {"enlarged": "no such view", "side": "no such side", "speed": "fast"},
    {"speed": "0"},
    {"speed": "-3", "new": "x"},
)


@pytest.mark.parametrize("window_of_file", STRANGE)
def test_what_this_window_does_not_know_is_left_as_it_is(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, window_of_file: dict[str, str]
) -> None:
    window = open_window(LAB, values=SMALL)
    learn(bench_of(window), qtbot)
    path = tmp_path / "run.deepscope"
    bench_of(window).runs.save(path)
    qtbot.waitUntil(path.exists, timeout=PATIENCE)
    spec, snapshot, curves = checkpoint.load(path)
    checkpoint.save(path, spec, dataclasses.replace(snapshot, window=window_of_file), curves)
    window.open_lab("losses", values={}, seed=0)
    ready(bench_of(window), qtbot)
    open_file(window, qtbot, path)
    qtbot.waitUntil(lambda: bench_of(window).lab_id == LAB and bench_of(window).ready, timeout=PATIENCE)
    assert bench_of(window).arrangement.now() == {"enlarged": "", "side": "", "speed": "400"}
