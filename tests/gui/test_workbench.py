"""A lab in its workbench, with the real session: what is pressed, and what happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import LAB, PATIENCE, learn, step_of, take_keyboard, until_trained
from helpers import BenchOpener as Opener
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.messages import Status
from engine.payloads import Stroke
from gui.knobs import ChoiceKnob
from gui.settings import Settings
from gui.transport_bar import TransportBar


def test_a_lab_opens_with_its_form_and_its_views(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    assert bench.info is not None
    assert set(bench.controls.knobs) == set(bench.info.hyperparameters)
    assert set(bench.grid.panels) == {name for row in bench.info.layout for name in row}
    qtbot.waitUntil(lambda: bench.grid.panels["surface"].view.payload is not None, timeout=PATIENCE)
    assert bench.transport.play.text() == "Play"
    assert bench.controls.knobs["width_1"].value == 3


def test_the_title_tells_chapter_and_seed(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(wait=False, seed=7)
    with qtbot.waitSignal(bench.title_changed, timeout=PATIENCE) as told:
        pass
    assert told.args == ["Dense network", "Foundations · seed 7"]


def test_play_pause_and_step(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    width = bench.transport.play.width()
    qtbot.mouseClick(bench.transport.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.transport.playing)
    until_trained(bench, qtbot)
    assert bench.transport.play.text() == "Pause"
    qtbot.mouseClick(bench.transport.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not bench.transport.playing and "steps/s" not in bench.transport.where.text())
    assert bench.transport.play.width() == width
    before = step_of(bench)
    qtbot.mouseClick(bench.transport.step, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: step_of(bench) == before + 1)
    assert bench.bridge.history(bench.run or 0).last("train loss") is not None


def test_keys_drive_the_run(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bench.transport.playing)
    qtbot.keyClick(bench, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not bench.transport.playing and "steps/s" not in bench.transport.where.text())
    before = step_of(bench)
    qtbot.keyClick(bench, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: step_of(bench) == before + 1)
    qtbot.keyClick(bench, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: step_of(bench) == before + 2)
    run = bench.run
    qtbot.keyClick(bench, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: bench.run != run)
    assert bench.runs.spec is not None
    assert bench.runs.spec.seed == 1


def test_space_presses_the_button_that_has_the_focus(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    bench.activateWindow()
    bench.transport.step.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is bench.transport.step)
    qtbot.keyClick(bench.transport.step, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: "step 1 " in bench.transport.where.text() + " ")
    assert not bench.transport.playing


def test_a_phase_is_named(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench("lenet", values={})
    bench.code_action.setChecked(True)
    bench.micro_step()
    qtbot.waitUntil(lambda: bench.transport.where.text().endswith("after forward"), timeout=PATIENCE)
    assert len(bench.code.text.extraSelections()) == 1
    bench.micro_step()
    qtbot.waitUntil(lambda: bench.transport.where.text().endswith("after backward"), timeout=PATIENCE)
    bench.explain_action.setChecked(True)
    qtbot.waitUntil(lambda: len(bench.explain.extraSelections()) == 1, timeout=PATIENCE)
    bench.step_once()
    qtbot.waitUntil(lambda: not bench.explain.extraSelections(), timeout=PATIENCE)


def test_a_live_knob_acts_without_a_restart_and_leaves_one_flag(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    run = bench.run
    bench.toggle_play()
    until_trained(bench, qtbot)
    for value in (0.04, 0.05, 0.1):
        bench.controls.knobs["learning_rate"].choose(value)
    qtbot.waitUntil(lambda: bench.runs.values()["learning_rate"] == 0.1 and not bench.runs.sent)
    flags = bench.grid.panels["loss"].view.flags  # type: ignore[attr-defined]
    assert [flag.text for flag in flags] == ["Learning rate: 0.1"]
    assert bench.run == run
    assert bench.controls.knobs["learning_rate"].value == 0.1


def test_a_structural_knob_restarts_and_undo_brings_the_former_back(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(seed=5)
    first = bench.run
    knob = bench.controls.knobs["width_1"]
    for width in (4, 5, 6):  # a drag: only where it rests is built
        knob.choose(width)
    qtbot.waitUntil(lambda: bench.run != first, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert bench.runs.spec.hyperparameters["width_1"] == 6
    assert bench.runs.spec.seed == 5
    assert bench.run == (first or 0) + 1
    assert bench.toast.text.text() == "Restarted with Layer 1: 6 neurons"
    second = bench.run
    qtbot.mouseClick(bench.toast.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.run != second, timeout=PATIENCE)
    assert bench.runs.spec.hyperparameters["width_1"] == 3
    assert knob.value == 3
    third = bench.run
    bench.undo.redo()
    qtbot.waitUntil(lambda: bench.run != third, timeout=PATIENCE)
    assert knob.value == 6


def test_a_restart_goes_on_playing_with_the_live_knobs_as_they_are(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    bench.controls.knobs["learning_rate"].choose(0.2)
    bench.toggle_play()
    until_trained(bench, qtbot)
    run = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    qtbot.waitUntil(lambda: bench.transport.playing, timeout=PATIENCE)
    assert bench.runs.values()["learning_rate"] == 0.2
    assert not bench.toast.isVisible()


def test_a_link_in_the_guide_sets_and_trains(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    run = bench.run
    bench.apply_settings({"learning_rate": "0.1"})
    qtbot.waitUntil(lambda: bench.transport.playing, timeout=PATIENCE)
    assert bench.run == run
    assert bench.controls.knobs["learning_rate"].value == 0.1
    bench.apply_settings({"hidden_layers": "2", "dataset": "circle"})  # a label will do for a name
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert (bench.runs.spec.dataset, bench.runs.spec.hyperparameters["layers"]) == ("circle", 2)
    bench.apply_settings({"no_such_knob": "1"})
    assert "no_such_knob" in bench.trouble


def test_explain_and_code_share_the_side(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    bench.explain_action.setChecked(True)
    assert bench.explain.isVisible()
    qtbot.waitUntil(lambda: "Dense network" in bench.explain.toPlainText())
    bench.code_action.setChecked(True)
    assert bench.code.isVisible()
    assert not bench.explain_action.isChecked()
    assert bench.info is not None
    assert bench.code.text.toPlainText() == bench.info.source.read_text(encoding="utf-8")
    bench.code_action.setChecked(False)
    assert not bench.side.isVisible()


def test_a_view_can_fill_the_grid(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    panel = bench.grid.panels["loss"]
    small = panel.size()
    qtbot.mouseDClick(panel.title, Qt.MouseButton.LeftButton)
    assert bench.grid.visible_views() == ("loss",)
    qtbot.waitUntil(lambda: panel.width() > 2 * small.width())
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_Escape)
    assert bench.grid.enlarged == ""
    qtbot.waitUntil(lambda: panel.size() == small)
    assert set(bench.grid.visible_views()) == set(bench.grid.panels)


def test_keys_open_explain_and_code(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_E)
    qtbot.waitUntil(bench.explain.isVisible)
    qtbot.keyClick(bench, Qt.Key.Key_C)
    qtbot.waitUntil(bench.code.isVisible)
    assert not bench.explain_action.isChecked()
    qtbot.keyClick(bench, Qt.Key.Key_C)
    qtbot.waitUntil(bench.side.isHidden)


def test_a_hidden_window_asks_for_no_views(open_bench: Opener) -> None:
    bench = open_bench()
    bench.hide()
    assert bench.grid.visible_views() == ()


@pytest.mark.parametrize("size", [(1280, 672), (1440, 852), (3840, 2112)])
def test_cells_are_equal_and_nothing_is_clipped(open_bench: Opener, qtbot: QtBot, size: tuple[int, int]) -> None:
    bench = open_bench("lenet", values={})
    bench.resize(*size)
    panels = bench.grid.panels
    qtbot.waitUntil(lambda: bench.grid.width() + 260 == size[0])
    assert abs(panels["canvas"].width() - panels["wrong"].width()) <= 1
    assert abs(panels["loss"].height() - panels["canvas"].height()) <= 1
    for panel in panels.values():
        assert bench.grid.rect().contains(panel.geometry())
        assert panel.view.width() >= panel.view.minimumSizeHint().width()
        assert panel.view.height() >= panel.view.minimumSizeHint().height()
    transport = bench.transport
    for widget in (transport.play, transport.step, transport.phase, transport.restart, transport.seed):
        assert widget.width() >= widget.sizeHint().width()


def test_what_was_set_is_remembered(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(dataset="circle")
    bench.controls.knobs["learning_rate"].choose(0.3)
    qtbot.waitUntil(lambda: not bench.runs.sent)
    bench.close_run()
    again = open_bench(values=None)
    assert again.controls.knobs["learning_rate"].value == 0.3
    assert again.controls.knobs["width_1"].value == 3
    assert again.runs.spec is not None
    assert again.runs.spec.dataset == "circle"


def test_what_no_longer_fits_gives_way_to_the_defaults(open_bench: Opener, qtbot: QtBot, settings: Settings) -> None:
    settings.remember_hyperparameters(LAB, {"gone": 1, "learning_rate": 0.3})
    bench = open_bench(values=None)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.controls.knobs["learning_rate"].value == 0.03
    assert "no longer fits" in bench.toast.text.text()
    assert bench.trouble == ""


def test_pictures_are_copied_and_numbers_saved(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = open_bench()
    panel = bench.grid.panels["loss"]
    bench.toggle_play()
    until_trained(bench, qtbot)
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(panel.view.csv_rows()), timeout=PATIENCE)
    panel.copy_picture()
    assert QGuiApplication.clipboard().image().width() == 2 * panel.view.width()
    for suffix in ("png", "csv", "svg"):
        file = tmp_path / f"loss.{suffix}"
        monkeypatch.setattr("gui.view_panel.QFileDialog.getSaveFileName", lambda *_, file=file: (str(file), ""))
        menu = panel.menu()
        action = next((each for each in menu.actions() if suffix.upper() in each.text()), None)
        assert action is not None
        action.trigger()
        menu.close()
        assert file.stat().st_size > 20
    assert (tmp_path / "loss.csv").read_text(encoding="utf-8").startswith("step")
    monkeypatch.setattr("gui.view_panel.QFileDialog.getSaveFileName", lambda *_: (str(tmp_path / "no" / "x.csv"), ""))
    menu = panel.menu()
    next(each for each in menu.actions() if "CSV" in each.text()).trigger()
    menu.close()
    assert bench.toast.text.text().startswith("Not saved: there is no such folder")


@pytest.mark.parametrize("moment", ["building", "playing", "within a step"])
def test_closing_at_any_moment_is_clean(moment: str, tmp_path: Path) -> None:
    """In a process of its own: exit code 0, and Qt says nothing."""
    program = f"""
import sys, torch
from PySide6.QtCore import QSettings, QTimer
from gui import app
from gui.main_window import MainWindow
from gui.settings import Settings
application = app.make_application(["deepscope"])
settings = Settings(QSettings({str(tmp_path / "s.ini")!r}, QSettings.Format.IniFormat))
app.follow_theme(application, settings)
window = MainWindow(settings)
window.show()
window.open_lab({"lenet" if moment == "within a step" else LAB!r}, values={{}})
bench = window.workbench
moment = {moment!r}
watch = QTimer()
def look():
    if moment == "building" or (bench.ready and bench.transport.playing and bench.transport.where.text() > "step 2"):
        watch.stop()
        window.close()
    elif bench.ready and not bench.transport.playing:
        bench.toggle_play()
watch.timeout.connect(look)
watch.start(30)
sys.exit(application.exec())
"""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, timeout=120
    )
    noise = [line for line in done.stderr.splitlines() if "propagateSizeHints" not in line]
    assert (done.returncode, noise) == (0, [])


def test_restarting_in_the_midst_of_a_drag_across_a_curve(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    learn(bench, qtbot, 60)
    loss = bench.grid.panels["loss"].view
    qtbot.waitUntil(lambda: bool(loss.names()))
    loss.grab()
    middle = loss.rect().center()
    qtbot.mousePress(loss, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(loss, middle + QPoint(20, 0))
    first = bench.run
    take_keyboard(bench, qtbot)
    bench.toggle_play()
    qtbot.keyClick(bench, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: bench.run != first and bench.ready, timeout=PATIENCE)
    qtbot.mouseMove(loss, middle + QPoint(40, 0))
    qtbot.mouseRelease(loss, Qt.MouseButton.LeftButton, pos=middle + QPoint(60, 0))
    assert loss.window_of_steps is None


def test_the_copy_key_copies_selected_text_before_a_picture(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    clipboard = QGuiApplication.clipboard()
    control = Qt.KeyboardModifier.ControlModifier
    take_keyboard(bench, qtbot)
    bench.code_action.setChecked(True)
    qtbot.waitUntil(lambda: bool(bench.code.text.toPlainText()), timeout=PATIENCE)
    bench.code.text.setFocus()
    bench.code.text.selectAll()
    clipboard.clear()
    qtbot.keyClick(bench.code.text, Qt.Key.Key_C, control)
    assert clipboard.text() == bench.code.text.toPlainText()
    panel = bench.grid.panels["loss"]
    panel.complain("This view cannot be drawn")
    panel.complaint.setFocus()
    panel.complaint.setSelection(0, 9)
    clipboard.clear()
    qtbot.keyClick(panel.complaint, Qt.Key.Key_C, control)
    assert clipboard.text() == "This view"
    surface = bench.grid.panels["surface"].view
    take_keyboard(bench, qtbot)
    surface.setFocus()
    qtbot.keyClick(surface, Qt.Key.Key_C, control)
    assert not clipboard.image().isNull()


def test_a_curve_that_was_drawn_is_the_target(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench("universal_approximation", values=None)
    knob = bench.controls.knobs["target"]
    assert isinstance(knob, ChoiceKnob)
    assert knob.combo.currentText() == "Sine"
    stroke = Stroke(tuple((x / 10, 0.5) for x in range(-9, 10)))
    bench.grid.panels["fit"].view.gesture.emit(stroke, True)
    qtbot.waitUntil(lambda: knob.combo.placeholderText() == "Drawn" and knob.combo.currentIndex() < 0, timeout=PATIENCE)
    knob.combo.setCurrentIndex(0)
    knob.combo.activated.emit(0)  # the sine again
    assert bench.run is not None
    qtbot.waitUntil(lambda: not knob.replaced and knob.combo.currentText() == "Sine", timeout=PATIENCE)
    qtbot.waitUntil(lambda: not bench.runs.sent, timeout=PATIENCE)
    assert knob.combo.currentText() == "Sine"


@pytest.mark.parametrize("width", [1280, 1440])
def test_the_transport_shows_every_digit(qtbot: QtBot, width: int) -> None:
    bar = TransportBar()
    qtbot.addWidget(bar)
    bar.resize(width, bar.height())
    bar.show()
    bar.show_playing(True)
    bar.show_where(Status(1, 9_999_999, 12_345.6, "", True, 123_456.0, 0.05, 600 << 20, "CPU: 2 cores"))
    bar.show_hud(Status(1, 9_999_999, 12_345.6, "", True, 123_456.0, 0.05, 600 << 20, "CPU: 2 cores"), 20)
    for speed in (None, 1000.0, 1e6):
        bar.speed.show_value(speed)
        field, text = bar.speed.field, bar.speed.field.text()
        assert field.contentsRect().width() >= field.fontMetrics().horizontalAdvance(text) + 4, text
    bar.layout().activate()  # type: ignore[union-attr]
    assert bar.where.width() >= bar.where.fontMetrics().horizontalAdvance(bar.where.text()), bar.where.text()
