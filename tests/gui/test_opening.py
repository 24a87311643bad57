"""Sessions opened: on another thread, from the command line, and from the lists of those that were used last."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import LAB, PATIENCE, SMALL, bench_of, open_file, until_opened
from helpers import WindowOpener as Opener
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import RunSpec
from gui import app
from gui.__main__ import main
from gui.main_window import MainWindow
from gui.settings import RECENT, Settings


def saved(window: MainWindow, qtbot: QtBot, path: Path) -> Path:
    """The session of the window's lab, in a file."""
    bench = bench_of(window)
    bench.saving._write(path)
    qtbot.waitUntil(lambda: bench.toast.text.text() == f"Saved {path.name}", timeout=PATIENCE)
    return path


def recent_menu(window: MainWindow) -> QMenu:
    entries = [action.menu() for action in window._menu.actions() if action.text() == "Open recent"]
    assert isinstance(entries[0], QMenu)
    return entries[0]


def entries(window: MainWindow) -> list[QAction]:
    return recent_menu(window).actions()


def links(window: MainWindow) -> list[QPushButton]:
    found = window.gallery.findChildren(QPushButton)
    return [link for link in found if link.accessibleName().startswith("Open session ") and not link.isHidden()]


# ------------------------------------------------------------------ opening


def test_the_window_lives_while_a_file_is_read(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(LAB, values=SMALL)
    path = saved(window, qtbot, tmp_path / "a.deepscope")
    former, asked, go_on = window.workbench, threading.Event(), threading.Event()
    threads: list[threading.Thread] = []
    read_spec = checkpoint.read_spec

    def slow(path: Path) -> RunSpec:
        threads.append(threading.current_thread())
        asked.set()
        go_on.wait(PATIENCE / 1000)
        return read_spec(path)

    monkeypatch.setattr(checkpoint, "read_spec", slow)
    window.open_session(path)
    qtbot.waitUntil(asked.is_set, timeout=PATIENCE)
    assert window.workbench is former  # and the window handles events: waitUntil ran them
    until_opened(window, qtbot, go_on.set)
    assert window.workbench is not former
    assert threads != [threading.main_thread()]


def test_of_two_files_asked_for_the_last_one_counts(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL, seed=1)
    first = saved(window, qtbot, tmp_path / "a.deepscope")
    bench_of(window).new_seed()
    qtbot.waitUntil(lambda: "seed 2" in window.header._subtitle.text(), timeout=PATIENCE)
    second = saved(window, qtbot, tmp_path / "b.deepscope")
    opened: list[Path] = []
    window._opening.ready.connect(lambda path, _: opened.append(path))
    window.open_session(first)
    open_file(window, qtbot, second)
    assert opened == [second]


def until_asked(window: MainWindow, qtbot: QtBot, path: Path) -> None:
    asked: list[object] = []
    window._opening.asks.connect(lambda path, _: asked.append(path))
    window.open_session(path)
    qtbot.waitUntil(lambda: asked == [path] and window.notice.isVisible(), timeout=PATIENCE)


def test_files_that_a_session_names_are_read_only_once_the_viewer_agrees(
    open_window: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    table = tmp_path / "<b>table.csv"
    table.write_text("a,b,c\n" + "".join(f"{k % 7},{k % 5},{'xy'[k % 2]}\n" for k in range(300)))
    own = saved(open_window(LAB, values=SMALL, dataset=str(table)), qtbot, tmp_path / "own.deepscope")
    window = open_window("will_i_pass")
    window.settings.remember_hyperparameters(LAB, {})  # the session comes from somebody else
    table.rename(tmp_path / "gone.csv")  # what is read now would fail
    until_asked(window, qtbot, own)
    assert bench_of(window).lab_id == "will_i_pass"
    name = repr(str(table))
    shown = name if len(name) <= 90 else f"{name[:45]}…{name[-45:]}"
    assert window.notice.text() == f"own.deepscope learns from files on this computer: {shown}"
    assert "learns from" in window.notice._text.toolTip()
    window.notice._close.click()
    assert bench_of(window).lab_id == "will_i_pass"
    assert bench_of(window).ready

    (tmp_path / "gone.csv").rename(table)
    until_asked(window, qtbot, own)
    button = window.notice._do
    assert (button.text(), button.isVisible()) == ("Read them", True)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == str(table)
    open_file(window, qtbot, own)  # the viewer knows it now
    assert window.notice.isHidden()


def test_a_session_that_does_not_fit_its_lab_is_told_in_words(
    open_window: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(LAB, values=SMALL)
    path = saved(window, qtbot, tmp_path / "a.deepscope")
    spec, snapshot, curves = checkpoint.load(path)
    wrong = {**snapshot.state, "theta": torch.zeros(3)}
    checkpoint.save(path, spec, dataclasses.replace(snapshot, state=wrong), curves)
    open_file(window, qtbot, path)
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bool(bench.trouble) or bench.banner.isVisible(), timeout=PATIENCE)
    said = f"{bench.trouble} {bench.banner.text.text()}"
    assert "theta does not fit this lab: the file has float32 numbers of shape (3,)" in said


def test_closing_the_window_ends_the_reading(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    path = saved(window, qtbot, tmp_path / "a.deepscope")
    window.show_gallery()
    window.open_session(path)
    window.close()  # the fixture looks for threads that are left
    assert not window.in_lab


def windows() -> list[MainWindow]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible()]


def start_with(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, application: QApplication, look: Callable[[MainWindow], None]
) -> int:
    """Run the command line; `look` looks at its window, which is then closed. Others may be open."""
    others = set(windows())

    def run(_app: QApplication) -> int:
        (window,) = set(windows()) - others
        try:
            look(window)
        finally:
            window.close()
            window.deleteLater()
        return 0

    monkeypatch.setattr(app, "make_application", lambda _argv: application)
    monkeypatch.setattr("gui.crash_log.install", lambda: None)
    monkeypatch.setattr("gui.crash_log.install_qt", lambda: None)
    monkeypatch.setattr(QApplication, "exec", run)
    return main(arguments)


def test_the_command_line_opens_a_file(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: QApplication
) -> None:
    path = saved(open_window(LAB, values=SMALL, seed=6), qtbot, tmp_path / "a.deepscope")  # which stays open
    found: list[tuple[str, int]] = []

    def look(window: MainWindow) -> None:
        qtbot.waitUntil(lambda: window.workbench is not None and window.workbench.ready, timeout=PATIENCE)
        spec = bench_of(window).runs.spec
        assert spec is not None
        found.append((spec.lab, spec.seed))

    assert start_with([str(path)], monkeypatch, application, look) == 0
    assert found == [(LAB, 6)]


def test_a_broken_file_given_to_the_command_line_is_named_in_the_window(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: QApplication
) -> None:
    (tmp_path / "broken.deepscope").write_text("dear diary")
    said: list[str] = []

    def look(window: MainWindow) -> None:
        qtbot.waitUntil(window.notice.isVisible, timeout=PATIENCE)
        said.append(window.notice.text())
        assert not window.in_lab
        qtbot.waitUntil(lambda: window.bridge is not None, timeout=PATIENCE)  # it warms up, shortly after the paint

    assert start_with([str(tmp_path / "broken.deepscope")], monkeypatch, application, look) == 0
    assert said[0].startswith("broken.deepscope is not a Deepscope file")


# ------------------------------------------------------------------ recent ones


def test_settings_remember_the_last_ten_and_bear_nonsense(settings: Settings, tmp_path: Path) -> None:
    for number in range(RECENT + 5):
        settings.remember_session(tmp_path / f"{number}.deepscope", LAB)
    settings.remember_session(tmp_path / "9.deepscope", LAB)
    names = [Path(path).stem for path, _ in settings.recent_sessions]
    assert names == ["9", "14", "13", "12", "11", "10", "8", "7", "6", "5"]
    for nonsense in ("[", "3", '[1, ["a"], ["a", 2], ["a", "b"]]'):
        settings._store.setValue("recent_sessions", nonsense)
        assert settings.recent_sessions in ((), (("a", "b"),))
    told: list[str] = []
    settings.changed.connect(told.append)
    settings.reset()
    assert "recent_sessions" in told


def test_what_was_saved_is_listed_and_opens_again(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    assert [(entry.text(), entry.isEnabled()) for entry in entries(window)] == [
        ("None yet: save one with Ctrl+S", False)
    ]
    assert links(window) == []
    window.open_lab(LAB, values=SMALL, seed=3)
    qtbot.waitUntil(lambda: bench_of(window).ready, timeout=PATIENCE)
    path = saved(window, qtbot, tmp_path / "spirals & more.deepscope")
    bench_of(window).autosave.save()
    qtbot.waitUntil(lambda: len(entries(window)) == 1 and entries(window)[0].isEnabled(), timeout=PATIENCE)
    assert entries(window)[0].text() == "spirals && more – Dense network"
    window.show_gallery()
    assert [link.text() for link in links(window)] == ["spirals && more"]
    assert str(path) in links(window)[0].toolTip()
    until_opened(window, qtbot, lambda: qtbot.mouseClick(links(window)[0], Qt.MouseButton.LeftButton))
    assert window.in_lab
    until_opened(window, qtbot, entries(window)[0].trigger)
    qtbot.waitUntil(lambda: bench_of(window).ready, timeout=PATIENCE)
    spec = bench_of(window).runs.spec
    assert spec is not None
    assert spec.seed == 3


def test_what_was_opened_is_listed_but_for_autosaves(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(LAB, values=SMALL)
    path = saved(window, qtbot, tmp_path / "a.deepscope")
    folder = window.settings.autosave_folder
    folder.mkdir()
    kept = folder / f"{LAB}-1.deepscope"
    kept.write_bytes(path.read_bytes())
    window.settings._store.remove("recent_sessions")
    open_file(window, qtbot, kept)
    assert window.settings.recent_sessions == ()
    open_file(window, qtbot, path)
    assert window.settings.recent_sessions == ((str(path), LAB),)


def test_files_that_are_gone_are_not_shown_until_they_are_back(
    open_window: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(LAB, values=SMALL)
    path = saved(window, qtbot, tmp_path / "a.deepscope")
    window.settings.remember_session(tmp_path / "gone.deepscope", LAB)
    window.settings.remember_session(tmp_path / "of a lab that is gone.deepscope", "perpetuum_mobile")
    window._recent.look()
    qtbot.waitUntil(lambda: [session.name for session in window._recent.sessions] == ["a"], timeout=PATIENCE)
    away = path.rename(tmp_path / "b.deepscope")
    window.show_gallery()
    qtbot.waitUntil(lambda: links(window) == [], timeout=PATIENCE)
    away.rename(path)
    recent_menu(window).aboutToShow.emit()
    qtbot.waitUntil(lambda: len(links(window)) == 1, timeout=PATIENCE)
    path.unlink()
    open_file(window, qtbot, path)  # it was still there a moment ago
    assert "a.deepscope cannot be read: No such file" in window.notice.text()


def test_as_many_as_fit_stand_at_the_top_of_the_gallery(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    for number in range(RECENT):
        path = tmp_path / f"a session with quite a long name {number}.deepscope"
        path.touch()
        window.settings.remember_session(path, LAB)
    qtbot.waitUntil(lambda: len(window._recent.sessions) == RECENT, timeout=PATIENCE)
    for width in (1280, 960):
        window.resize(width, 720)
        shown = links(window)
        assert 0 < len(shown) < RECENT
        title = window.gallery._page._sessions_title
        assert not title.isHidden()
        assert title.x() > window.gallery._page._line.geometry().right()
        for left, right in zip([title, *shown], shown, strict=False):
            assert left.geometry().right() < right.x()
            assert right.geometry().right() < width
    window.gallery.search("GPT")
    assert links(window) == []
