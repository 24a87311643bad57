"""Rewinding in the window: scrub while it trains, go live again, branch, and see both futures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import BenchOpener, full_speed, learn, newest, still_trains, take_keyboard
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from engine.messages import Act, Command, Poke, Set
from engine.payloads import Drawing, ImagesData
from gui import format
from gui.main_window import MainWindow
from gui.workbench import Workbench

PATIENCE = 60_000
Opener = Callable[..., MainWindow]


def trained(open_window: Opener, qtbot: QtBot, steps: int = 200) -> Workbench:
    bench = open_window("lenet").workbench
    assert bench is not None
    full_speed(bench)
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
        own = name == "canvas"  # the picture stays the viewer's of now
        assert frame is None or own or panel.view.payload is frame.payload
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
    return [action.text().partition("\t")[0] for action in bench.branching.menu.actions()]


def test_a_branch_with_ten_times_the_learning_rate(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot)
    parent, was = bench.run, bench.runs.values()["learning_rate"]
    assert parent is not None
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    then = bench.rewinding.step
    bench.rewinding.live()
    bench._choose("learning_rate", 0.007)  # after the step that is shown: a branch from there knows nothing of it
    qtbot.waitUntil(lambda: any(mark.new == 0.007 for mark in bench.flags.marks), timeout=PATIENCE)
    bench.rewinding.scrub(then)
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
    qtbot.waitUntil(
        lambda: not bench.transport.playing and newest(bench) == bench.bridge.standing(parent).step, timeout=PATIENCE
    )
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


def paused_after(bench: Workbench, qtbot: QtBot, steps: int) -> None:
    """Trained so far, paused, and with all views up to date."""
    learn(bench, qtbot, steps)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    last = bench.timeline.track
    qtbot.waitUntil(lambda: bench.grid.panels["network"].view.step == last.last, timeout=PATIENCE)


def told(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """What the session is told from now on."""
    commands: list[Command] = []
    send = bench.bridge.send

    def listen(command: Command) -> None:
        commands.append(command)
        send(command)

    monkeypatch.setattr(bench.bridge, "send", listen)
    return commands


def changes(commands: list[Command]) -> list[Command]:
    return [each for each in commands if isinstance(each, Set | Act) or (isinstance(each, Poke) and each.edit)]


def test_the_past_is_read_only(open_bench: BenchOpener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = open_bench()
    paused_after(bench, qtbot, 100)
    network = bench.grid.panels["network"].view
    now = [np.array(weights) for weights in network.payload.weights]
    bench.rewinding.scrub(0)
    commands = told(bench, monkeypatch)
    rate = bench.controls.knobs["learning_rate"].value
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):  # Escape wrote the weight of step 0 into the present
        network._open_editor((0, 0, 0), network.rect().center())  # type: ignore[attr-defined]
        network.editor.slider.sliderMoved.emit(300)  # type: ignore[attr-defined]
        qtbot.keyClick(network.editor.number, key)  # type: ignore[attr-defined]
    assert bench.toast.text.text().startswith("This is step 0: go back to live")
    bench.toast.hide()
    bench.controls.knobs["learning_rate"].choose(0.5)
    assert bench.toast.isVisible()
    assert bench.controls.knobs["learning_rate"].value == rate
    assert changes(commands) == []
    bench.toast.button.click()
    assert not bench.rewinding.rewound
    assert all(np.array_equal(a, b) for a, b in zip(network.payload.weights, now, strict=True))
    assert bench.flags.flags == []


def test_an_action_leaves_the_past_alone(
    open_bench: BenchOpener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench("gradient_descent", values=None)
    qtbot.waitUntil(lambda: bench.timeline.track.last == 0 and bench.info is not None, timeout=PATIENCE)
    learn(bench, qtbot, 5)
    bench.rewinding.scrub(1)
    commands = told(bench, monkeypatch)
    assert bench.info is not None
    action = next(each for each in bench.info.actions if not each.probe)
    bench.controls.actions_by_name[action.name].click()
    assert bench.toast.text.text().startswith("This is step 1")
    assert changes(commands) == []
    bench.rewinding.live()
    bench.controls.actions_by_name[action.name].click()
    assert changes(commands) == [Act(bench.run or 0, action.name)]


def test_the_key_of_branch_works_once_its_menu_was_open(open_window: Opener, qtbot: QtBot) -> None:
    bench = trained(open_window, qtbot, 60)
    track = bench.timeline.track
    qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(track.width() // 2, track.height() // 2))
    assert bench.rewinding.rewound
    bench.branching.menu.popup(QPoint(0, 0))
    bench.branching.menu.close()
    run = bench.run
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)


SEVEN = np.zeros((28, 28), np.float32)
SEVEN[6:9, 8:20] = SEVEN[9:22, 16:19] = 1


def made_of(picture: np.ndarray, payload: ImagesData) -> bool:
    """Whether the maps are what the filters make of a picture, but for the biases, which are small."""
    kernels, maps = (np.asarray(group.pixels) for group in payload.groups)
    size = kernels.shape[-1]
    padded = np.pad(picture, size // 2)
    for row, column in ((8, 10), (15, 17), (12, 12)):
        sums = (kernels * padded[row : row + size, column : column + size]).sum((1, 2))
        if np.abs(maps[:, row, column] - np.maximum(sums, 0)).max() > 0.4:
            return False
    return True


def test_a_drawing_of_ones_own_goes_through_the_early_filters(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench("lenet", values=None)
    full_speed(bench)
    learn(bench, qtbot, 60)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    canvas, layer1 = bench.grid.panels["canvas"].view, bench.grid.panels["layer1"].view
    bench._gesture("canvas", Drawing(SEVEN), False)
    qtbot.waitUntil(lambda: np.array_equal(canvas.payload.pixels, SEVEN), timeout=PATIENCE)
    qtbot.waitUntil(lambda: layer1.step == bench.timeline.track.last, timeout=PATIENCE)
    now = pixels(bench).copy()
    bench.rewinding.scrub(50)
    assert np.array_equal(canvas.payload.pixels, SEVEN)  # at once: it is the viewer's own
    qtbot.waitUntil(lambda: layer1.step == 50 and made_of(SEVEN, layer1.payload), timeout=PATIENCE)
    filters, maps = layer1.payload.groups
    assert not np.array_equal(filters.pixels, now)  # of then
    wiped = np.zeros_like(SEVEN)
    before = np.asarray(maps.pixels).copy()
    bench._gesture("canvas", Drawing(wiped), False)  # in the past, too
    qtbot.waitUntil(lambda: not np.array_equal(layer1.payload.groups[1].pixels, before), timeout=PATIENCE)
    assert layer1.step == 50
    assert bench.rewinding.step == 50
    bench.rewinding.live()
    qtbot.waitUntil(lambda: np.array_equal(canvas.payload.pixels, wiped), timeout=PATIENCE)
    assert np.array_equal(pixels(bench), now)  # the network of now is what it was


def test_next_sample_in_the_past_is_shown_there(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench("lenet", values=None)
    full_speed(bench)
    learn(bench, qtbot, 40)
    bench.rewinding.scrub(20)  # training goes on meanwhile
    canvas, layer1 = bench.grid.panels["canvas"].view, bench.grid.panels["layer1"].view
    before = canvas.payload.pixels.copy()
    bench.controls.actions_by_name["next_sample"].click()
    qtbot.waitUntil(lambda: not np.array_equal(canvas.payload.pixels, before), timeout=PATIENCE)
    qtbot.waitUntil(lambda: layer1.step == 20, timeout=PATIENCE)
    assert still_trains(bench, qtbot)
