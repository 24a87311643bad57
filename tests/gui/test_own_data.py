"""The viewer's own data: looked at before they are used, read in the background, stopped when no longer wanted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile_data
import numpy as np
import pytest
from helpers import PATIENCE, BenchOpener, newest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from engine.data import reading, tables
from engine.data.columns import Columns, split_name
from gui.control_panel import dataset_title
from gui.data_preview import DataPreview
from gui.workbench import Workbench

Opener = Callable[..., DataPreview]

ROWS = "".join(f"{i},{i % 7}.5,{(i * i) % 11},{['cat', 'dog', 'hen'][i % 3]}\n" for i in range(60))
TABLE = "id,long,wide,kind\n" + ROWS + "61,,3,cat\n62,1\n63,x,4,dog\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "animals.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def look_at(qtbot: QtBot) -> Opener:
    def make(path: Path | str, *accepts: str, wait: bool = True) -> DataPreview:
        dialog = DataPreview(str(path), "This lab", accepts)
        qtbot.addWidget(dialog)
        dialog.show()
        if wait:
            qtbot.waitUntil(lambda: not dialog._running, timeout=PATIENCE)
        return dialog

    return make


def texts(dialog: DataPreview) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel) if label.isVisible())


def choose(dialog: DataPreview, box: str, column: str) -> None:
    combo = getattr(dialog.columns, box)
    index = combo.findData(column)
    assert index >= 0
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


# ------------------------------------------------------------------ the preview


def test_a_table_is_shown_with_counts_kinds_and_what_is_broken(look_at: Opener, table: Path) -> None:
    dialog = look_at(table, "table")
    assert dialog.facts.text() == "62 rows · 4 columns · 60 can be used · 3 classes"
    assert dialog.broken_title.text() == "1 broken row left out · 2 rows lack a value in these columns: left out"
    assert dialog.broken.toPlainText().splitlines() == [
        "line 63: 2 cells instead of 4  62,1",
        "line 62: no value for long",
        "line 64: no value for long",
    ]
    assert dialog.grid is not None
    headings = [dialog.grid.horizontalHeaderItem(i) for i in range(4)]
    assert [item.text() for item in headings if item] == [
        "id\nx₁: numbers",
        "long\nx₂: numbers, 3.2 % missing",
        "wide\nnumbers",
        "kind\npredicted: 3 words",
    ]
    assert dialog.use.isEnabled()


def test_it_stands_in_the_middle_also_once_it_has_grown(look_at: Opener, table: Path, qtbot: QtBot) -> None:
    behind = QWidget()
    qtbot.addWidget(behind)
    behind.setGeometry(100, 60, 1280, 720)
    dialog = look_at(table, "table", wait=False)
    dialog.place_over(behind)
    low = dialog.height()
    qtbot.waitUntil(lambda: dialog.height() > low and dialog.grid is not None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: (dialog.geometry().center() - behind.geometry().center()).manhattanLength() <= 2)
    behind.setFixedHeight(300)
    dialog.place_over(behind)  # what is read first is not above its edge
    assert dialog.y() == behind.y()


def test_columns_are_chosen_and_travel_in_the_name(look_at: Opener, table: Path, qtbot: QtBot) -> None:
    dialog = look_at(table, "table")
    choose(dialog, "first", "wide")
    choose(dialog, "second", "id")
    assert dialog.facts.text().endswith("62 can be used · 3 classes")
    choose(dialog, "target", "long")
    assert dialog.columns is not None
    assert dialog.columns.as_what.currentData() == "values"
    assert dialog.facts.text().endswith("60 can be used · values")
    with qtbot.waitSignal(dialog.chosen) as told:
        qtbot.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    (name,) = told.args or [""]
    assert split_name(name) == (str(table), Columns("wide", "id", value="long"))
    assert dataset_title(name) == "animals.csv · long"
    again = look_at(name, "table")
    assert again.columns is not None
    assert again.columns.columns == Columns("wide", "id", value="long")


def test_columns_that_do_not_fit_are_explained_at_once(look_at: Opener, table: Path) -> None:
    dialog = look_at(table, "table")
    choose(dialog, "second", "id")
    assert "must be three different columns, not id, id and kind" in texts(dialog)
    assert not dialog.use.isEnabled()
    choose(dialog, "second", "wide")
    assert not dialog.problem.isVisible()
    assert dialog.use.isEnabled()
    choose(dialog, "target", "long")
    choose(dialog, "as_what", "classes")
    assert dialog.use.isEnabled()  # seven different halves
    choose(dialog, "target", "id")
    choose(dialog, "first", "long")
    choose(dialog, "as_what", "classes")
    assert "holds 60 different words; 2 to 10 classes are needed" in texts(dialog)


def test_a_kind_that_the_lab_does_not_take_is_said_with_what_it_takes(look_at: Opener, table: Path) -> None:
    dialog = look_at(table, "images", "text")
    assert "animals.csv is a table.\nThis lab takes pictures (a folder" in dialog.problem.text()
    assert "texts (.txt or .md)" in dialog.problem.text()
    assert not dialog.use.isEnabled()
    assert dialog.columns is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("one.csv", b"x,y,z\n1,2,a\n1,3,a\n2,1,a\n2,2,a\n", "holds only the class a"),
        ("two.csv", b"x,y\n1,2\n3,4\n5,6\n7,8\n", "two.csv has 2 columns"),
        ("ragged.csv", b"title\nx,y\n1,2\n", "with more or fewer"),
        ("bad.npz", b"nothing", "not an .npz archive"),
        ("short.txt", b"Alice", "short.txt is too short"),
        ("noise.txt", bytes(600), "control character"),
        ("paper.docx", b"PK", "paper.docx is no kind of data that is known here"),
        ("gone.csv", None, "there is no data set and no file"),
    ],
)
def test_what_cannot_be_used_is_explained(
    look_at: Opener, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    dialog = look_at(tmp_path / name, "table", "images", "text")
    assert message.lower() in texts(dialog).lower()
    assert not dialog.use.isEnabled()


def test_a_folder_of_pictures(look_at: Opener, tmp_path: Path) -> None:
    for name, count in (("cat", 12), ("dog", 9)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB" if i else "L", (20, 10 + i % 2), "red" if i else 7).save(
                tmp_path / "pets" / name / f"{i}.png"
            )
    (tmp_path / "pets" / "dog" / "odd.jpg").write_bytes(b"no picture")
    (tmp_path / "pets" / "readme.md").write_text("mine")
    dialog = look_at(tmp_path / "pets", "images")
    assert dialog.facts.text() == (
        "22 pictures · 2 classes · 2 sizes, most 20×10 · 2 modes, most RGB · 1 other file left out"
    )
    assert dialog.broken_title.text() == "1 broken picture left out"
    assert dialog.broken.toPlainText() == "dog/odd.jpg: not a picture"
    assert dialog.grid is not None
    cells = [[dialog.grid.item(row, place).text() for place in range(2)] for row in range(2)]
    assert cells == [["cat", "12"], ["dog", "10"]]
    assert len([label for label in dialog.findChildren(QLabel) if not label.pixmap().isNull()]) == 2
    assert dialog.use.isEnabled()


def test_arrays_and_texts(look_at: Opener, tmp_path: Path) -> None:
    pictures = np.arange(30 * 64, dtype=np.uint8).reshape(30, 8, 8)
    np.savez(tmp_path / "mine.npz", images=pictures, labels=np.arange(30) % 3)
    dialog = look_at(tmp_path / "mine.npz", "images")
    assert dialog.facts.text() == "30 pictures · 3 classes of 10 each · 8×8 values each, uint8"
    assert dialog.grid is not None
    assert [dialog.grid.item(0, place).text() for place in range(3)] == ["images", "30×8×8", "uint8"]
    (tmp_path / "a.txt").write_bytes("Grüße aus Köln\n".encode("latin-1") * 50)
    dialog = look_at(tmp_path / "a.txt", "text")
    assert dialog.facts.text() == "750 characters · 14 different · 50 lines · 1 kB"
    assert dialog.broken_title.text() == "150 bytes that are not UTF-8 were read as Latin-1"
    assert dialog.use.isEnabled()


def test_reading_does_not_hold_up_the_window_and_ends_when_the_preview_is_closed(
    look_at: Opener, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that would never end: only cancelling gets it out of the loop."""
    monkeypatch.setattr(reading, "INTERVAL", 0.0)
    begun = threading.Event()

    def endless(*_: object) -> object:
        while True:
            begun.set()
            reading.report(1, 3)

    monkeypatch.setattr("engine.data.preview.preview", endless)
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(1)
    dialog = look_at(tmp_path / "mine.csv", "table", wait=False)
    qtbot.waitUntil(lambda: dialog.bar.value() == 333 and len(ticks) > 20, timeout=PATIENCE)
    assert begun.is_set()
    assert not dialog.use.isEnabled()
    thread = dialog._work._thread
    with qtbot.waitSignal(dialog.destroyed):
        qtbot.mouseClick(dialog.cancel, Qt.MouseButton.LeftButton)
    assert not thread.is_alive()


# ------------------------------------------------------------------ in the workbench


def drop(bench: Workbench, path: Path) -> DataPreview:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    everything = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    bench.controls.dropEvent(QDropEvent(QPointF(5, 5), *everything))
    assert bench.own_data.dialog is not None
    return bench.own_data.dialog


def shown_facts(bench: Workbench) -> str:
    return " ".join(label.text() for label in bench.controls.findChildren(QLabel) if label.isVisible())


def test_dropped_data_are_used_once_the_viewer_says_so(open_bench: BenchOpener, table: Path, qtbot: QtBot) -> None:
    bench = open_bench()
    run = bench.run
    bench.toggle_play()
    dialog = drop(bench, table)
    qtbot.waitUntil(lambda: not dialog._running, timeout=PATIENCE)
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin, timeout=PATIENCE)  # training goes on beside it
    qtbot.mouseClick(dialog.cancel, Qt.MouseButton.LeftButton)
    assert bench.own_data.dialog is None
    assert bench.run == run
    dialog = drop(bench, table)
    qtbot.waitUntil(dialog.use.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.ready and bench.run != run, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert split_name(bench.runs.spec.dataset) == (str(table), Columns("id", "long", "kind"))
    assert bench.controls.data is not None
    assert bench.controls.data.combo.currentText() == "animals.csv · kind"
    qtbot.waitUntil(lambda: "2 of 62 rows lack a value" in shown_facts(bench))
    assert "1 of 63" in shown_facts(bench)  # broken rows


def test_building_from_own_data_shows_progress_and_can_be_stopped(
    open_bench: BenchOpener, table: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    run, dataset = bench.run, bench.runs.spec.dataset if bench.runs.spec else ""

    def endless(_path: Path, _size: int, progress: reading.Progress) -> tables.Table:
        while True:
            progress(1, 4)

    monkeypatch.setattr(tables, "_read", endless)
    bench.runs.choose_dataset(str(table))
    qtbot.waitUntil(lambda: bench.trouble == "Reading animals.csv…", timeout=PATIENCE)
    assert bench.banner.progress.value() == 250
    qtbot.mouseClick(bench.banner.buttons()["Cancel"], Qt.MouseButton.LeftButton)
    assert bench.run == run
    assert bench.ready
    assert not bench.trouble
    assert bench.controls.data is not None
    assert bench.controls.data.combo.currentData() == dataset
    bench.toggle_play()
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 10, timeout=PATIENCE)  # the worker is free again


def test_a_lab_opened_with_own_data_falls_back_when_their_reading_is_stopped(
    open_bench: BenchOpener, table: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_path: Path, _size: int, progress: reading.Progress) -> tables.Table:
        while True:
            progress(1, 4)

    monkeypatch.setattr(tables, "_read", endless)
    bench = open_bench(wait=False, dataset=str(table))
    qtbot.waitUntil(lambda: bench.trouble.startswith("Reading"), timeout=PATIENCE)
    qtbot.mouseClick(bench.banner.buttons()["Cancel"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == "spiral"


def test_the_preview_closes_with_the_lab(open_bench: BenchOpener, table: Path, qtbot: QtBot) -> None:
    bench = open_bench()
    dialog = drop(bench, table)
    with qtbot.waitSignal(dialog.finished):
        bench.close_run()
    assert bench.own_data.dialog is None


# ------------------------------------------------------------------ data that would hang a reader or fill the memory


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes are files on Unix")
def test_hostile_data_are_refused_where_the_viewer_looks_and_training_goes_on(
    open_bench: BenchOpener, tmp_path: Path, qtbot: QtBot
) -> None:
    bench = open_bench()
    run = bench.run
    bench.toggle_play()
    hostile = {
        hostile_data.pipe(tmp_path, ".csv"): "is a named pipe; only regular files and folders are read",
        hostile_data.device(tmp_path, ".txt"): "is a device; only regular files and folders are read",
        hostile_data.listening(tmp_path, ".npz"): "is a socket; only regular files and folders are read",
        hostile_data.loop(tmp_path, ".csv"): "there is no data set and no file",
        hostile_data.bombs(tmp_path): "has no pictures that can be read",
        hostile_data.packed_bomb(tmp_path): "numbers, more than the file holds",
        hostile_data.alphabet(tmp_path): "more than 4,096 different characters; at most 4,096 can be learned",
        hostile_data.endless_row(tmp_path): "has a row of more than 1.0 mb",
    }
    for path, said in hostile.items():
        refused_in_the_window(bench, path, said, qtbot)
        assert bench.run == run
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin, timeout=PATIENCE)


def refused_in_the_window(bench: Workbench, path: Path, said: str, qtbot: QtBot) -> None:
    dialog = drop(bench, path)
    with stalls() as longest:
        qtbot.waitUntil(lambda: said in dialog.problem.text().lower(), timeout=10_000)
    assert longest[0] < 1.0
    assert not dialog.use.isEnabled()
    qtbot.mouseClick(dialog.cancel, Qt.MouseButton.LeftButton)
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin, timeout=PATIENCE)
    bench.runs.choose_dataset(str(path))  # without a preview, as one that was used before
    qtbot.waitUntil(lambda: path.name in bench.trouble, timeout=PATIENCE)
    bench.banner.dismiss()


@contextmanager
def stalls() -> Iterator[list[float]]:
    """How long the window did not answer, at most, in seconds."""
    longest, last = [0.0], [time.monotonic()]

    def tick() -> None:
        now = time.monotonic()
        longest[0] = max(longest[0], now - last[0])
        last[0] = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(1)
    yield longest
    timer.stop()


def test_closing_the_preview_ends_the_reading_within_a_second(look_at: Opener, tmp_path: Path, qtbot: QtBot) -> None:
    """Of a table and a text, each too large to be read in that time."""
    rows = "1,2,cat\n" * 1000
    with (tmp_path / "large.csv").open("w") as file:
        for _ in range(3000):
            file.write(rows)
    (tmp_path / "large.txt").write_text("the quick brown fox " * 2_400_000)
    for path in (tmp_path / "large.csv", tmp_path / "large.txt"):
        dialog = look_at(path, "table", "text", wait=False)
        qtbot.waitUntil(lambda dialog=dialog: dialog.bar.value() > 0, timeout=PATIENCE)
        thread = dialog._work._thread
        begun = time.monotonic()
        dialog.end()
        assert not thread.is_alive()
        assert time.monotonic() - begun < 1
