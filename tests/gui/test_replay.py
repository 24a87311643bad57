"""The recorded timeline as an animation: what is asked, what is painted, and what is left behind where it fails."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import full_speed
from PIL import Image
from PySide6.QtCore import QObject, QPoint, QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

import engine.files
import gui.replay
from engine.export.animation import AnimationError, Stopped
from gui import theme
from gui.export_menu import ExportMenu
from gui.exports import Exports
from gui.main_window import MainWindow
from gui.recorder import pixels_of
from gui.replay import CAPTION, Replay, Stretch
from gui.replay_dialog import StretchDialog
from gui.view_panel import ViewPanel
from gui.workbench import Workbench

PATIENCE = 60_000
Open = Callable[..., MainWindow]


def trained(open_window: Open, qtbot: QtBot, lab: str = "lenet", steps: int = 60) -> tuple[Workbench, Exports]:
    """A lab in training, recorded that far."""
    window = open_window(lab)
    qtbot.waitUntil(lambda: window.findChild(ExportMenu) is not None)
    bench, exports = window.workbench, window.findChild(ExportMenu).exports
    full_speed(bench)
    bench.toggle_play()
    tape = bench.bridge.tape(bench.run)
    qtbot.waitUntil(lambda: (tape.span() or (0, 0))[1] >= steps, timeout=PATIENCE)
    return bench, exports


def ask(exports: Exports) -> StretchDialog:
    (action,) = (each for each in exports.parent().actions() if each.text() == "Animation of the timeline…")
    action.trigger()
    dialog = exports._dialog
    assert isinstance(dialog, StretchDialog)
    return dialog


def save(exports: Exports, qtbot: QtBot, dialog: StretchDialog, path: Path) -> None:
    dialog.seconds.setValue(1)
    dialog.rate.setCurrentIndex(0)
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    files = exports._dialog
    assert isinstance(files, QFileDialog)
    files.selectFile(str(path))
    files.fileSelected.emit(str(path))
    files.done(1)


def played(bench: Workbench, qtbot: QtBot, stretch: Stretch, keeper: QObject) -> list[np.ndarray]:
    """All pictures of a stretch."""
    run = bench.run
    assert run is not None
    flags = bench.timeline.track.flags
    replay = Replay(bench.grid, bench.bridge.tape(run), bench.bridge.history(run), flags, stretch, keeper)
    found: list[np.ndarray] = []
    over = threading.Event()
    thread = threading.Thread(target=lambda: found.extend(p.pixels for p in replay.pictures(over.is_set)))
    thread.start()
    replay.start(samples=False)
    try:
        qtbot.waitUntil(lambda: len(found) == len(replay), timeout=PATIENCE)
    finally:
        over.set()
        thread.join()
        replay.end()
    return found


def picture_of(panel: QWidget) -> np.ndarray:
    image = QImage(panel.size(), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.current().window))
    panel.render(image, QPoint())
    return pixels_of(image)


@pytest.mark.parametrize(("ending", "enlarged"), [(".gif", ""), (".webp", "layer1")])
def test_a_stretch_is_written_while_training_goes_on(
    ending: str, enlarged: str, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    bench, exports = trained(open_window, qtbot)
    bench.grid.enlarge(enlarged)
    dialog = ask(exports)
    assert dialog.stretch().last >= 60
    dialog.low.setValue(10)
    before = bench.timeline.track.last
    path = tmp_path / f"a{ending}"
    save(exports, qtbot, dialog, path)
    assert exports.badge is not None
    assert exports.badge.text.text().startswith("Writing the animation")
    qtbot.waitUntil(lambda: bench.toast.text.text().startswith(f"Saved a{ending}, "), timeout=PATIENCE)
    qtbot.waitUntil(lambda: exports.replay is None)
    assert exports.badge.isHidden()
    qtbot.waitUntil(lambda: bench.timeline.track.last > before, timeout=PATIENCE)
    assert not bench.rewinding.rewound
    with Image.open(path) as read:
        assert read.n_frames == 10
        assert read.size == (bench.grid.width(), bench.grid.height() + CAPTION)
        pictures = []
        for number in (0, 9):
            read.seek(number)
            pictures.append(np.asarray(read.convert("RGB")))
    assert not np.array_equal(*pictures)
    assert list(tmp_path.glob("*a*")) == [path]


def test_the_pictures_are_what_rewinding_shows(open_window: Open, qtbot: QtBot) -> None:
    bench, exports = trained(open_window, qtbot)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    pictures = played(bench, qtbot, Stretch(5, 50, 1, 10), exports)
    steps = Stretch(5, 50, 1, 10).steps()
    assert len(pictures) == len(steps) == 10
    for place in (0, 4, 9):
        bench.rewinding.scrub(steps[place])
        for name in ("layer1", "chances", "confusion"):
            panel: ViewPanel = bench.grid.panels[name]
            at = panel.geometry()
            part = pictures[place][at.top() : at.bottom() + 1, at.left() : at.right() + 1]
            assert np.array_equal(part, picture_of(panel)), (name, steps[place])
    captions = [picture[-CAPTION:].tobytes() for picture in pictures]
    assert len(set(captions)) == 10  # the step
    loss = bench.grid.panels["loss"].geometry()
    curves = {picture[loss.top() : loss.bottom(), loss.left() : loss.right()].tobytes() for picture in pictures}
    assert len(curves) == 10  # the curves grow


def test_one_panel_is_painted_at_a_time(open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, exports = trained(open_window, qtbot)
    monkeypatch.setattr(gui.replay, "SLICE", 0.0)
    painted: list[int] = []
    render, work = ViewPanel.render, Replay._slice

    def count(panel: ViewPanel, *arguments: Any) -> None:
        painted[-1] += 1
        render(panel, *arguments)

    def slice_(replay: Replay) -> None:
        painted.append(0)
        work(replay)

    monkeypatch.setattr(ViewPanel, "render", count)
    monkeypatch.setattr(Replay, "_slice", slice_)
    played(bench, qtbot, Stretch(0, 60, 1, 3), exports)
    assert set(painted) == {0, 1}
    assert sum(painted) > len(bench.grid.panels)


def test_cancelled_and_failed_leave_no_file(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, exports = trained(open_window, qtbot)
    folder = tmp_path / "animations"
    folder.mkdir()
    dialog = ask(exports)
    save(exports, qtbot, dialog, folder / "a.webp")
    exports.play_again()
    assert bench.toast.text.text().startswith("An animation is being written")
    assert exports.badge is not None
    qtbot.mouseClick(exports.badge.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: exports.replay is None, timeout=PATIENCE)
    assert exports.badge.isHidden()
    assert (list(folder.iterdir()), bench.trouble) == ([], "")

    save(exports, qtbot, ask(exports), folder / "nowhere" / "a.gif")
    qtbot.waitUntil(lambda: "no such folder" in bench.trouble, timeout=PATIENCE)
    assert exports.replay is None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine.files.os, "fsync", full)
    save(exports, qtbot, ask(exports), folder / "a.png")
    qtbot.waitUntil(
        lambda: bench.trouble.startswith("Not exported. The disk is full: nothing was written"), timeout=PATIENCE
    )
    assert list(folder.iterdir()) == []


def test_a_view_that_cannot_be_painted_is_said(
    open_window: Open, qtbot: QtBot, monkeypatch: Any, tmp_path: Path
) -> None:
    bench, exports = trained(open_window, qtbot)

    def broken(*_: object) -> None:
        raise ValueError("no colours")

    monkeypatch.setattr(gui.replay, "make_view", broken)
    save(exports, qtbot, ask(exports), tmp_path / "a.gif")
    qtbot.waitUntil(lambda: "A view cannot be painted: no colours" in bench.trouble, timeout=PATIENCE)
    assert not (tmp_path / "a.gif").exists()


def test_closing_the_lab_ends_it(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    bench, exports = trained(open_window, qtbot)
    save(exports, qtbot, ask(exports), tmp_path / "a.gif")
    assert exports.replay is not None
    bench.window().close()  # the fixture looks for threads that are left
    assert not (tmp_path / "a.gif").exists()


def test_where_nothing_is_recorded_it_says_so(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("dense_network")
    qtbot.waitUntil(lambda: window.findChild(ExportMenu) is not None)
    window.findChild(ExportMenu).exports.play_again()
    assert window.workbench.toast.text.text() == "Nothing is recorded yet: train for a moment first"


def test_who_waits_for_pictures_is_told_to_stop(qtbot: QtBot, open_window: Open) -> None:
    bench, exports = trained(open_window, qtbot)
    run = bench.run
    tape, history = bench.bridge.tape(run), bench.bridge.history(run)
    replay = Replay(bench.grid, tape, history, [], Stretch(0, 60, 1, 10), exports)
    with pytest.raises(Stopped):
        replay.samples(lambda: True)
    replay._waiting.put(ValueError("x"))
    with pytest.raises(AnimationError, match="cannot be painted: x"):
        next(replay.pictures(lambda: False))
    replay.end()


# ------------------------------------------------------------------------------------------- the dialog


def test_the_stretch_is_chosen_with_handles_buttons_and_fields(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = StretchDialog((100, 1_100), 600, QSize(800, 600), parent)
    dialog.show()
    chosen: list[Stretch] = []
    dialog.chosen.connect(chosen.append)
    assert (dialog.stretch().first, dialog.stretch().last) == (100, 600)  # rewound: up to here
    dialog.whole.click()
    assert (dialog.stretch().first, dialog.stretch().last) == (100, 1_100)
    track = dialog.track
    middle = track.height() // 2
    at = [QPoint(round(track.x_of(step)), middle) for step in (100, 350, 1_100, 850, 200)]
    for begin, end in ((at[0], at[1]), (at[2], at[3])):
        qtbot.mousePress(track, Qt.MouseButton.LeftButton, pos=begin)
        qtbot.mouseMove(track, end)
        qtbot.mouseRelease(track, Qt.MouseButton.LeftButton, pos=end)
    stretch = dialog.stretch()
    assert abs(stretch.first - 350) <= 2
    assert abs(stretch.last - 850) <= 2
    qtbot.mousePress(track, Qt.MouseButton.LeftButton, pos=at[3])  # no handle passes the other
    qtbot.mouseMove(track, at[4])
    assert dialog.stretch().last == stretch.first
    assert not dialog.save.isEnabled()
    assert "choose a later last step" in dialog.told.text()
    dialog.to_here.click()
    dialog.seconds.setValue(3)
    assert dialog.told.text() == "45 pictures of 800 × 600"
    dialog.save.click()
    assert chosen == [Stretch(100, 600, 3, 15)]


def test_live_there_is_no_here(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = StretchDialog((0, 50), -1, QSize(10, 10), parent)
    assert not dialog.to_here.isEnabled()
    assert dialog.to_here.toolTip() == "Rewind to a step first"
    assert dialog.stretch() == Stretch(0, 50, 10, 15)
    assert Stretch(0, 50, 1, 2).steps() == [0, 50]
    assert Stretch(0, 3, 1, 10).steps() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
