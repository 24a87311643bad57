"""Earlier runs: kept when one is replaced, told apart in a list, pinned to the curves as ghosts, and gone back to."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers import LAB, PATIENCE, SMALL, bench_of, learn, take_keyboard
from helpers import BenchOpener as Bench
from helpers import WindowOpener as Opener
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from engine.hyperparameters import Hyperparameter
from engine.recorder import MetricHistory
from engine.views import Curves
from gui.earlier import MOST_KEPT, MOST_PINNED, POINTS, outcome, phrase, thinned, told_apart
from gui.earlier_list import EMPTY
from gui.views.curves import CurvesView
from gui.views.ghosts import STROKES, Ghost, pen, value_at
from gui.workbench import Workbench


def replaced(bench: Workbench, qtbot: QtBot, how: Callable[[], object], steps: int = 20) -> None:
    """Train for some steps, pause, and replace the run."""
    learn(bench, qtbot, steps)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    run = bench.run
    how()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)


def ghosts(bench: Workbench) -> list[Ghost]:
    shown = [panel.view.ghosts for panel in bench.grid.panels.values() if isinstance(panel.view, CurvesView)]
    assert all(each == shown[0] for each in shown)
    return shown[0]


def texts(bench: Workbench) -> list[str]:
    table = bench.earlier.list.table
    items = [table.item(row, 2) for row in range(table.rowCount())]
    return [item.text() for item in items if item is not None]


# ------------------------------------------------------------------ words


def test_what_sets_runs_apart_is_said_in_a_line(open_bench: Bench) -> None:
    bench = open_bench()
    info, spec = bench.info, bench.runs.spec
    assert info is not None
    assert spec is not None
    other = replace(spec, seed=1, hyperparameters={**spec.hyperparameters, "learning_rate": 0.1})
    assert told_apart(spec, [spec], info) == ["seed 0"]
    assert told_apart(other, [spec, other], info) == ["seed 1", "learning rate 0.1"]
    elsewhere = replace(other, dataset="xor")
    assert told_apart(elsewhere, [spec, other, elsewhere], info)[:2] == ["seed 1", "Xor"]
    strange = replace(spec, hyperparameters={"wings": 2})  # of former code of the lab
    assert told_apart(strange, [spec, strange], info) == ["seed 0"]
    history = MetricHistory()
    assert outcome(history, info) == ["0 steps"]
    history.append("somebody else's metric", [1], [0.5])
    assert outcome(history, info) == ["1 step"]
    history.append("train loss", np.arange(1, 2401), np.full(2400, 0.25))
    assert outcome(history, info) == ["2,400 steps", "train loss 0.25"]
    history.append("test accuracy", [2400], [0.978])
    assert outcome(history, info) == ["2,400 steps", "test accuracy 97.8 %"]


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("Learning rate", 0.1, "learning rate 0.1"),
        ("Batch norm", True, "batch norm on"),
        ("L2 penalty", 1e-4, "L2 penalty 1e-4"),
        ("ELU", False, "ELU off"),
        ("Filters, layer 1", 8, "filters, layer 1: 8"),
        ("Optimiser", "Adam", "optimiser Adam"),
    ],
)
def test_a_hyperparameter_in_a_sentence(label: str, value: float | str, said: str) -> None:
    assert phrase(Hyperparameter("real", value, label=label), value) == said


def test_long_curves_are_kept_thin() -> None:
    history = MetricHistory()
    history.append("loss", np.arange(300_000), np.linspace(1, 0, 300_000))
    history.append("rare", [7], [0.5])
    kept = thinned(history)
    assert kept.span() == (0, 299_999)
    assert kept.last("rare") == (7, 0.5)
    found = kept.decimated("loss", 0, 299_999, 10_000)
    assert len(found.steps) <= POINTS
    np.testing.assert_allclose(found.mean, 1 - found.steps / 300_000, atol=2e-3)
    columns = [buffer for levels in kept._series.values() for level in levels.levels for buffer in level._buffers]
    assert sum(map(sys.getsizeof, columns)) < 300_000


# ------------------------------------------------------------------ what is kept


def test_every_way_to_replace_a_run_keeps_its_curves(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench(seed=3)
    assert bench.timeline.runs.text() == "Runs"
    replaced(bench, qtbot, bench.restart)
    replaced(bench, qtbot, bench.new_seed)
    replaced(bench, qtbot, lambda: bench.runs.choose_dataset("xor"))
    replaced(bench, qtbot, lambda: bench.apply_settings({"width_1": "5"}))
    assert bench.timeline.runs.text() == "Runs (4)"
    assert [(run.number, run.spec.seed, run.spec.dataset == "xor") for run in bench.earlier.kept] == [
        (1, 3, False),
        (2, 3, False),
        (3, 4, False),
        (4, 4, True),
    ]
    assert all(run.steps >= 20 for run in bench.earlier.kept)
    bench.earlier.open()
    assert len(texts(bench)) == 4
    assert texts(bench)[0].startswith("seed 4 · Xor · ")  # the latest first
    assert " · layer 1: 3 neurons · " in texts(bench)[0]
    assert texts(bench)[0].endswith(" %")  # the accuracy
    assert bench.earlier.list.present.text().startswith("Now: seed 4 · Xor · ")
    assert "layer 1: 5 neurons" in bench.earlier.list.present.text()
    assert ghosts(bench) == []


def test_a_run_that_learnt_nothing_is_not_kept(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    run = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert bench.earlier.kept == []
    bench.earlier.open()
    assert bench.earlier.list.pages.currentWidget() is bench.earlier.list.empty
    assert bench.earlier.list.empty.text() == EMPTY
    assert "Restart (R)" in EMPTY
    assert bench.earlier.list.back.isHidden()


def test_twenty_are_kept_and_pinned_ones_longest(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    replaced(bench, qtbot, bench.restart)
    bench.earlier.pin(1, True)
    learn(bench, qtbot, 5)
    assert bench.run is not None
    assert bench.runs.spec is not None
    for _ in range(MOST_KEPT + 4):
        bench.earlier.keep(bench.run, bench.runs.spec)
    assert len(bench.earlier.kept) == MOST_KEPT
    numbers = [run.number for run in bench.earlier.kept]
    assert numbers == [1, *range(7, MOST_KEPT + 6)]


def test_a_change_on_the_way_is_told(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    learn(bench, qtbot)
    bench._choose("learning_rate", 0.2)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 1, timeout=PATIENCE)
    bench.toggle_play()
    replaced(bench, qtbot, bench.new_seed)
    bench.earlier.open()
    assert texts(bench)[0].endswith("1 change")


# ------------------------------------------------------------------ pins


def test_pins_survive_a_restart_and_are_drawn_apart(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    replaced(bench, qtbot, bench.new_seed)
    replaced(bench, qtbot, bench.new_seed)
    for number in (1, 2):
        bench.earlier.pin(number, True)
    first, second = ghosts(bench)
    assert (first.name, second.name) == ("run 1, seed 0", "run 2, seed 1")
    assert first.strokes != second.strokes
    replaced(bench, qtbot, bench.restart)
    assert [ghost.name for ghost in ghosts(bench)] == ["run 1, seed 0", "run 2, seed 1"]
    assert ghosts(bench)[0].history is first.history
    bench.earlier.pin(1, False)
    assert [ghost.name for ghost in ghosts(bench)] == ["run 2, seed 1"]
    bench.earlier.pin(3, True)
    assert ghosts(bench)[1].strokes == first.strokes  # which are free again


def test_pins_are_for_one_open_lab(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window(LAB, values=SMALL, seed=7)
    bench = bench_of(window)
    replaced(bench, qtbot, bench.new_seed)
    bench.earlier.pin(1, True)
    learn(bench, qtbot)
    window.open_lab("lenet", values={}, seed=0)
    assert bench_of(window).earlier.kept == []
    window.open_lab(LAB)
    assert bench_of(window) is bench
    assert [ghost.name for ghost in ghosts(bench)] == ["run 1, seed 7"]
    assert bench.timeline.runs.text() == "Runs (1)"


def test_a_branch_pins_what_it_left_until_something_else_begins(open_window: Opener, qtbot: QtBot) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    learn(bench, qtbot, 300)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    qtbot.waitUntil(lambda: bench.timeline.track.last > 0, timeout=PATIENCE)
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    step, run = bench.rewinding.step, bench.run
    assert step > 0
    bench.rewinding.branch()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert [ghost.name for ghost in ghosts(bench)] == ["run 1"]  # the seeds are the same
    bench.earlier.open()
    told = re.search(r"branched at step ([0-9,]+)$", texts(bench)[0])
    assert told is not None
    assert int(told[1].replace(",", "")) <= step  # at the snapshot before it
    bench.earlier.list.hide()
    replaced(bench, qtbot, bench.restart)
    assert ghosts(bench) == []
    assert len(bench.earlier.kept) == 2
    bench.earlier.pin(1, True)  # the viewer's own pin stays
    replaced(bench, qtbot, bench.restart)
    assert [ghost.name for ghost in ghosts(bench)] == ["run 1"]


def test_no_more_are_pinned_than_can_be_told_apart(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    learn(bench, qtbot)
    assert bench.run is not None
    assert bench.runs.spec is not None
    for _ in range(MOST_PINNED + 1):
        bench.earlier.keep(bench.run, bench.runs.spec)
    for number in range(1, MOST_PINNED + 1):
        bench.earlier.pin(number, True)
    assert sorted(ghost.strokes for ghost in ghosts(bench)) == list(range(MOST_PINNED))
    bench.earlier.open()
    shown = bench.earlier.list
    assert "unpin one first" in shown.hint.text()
    shown.table.setCurrentCell(0, 2)  # the latest, which is not pinned
    qtbot.keyClick(shown.table, Qt.Key.Key_Space)
    assert len(ghosts(bench)) == MOST_PINNED
    shown.table.setCurrentCell(1, 2)
    qtbot.keyClick(shown.table, Qt.Key.Key_Space)
    assert len(ghosts(bench)) == MOST_PINNED - 1
    assert "Space pins" in shown.hint.text()


# ------------------------------------------------------------------ the list


def test_the_list_is_driven_by_keys(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench(seed=5)
    bench._choose("learning_rate", 0.2)
    qtbot.waitUntil(lambda: bench.runs.spec is not None and bench.runs.spec.hyperparameters["learning_rate"] == 0.2)
    replaced(bench, qtbot, bench.new_seed)
    bench._choose("learning_rate", 0.01)
    replaced(bench, qtbot, bench.new_seed)
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_H)
    shown = bench.earlier.list
    qtbot.waitUntil(shown.isVisible, timeout=PATIENCE)
    assert shown.table.currentRow() == 0
    qtbot.keyClick(shown.table, Qt.Key.Key_Down)
    qtbot.keyClick(shown.table, Qt.Key.Key_Space)
    assert [ghost.name for ghost in ghosts(bench)] == ["run 1, seed 5, learning rate 0.2"]
    assert shown.table.currentRow() == 1  # the chosen one stays chosen
    box = shown.table.item(1, 0)
    assert box is not None
    assert box.checkState() == Qt.CheckState.Checked
    box.setCheckState(Qt.CheckState.Unchecked)  # as a click does
    assert ghosts(bench) == []
    run = bench.run
    qtbot.keyClick(shown.table, Qt.Key.Key_Return)
    assert shown.isHidden()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    spec = bench.runs.spec
    assert spec is not None
    assert (spec.seed, spec.hyperparameters["learning_rate"]) == (5, 0.2)
    assert bench.controls.knobs["learning_rate"].value == 0.2
    assert bench.toast.text.text() == "Back to run 1"
    bench.undo.undo()
    qtbot.waitUntil(lambda: bench.ready and bench.runs.spec is not None and bench.runs.spec.seed == 7, timeout=PATIENCE)


def test_going_back_leaves_out_what_the_lab_no_longer_knows(open_bench: Bench, qtbot: QtBot) -> None:
    bench = open_bench()
    replaced(bench, qtbot, bench.new_seed)
    kept = bench.earlier.kept[0]
    kept.spec = replace(kept.spec, hyperparameters={**kept.spec.hyperparameters, "wings": 2})
    run = bench.run
    bench.earlier.open()
    bench.earlier.list.back.click()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    assert not bench.trouble
    assert bench.runs.spec is not None
    assert bench.runs.spec.seed == 0


# ------------------------------------------------------------------ curves


def made(*lengths: int, name: str = "loss", height: float = 1.0) -> list[MetricHistory]:
    found = []
    for length in lengths:
        history = MetricHistory()
        history.append(name, np.arange(1, length + 1), height * np.exp(-np.arange(length) / 50))
        found.append(history)
    return found


@pytest.fixture
def view(qtbot: QtBot) -> CurvesView:
    shown = CurvesView(Curves("Loss", metrics=("loss", "other loss"), help="What is lost"))
    qtbot.addWidget(shown)
    shown.resize(500, 300)
    shown.show()
    return shown


def test_ghosts_are_drawn_and_named_at_the_crosshair(view: CurvesView, qtbot: QtBot) -> None:
    present, first, second = made(100, 300, 60)
    view.show_metrics(present, 1 << 62)
    alone = view.grab().toImage()
    view.set_ghosts([Ghost("run 1, seed 0", first, 0), Ghost("run 2, seed 1", second, 1)])
    both = view.grab().toImage()
    assert both != alone
    assert view._x.high == 300  # the longest is shown whole
    assert [view._ghost_reading(ghost, 50) for ghost in view.ghosts] == ["0.375", "0.375"]
    assert [view._ghost_reading(ghost, 80) for ghost in view.ghosts] == ["0.206", "ended"]
    assert view._reading("loss", 100) != "–"
    assert view._reading("loss", 101) == "–"
    at = QPointF(view._x.pixel(50), 100)
    qtbot.mouseMove(view, at.toPoint())
    assert view.grab().toImage() != both  # with the card


def test_ghosts_with_other_metrics_do_no_harm(view: CurvesView) -> None:
    (present,), (other,), (strange,) = made(100), made(50, name="other loss"), made(50, name="weight of the moon")
    view.show_metrics(present, 1 << 62)
    view.set_ghosts([Ghost("a", other), Ghost("b", strange), Ghost("c", MetricHistory())])
    view.grab()
    assert view.names() == ("loss", "other loss")
    assert [view._ghost_reading(ghost, 10) for ghost in view.ghosts] == ["– · 0.835", "ended", "ended"]
    assert view.csv_rows()[0] == ["step", "loss", "other loss"]
    for action in (view.log_x, view.log_y, view.outliers):
        action.trigger()
        view.grab()
    view.zoom(2.0)
    view.grab()


def test_ghosts_show_the_way_before_the_first_step(view: CurvesView) -> None:
    (past,) = made(200)
    view.show_metrics(MetricHistory(), 1 << 62)
    assert view.names() == ()
    view.set_ghosts([Ghost("run 1", past)])
    picture = view.grab().toImage()
    assert view.names() == ("loss",)
    view.set_ghosts([])
    assert view.grab().toImage() != picture
    view.set_ghosts([Ghost("run 1", past)])
    for act in (lambda: view.zoom(2.0), view.reset_view, view.csv_rows, lambda: view.smooth(3)):
        act()
        view.grab()


def test_the_strokes_of_ghosts_differ() -> None:
    pens = [pen(QColor("white"), strokes) for strokes in range(len(STROKES))]
    assert len({tuple(each.dashPattern()) for each in pens}) == len(STROKES) == MOST_PINNED
    assert all(each.color().alphaF() < 0.8 for each in pens)
    (history,) = made(10)
    assert value_at(history, "loss", 0) is None
    assert value_at(history, "loss", 11) is None
    assert value_at(MetricHistory(), "loss", 1) is None
