"""What goes wrong, through the real window and the real engine: it is said where the viewer looks, and all goes on."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

import engine.checkpoint
from engine import checkpoint
from engine.discovery import catalogue, load_lab
from engine.lab import LabError, hyperparameters, views_of
from gui.knobs import NumberKnob
from gui.main_window import MainWindow
from gui.workbench import Workbench

LAB = "dense_network"
SMALL = {"layers": 1, "width_1": 3}
PATIENCE = 60_000

Opener = Callable[..., MainWindow]


def bench_of(window: MainWindow) -> Workbench:
    assert window.workbench is not None
    return window.workbench


def newest(bench: Workbench) -> int:
    """The step of the newest point of the curves."""
    assert bench.run is not None
    span = bench.bridge.history(bench.run).span()
    return span[1] if span else 0


def learn(bench: Workbench, qtbot: QtBot, more: int = 50) -> None:
    """Start training, and wait for so many steps."""
    begin = newest(bench)
    bench.toggle_play()
    qtbot.waitUntil(lambda: newest(bench) >= begin + more, timeout=PATIENCE)


def still_trains(bench: Workbench, qtbot: QtBot) -> bool:
    if not bench.transport.playing:
        bench.toggle_play()
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 25, timeout=PATIENCE)
    return bench.transport.playing


def type_value(bench: Workbench, qtbot: QtBot, name: str, text: str) -> NumberKnob:
    """Type into the field of a knob, as a person does."""
    knob = bench.controls.knobs[name]
    assert isinstance(knob, NumberKnob)
    qtbot.mouseClick(knob.field, Qt.MouseButton.LeftButton)
    knob.field.selectAll()
    qtbot.keyClicks(knob.field, text)
    qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    return knob


# ------------------------------------------------------------------ a loss that is no number


@pytest.mark.parametrize("lab", [card.id for card in catalogue()])
def test_every_lab_has_a_learning_rate_that_can_be_typed_far_too_large(lab: str) -> None:
    rate = hyperparameters(load_lab(lab))["learning_rate"]
    assert rate.live
    assert rate.check(1e6) == 1e6
    assert rate.high <= 10


def test_too_large_a_learning_rate_is_named_and_going_back_cuts_the_curves(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert bench.run is not None
    history = bench.bridge.history(bench.run)
    # long enough for a state that is known to be sound
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.toggle_play()
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 1000, timeout=PATIENCE)
    type_value(bench, qtbot, "learning_rate", "1e6")
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "became NaN at step " in bench.trouble or "became infinite at step " in bench.trouble
    assert "The learning rate, 1e+06, is likely too large" in bench.trouble
    assert bench.banner.isVisible()
    step = int(bench.trouble.split("at step ")[1].split(".")[0].replace(",", ""))
    assert newest(bench) >= step
    qtbot.waitUntil(lambda: not bench.transport.playing)
    back = next(text for text in bench.banner.buttons() if text.startswith("Go back to step "))
    to = int(back.removeprefix("Go back to step ").replace(",", ""))
    assert to < step
    bench.banner.buttons()[back].click()
    qtbot.waitUntil(lambda: bench.trouble == "", timeout=PATIENCE)
    qtbot.waitUntil(lambda: newest(bench) <= to, timeout=PATIENCE)
    for _, values in history.thinned(4096).values():
        assert np.isfinite(values).all()
    assert bench.controls.knobs["learning_rate"].value == 0.03  # as it was then
    assert still_trains(bench, qtbot)
    assert bench.trouble == ""


@pytest.mark.parametrize("lab", [card.id for card in catalogue()])
def test_views_of_a_ruined_network_are_drawn_all_the_same(open_window: Opener, qtbot: QtBot, lab: str) -> None:
    window = open_window(lab, values={"schedule": False} if lab == "gpt" else {})  # gpt's first steps are small
    bench = bench_of(window)
    bench.step_once()
    type_value(bench, qtbot, "learning_rate", "1e6")
    bench.toggle_play()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "learning rate, 1e+06, is likely too large" in bench.trouble
    shown: set[str] = set()
    bench.bridge.frame.connect(lambda frame: shown.add(frame.view))
    assert bench.info is not None
    rendered = {name for name in bench.grid.panels if bench.info.views[name].kind != "curves"}
    bench.step_once()  # all views are drawn anew
    panels = bench.grid.panels

    def complaints() -> dict[str, str]:
        return {name: panel.complaint.text() for name, panel in panels.items() if panel.complaint.isVisible()}

    qtbot.waitUntil(lambda: shown | complaints().keys() >= rendered, timeout=PATIENCE)
    assert all("The network's weights are no longer numbers" in text for text in complaints().values())
    assert len(complaints()) <= len(panels) / 2
    window.grab()
    bench.restart()
    run = bench.run
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)


# ------------------------------------------------------------------ what a lab gets wrong


def test_a_view_that_raises_harms_no_other(open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(views_of(load_lab("lenet"))["layer1"], "method", broken)
    window = open_window("lenet", values={})
    bench = bench_of(window)
    panels = bench.grid.panels
    qtbot.waitUntil(lambda: panels["layer1"].complaint.isVisible(), timeout=PATIENCE)
    assert "ZeroDivisionError: the cause" in panels["layer1"].complaint.text()
    assert "Traceback" in panels["layer1"].complaint.toolTip()
    assert still_trains(bench, qtbot)
    assert bench.info is not None
    others = [n for n in panels if n != "layer1" and bench.info.views[n].kind != "curves"]
    qtbot.waitUntil(lambda: all(panels[name].view.payload is not None for name in others), timeout=PATIENCE)
    assert [name for name, panel in panels.items() if panel.complaint.isVisible()] == ["layer1"]
    assert bench.trouble == ""
    assert not window.notice.isVisible()
    monkeypatch.undo()
    qtbot.waitUntil(lambda: not panels["layer1"].complaint.isVisible(), timeout=PATIENCE)


def test_a_view_of_the_wrong_shape_is_a_fault_of_that_view_alone(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_of(load_lab("lenet"))["layer1"], "method", lambda _: "no array")
    window = open_window("lenet", values={})
    panels = bench_of(window).grid.panels
    qtbot.waitUntil(lambda: panels["layer1"].complaint.isVisible(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: panels["canvas"].view.payload is not None, timeout=PATIENCE)
    assert bench_of(window).trouble == ""


@pytest.mark.parametrize(
    ("error", "told", "buttons"),
    [
        (
            LabError("There are no pictures of that size."),
            "There are no pictures of that size.",
            ["Start with the defaults", "Copy"],
        ),
        (RuntimeError("mat1 and mat2"), "RuntimeError: mat1 and mat2", ["Start with the defaults", "Details", "Copy"]),
        (MemoryError(), "MemoryError: no message", ["Start with the defaults", "Details", "Copy"]),
    ],
)
def test_a_lab_whose_build_raises_says_so_and_can_be_tried_again(
    open_window: Opener,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: str,
    buttons: list[str],
) -> None:
    def build(_: object) -> None:
        raise error

    monkeypatch.setattr(load_lab(LAB), "build", build)
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert bench.trouble == told
    assert list(bench.banner.buttons()) == buttons
    assert bench.run is None
    for press in (bench.toggle_play, bench.step_once, bench.micro_step, bench.saving.save):
        press()  # nothing stands: nothing happens
    window.show_gallery()
    window.open_lab(LAB)  # the lab is kept, and still says what is wrong
    assert bench_of(window) is bench
    monkeypatch.undo()
    bench.banner.buttons()["Start with the defaults"].click()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.trouble == ""
    assert still_trains(bench, qtbot)


def test_a_lab_that_cannot_be_imported_says_so(open_window: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str) -> None:
        raise SyntaxError("invalid syntax", ("dense_network.py", 3, 1, "def", 3, 4))

    import engine.run

    monkeypatch.setattr(engine.run, "load_lab", load)
    bench = bench_of(open_window(LAB))
    assert "SyntaxError" in bench.trouble
    assert "dense_network.py" in bench.trouble


def test_an_action_or_edit_that_raises_leaves_the_run_training(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    learn(bench, qtbot)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "changed", broken)
    knob = type_value(bench, qtbot, "learning_rate", "0.5")
    qtbot.waitUntil(lambda: bench.trouble == "ZeroDivisionError: the cause", timeout=PATIENCE)
    qtbot.waitUntil(lambda: knob.value == 0.03, timeout=PATIENCE)  # the form shows what is in force
    monkeypatch.undo()
    assert still_trains(bench, qtbot)


# ------------------------------------------------------------------ what the viewer types


@pytest.mark.parametrize("text", ["1e7", "-1", "0", "nan", "inf", "1e999", "abc", "", "0x10", "1e-9", "1;2"])
def test_what_cannot_be_typed_is_said_under_the_field(open_window: Opener, qtbot: QtBot, text: str) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    knob = type_value(bench, qtbot, "learning_rate", text) if text else None
    if knob is None:
        found = bench.controls.knobs["learning_rate"]
        assert isinstance(found, NumberKnob)
        knob = found
        knob.field.setFocus()
        knob.field.clear()
        qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert knob.error.isVisible()
    assert "a number from 1e-05 to 1e+06" in knob.error.text()
    assert knob.value == 0.03
    assert bench.trouble == ""
    type_value(bench, qtbot, "learning_rate", "0.5")
    assert not knob.error.isVisible()
    assert knob.value == 0.5
    assert still_trains(bench, qtbot)


@pytest.mark.parametrize("text", ["0", "65", "2.5", "1e3"])
def test_a_width_out_of_range_builds_nothing(open_window: Opener, qtbot: QtBot, text: str) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    run = bench.run
    knob = type_value(bench, qtbot, "width_1", text)
    assert knob.error.isVisible()
    bench.step_once()
    qtbot.waitUntil(lambda: "step 1" in bench.transport.where.text(), timeout=PATIENCE)
    assert (bench.run, bench.runs.pending, knob.value) == (run, None, 3)


# ------------------------------------------------------------------ files


@pytest.fixture
def saved(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> tuple[MainWindow, Path]:
    """A window with a run that trains, and a file that it was saved to."""
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    learn(bench, qtbot)
    path = tmp_path / "run.deepscope"
    bench.saving._write(path)
    qtbot.waitUntil(lambda: bench.toast.text.text() == "Saved run.deepscope", timeout=PATIENCE)
    return window, path


def test_damaged_files_are_named_and_what_is_open_stays(
    saved: tuple[MainWindow, Path], qtbot: QtBot, tmp_path: Path
) -> None:
    window, good = saved
    bench, run = bench_of(window), bench_of(window).run
    data = good.read_bytes()
    middle = len(data) // 2
    mutated = {
        "empty": b"",
        "cut": data[:middle],
        "flipped": data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :],
        "headless": data[100:],
        "text": b"dear diary",
        "zeros": b"\0" * len(data),
        "doubled": data[:middle] * 2,
    }
    for name, content in mutated.items():
        path = tmp_path / f"{name}.deepscope"
        path.write_bytes(content)
        window.open_session(path)
        assert f"{name}.deepscope" in window.notice.text()
        assert window.notice.isVisible()
    window.open_session(tmp_path / "missing.deepscope")
    assert "missing.deepscope cannot be read: No such file or directory" in window.notice.text()
    window.open_session(tmp_path)  # a folder
    assert "cannot be read" in window.notice.text()
    assert (bench_of(window), bench.run) == (bench, run)
    assert still_trains(bench, qtbot)
    window.open_session(good)
    assert not window.notice.isVisible()
    qtbot.waitUntil(lambda: bench_of(window) is not bench and bench_of(window).ready, timeout=PATIENCE)


def rewrite(path: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file with another description: whole, but forged."""
    import json

    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as made:
        header = json.loads(archive.read("session.json"))
        change(header)
        made.writestr("session.json", json.dumps(header))
        made.writestr("tensors.safetensors", archive.read("tensors.safetensors"))
    return out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda h: h.update(state={"dict": []}), "it keeps"),
        (lambda h: h["hyperparameters"].update(width_1=0), "width_1 must be a whole number from 1"),
        (lambda h: h["hyperparameters"].update(wings=2), "there is no hyperparameter 'wings'"),
        (lambda h: h["hyperparameters"].update(learning_rate=1e9), "learning_rate must be a number from"),
        (lambda h: h.update(dataset="/nowhere/at/all.csv"), "all.csv"),
        (lambda h: h.update(rng={"list": []}), "is damaged"),
    ],
)
def test_a_forged_file_is_refused_by_the_engine_and_the_window_lives(
    saved: tuple[MainWindow, Path], qtbot: QtBot, tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    window, good = saved
    window.open_session(rewrite(good, tmp_path / "forged.deepscope", change))
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert told in bench.trouble
    assert bench.run is None
    bench.banner.buttons()["Start with the defaults"].click()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert still_trains(bench, qtbot)


def test_a_file_of_another_structure_does_not_fit(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window("lenet", values={})
    bench_of(window).saving._write(tmp_path / "lenet.deepscope")
    qtbot.waitUntil(lambda: bench_of(window).toast.text.text() == "Saved lenet.deepscope", timeout=PATIENCE)
    forged = rewrite(
        tmp_path / "lenet.deepscope",
        tmp_path / "forged.deepscope",
        lambda h: h["hyperparameters"].update(filters1=h["hyperparameters"]["filters1"] + 2),
    )
    window.open_session(forged)
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "net does not fit this lab" in bench.trouble
    assert not bench.transport.play.isEnabled()


def test_a_file_of_a_lab_that_is_gone_or_of_a_later_version(saved: tuple[MainWindow, Path], tmp_path: Path) -> None:
    window, good = saved
    bench = bench_of(window)
    window.open_session(rewrite(good, tmp_path / "gone.deepscope", lambda h: h.update(lab="perpetuum_mobile")))
    assert "perpetuum_mobile" in window.notice.text()
    window.open_session(rewrite(good, tmp_path / "later.deepscope", lambda h: h.update(version=99)))
    assert "newer Deepscope" in window.notice.text()
    assert bench_of(window) is bench


def test_a_full_disk_keeps_the_former_file(
    saved: tuple[MainWindow, Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, path = saved
    bench, before = bench_of(window), path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(engine.checkpoint.os, "fsync", full)
    bench.saving.save()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Not saved. The disk is full")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.name.endswith(".part")] == []
    assert still_trains(bench, qtbot)
    monkeypatch.undo()
    bench.banner.buttons()["Save elsewhere…"].click()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QFileDialog)
    dialog.setDirectory(str(path.parent))
    dialog.selectFile("elsewhere.deepscope")
    dialog.accept()
    qtbot.waitUntil(lambda: bench.toast.text.text() == "Saved elsewhere.deepscope", timeout=PATIENCE)
    assert bench.trouble == ""
    assert checkpoint.load(path.parent / "elsewhere.deepscope")[0].lab == LAB


def test_a_folder_that_is_gone_is_said(saved: tuple[MainWindow, Path], qtbot: QtBot) -> None:
    window, path = saved
    bench = bench_of(window)
    path.unlink()
    for left in path.parent.iterdir():
        left.unlink()
    path.parent.rmdir()
    bench.saving.save()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith("Not saved.")
    assert "no such folder" in bench.trouble.lower()
    path.parent.mkdir()


def drop_on_controls(bench: Workbench, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, mime, button, none)
    QApplication.sendEvent(bench.controls, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(bench.controls, QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, button, none))


WRONG: list[tuple[str, str, bytes | None]] = [
    ("lenet", "notes.txt", b"not a picture"),
    ("lenet", "broken.npz", b"PK\x03\x04 but no more"),
    ("lenet", "broken-ubyte", b"\0\0\x08\x03\0\0"),
    ("lenet", "empty_folder", None),
    ("dense_network", "words.csv", b"a,b,c\nred,green,blue\n"),
    ("dense_network", "noise.csv", bytes(range(256))),
    ("dense_network", "empty.csv", b""),
    ("gpt", "latin.txt", b"caf\xe9 \xff\xfe\x00"),
    ("gpt", "empty.txt", b""),
    ("gpt", "picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
]


@pytest.mark.parametrize(("lab", "name", "content"), WRONG, ids=[name for _, name, _ in WRONG])
def test_data_of_the_wrong_kind_is_refused_and_the_run_goes_on(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, lab: str, name: str, content: bytes | None
) -> None:
    bench = bench_of(open_window(lab, values={}))
    run, shown = bench.run, bench.runs.spec
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    drop_on_controls(bench, path)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "The run before goes on, with the settings it had." in bench.trouble
    assert "Traceback" not in bench.trouble
    assert not bench.banner.details.toPlainText()  # the sentence is enough
    assert name in bench.trouble or str(path) in bench.trouble
    assert (bench.run, bench.runs.spec) == (run, shown)
    assert bench.controls.data is not None
    assert shown is not None
    assert bench.controls.data.combo.currentData() == shown.dataset
    bench.step_once()
    qtbot.waitUntil(lambda: "step 1" in bench.transport.where.text(), timeout=PATIENCE)


def test_a_file_of_the_wrong_kind_that_is_chosen_is_refused_too(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    (tmp_path / "words.csv").write_text("a,b,c\nred,green,blue\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "words.csv"), ""))
    data = bench.controls.data
    assert data is not None
    data.combo.activated.emit(data.combo.findText("Open a file…"))
    qtbot.waitUntil(lambda: "words.csv" in bench.trouble, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert data.combo.currentData() == bench.runs.spec.dataset
    assert still_trains(bench, qtbot)


# ------------------------------------------------------------------ guides and code


@pytest.mark.parametrize(
    "guide", [None, b"", b"\xff\xfe\x00\xd8", b"# A\n\n$\\frac{1$ and $$\\nonsense{x}$$ and $$$$\n\n[x](set:=&&)"]
)
def test_an_unreadable_guide_says_so_and_the_lab_works(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guide: bytes | None
) -> None:
    (tmp_path / "guides").mkdir()
    if guide is not None:
        (tmp_path / "guides" / f"{LAB}.md").write_bytes(guide)
    monkeypatch.setattr("gui.explain_panel.files", lambda _: tmp_path)
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    qtbot.mouseClick(window.header.explain, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(bench.explain.toPlainText().strip()), timeout=PATIENCE)
    assert bench.explain.isVisible()
    assert not window.notice.isVisible()
    assert still_trains(bench, qtbot)


def test_a_lab_whose_file_is_gone_still_shows_what_it_can(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import inspect

    monkeypatch.setattr(inspect, "getfile", lambda _: str(tmp_path / "gone.py"))
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    qtbot.mouseClick(window.header.code, Qt.MouseButton.LeftButton)
    assert bench.code.isVisible()
    assert "gone.py" in bench.code.text.toPlainText()
    assert still_trains(bench, qtbot)


# ------------------------------------------------------------------ the engine itself


def test_an_engine_that_dies_is_told_and_the_window_closes(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert window.bridge is not None
    assert window.bridge._session is not None

    def die() -> None:
        raise SystemError("the thread is gone")

    monkeypatch.setattr(window.bridge._session, "_patience", die)
    bench.step_once()
    qtbot.waitUntil(lambda: "The engine stopped" in bench.trouble, timeout=PATIENCE)
    QTimer.singleShot(0, window.close)
    qtbot.waitUntil(lambda: not window.isVisible())
