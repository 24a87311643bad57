"""Carrying things away through the window: the menu, its files, the clipboard, and what is said of it."""

from __future__ import annotations

import csv
import errno
import os
import shlex
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot
from safetensors import safe_open

import engine.files
import gui.exports
from engine import checkpoint, marks
from engine.__main__ import main
from engine.checkpoint import same
from engine.export.recording import Recording
from engine.messages import Save, Saved, StepOnce
from gui import export
from gui.background import Work
from gui.export_menu import ExportMenu
from gui.exports import Exports
from gui.main_window import MainWindow
from gui.recorder import Recorder, pixels_of

Open = Callable[..., MainWindow]


def menu_of(window: MainWindow) -> ExportMenu:
    menu = window.findChild(ExportMenu)
    assert menu is not None
    return menu


def press(window: MainWindow, text: str) -> None:
    (action,) = (each for each in menu_of(window).actions() if each.text() == text)
    assert action.isEnabled()
    action.trigger()


def opened(open_window: Open, qtbot: QtBot, steps: int = 3, lab: str = "dense_network", **asked: Any) -> MainWindow:
    """A window with a lab that has trained for some steps."""
    window = open_window(lab, **asked)
    qtbot.waitUntil(lambda: window.findChild(ExportMenu) is not None)
    exports = exports_of(window)
    for _ in range(steps):
        window.workbench.step_once()
    qtbot.waitUntil(lambda: exports.name("").endswith(f"step{steps}"))
    return window


def exports_of(window: MainWindow) -> Exports:
    exports = menu_of(window).exports
    assert exports is not None
    return exports


def answer(window: MainWindow, qtbot: QtBot, path: Path | None) -> str:
    """Choose a file in the dialog that is open, or none; returns the name it proposed."""
    qtbot.waitUntil(lambda: any(each.isVisible() for each in window.findChildren(QFileDialog)))
    (dialog,) = (each for each in window.findChildren(QFileDialog) if each.isVisible())
    proposed = Path(dialog.selectedFiles()[0]).name
    if path is None:
        dialog.reject()
    else:
        dialog.selectFile(str(path))
        dialog.fileSelected.emit(str(path))
        dialog.done(1)
    return proposed


def said(window: MainWindow) -> str:
    toast = window.workbench.toast
    return toast.text.text() if toast.isVisible() else ""


def test_the_menu_is_for_open_labs(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.findChild(ExportMenu) is not None)
    menu = menu_of(window)
    assert not menu.isEnabled()
    assert not any(action.isEnabled() for action in menu.actions() if action.text())
    window.open_lab("dense_network")
    assert menu.isEnabled()
    window.show_gallery()
    assert not menu.isEnabled()
    texts = {action.text() for action in window._menu.actions()}
    assert "Export" in texts


def test_metrics_weights_and_the_folder_is_remembered(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 3, "lenet", seed=4)
    press(window, "Metrics as CSV…")
    assert answer(window, qtbot, tmp_path / "m.csv") == "lenet-seed4-step3.csv"
    qtbot.waitUntil(lambda: said(window).startswith("Saved m.csv, "))
    with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    assert heading[:2] == ["step", "train loss"]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert window.settings.export_folder == str(tmp_path)
    press(window, "Weights…")
    assert answer(window, qtbot, tmp_path / "w.safetensors") == "lenet-seed4-step3.safetensors"
    qtbot.waitUntil(lambda: said(window) == "Saved w.safetensors as it is at step 3")
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata()["step"] == "3"


def test_the_command_line_repeats_what_was_done(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 4, values={"width_1": 5, "learning_rate": 0.3}, seed=2)
    bench = window.workbench
    bench.runs.choose("regulariser", "L1")
    qtbot.waitUntil(lambda: not bench.runs.sent)
    for _ in range(3):
        bench.bridge.send(StepOnce(bench.run))
    qtbot.waitUntil(lambda: exports_of(window).name("").endswith("step7"))
    press(window, "Run as command line")
    qtbot.waitUntil(lambda: said(window) == "Copied the command line that repeats this run")
    line = QGuiApplication.clipboard().text()
    assert line == (
        "python -m engine run dense_network --set learning_rate=0.3 --set width_1=5 --data spiral --seed 2"
        " --device cpu --at 4:regulariser=L1 --steps 7"
    )
    with qtbot.waitSignal(bench.bridge.happened, check_params_cb=lambda event: isinstance(event, Saved)):
        bench.bridge.send(Save(bench.run, tmp_path / "here.deepscope"))
    assert main([*shlex.split(line)[3:], "--save", str(tmp_path / "there.deepscope"), "--json"]) == 0
    here, there = (checkpoint.load(tmp_path / f"{name}.deepscope")[1] for name in ("here", "there"))
    assert same(here.state, there.state)


def test_edits_are_offered_as_a_file(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    from engine.payloads import WeightEdit

    window = opened(open_window, qtbot, 2)
    window.workbench.grid.gesture.emit("network", WeightEdit(0, 1, 0, 0.5), True)
    press(window, "Run as command line")
    qtbot.waitUntil(lambda: "needs a file of marks" in said(window))
    assert "--marks dense_network-seed0-step2.marks.json" in QGuiApplication.clipboard().text()
    qtbot.mouseClick(window.workbench.toast.button, Qt.MouseButton.LeftButton)
    answer(window, qtbot, tmp_path / "my.json")
    qtbot.waitUntil(lambda: said(window).startswith("Saved my.json; the command line"))
    assert f"--marks {tmp_path / 'my.json'}" in QGuiApplication.clipboard().text()
    assert [mark.gesture for mark in marks.load(tmp_path / "my.json")] == [WeightEdit(0, 1, 0, 0.5)]


def test_a_script(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 2)
    press(window, "Script…")
    assert answer(window, qtbot, tmp_path / "mine.py") == "dense_network-seed0-step2.py"
    qtbot.waitUntil(lambda: said(window).startswith("Saved mine.py, "))
    assert "class DenseNetwork:" in (tmp_path / "mine.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["Metrics as CSV…", "Weights…", "Script…", "Window as picture…"])
def test_what_fails_is_said_in_the_banner(what: str, open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 1)
    press(window, what)
    answer(window, qtbot, tmp_path / "nowhere" / "file")
    qtbot.waitUntil(lambda: window.workbench.trouble.startswith("Not exported. "))
    assert "no such folder" in window.workbench.trouble
    press(window, "Metrics as CSV…")
    answer(window, qtbot, tmp_path / "fine.csv")
    qtbot.waitUntil(lambda: window.workbench.trouble == "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("what", ["Metrics as CSV…", "Weights…", "Script…", "Window as picture…"])
def test_a_fifo_is_refused_and_left_alone(what: str, open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    window = opened(open_window, qtbot, 1)
    press(window, what)
    answer(window, qtbot, tmp_path / "fifo")
    qtbot.waitUntil(lambda: window.workbench.trouble.startswith("Not exported. "))
    assert "this is a fifo, not a file" in window.workbench.trouble.lower()
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


@pytest.mark.parametrize("save", [export.save_png, export.save_svg, export.save_csv])
def test_a_view_on_a_full_disk(
    save: Any, open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened(open_window, qtbot, 1)
    panel = next(each for each in window.workbench.grid.panels.values() if each.view.csv_rows() and each.view.vector())
    ending = save.__name__.removeprefix("save_")
    path = tmp_path / f"view.{ending}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(engine.files.os, "fsync", full)
        panel._save(ending, lambda path: save(panel.view, path))
    assert said(window) == "Not saved: No space left on device"
    assert not list(tmp_path.glob("*view*"))
    panel._save(ending, lambda path: save(panel.view, path))
    assert said(window) == f"Saved view.{ending}"
    assert path.stat().st_size > 50
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_nothing_happens_where_no_file_is_chosen(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 1)
    press(window, "Weights…")
    answer(window, qtbot, None)
    press(window, "Metrics as CSV…")
    answer(window, qtbot, tmp_path / "m.csv")
    qtbot.waitUntil((tmp_path / "m.csv").exists)
    assert window.workbench.trouble == ""


def test_a_picture_of_the_window(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 1)
    press(window, "Window as picture…")
    assert answer(window, qtbot, tmp_path / "w.png") == "dense_network-seed0-step1.png"
    qtbot.waitUntil(lambda: said(window).startswith("Saved w.png"))
    image = QImage(str(tmp_path / "w.png"))
    assert image.size() == window.size()
    assert len({image.pixel(x, 200) for x in range(0, image.width(), 3)}) > 3


# ------------------------------------------------------------------------------------------- animations


@pytest.mark.parametrize(("ending", "enlarged"), [(".gif", ""), (".webp", "surface"), (".png", "surface")])
def test_an_animation(ending: str, enlarged: str, open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 1)
    bench, exports = window.workbench, exports_of(window)
    shown = bench.grid.panels[enlarged].view if enlarged else bench
    bench.grid.enlarge(enlarged)
    qtbot.waitUntil(lambda: shown.width() > window.width() // 2)
    bench.toggle_play()
    press(window, "Record animation")
    assert exports.recording
    assert exports.badge.text.text().startswith("Recording · ")
    recording = exports.recorder.recording
    qtbot.waitUntil(lambda: len(recording) >= 3, timeout=20_000)
    bench.toggle_play()
    assert menu_of(window).record.text() == "Stop recording…"
    qtbot.mouseClick(exports.badge.button, Qt.MouseButton.LeftButton)
    assert not exports.recording
    path = tmp_path / f"a{ending}"
    assert answer(window, qtbot, path).endswith(".gif")
    qtbot.waitUntil(lambda: said(window).startswith(f"Saved a{ending}, "), timeout=60_000)
    assert exports.badge.isHidden()
    with Image.open(path) as read:
        assert read.n_frames == len(recording)
        height, width, _ = recording.shape
        assert read.size == (width, height)
        assert width == min(1280, shown.width())


def test_an_animation_is_cancelled(open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: Any) -> None:
    window = opened(open_window, qtbot, 1)
    exports = exports_of(window)
    press(window, "Record animation")
    press(window, "Stop recording…")
    begun, go_on = threading.Event(), threading.Event()
    real = gui.exports.encode

    def slowly(path: Path, *arguments: Any, **more: Any) -> None:
        begun.set()
        assert go_on.wait(20)
        real(path, *arguments, **more)

    monkeypatch.setattr(gui.exports, "encode", slowly)
    answer(window, qtbot, tmp_path / "a.gif")
    qtbot.waitUntil(begun.is_set)
    assert exports.badge.text.text().startswith("Writing the animation")
    qtbot.mouseClick(exports.badge.button, Qt.MouseButton.LeftButton)
    go_on.set()
    qtbot.waitUntil(exports.badge.isHidden)
    assert list(tmp_path.glob("*.gif")) == []
    assert window.workbench.trouble == ""


def test_closing_while_it_records_and_writes(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = opened(open_window, qtbot, 1)
    press(window, "Record animation")
    press(window, "Stop recording…")
    answer(window, qtbot, tmp_path / "a.gif")
    press(window, "Record animation")
    window.show_gallery()
    window.close()  # the fixture looks for threads that are left
    assert menu_of(window).exports is None


def test_a_recording_waits_while_another_lab_is_shown(open_window: Open, qtbot: QtBot) -> None:
    window = opened(open_window, qtbot, 1)
    first = window.workbench
    press(window, "Record animation")
    exports = exports_of(window)
    qtbot.waitUntil(exports.badge.isVisible)
    window.open_lab("perceptron")
    assert not exports_of(window).recording
    assert not exports.badge.isVisible()
    assert menu_of(window).record.text() == "Record animation"
    window.show_bench(first)
    assert exports_of(window) is exports
    assert exports.recording
    assert exports.badge.isVisible()
    assert menu_of(window).record.text() == "Stop recording…"
    window.labs.close(first)
    qtbot.waitUntil(lambda: first not in window.labs.benches)
    assert not exports.recording


def test_the_dialog_offers_what_can_be_written(open_window: Open, qtbot: QtBot, monkeypatch: Any) -> None:
    monkeypatch.setattr(gui.exports, "video_is_there", lambda: False)
    window = opened(open_window, qtbot, 1)
    press(window, "Record animation")
    press(window, "Stop recording…")
    (dialog,) = window.findChildren(QFileDialog)
    assert [each.split(" (")[0] for each in dialog.nameFilters()] == ["GIF", "WebP", "Animated PNG"]
    dialog.selectNameFilter("WebP (*.webp)")
    dialog.filterSelected.emit("WebP (*.webp)")
    assert answer(window, qtbot, None) == "dense_network-seed0-step1.webp"
    menu_of(window).aboutToShow.emit()
    video: QAction = menu_of(window).video
    if video.isVisible():
        video.trigger()
        assert QGuiApplication.clipboard().text() == 'python -m pip install "imageio[pyav]"'
        assert "imageio" in said(window)


class Ball(QWidget):
    """Moves a little at each painting."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(1600, 200)
        self.place = 0

    def paintEvent(self, event: object) -> None:
        self.place += 40
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("black"))
        painter.fillRect(self.place % 1600, 50, 100, 100, QColor("red"))
        painter.end()


def test_a_recorder_takes_pictures_of_one_size(qtbot: QtBot) -> None:
    ball, keeper = Ball(), QObject()
    qtbot.addWidget(ball)
    ball.show()
    recorder = Recorder(ball, keeper, Recording(rate=100))
    recorder.start()
    qtbot.waitUntil(lambda: len(recorder.recording) > 3)
    ball.setFixedSize(800, 400)
    seen = len(recorder.recording)
    qtbot.waitUntil(lambda: len(recorder.recording) > seen + 2)
    recording = recorder.stop()
    assert recording.shape == (160, 1280, 3)
    assert [picture.pixels.shape for picture in recording.pictures()] == [(160, 1280, 3)] * len(recording)
    assert any((picture.pixels == (255, 0, 0)).all(2).any() for picture in recording.pictures())


def test_pixels_of_any_width() -> None:
    for width in (1, 2, 3, 5):
        image = QImage(QSize(width, 2), QImage.Format.Format_RGB32)
        image.fill(QColor(1, 2, 3))
        assert pixels_of(image).tolist() == [[[1, 2, 3]] * width] * 2


def test_work_tells_once_what_came_of_it(qtbot: QtBot) -> None:
    keeper, told = QObject(), list[str]()

    def watched(work: Work) -> Work:
        work.finished.connect(lambda value: told.append(f"finished {value}"))
        work.failed.connect(lambda error: told.append(f"failed {error}"))
        work.stopped.connect(lambda: told.append("stopped"))
        work.over.connect(lambda: told.append("over"))
        return work.start()

    def fail(_: Work) -> None:
        raise OSError("full")

    def wait(work: Work) -> None:
        while not work.asked_to_stop():
            threading.Event().wait(0.001)
        raise RuntimeError("stopped")

    watched(Work(lambda work: work.note(1, 2) or 7, keeper))
    qtbot.waitUntil(lambda: told == ["finished 7", "over"])
    watched(Work(fail, keeper))
    qtbot.waitUntil(lambda: told[2:] == ["failed full", "over"])
    watched(Work(wait, keeper)).stop()
    qtbot.waitUntil(lambda: told[4:] == ["stopped", "over"])
    work = watched(Work(wait, keeper))
    work.end()
    assert len(told) == 6
