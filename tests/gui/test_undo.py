"""Undo in the window: whatever was changed last is taken back, and nothing restarts that had not been restarted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, SMALL, learn, newest, take_keyboard, type_value
from helpers import BenchOpener as Opener
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import Bookmark, Mark, Save
from engine.payloads import Stroke, WeightEdit
from gui.parking import MOST
from gui.workbench import Workbench

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def state(qtbot: QtBot, tmp_path: Path) -> Callable[[Workbench], checkpoint.Snapshot]:
    """Where the run of a workbench stands, read from a file."""
    count = 0

    def read(bench: Workbench) -> checkpoint.Snapshot:
        nonlocal count
        count += 1
        path = tmp_path / f"state{count}"
        bench.bridge.send(Save(bench.run or 0, path))
        qtbot.waitUntil(path.exists, timeout=PATIENCE)
        return checkpoint.load(path)[1]

    return read


def same(one: checkpoint.Snapshot, other: checkpoint.Snapshot) -> bool:
    return (
        (one.step, one.hyperparameters, one.history) == (other.step, other.hyperparameters, other.history)
        and checkpoint.same(one.state, other.state)
        and checkpoint.same(one.rng, other.rng)
    )


def paused(bench: Workbench, qtbot: QtBot, steps: int = 50) -> None:
    """Trained so far, and paused."""
    learn(bench, qtbot, steps)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)


def replaced(bench: Workbench, qtbot: QtBot, act: Callable[[], object]) -> None:
    """Do something that shows another run, and wait for it."""
    run = bench.run
    act()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)


def press(bench: Workbench, qtbot: QtBot, key: QKeySequence.StandardKey | str) -> None:
    take_keyboard(bench, qtbot)
    qtbot.keySequence(bench, QKeySequence(key))


UNDO, REDO = QKeySequence.StandardKey.Undo, "Ctrl+Shift+Z"

REPLACING: dict[str, Callable[[Workbench], object]] = {
    "R": lambda bench: bench.restart(),
    "N": lambda bench: bench.new_seed(),
    "architecture": lambda bench: bench.controls.knobs["width_1"].choose(5),
    "data": lambda bench: bench.runs.choose_dataset("circle"),
    "guide": lambda bench: bench.apply_settings({"layers": "2", "dataset": "moons"}),
    "again": lambda bench: bench.changes.run_again(),
}


@pytest.mark.parametrize("what", REPLACING)
def test_undo_brings_the_network_back_as_it_was(
    what: str, open_bench: Opener, qtbot: QtBot, state: Callable[[Workbench], Any]
) -> None:
    bench = open_bench()
    paused(bench, qtbot)
    bench.controls.knobs["learning_rate"].choose(0.2)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 1, timeout=PATIENCE)
    bench.bookmarks.set([Bookmark(10, "ten")])
    run, spec, marks, dataset = bench.run, bench.runs.spec, bench.flags.marks, bench.runs.spec.dataset  # type: ignore[union-attr]
    before, span, steps = state(bench), bench.timeline.track.last, newest(bench)
    replaced(bench, qtbot, lambda: REPLACING[what](bench))
    paused(bench, qtbot, 20) if not bench.transport.playing else learn_on(bench, qtbot)
    newer = bench.run
    assert bench.bookmarks.get() == ()
    press(bench, qtbot, UNDO)
    assert bench.run == run  # at once: it was there all the time
    assert bench.toast.text.text().startswith("Undone: ")
    assert (bench.runs.spec, bench.flags.marks) == (spec, marks)
    assert bench.controls.data is not None
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == dataset
    assert bench.controls.knobs["width_1"].value == 3
    assert (newest(bench), bench.timeline.track.last) == (steps, span)
    assert [mark.name for mark in bench.bookmarks.get()] == ["ten"]
    assert same(state(bench), before)
    assert not bench.transport.playing
    press(bench, qtbot, REDO)
    assert bench.run == newer
    bench.undo.undo()
    learn(bench, qtbot)  # and it trains on
    assert bench.run == run


def learn_on(bench: Workbench, qtbot: QtBot) -> None:
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 20, timeout=PATIENCE)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)


def test_a_run_that_was_training_goes_on_training(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    learn(bench, qtbot)
    run = bench.run
    replaced(bench, qtbot, bench.restart)
    assert run is not None
    qtbot.waitUntil(lambda: not bench.bridge.standing(run).playing, timeout=PATIENCE)
    stood = bench.bridge.standing(run).step
    bench.undo.undo()
    qtbot.waitUntil(lambda: newest(bench) > stood + 20, timeout=PATIENCE)
    assert bench.run == run
    assert bench.transport.playing


def test_a_dragged_knob_is_one_change_that_is_taken_back_while_training_goes_on(
    open_bench: Opener, qtbot: QtBot
) -> None:
    bench = open_bench()
    learn(bench, qtbot)
    run, knob = bench.run, bench.controls.knobs["learning_rate"]
    for value in (0.04, 0.05, 0.1):
        knob.choose(value)
    assert bench.undo.texts == ("Learning rate: 0.1",)
    press(bench, qtbot, UNDO)
    qtbot.waitUntil(lambda: bench.runs.values()["learning_rate"] == 0.03 and not bench.runs.sent, timeout=PATIENCE)
    assert knob.value == 0.03
    press(bench, qtbot, REDO)
    qtbot.waitUntil(lambda: bench.flags.marks[-1].new == 0.1, timeout=PATIENCE)
    assert knob.value == 0.1
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 20, timeout=PATIENCE)
    assert (bench.run, bench.transport.playing) == (run, True)


def test_a_number_that_was_typed_is_taken_back_with_the_field_still_focused(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    take_keyboard(bench, qtbot)
    knob = type_value(bench, qtbot, "learning_rate", "0.5")
    qtbot.keySequence(knob.field, QKeySequence(UNDO))
    qtbot.waitUntil(lambda: bench.runs.values()["learning_rate"] == 0.03, timeout=PATIENCE)


def test_edits_are_taken_back_one_gesture_at_a_time(
    open_bench: Opener, qtbot: QtBot, state: Callable[[Workbench], Any]
) -> None:
    bench = open_bench()
    paused(bench, qtbot)
    run, first = bench.run, state(bench)
    for value in (0.1, 0.2, 0.3):
        bench._gesture("network", WeightEdit(0, 1, 0, value), True)
    qtbot.waitUntil(lambda: len(bench.flags.marks) == 3, timeout=PATIENCE)
    dragged = state(bench)
    bench._gesture("surface", Stroke(((0.1, 0.2), (0.3, 0.1)), 1), True)
    qtbot.waitUntil(lambda: len(bench.flags.marks) == 4, timeout=PATIENCE)
    drawn = state(bench)
    assert len(bench.undo.texts) == 2

    def then(key: QKeySequence.StandardKey | str, marks: int) -> checkpoint.Snapshot:
        press(bench, qtbot, key)
        qtbot.waitUntil(lambda: len(bench.flags.marks) == marks, timeout=PATIENCE)
        return state(bench)

    assert checkpoint.same(then(UNDO, 5).state, dragged.state)
    assert checkpoint.same(then(UNDO, 6).state, first.state)
    assert bench.run == run
    assert checkpoint.same(then(REDO, 7).state, dragged.state)
    assert checkpoint.same(then(REDO, 8).state, drawn.state)
    press(bench, qtbot, REDO)
    assert bench.toast.text.text() == "Nothing to redo"
    assert [flag.text for flag in bench.flags.flags][-1].startswith("Redo: ")


def test_where_nothing_can_be_undone_it_is_said(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    press(bench, qtbot, UNDO)
    assert bench.toast.text.text() == "Nothing to undo"
    bench.undo.revert((Mark(0, "action", "dance", "Dance"),), "Dance")
    qtbot.waitUntil(lambda: bench.toast.text.text().startswith("Dance cannot be undone"), timeout=PATIENCE)
    assert bench.undo.texts == ()
    bench.controls.knobs["width_1"].choose(7)  # not built yet
    press(bench, qtbot, UNDO)
    assert bench.toast.text.text().startswith("Cancelled")
    assert bench.controls.knobs["width_1"].value == 3
    run = bench.run
    bench.restart()
    bench.undo.undo()
    paused(bench, qtbot)
    assert bench.run == run
    bench.controls.knobs["learning_rate"].choose(0.2)
    bench.rewinding.scrub(0)
    press(bench, qtbot, UNDO)  # the past is read-only
    assert bench.toast.text.text().startswith("This is step 0")
    assert bench.undo.texts == ("Learning rate: 0.2",)


def test_a_guide_link_of_live_knobs_is_one_change(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    run = bench.run
    bench.apply_settings({"learning_rate": "0.1", "batch_size": "7"})
    assert len(bench.undo.texts) == 1
    bench.undo.undo()
    qtbot.waitUntil(lambda: not bench.runs.sent, timeout=PATIENCE)
    values = bench.runs.values()
    assert (values["learning_rate"], values["batch_size"]) == (0.03, 10)
    assert bench.run == run


def test_what_is_repeated_is_no_change_of_the_viewers(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    bench._gesture("network", WeightEdit(0, 1, 0, 0.2), True)
    qtbot.waitUntil(lambda: len(bench.flags.marks) == 1, timeout=PATIENCE)
    replaced(bench, qtbot, bench.changes.run_again)
    qtbot.waitUntil(lambda: len(bench.flags.marks) == 1 and newest(bench) > 5, timeout=PATIENCE)
    assert len(bench.undo.texts) == 2
    assert bench.undo.texts[-1] == "run again with its changes"


def test_no_trained_network_is_thrown_away(open_bench: Opener, qtbot: QtBot, state: Callable[[Workbench], Any]) -> None:
    bench = open_bench()
    stood = []
    for number in range(MOST + 3):
        if number:
            replaced(bench, qtbot, bench.new_seed)
        paused(bench, qtbot, 10)
        stood.append(state(bench))
    folder = bench.settings.kept_folder
    qtbot.waitUntil(lambda: len(list(folder.glob("*.deepscope"))) == 2, timeout=PATIENCE)
    qtbot.waitUntil(lambda: len(bench.bridge._runs) == MOST + 1, timeout=PATIENCE)
    for expected in reversed(stood[:-1]):
        replaced(bench, qtbot, bench.undo.undo)  # the first ones from their files
        assert checkpoint.same(state(bench).state, expected.state)
        assert 0 <= expected.step - newest(bench) < 25  # which is how often this lab measures
    assert bench.runs.resumed is None  # no file of the viewer's
    for expected in stood[1:]:
        replaced(bench, qtbot, bench.undo.redo)
        assert checkpoint.same(state(bench).state, expected.state)


def test_a_run_that_learned_nothing_is_built_anew(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(seed=4)
    for _ in range(MOST + 2):
        replaced(bench, qtbot, bench.new_seed)
    assert bench.runs.parking.runs == ()
    for _ in range(MOST + 2):
        replaced(bench, qtbot, bench.undo.undo)
    assert bench.runs.spec is not None
    assert bench.runs.spec.seed == 4
    assert not list(bench.settings.kept_folder.glob("*"))


def test_the_list_of_earlier_runs_brings_a_network_back(
    open_bench: Opener, qtbot: QtBot, state: Callable[[Workbench], Any]
) -> None:
    bench = open_bench()
    paused(bench, qtbot)
    first, before = bench.run, state(bench)
    replaced(bench, qtbot, bench.new_seed)
    paused(bench, qtbot)
    second = bench.run
    bench.earlier.open()
    assert bench.earlier.list.back.text() == "Go back to this run"
    bench.earlier.list.back.click()
    assert bench.run == first
    assert same(state(bench), before)
    assert [each.run for each in bench.earlier.kept] == [second]
    bench.undo.undo()
    assert bench.run == second


def test_closing_ends_the_parked_runs_too(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    paused(bench, qtbot)
    replaced(bench, qtbot, bench.restart)
    assert len(bench.bridge._runs) == 2
    bench.close_run()
    assert not bench.bridge._runs


def test_undo_acts_on_all_that_are_compared(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(values={**SMALL, "learning_rate": 0.1})
    alone = bench.run
    paused(bench, qtbot, 5)
    replaced(bench, qtbot, lambda: bench.twins.action.setChecked(True))
    qtbot.waitUntil(lambda: bool(bench.twins.runs), timeout=PATIENCE)
    (twin,) = bench.twins.runs
    differs = next(iter(bench.twins.bar.differences()[0]))
    paused(bench, qtbot)
    bench.controls.knobs["batch_size"].choose(20)
    qtbot.waitUntil(lambda: bench.bridge.standing(twin).spec.hyperparameters["batch_size"] == 20, timeout=PATIENCE)
    bench._gesture("network", WeightEdit(0, 1, 0, 0.2), True)
    qtbot.waitUntil(lambda: len(bench.bridge.standing(twin).marks) == 2, timeout=PATIENCE)
    bench.undo.undo()
    qtbot.waitUntil(lambda: bench.bridge.standing(twin).marks[-1].kind == "undo", timeout=PATIENCE)
    bench.undo.undo()
    qtbot.waitUntil(lambda: bench.bridge.standing(twin).spec.hyperparameters["batch_size"] == 10, timeout=PATIENCE)
    before, apart = bench.run, bench.twins.bar.differences()
    bar = bench.twins.bar.runs[0]
    names = bar.rows[0].names
    names.setCurrentIndex(names.findData("activation" if differs != "activation" else "learning_rate"))
    replaced(bench, qtbot, lambda: names.activated.emit(names.currentIndex()))
    assert bench.twins.bar.differences() != apart
    bench.undo.undo()
    assert (bench.run, bench.twins.runs) == (before, (twin,))
    assert bench.twins.bar.differences() == apart
    bench.undo.undo()  # the beginning of the comparison
    assert bench.run == alone
    assert not bench.twins.on
