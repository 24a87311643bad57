"""Rewinding in the window: scrub while it trains, go live again, branch, and see both futures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from gui import format
from gui.main_window import MainWindow
from gui.workbench import Workbench

PATIENCE = 60_000
Opener = Callable[..., MainWindow]


def trained(open_window: Opener, qtbot: QtBot, steps: int = 200) -> Workbench:
    bench = open_window("lenet").workbench
    assert bench is not None
    bench.toggle_play()

    def far_enough() -> bool:
        assert bench.run is not None
        span = bench.bridge.tape(bench.run).span()
        return span is not None and span[1] >= steps

    qtbot.waitUntil(far_enough, timeout=PATIENCE)
    return bench


def pixels(bench: Workbench) -> np.ndarray:
    payload = bench.grid.panels["layer1"].view.payload
    return np.asarray(payload.groups[0].pixels)


def test_scrubbing_shows_the_past_while_training_goes_on(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot)
    run = bench.run
    assert run is not None
    track = bench.timeline.track
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(track.width() // 3, track.height() // 2))
    step = bench.rewinding.step
    assert 0 < step < track.last
    assert "rewound" in bench.timeline.where.text()
    for name, panel in bench.grid.panels.items():
        frame = bench.bridge.tape(run).at(name, step)
        assert frame is None or panel.view.payload is frame.payload
    past = pixels(bench).copy()
    last = track.last
    qtbot.waitUntil(lambda: track.last > last + 20, timeout=PATIENCE)  # training goes on
    assert np.array_equal(pixels(bench), past)
    qtbot.keyClick(track, Qt.Key.Key_Home)
    assert bench.rewinding.step == track.first
    assert bench.grid.panels["loss"].view.step == track.first
    bench.timeline.live.click()
    assert not bench.rewinding.rewound
    qtbot.waitUntil(lambda: not np.array_equal(pixels(bench), past), timeout=PATIENCE)


def entries(bench: Workbench) -> list[str]:
    """What the menu of Branch offers now."""
    bench.branching.menu.aboutToShow.emit()
    return [action.text() for action in bench.branching.menu.actions()]


def test_a_branch_with_ten_times_the_learning_rate(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot)
    parent, was = bench.run, bench.runs.values()["learning_rate"]
    assert parent is not None
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    then = bench.rewinding.step
    bench._choose("learning_rate", 0.007)  # after the step that is shown: a branch from there knows nothing of it
    qtbot.waitUntil(lambda: any(mark.new == 0.007 for mark in bench.flags.marks), timeout=PATIENCE)
    assert bench.branching.value_then("learning_rate") == was
    larger = next(text for text in entries(bench) if "× 10" in text)
    assert larger.endswith(format.number(10 * float(was)))
    next(action for action in bench.branching.menu.actions() if action.text() == larger).trigger()
    qtbot.waitUntil(lambda: bench.run != parent and bench.ready, timeout=PATIENCE)
    qtbot.waitUntil(lambda: bench.runs.values()["learning_rate"] == pytest.approx(10 * float(was)), timeout=PATIENCE)
    assert [mark.new for mark in bench.flags.marks] == [pytest.approx(10 * float(was))]
    assert bench.flags.marks[0].step <= then


def test_a_branch_goes_on_from_there_and_keeps_both_futures(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot)
    parent = bench.run
    assert parent is not None
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    history = bench.bridge.history(parent)
    end = history.span()
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    asked = bench.rewinding.step
    assert entries(bench)[0] == "From here, as it was"
    bench.branching.menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: bench.run != parent and bench.ready, timeout=PATIENCE)
    run = bench.run
    assert run is not None
    assert not bench.rewinding.rewound
    begun = (bench.bridge.history(run).span() or (0, 0))[1]
    assert begun <= asked
    told = f"Branched at step {begun:,}, the last state kept before step {asked:,}"
    assert (bench.toast.text.text() == told) == (begun < asked)
    loss = bench.grid.panels["loss"].view
    assert [ghost.history.span() for ghost in loss.ghosts] == [end]
    bench.toggle_play()  # with nothing changed it repeats what the parent did
    qtbot.waitUntil(lambda: (bench.bridge.history(run).span() or (0, 0))[1] >= begun + 50, timeout=PATIENCE)
    for step in (begun + 10, begun + 40):
        assert bench.bridge.history(run).at("train loss", step) == history.at("train loss", step)
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert loss.ghosts == []


def test_the_menu_of_branch_closes_when_there_is_nothing_to_branch_from(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot)
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    menu = bench.branching.menu
    menu.popup(bench.mapToGlobal(QPoint(10, 10)))
    assert menu.isVisible()
    assert menu.isEnabled()
    bench.rewinding.live()
    assert not menu.isVisible()
