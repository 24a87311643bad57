"""A lab in its workbench, with the real session: what is pressed, what happens, and what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.discovery import load_lab
from engine.hyperparameters import Value
from engine.lab import LabError, views_of
from gui.session_bridge import SessionBridge
from gui.settings import Settings
from gui.workbench import Workbench

LAB = "dense_network"
SMALL: dict[str, Value] = {"layers": 1, "width_1": 3}
PATIENCE = 30_000

Opener = Callable[..., Workbench]


@pytest.fixture
def open_bench(qtbot: QtBot, settings: Settings) -> Iterator[Opener]:
    """``open_bench()`` opens a small dense network and waits for it."""
    settings.device = "cpu"
    bridge = SessionBridge(threads=1)
    made: list[Workbench] = []

    def make(
        lab: str = LAB, *, wait: bool = True, values: dict[str, Value] | None = SMALL, **more: object
    ) -> Workbench:
        bench = Workbench(bridge, lab, settings, values=values, **more)  # type: ignore[arg-type]
        qtbot.addWidget(bench)
        made.append(bench)
        bench.resize(1280, 680)
        bench.show()
        if wait:
            qtbot.waitUntil(lambda: bench.ready or bool(bench.trouble), timeout=PATIENCE)
        return bench

    yield make
    bridge.shutdown()
    for bench in made:
        bench.close_run()
        bench.close()


def step_of(bench: Workbench) -> int:
    return int(bench.transport.where.text().split()[1].replace(",", ""))


def until_trained(bench: Workbench, qtbot: QtBot, steps: int = 20) -> None:
    qtbot.waitUntil(
        lambda: bench.transport.where.text().startswith("step") and step_of(bench) >= steps, timeout=PATIENCE
    )


def take_keyboard(bench: Workbench, qtbot: QtBot) -> None:
    bench.activateWindow()
    bench.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is bench)


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
    bench.code_toggled(True)
    bench.micro_step()
    qtbot.waitUntil(lambda: bench.transport.where.text().endswith("after forward"), timeout=PATIENCE)
    assert len(bench.code.extraSelections()) == 1
    bench.micro_step()
    qtbot.waitUntil(lambda: bench.transport.where.text().endswith("after backward"), timeout=PATIENCE)


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
    bench.runs.redo()
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


def test_what_cannot_be_built_leaves_the_former_run(open_bench: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    bench = open_bench()
    bench.toggle_play()
    until_trained(bench, qtbot)
    run = bench.run
    missing = tmp_path / "none.csv"
    bench.runs.choose_dataset(str(missing))
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "none.csv" in bench.trouble
    assert "The run before goes on" in bench.trouble
    assert list(bench.banner.buttons()) == ["Try again"]
    assert bench.run == run
    assert bench.controls.data is not None
    assert bench.controls.data.combo.currentData() == bench.runs.spec.dataset  # type: ignore[union-attr]
    before = step_of(bench)
    qtbot.waitUntil(lambda: step_of(bench) > before, timeout=PATIENCE)


def test_a_network_that_cannot_be_built_says_why_and_shows_the_former_settings(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    run = bench.run

    def build(_: object) -> None:
        raise LabError("Four layers are too many today.")

    monkeypatch.setattr(load_lab(LAB), "build", build)
    bench.controls.knobs["layers"].choose(4)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Four layers are too many today.")
    assert "Details" not in bench.banner.buttons()
    assert bench.controls.knobs["layers"].value == 1
    assert bench.run == run
    monkeypatch.undo()
    bench.banner.buttons()["Try again"].click()
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert bench.controls.knobs["layers"].value == 4
    assert bench.trouble == ""


def test_a_lab_that_cannot_be_opened_says_why(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "build", build)
    bench = open_bench()
    assert "the cause" in bench.trouble
    assert set(bench.banner.buttons()) == {"Start with the defaults", "Details", "Copy"}
    assert bench.pages.currentWidget() is bench.building
    monkeypatch.undo()
    bench.banner.buttons()["Start with the defaults"].click()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.pages.currentWidget() is bench.grid


def test_missing_data_is_offered_and_the_lab_goes_on(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.delenv("DEEPSCOPE_OFFLINE", raising=False)
    monkeypatch.setattr("engine.data.catalogue.cache_folder", lambda: tmp_path)
    bench = open_bench("lenet", values={}, dataset="mnist")
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert "MNIST is not on this machine" in bench.trouble
    assert "11.6 MB" in bench.trouble
    assert "Licence" in bench.trouble
    assert list(bench.banner.buttons()) == ["Download"]
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == "digits"


@pytest.mark.parametrize(("outcome", "says"), [("", ""), ("no connection", "no connection"), ("cancel", "")])
def test_a_download_shows_progress_and_ends(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: str, says: str
) -> None:
    import threading

    from engine.data.errors import Cancelled, DownloadFailed

    started, go_on = threading.Event(), threading.Event()

    def download(_: str, *, progress: Callable[[int, int], None], cancel: threading.Event) -> None:
        progress(3_000_000, 6_000_000)
        started.set()
        if outcome == "cancel":
            assert cancel.wait(20)
            raise Cancelled("stopped")
        assert go_on.wait(20)
        if outcome:
            raise DownloadFailed(outcome)

    monkeypatch.setattr("engine.data.download.download", download)
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.delenv("DEEPSCOPE_OFFLINE", raising=False)
    monkeypatch.setattr("engine.data.catalogue.cache_folder", lambda: tmp_path)
    bench = open_bench("lenet", values={}, dataset="mnist")
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.banner.buttons()["Download"].click()
    qtbot.waitUntil(started.is_set)
    qtbot.waitUntil(lambda: bench.banner.progress.value() == 500)
    assert bench.banner.progress.isVisible()
    asked: list[str] = []
    monkeypatch.setattr(bench.runs, "choose_dataset", asked.append)
    if outcome == "cancel":
        bench.banner.buttons()["Cancel"].click()
    go_on.set()
    if says:
        qtbot.waitUntil(lambda: says in bench.trouble)
        assert list(bench.banner.buttons()) == ["Download"]
    else:
        qtbot.waitUntil(lambda: bench.trouble == "")
    assert asked == ([] if outcome else ["mnist"])


def test_a_step_that_raises_pauses_and_can_be_copied(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench(seed=3)

    def step(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "step", step)
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    qtbot.waitUntil(lambda: not bench.transport.playing)
    assert bench.trouble == "ZeroDivisionError: the cause"
    buttons = bench.banner.buttons()
    assert list(buttons) == ["Restart", "Details", "Copy"]
    assert not bench.banner.details.isVisible()
    buttons["Details"].click()
    assert bench.banner.details.isVisible()
    assert "Traceback" in bench.banner.details.toPlainText()
    buttons["Copy"].click()
    copied = QGuiApplication.clipboard().text()
    for part in ("ZeroDivisionError: the cause", LAB, "seed 3", "width_1=3", "torch", "Traceback"):
        assert part in copied
    monkeypatch.undo()
    run = bench.run
    buttons["Restart"].click()
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert bench.trouble == ""


def test_a_loss_that_is_no_number_offers_the_way_back(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    monkeypatch.setattr(load_lab(LAB), "step", lambda _: {"train loss": float("nan")})
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Train loss became NaN at step 1.")
    assert list(bench.banner.buttons()) == ["Go back to step 0", "Restart"]
    qtbot.waitUntil(lambda: not bench.transport.playing)
    bench.banner.buttons()["Go back to step 0"].click()
    qtbot.waitUntil(lambda: bench.trouble == "", timeout=PATIENCE)
    qtbot.waitUntil(lambda: step_of(bench) == 0)


def test_a_view_that_raises_says_so_in_its_own_panel(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("the cause")

    view = views_of(load_lab(LAB))["surface"]
    monkeypatch.setattr(view, "method", broken)
    bench = open_bench()
    panels = bench.grid.panels
    qtbot.waitUntil(lambda: panels["surface"].complaint.isVisible(), timeout=PATIENCE)
    assert "the cause" in panels["surface"].complaint.text()
    qtbot.waitUntil(lambda: panels["network"].view.payload is not None, timeout=PATIENCE)
    assert bench.trouble == ""
    monkeypatch.undo()
    bench.step_once()
    qtbot.waitUntil(lambda: not panels["surface"].complaint.isVisible(), timeout=PATIENCE)


def test_a_widget_that_raises_says_so_in_its_own_panel(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    panel = bench.grid.panels["surface"]

    def take(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(panel.view, "take", take)
    bench.step_once()
    qtbot.waitUntil(panel.complaint.isVisible, timeout=PATIENCE)
    assert "the cause" in panel.complaint.text()


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
    bench.explain_toggled(True)
    assert bench.explain.isVisible()
    qtbot.waitUntil(lambda: "Dense network" in bench.explain.toPlainText())
    bench.code_toggled(True)
    assert bench.code.isVisible()
    assert not bench.explain_action.isChecked()
    assert bench.info is not None
    assert bench.code.toPlainText() == bench.info.source.read_text(encoding="utf-8")
    bench.code_toggled(False)
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
    assert bench.toast.text.text().startswith("Not saved: No such file")


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
