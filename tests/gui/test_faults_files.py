"""Files and data that are damaged, forged, gone or of the wrong kind, through the real window and the real engine."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import LAB, PATIENCE, SMALL, bench_of, learn, open_file, still_trains
from helpers import WindowOpener as Opener
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

import engine.files
from engine import checkpoint
from gui.main_window import MainWindow
from gui.workbench import Workbench

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
        open_file(window, qtbot, path)
        assert f"{name}.deepscope" in window.notice.text()
        assert window.notice.isVisible()
    open_file(window, qtbot, tmp_path / "missing.deepscope")
    assert "missing.deepscope cannot be read: No such file or directory" in window.notice.text()
    open_file(window, qtbot, tmp_path)  # a folder
    assert "cannot be read" in window.notice.text()
    assert (bench_of(window), bench.run) == (bench, run)
    assert still_trains(bench, qtbot)
    open_file(window, qtbot, good)
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
        (lambda h: h.update(rng={"list": []}), "is damaged"),
    ],
)
def test_a_forged_file_is_refused_by_the_engine_and_the_window_lives(
    saved: tuple[MainWindow, Path], qtbot: QtBot, tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    window, good = saved
    open_file(window, qtbot, rewrite(good, tmp_path / "forged.deepscope", change))
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
    open_file(window, qtbot, forged)
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "net.conv1.weight does not fit this lab" in bench.trouble
    assert not bench.transport.play.isEnabled()


def test_a_file_of_a_lab_that_is_gone_or_of_a_later_version(
    saved: tuple[MainWindow, Path], qtbot: QtBot, tmp_path: Path
) -> None:
    window, good = saved
    bench = bench_of(window)
    open_file(window, qtbot, rewrite(good, tmp_path / "gone.deepscope", lambda h: h.update(lab="perpetuum_mobile")))
    assert "perpetuum_mobile" in window.notice.text()
    open_file(window, qtbot, rewrite(good, tmp_path / "later.deepscope", lambda h: h.update(version=99)))
    assert "newer Deepscope" in window.notice.text()
    assert bench_of(window) is bench


def test_a_full_disk_keeps_the_former_file(
    saved: tuple[MainWindow, Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, path = saved
    bench, before = bench_of(window), path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(engine.files.os, "fsync", full)
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_session_goes_through_links_and_never_over_a_fifo(
    saved: tuple[MainWindow, Path], qtbot: QtBot, tmp_path: Path
) -> None:
    window, path = saved
    bench = bench_of(window)
    os.mkfifo(tmp_path / "fifo")
    bench.saving._write(tmp_path / "fifo")
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble == f"Not saved. This is a FIFO, not a file: {tmp_path / 'fifo'}"
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    link = tmp_path / "link.deepscope"
    link.symlink_to("run.deepscope")
    before = path.read_bytes()
    assert still_trains(bench, qtbot)
    bench.saving._write(link)
    qtbot.waitUntil(lambda: bench.toast.text.text() == "Saved link.deepscope", timeout=PATIENCE)
    assert bench.trouble == ""
    assert link.is_symlink()
    assert path.read_bytes() != before
    assert checkpoint.load(path)[0].lab == LAB


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


def refusal(bench: Workbench, qtbot: QtBot) -> str:
    """What the preview says against the data that it shows, which cannot be used; the preview is closed."""
    dialog = bench.own_data.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: not dialog.problem.isHidden(), timeout=PATIENCE)
    assert not dialog.use.isEnabled()
    told = dialog.problem.text()
    dialog.reject()
    return told


@pytest.mark.parametrize(("lab", "name", "content"), WRONG, ids=[name for _, name, _ in WRONG])
def test_data_of_the_wrong_kind_is_refused_and_the_run_goes_on(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, lab: str, name: str, content: bytes | None
) -> None:
    bench = bench_of(open_window(lab, values={}))
    run, shown = bench.run, bench.runs.spec
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    drop_on_controls(bench, path)
    told = refusal(bench, qtbot)
    assert "Traceback" not in told
    assert "Error" not in told  # a sentence is enough
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
    assert "words.csv" in refusal(bench, qtbot)
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
