"""Several labs open in one window: tabs, what is paused and what trains on, closing that keeps, and keys."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from helpers import PATIENCE, SMALL, WindowOpener, bench_of, full_speed, learn, newest, open_file
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from engine import checkpoint
from gui import kept
from gui.lab_strip import LabStrip, LabTab
from gui.main_window import MainWindow
from gui.parking import MOST
from gui.workbench import Workbench

DENSE, PERCEPTRON = "dense_network", "perceptron"
KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def open_more(window: MainWindow, qtbot: QtBot, lab: str, **asked: object) -> Workbench:
    window.open_lab(lab, **asked)  # type: ignore[arg-type]
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready or bool(bench.trouble), timeout=PATIENCE)
    return bench


def train(bench: Workbench, qtbot: QtBot, steps: int = 30) -> int:
    """Train for so many steps and pause; returns the step reached."""
    full_speed(bench)
    learn(bench, qtbot, steps)
    bench.toggle_play()
    where = bench.transport.where
    qtbot.waitUntil(lambda: not bench.training and "steps/s" not in where.text(), timeout=PATIENCE)
    return bench.step


def strip_of(window: MainWindow) -> LabStrip:
    strip = window.findChild(LabStrip)
    assert strip is not None
    return strip


def tab_of(window: MainWindow, bench: Workbench) -> LabTab:
    return next(tab for tab in strip_of(window).tabs if tab.bench is bench)


def press(window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = CONTROL) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifier)


def activate(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window, timeout=PATIENCE)


def kept_files(window: MainWindow) -> list[Path]:
    return [file.path for file in kept.listing(window.settings.kept_folder)]


# ------------------------------------------------------------------ staying open


def test_opening_another_lab_keeps_the_trained_one(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL, seed=3)
    dense = bench_of(window)
    qtbot.waitUntil(lambda: len(dense.bridge.latest(dense.run or 0)) > 1, timeout=PATIENCE)
    step, run = train(dense, qtbot), dense.run
    qtbot.waitUntil(lambda: (dense.timeline.track.last or 0) > 0, timeout=PATIENCE)
    dense.runs.choose("learning_rate", 0.2)
    qtbot.waitUntil(lambda: len(dense.flags.marks) == 1, timeout=PATIENCE)
    last = dense.timeline.track.last
    other = open_more(window, qtbot, PERCEPTRON)
    assert window.windowTitle().startswith(other.title)
    window.show_gallery()
    window.gallery.chosen.emit(DENSE)  # its card
    assert bench_of(window) is dense
    assert (dense.run, dense.step, dense.timeline.track.last) == (run, step, last)
    assert len(dense.flags.marks) == 1
    assert window.header._title.text() == dense.title
    assert "seed 3" in window.header._subtitle.text()
    dense.step_once()
    qtbot.waitUntil(lambda: dense.step == step + 1, timeout=PATIENCE)


def test_a_session_file_of_an_open_lab_opens_beside_it(open_window: WindowOpener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(DENSE, values=SMALL)
    first = bench_of(window)
    step = train(first, qtbot)
    first.saving._write(tmp_path / "a.deepscope")
    qtbot.waitUntil(lambda: not first.unsaved, timeout=PATIENCE)
    further = train(first, qtbot, 20)
    open_file(window, qtbot, tmp_path / "a.deepscope")
    second = bench_of(window)
    qtbot.waitUntil(lambda: second.ready, timeout=PATIENCE)
    assert window.labs.benches == [first, second]
    assert (first.step, second.step) == (further, step)


def test_a_lab_that_is_left_pauses_or_trains_on(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    dense = bench_of(window)
    full_speed(dense)
    learn(dense, qtbot)
    other = open_more(window, qtbot, PERCEPTRON)
    qtbot.waitUntil(lambda: not dense.training, timeout=PATIENCE)  # by default it pauses
    menu = strip_of(window).menu_of(dense)
    next(action for action in menu.actions() if action.text().startswith("Train on")).trigger()
    begin = newest(dense)
    qtbot.waitUntil(lambda: newest(dense) > begin + 50, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "training" in tab_of(window, dense).state, timeout=PATIENCE)
    window.show_bench(dense)
    window.show_bench(other)
    assert dense.training
    dense.background = None
    window.settings.train_in_background = True
    assert dense.trains_on
    window.settings.train_in_background = False
    qtbot.waitUntil(lambda: not dense.training, timeout=PATIENCE)


def test_what_is_hidden_is_not_rendered_and_hears_no_keys(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    dense = bench_of(window)
    dense.set_background(True)
    full_speed(dense)
    learn(dense, qtbot)
    other = open_more(window, qtbot, DENSE, values=SMALL, seed=1)
    activate(window, qtbot)
    other.setFocus()
    frames: list[int] = []
    begin = newest(dense)
    other.bridge.frame.connect(lambda frame: frames.append(frame.run))
    press(window, KEY.Key_Space, Qt.KeyboardModifier.NoModifier)
    qtbot.waitUntil(lambda: other.transport.playing and newest(other) > 200, timeout=PATIENCE)
    qtbot.waitUntil(lambda: newest(dense) > begin + 200, timeout=PATIENCE)
    assert other.run in frames
    assert dense.run not in frames
    run = dense.run
    press(window, KEY.Key_N, Qt.KeyboardModifier.NoModifier)  # both have such a key
    qtbot.waitUntil(lambda: other.runs.spec is not None and other.runs.spec.seed == 2, timeout=PATIENCE)
    assert dense.run == run
    press(window, KEY.Key_E, Qt.KeyboardModifier.NoModifier)
    assert (other.explain_action.isChecked(), dense.explain_action.isChecked()) == (True, False)
    assert window.header.explain.isChecked()
    window.show_bench(dense)
    assert not window.header.explain.isChecked()
    qtbot.mouseClick(window.header.code, Qt.MouseButton.LeftButton)
    assert (other.code_action.isChecked(), dense.code_action.isChecked()) == (False, True)
    shown = dense.grid.panels["loss"].view
    qtbot.waitUntil(lambda: shown.isVisible() and newest(dense) > begin + 200, timeout=PATIENCE)


def test_the_menu_acts_on_the_lab_that_is_shown(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    dense, other = bench_of(window), open_more(window, qtbot, PERCEPTRON)
    qtbot.waitUntil(lambda: window._exporting is not None, timeout=PATIENCE)
    assert window._exporting is not None
    for bench in (dense, other, dense):
        window.show_bench(bench)
        assert window._exporting.exports is not None
        assert window._exporting.exports.bench is bench


# ------------------------------------------------------------------ closing


def test_a_trained_lab_is_kept_when_it_is_closed_and_comes_back(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL, seed=5)
    bench = bench_of(window)
    step = train(bench, qtbot)
    activate(window, qtbot)
    bench.setFocus()
    press(window, KEY.Key_W)
    qtbot.waitUntil(lambda: window.labs.benches == [], timeout=PATIENCE)
    assert not window.in_lab
    (path,) = kept_files(window)
    spec, snapshot, _ = checkpoint.load(path)[:3]
    assert (spec.lab, spec.seed, snapshot.step) == (DENSE, 5, step)
    assert window._toast is not None
    assert window._toast.text.text().startswith(f"Kept Dense network at step {step:,}")
    qtbot.waitUntil(lambda: [s.path for s in window._recent.sessions] == [path], timeout=PATIENCE)
    (link,) = window.gallery._page._sessions
    assert link.text() == f"Dense network, step {step:,}"
    assert "Kept when it was closed" in link.toolTip()
    assert [session.path for session in window._recent.kept] == [path]
    qtbot.mouseClick(window._toast.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.workbench is not None and window.workbench.ready, timeout=PATIENCE)
    again = bench_of(window)
    assert again.step == step
    assert again.saving._file is None  # Ctrl+S asks where to
    window.close_lab()  # nothing new: no second file
    assert window.labs.benches == []
    assert kept_files(window) == [path]


def test_an_untrained_or_saved_lab_is_closed_at_once(open_window: WindowOpener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(DENSE, values=SMALL)
    first = bench_of(window)
    train(first, qtbot)
    first.saving._write(tmp_path / "a.deepscope")
    qtbot.waitUntil(lambda: not first.unsaved, timeout=PATIENCE)
    second = open_more(window, qtbot, PERCEPTRON)
    window.labs.close(first)
    assert window.labs.benches == [second]
    assert window.in_lab
    window.labs.close(second)
    assert window.labs.benches == []
    assert kept_files(window) == []


def test_a_full_disk_keeps_the_lab_open_and_says_so(
    open_window: WindowOpener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    step = train(bench, qtbot)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        window.labs.close(bench)
        assert window.labs.is_keeping(bench)
        qtbot.waitUntil(lambda: "Not closed" in bench.trouble and "disk is full" in bench.trouble, timeout=PATIENCE)
    assert window.labs.benches == [bench]
    assert kept_files(window) == []
    window.labs.close(bench)
    qtbot.waitUntil(lambda: window.labs.benches == [], timeout=PATIENCE)
    assert checkpoint.load(kept_files(window)[0])[1].step == step


def test_a_folder_that_cannot_be_made_keeps_the_lab_open(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    train(bench, qtbot)
    window.settings.kept_folder.write_text("in the way")
    window.labs.close(bench)
    assert "Not closed" in bench.trouble
    assert window.labs.benches == [bench]


def test_more_than_the_limit_is_removed_only_if_the_viewer_agrees(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    window.settings.kept_limit = 256
    folder = window.settings.kept_folder
    old = kept.place_for(folder, "gpt", 7)
    with old.open("wb") as file:
        file.truncate(300 << 20)  # a hole
    train(bench_of(window), qtbot)
    window.close_lab()
    qtbot.waitUntil(lambda: "more than the limit" in window.notice.text(), timeout=PATIENCE)
    assert old.exists()
    assert "Remove the oldest 1" in window.notice._do.text()
    window.notice._close.click()
    assert old.exists()
    window._ask_for_room()
    window.notice._do.click()
    assert not old.exists()
    assert len(kept_files(window)) == 1


def test_closing_the_window_leaves_an_autosave_of_every_trained_lab(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL, seed=1)
    first = bench_of(window)
    steps = {train(first, qtbot)}
    second = open_more(window, qtbot, DENSE, values=SMALL, seed=2)
    steps.add(train(second, qtbot, 80))
    window.close()
    found = [checkpoint.load(path)[:2] for path in window.settings.autosave_folder.glob("*.deepscope")]
    assert {spec.seed for spec, _ in found} == {1, 2}
    assert {snapshot.step for _, snapshot in found} == steps


def restarted(bench: Workbench, qtbot: QtBot) -> None:
    before = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != before and bench.ready, timeout=PATIENCE)


def test_closing_a_lab_keeps_the_runs_before_its_restarts_too(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    first = train(bench, qtbot)
    restarted(bench, qtbot)
    second = train(bench, qtbot, 120)
    restarted(bench, qtbot)  # the present run has learned nothing
    window.labs.close(bench)
    qtbot.waitUntil(lambda: window.labs.benches == [], timeout=PATIENCE)
    assert sorted(checkpoint.load(path)[1].step for path in kept_files(window)) == sorted([first, second])


def test_a_run_before_a_restart_that_cannot_be_written_keeps_the_lab_open(
    open_window: WindowOpener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    step = train(bench, qtbot)
    restarted(bench, qtbot)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        window.labs.close(bench)
        qtbot.waitUntil(lambda: "Not closed" in bench.trouble and "disk is full" in bench.trouble, timeout=PATIENCE)
    assert window.labs.benches == [bench]
    bench.undo.undo()  # it is still there
    qtbot.waitUntil(lambda: bench.step == step, timeout=PATIENCE)


def test_closing_the_window_keeps_the_runs_before_restarts_too(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    step = train(bench, qtbot)
    restarted(bench, qtbot)
    window.close()
    assert [checkpoint.load(path)[1].step for path in kept_files(window)] == [step]


@pytest.mark.parametrize("whole_window", [False, True])
def test_a_run_that_made_way_for_others_is_kept_once(
    whole_window: bool, open_window: WindowOpener, qtbot: QtBot
) -> None:
    window = open_window(DENSE, values=SMALL)
    bench = bench_of(window)
    steps = []
    for _ in range(MOST + 1):
        steps.append(train(bench, qtbot))
        restarted(bench, qtbot)
    qtbot.waitUntil(lambda: len(kept_files(window)) == 1, timeout=PATIENCE)  # the first made way
    if whole_window:
        window.close()
    else:
        window.labs.close(bench)
        qtbot.waitUntil(lambda: window.labs.benches == [], timeout=PATIENCE)
    assert sorted(checkpoint.load(path)[1].step for path in kept_files(window)) == sorted(steps)


# ------------------------------------------------------------------ the strip


def test_tabs_switch_close_and_say_how_the_labs_stand(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    dense = bench_of(window)
    strip = strip_of(window)
    assert not strip.isVisible()  # one lab has the window for itself
    window.show_gallery()
    assert strip.isVisible()
    step = train(dense, qtbot)
    other = open_more(window, qtbot, PERCEPTRON)
    assert strip.isVisible()
    qtbot.waitUntil(lambda: tab_of(window, dense).state == f"step {step:,}, paused", timeout=PATIENCE)
    assert tab_of(window, dense).accessibleName() == f"Dense network, step {step:,}, paused"
    assert [tab.current for tab in strip.tabs] == [False, True]
    qtbot.mouseClick(tab_of(window, dense), Qt.MouseButton.LeftButton, pos=QPoint(30, 15))
    assert bench_of(window) is dense
    assert window.header._title.text() == dense.title
    qtbot.mouseClick(tab_of(window, other), Qt.MouseButton.MiddleButton)
    assert window.labs.benches == [dense]
    assert bench_of(window) is dense
    window.show_gallery()
    card = next(c for c in window.gallery._page.visible_cards() if c.card.id == DENSE)
    assert card.open_label == f"open · step {step:,}, paused"
    qtbot.mouseClick(tab_of(window, dense).close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.labs.benches == [], timeout=PATIENCE)
    assert not strip.isVisible()
    assert card.open_label == ""


def test_an_open_menu_goes_with_the_labs_that_it_lists(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    dense = bench_of(window)
    other = open_more(window, qtbot, PERCEPTRON)
    strip = strip_of(window)
    strip.more.click()
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    line = next(action for action in menu.actions() if action.text().startswith(dense.title))
    window.labs.close(dense)  # as when its file is complete while the menu is open
    assert window.labs.benches == [other]
    if menu.isVisible():
        line.trigger()
    assert bench_of(window) is other
    assert QApplication.activePopupWidget() is None
    window.header.explain.click()  # the header still acts on a lab that is open
    assert other.explain_action.isChecked() == window.header.explain.isChecked()


def test_keys_switch_between_tabs(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    benches = [bench_of(window), open_more(window, qtbot, PERCEPTRON), open_more(window, qtbot, "losses")]
    activate(window, qtbot)
    for key, modifier, place in (
        (KEY.Key_Tab, CONTROL, 0),
        (KEY.Key_Tab, CONTROL, 1),
        (KEY.Key_Backtab, CONTROL | SHIFT, 0),
        (KEY.Key_Backtab, CONTROL | SHIFT, 2),
        (KEY.Key_2, CONTROL, 1),
        (KEY.Key_9, CONTROL, 1),
    ):
        press(window, key, modifier)
        assert bench_of(window) is benches[place], (key, place)
    window.show_gallery()
    press(window, KEY.Key_Tab)
    assert window.in_lab
    assert bench_of(window) is benches[1]
    press(window, KEY.Key_W)
    assert bench_of(window) is benches[2]
    press(window, KEY.Key_W)
    assert bench_of(window) is benches[0]


def test_many_tabs_share_the_room_and_then_scroll(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(DENSE, values=SMALL)
    labs = (PERCEPTRON, "losses", "batches", "activations", "gradient_descent", "limits", "data_tensors")
    for lab in labs:
        open_more(window, qtbot, lab)
    strip = strip_of(window)
    qtbot.waitUntil(lambda: strip.width() == 1280, timeout=PATIENCE)
    assert len(strip.tabs) == 8
    right = 0
    for tab in strip.tabs:
        assert tab.isVisible()
        assert tab.x() >= right
        assert tab.width() >= 104
        right = tab.geometry().right()
    assert right < strip.more.x() < 1280 - strip.more.width()
    strip.resize(500, strip.height())
    seen = [tab for tab in strip.tabs if tab.isVisible()]
    assert 1 < len(seen) < 8
    assert strip.tabs[-1] in seen  # the current one is always seen
    entries = [action.text() for action in strip.menu().actions() if action.text()]
    assert len(entries) == 10
    assert entries[-1].endswith(" of 512 MB…")
    assert entries[0].startswith("Dense network – step 0, paused")
