"""Saving a run in the window and opening it again: menu, keys, dropped files, and what comes back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import open_file, until_opened
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import Bookmark
from engine.recorder import MetricHistory
from gui.main_window import MainWindow
from gui.runs import CURVE_POINTS
from gui.saving import LARGE, choices
from gui.saving import SMALL as SMALL_TIMELINE
from gui.views.curves import CurvesView
from gui.views.ghosts import Ghost
from gui.workbench import Workbench

ROOT = Path(__file__).parent.parent.parent
LAB = "dense_network"
SMALL = {"layers": 1, "width_1": 3, "learning_rate": 0.01, "optimizer": "Adam"}
PATIENCE = 30_000

Opener = Callable[..., MainWindow]


def bench_of(window: MainWindow) -> Workbench:
    assert window.workbench is not None
    return window.workbench


def learn(window: MainWindow, qtbot: QtBot, steps: int = 50) -> int:
    """Train for a while and pause; returns the step reached."""
    bench = bench_of(window)
    assert bench.run is not None
    history = bench.bridge.history(bench.run)
    bench.toggle_play()
    qtbot.waitUntil(lambda: bench.transport.playing, timeout=PATIENCE)  # a second press before would play once more
    qtbot.waitUntil(lambda: (history.span() or (0, 0))[1] >= steps, timeout=PATIENCE)
    bench.toggle_play()
    where = bench.transport.where
    qtbot.waitUntil(lambda: not bench.transport.playing and "steps/s" not in where.text(), timeout=PATIENCE)
    return step_of(bench)


def step_of(bench: Workbench) -> int:
    """As the transport bar has it: "step 1,234 · epoch 5"."""
    words = bench.transport.where.text().split()
    return int(words[1].replace(",", "")) if words[:1] == ["step"] else -1


def dialog_of(qtbot: QtBot) -> QFileDialog:
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QFileDialog), timeout=PATIENCE)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QFileDialog)
    return dialog


def choose_file(qtbot: QtBot, path: Path) -> None:
    dialog = dialog_of(qtbot)
    dialog.setDirectory(str(path.parent))
    dialog.selectFile(str(path))
    dialog.accept()


def activate(window: MainWindow, qtbot: QtBot) -> None:
    """Keys go to the active window only."""
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window, timeout=PATIENCE)


def press_save(window: MainWindow, qtbot: QtBot, *, shift: bool = False) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    modifiers = control | Qt.KeyboardModifier.ShiftModifier if shift else control
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_S, modifiers)


def until_said(window: MainWindow, qtbot: QtBot, text: str) -> None:
    toast = bench_of(window).toast
    qtbot.waitUntil(lambda: toast.isVisible() and toast.text.text() == text, timeout=PATIENCE)
    toast.hide()


def save_to(window: MainWindow, qtbot: QtBot, path: Path) -> None:
    bench_of(window).saving.save_as()
    choose_file(qtbot, path)
    until_said(window, qtbot, f"Saved {path.name}")


def until_stands(window: MainWindow, qtbot: QtBot) -> Workbench:
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready or bool(bench.trouble), timeout=PATIENCE)
    return bench


def drop(widget: QWidget, path: Path) -> bool:
    """Drop a file on a widget, or on what lies behind it, as Qt does; returns whether something took it."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    at = widget.rect().center()
    target: QWidget | None = widget
    while target is not None:
        buttons, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(QPoint(at), Qt.DropAction.CopyAction, mime, buttons, none)
        enter.ignore()
        if target.acceptDrops():
            QApplication.sendEvent(target, enter)
        if enter.isAccepted():
            QApplication.sendEvent(target, QDropEvent(QPointF(at), Qt.DropAction.CopyAction, mime, buttons, none))
            return True
        target = target.parentWidget()
    return False


def menu_entry(window: MainWindow, text: str) -> QAction:
    return next(action for action in window._menu.actions() if action.text() == text)


def test_a_run_is_saved_by_key_and_goes_on_where_it_stood(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL, dataset="spiral", seed=4)
    step = learn(window, qtbot)
    bench = bench_of(window)
    assert bench.run is not None
    before = bench.bridge.history(bench.run).thinned(CURVE_POINTS)
    press_save(window, qtbot)
    assert dialog_of(qtbot).selectedFiles()[0].endswith(f"{LAB}.deepscope")
    choose_file(qtbot, tmp_path / "spirals")  # the suffix is added
    until_said(window, qtbot, "Saved spirals.deepscope")

    window.open_lab(LAB, values={}, seed=0)
    until_stands(window, qtbot)
    open_file(window, qtbot, tmp_path / "spirals.deepscope")
    again = until_stands(window, qtbot)
    assert again is not bench
    spec = again.runs.spec
    assert spec is not None
    assert (spec.dataset, spec.seed, spec.hyperparameters["learning_rate"]) == ("spiral", 4, 0.01)
    assert again.controls.knobs["width_1"].value == 3
    assert again.controls.knobs["optimizer"].value == "Adam"
    assert "seed 4" in window.header._subtitle.text()
    assert not again.transport.playing
    assert again.run is not None
    history = again.bridge.history(again.run)
    qtbot.waitUntil(lambda: step_of(again) == step and history.span() is not None, timeout=PATIENCE)
    after = history.thinned(CURVE_POINTS)
    assert after.keys() == before.keys()
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])
    again.step_once()
    qtbot.waitUntil(lambda: step_of(again) == step + 1, timeout=PATIENCE)


def test_a_saved_run_keeps_its_file_and_a_restarted_one_asks_anew(
    open_window: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(LAB, values=SMALL)
    learn(window, qtbot)
    path = tmp_path / "run.deepscope"
    save_to(window, qtbot, path)
    first = path.read_bytes()
    step = learn(window, qtbot, 200)
    press_save(window, qtbot)  # no question
    until_said(window, qtbot, "Saved run.deepscope")
    assert path.read_bytes() != first
    assert checkpoint.load(path)[1].step == step
    press_save(window, qtbot, shift=True)
    choose_file(qtbot, tmp_path / "second.deepscope")
    until_said(window, qtbot, "Saved second.deepscope")
    saved = path.read_bytes()
    run = bench_of(window).run
    bench_of(window).restart()
    qtbot.waitUntil(lambda: bench_of(window).run != run, timeout=PATIENCE)
    press_save(window, qtbot)
    dialog_of(qtbot).reject()
    assert path.read_bytes() == saved


def test_an_opened_session_is_saved_to_its_file(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    learn(window, qtbot)
    path = tmp_path / "run.deepscope"
    save_to(window, qtbot, path)
    window.show_gallery()
    open_file(window, qtbot, path)
    until_stands(window, qtbot)
    step = learn(window, qtbot, 300)
    press_save(window, qtbot)
    until_said(window, qtbot, "Saved run.deepscope")
    assert checkpoint.load(path)[1].step == step


def test_a_file_is_not_replaced_unasked(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    (tmp_path / "mine.deepscope").write_text("precious")
    asked: list[str] = []

    def refuse() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        asked.append(box.text())
        box.button(QMessageBox.StandardButton.No).click()

    bench_of(window).saving.save_as()
    dialog = dialog_of(qtbot)
    dialog.setDirectory(str(tmp_path))
    dialog.findChildren(QLineEdit)[0].setText("mine")  # the suffix is added before it asks
    QTimer.singleShot(0, refuse)
    dialog.accept()
    assert "mine.deepscope" in asked[0]
    dialog.reject()
    assert (tmp_path / "mine.deepscope").read_text() == "precious"


def test_menu_entries_save_only_in_a_lab(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    assert not menu_entry(window, "Save session").isEnabled()
    window.open_lab(LAB)
    until_stands(window, qtbot)
    assert menu_entry(window, "Save session").isEnabled()
    menu_entry(window, "Save session as…").trigger()
    choose_file(qtbot, tmp_path / "a.deepscope")
    until_said(window, qtbot, "Saved a.deepscope")
    window.show_gallery()
    assert not menu_entry(window, "Save session as…").isEnabled()
    menu_entry(window, "Open session…").trigger()
    until_opened(window, qtbot, lambda: choose_file(qtbot, tmp_path / "a.deepscope"))
    assert window.in_lab
    until_stands(window, qtbot)


def test_open_by_key(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    save_to(window, qtbot, tmp_path / "a.deepscope")
    window.show_gallery()
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    dialog_of(qtbot).reject()
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is None)
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    until_opened(window, qtbot, lambda: choose_file(qtbot, tmp_path / "a.deepscope"))
    assert window.in_lab
    assert until_stands(window, qtbot).controls.knobs["width_1"].value == 3


@pytest.mark.parametrize("where", ["window", "controls", "view"])
def test_a_session_dropped_anywhere_is_opened(open_window: Opener, qtbot: QtBot, tmp_path: Path, where: str) -> None:
    window = open_window(LAB, values=SMALL, seed=2)
    path = tmp_path / "dropped.deepscope"
    save_to(window, qtbot, path)
    window.open_lab("lenet", values={}, seed=0)
    bench = until_stands(window, qtbot)
    target = {"window": window, "controls": bench.controls, "view": bench.grid.panels["canvas"].view}[where]
    until_opened(window, qtbot, lambda: drop(target, path))
    again = until_stands(window, qtbot)
    assert again.lab_id == LAB
    assert again.runs.spec is not None
    assert again.runs.spec.seed == 2


def test_other_files_dropped_on_the_window_are_left_alone(open_window: Opener, tmp_path: Path) -> None:
    window = open_window()
    (tmp_path / "notes.txt").write_text("no session")
    assert not drop(window, tmp_path / "notes.txt")


def test_going_home_and_back_keeps_the_run_and_its_file(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    save_to(window, qtbot, tmp_path / "a.deepscope")
    run = bench_of(window).run
    window.show_gallery()
    window.open_lab(LAB)
    assert bench_of(window).run == run
    press_save(window, qtbot)
    until_said(window, qtbot, "Saved a.deepscope")


def test_saving_within_a_step_finishes_it(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    bench.code_action.setChecked(True)
    bench.micro_step()
    qtbot.waitUntil(lambda: "after forward" in bench.transport.where.text(), timeout=PATIENCE)
    assert bench.code.text.extraSelections()
    save_to(window, qtbot, tmp_path / "a.deepscope")
    assert checkpoint.load(tmp_path / "a.deepscope")[1].step == 1
    assert step_of(bench) == 1
    assert "forward" not in bench.transport.where.text()
    assert not bench.code.text.extraSelections()  # no line is lit any more


# ------------------------------------------------------------------ what is kept of the curves


@pytest.mark.parametrize("points", [1, 7, 4092, 4096, 4097, 10_000, 70_001, 300_003])
def test_curves_are_thinned_but_keep_both_ends(points: int) -> None:
    history = MetricHistory()
    steps = np.arange(1, points + 1)
    for start in range(0, points, 1000):
        history.append("loss", steps[start : start + 1000], 1.0 / steps[start : start + 1000])
    history.append("rare", [points // 2 + 1], [0.5])
    kept = history.thinned(4096)
    got, values = kept["loss"]
    assert len(got) <= 4096
    assert got[0] == 1
    assert got[-1] == points
    assert (np.diff(got) > 0).all()
    assert values[-1] == 1.0 / points
    assert kept["rare"][0].tolist() == [points // 2 + 1]
    if points <= 4092:
        np.testing.assert_array_equal(got, steps)
        np.testing.assert_array_equal(values, 1.0 / steps)


def test_a_history_without_points_keeps_nothing() -> None:
    assert MetricHistory().thinned(4096) == {}


def test_a_file_with_long_curves_stays_small(tmp_path: Path) -> None:
    history = MetricHistory()
    history.append("loss", np.arange(1_000_000), np.random.default_rng(0).random(1_000_000))
    file = tmp_path / "long.deepscope"
    spec = checkpoint.RunSpec(LAB)
    import torch

    snapshot = checkpoint.Snapshot(1_000_000, {}, {}, (torch.get_rng_state(), None))
    checkpoint.save(file, spec, snapshot, history.thinned(CURVE_POINTS))
    assert file.stat().st_size < 100_000
    assert zipfile.is_zipfile(file)


# ------------------------------------------------------------------ with its timeline


def frames_of(bench: Workbench) -> dict[tuple[str, int], object]:
    assert bench.run is not None
    return {(frame.view, frame.step): frame.payload for frame, _ in bench.bridge.tape(bench.run).frames()}


def keep_choice(dialog: QFileDialog, start: str) -> str:
    """Choose what the file keeps, as in the list of the dialog; returns the whole entry."""
    (entry,) = (text for text in dialog.nameFilters() if text.startswith(start))
    dialog.selectNameFilter(entry)
    return entry


def stated(entry: str) -> float:
    """The bytes that an entry of the list states."""
    number, unit = entry.rsplit(", ", 1)[1].split(" ")[:2]
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def test_a_lecture_comes_back_whole(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL, seed=2)
    bench = bench_of(window)
    learn(window, qtbot)
    first = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != first and bench.ready, timeout=PATIENCE)
    bench.earlier.pin(1, True)
    step = learn(window, qtbot, 200)
    qtbot.waitUntil(lambda: len(frames_of(bench)) > 1, timeout=PATIENCE)
    middle = bench.timeline.track.last // 2
    bench.bookmarks.set([Bookmark(middle, "Here it turns")])
    press_save(window, qtbot)
    dialog = dialog_of(qtbot)
    assert dialog.labelText(QFileDialog.DialogLabel.FileType) == "Keep:"
    timeline, weights = dialog.nameFilters()
    assert dialog.selectedNameFilter() == timeline
    assert timeline.startswith("With its timeline, ")
    assert weights.startswith("Weights only, ")
    path = tmp_path / "lecture.deepscope"
    choose_file(qtbot, path)
    until_said(window, qtbot, "Saved lecture.deepscope")
    assert path.stat().st_size == pytest.approx(stated(timeline), rel=0.25)
    before, kept = frames_of(bench), bench.earlier.former()[0]

    open_file(window, qtbot, path)
    again = until_stands(window, qtbot)
    assert again is not bench
    assert not again.trouble
    qtbot.waitUntil(lambda: again.timeline.track.last >= middle, timeout=PATIENCE)
    after = frames_of(again)
    assert {key for key in after if key[1] < step} == {key for key in before if key[1] < step}
    run = next(run for run in again.earlier.former() if run.number == 1)
    assert (run.spec, run.ended, run.pinned) == (kept.spec, kept.ended, 0)
    np.testing.assert_array_equal(run.curves["train loss"], kept.curves["train loss"])
    assert again.bookmarks.get() == (Bookmark(middle, "Here it turns"),)
    assert [ghost.name for ghost in ghosts_of(again)] == ["run 1"]
    again.rewinding.scrub(middle)
    assert again.rewinding.rewound
    run_before = again.run
    again.rewinding.branch()
    qtbot.waitUntil(lambda: again.run != run_before and again.ready, timeout=PATIENCE)
    qtbot.waitUntil(lambda: 0 <= step_of(again) <= middle, timeout=PATIENCE)
    learn(window, qtbot, step_of(again) + 20)
    assert not again.trouble


def ghosts_of(bench: Workbench) -> list[Ghost]:
    view = next(panel.view for panel in bench.grid.panels.values() if isinstance(panel.view, CurvesView))
    return view.ghosts


def test_weights_only_is_kept_as_the_choice(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    learn(window, qtbot)
    qtbot.waitUntil(lambda: len(frames_of(bench)) > 3, timeout=PATIENCE)
    path = tmp_path / "small.deepscope"
    press_save(window, qtbot)
    entry = keep_choice(dialog_of(qtbot), "Weights only")
    choose_file(qtbot, path)
    until_said(window, qtbot, "Saved small.deepscope")
    assert path.stat().st_size == pytest.approx(stated(entry), rel=0.25, abs=8_000)  # what describes the tensors varies
    assert members(path) == {*checkpoint.MEMBERS}
    learn(window, qtbot, 150)
    press_save(window, qtbot)  # no question, and no timeline
    until_said(window, qtbot, "Saved small.deepscope")
    assert members(path) == {*checkpoint.MEMBERS}
    open_file(window, qtbot, path)
    again = until_stands(window, qtbot)
    learn(window, qtbot, 300)
    press_save(window, qtbot)
    until_said(window, qtbot, "Saved small.deepscope")
    assert members(path) == {*checkpoint.MEMBERS}
    press_save(window, qtbot, shift=True)
    dialog = dialog_of(qtbot)
    assert dialog.selectedNameFilter().startswith("Weights only")
    keep_choice(dialog, "With its timeline")
    choose_file(qtbot, tmp_path / "large.deepscope")
    until_said(window, qtbot, "Saved large.deepscope")
    assert checkpoint.TIMELINE in members(tmp_path / "large.deepscope")
    assert again.saving._room > 0


def members(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_large_timelines_are_offered_thinned_to_a_stated_size() -> None:
    assert [choice.text for choice in choices(300_000, 0)] == ["Weights only, 300 kB"]
    texts = [choice.text for choice in choices(1_000_000, 52_000_000)]
    assert texts == ["With its timeline, 53 MB", "With its timeline thinned, 17.8 MB", "Weights only, 1 MB"]
    large = choices(1_000_000, 400_000_000)
    assert [choice.text for choice in large] == [
        "With its timeline thinned, 135 MB",
        "With its whole timeline, 401 MB",
        "With its timeline thinned, 17.8 MB",
        "Weights only, 1 MB",
    ]
    assert [choice.room for choice in large] == [LARGE, 400_000_000, SMALL_TIMELINE, 0]
    assert all(stated(choice.filter) >= choice.room for choice in large)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_of_every_version_open_in_the_window(open_window: Opener, qtbot: QtBot, version: int) -> None:
    window = open_window()
    open_file(window, qtbot, ROOT / "tests" / "sessions" / f"version{version}.deepscope")
    bench = until_stands(window, qtbot)
    assert not bench.trouble
    qtbot.waitUntil(lambda: step_of(bench) == 60, timeout=PATIENCE)
    assert bench.saving._room == LARGE  # nothing was chosen in those days
    bench.step_once()
    qtbot.waitUntil(lambda: step_of(bench) == 61, timeout=PATIENCE)
