"""The command line, the window around gallery and lab, the theme, and what happens when something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import open_file
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from engine import __version__, discovery
from engine.discovery import catalogue
from gui import __main__ as command_line
from gui import app, crash_log, icons, keys, shot, style, theme
from gui.about import AboutDialog
from gui.main_window import WARM_UP_MS, MainWindow
from gui.settings import Settings
from gui.theme import DARK, LIGHT, Theme

LAB = "dense_network"  # quickly built


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, from the repository's root."""
    root = Path(discovery.__file__).parent.parent
    made = dict(os.environ, QT_QPA_PLATFORM="offscreen", **environment)
    return subprocess.run([sys.executable, *arguments], cwd=root, env=made, capture_output=True, text=True, timeout=120)


# ------------------------------------------------------------------ command line


def test_version_and_help_load_neither_qt_nor_torch() -> None:
    code = """
import contextlib, io, sys
from gui.__main__ import main
for word in ("--version", "--help"):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        main([word])
    print(len(said.getvalue()), sorted(m for m in ("torch", "PySide6", "numpy") if m in sys.modules))
"""
    lines = python("-c", code).stdout.splitlines()
    assert len(lines) == 2
    assert all(int(line.split()[0]) > 10 and line.endswith("[]") for line in lines)


def test_version_is_instant() -> None:
    def once() -> float:
        begin = time.perf_counter()
        assert python("-m", "gui", "--version").stdout == f"Deepscope {__version__}\n"
        return time.perf_counter() - begin

    assert min(once() for _ in range(3)) < 0.5


def test_the_gallery_opens_without_torch_and_numpy(tmp_path: Path) -> None:
    code = """
import sys
from gui import app
application = app.make_application([])
from gui.main_window import MainWindow
from gui.settings import Settings
from PySide6.QtCore import QSettings
settings = Settings(QSettings(sys.argv[1], QSettings.Format.IniFormat))
app.follow_theme(application, settings)
window = MainWindow(settings, warm_up=False)
window.painted.connect(application.quit)
window.show()
application.exec()
print(sorted(m for m in ("torch", "numpy", "sklearn", "pydantic") if m in sys.modules))
window.close()
"""
    said = python("-c", code, str(tmp_path / "settings.ini"))  # never a device: Qt replaces the file it writes to
    assert said.stdout == "[]\n", said.stderr


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--lab", "nonsense"], ["nonsense", LAB]),
        (["shot", "nonsense", "--out", "x.png"], ["nonsense", LAB]),
        (["missing.deepscope"], ["missing.deepscope"]),
        (["engine"], ["engine", "folder"]),
        (["x.deepscope", "--lab", LAB], ["--lab"]),
        (["--data", "nowhere"], ["nowhere"]),
        (["shot", "gallery", "--out", "nowhere/x.png"], ["nowhere"]),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert all(name in said.err for name in names)


def test_no_display_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert command_line.main([]) == 2
    assert "no display" in capsys.readouterr().err


def test_hyphens_do_for_underscores() -> None:
    assert command_line.check_lab("dense-network") == LAB


def test_offline_reaches_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPSCOPE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")
    app.go_offline()
    assert os.environ["DEEPSCOPE_OFFLINE"] == os.environ["HF_HUB_OFFLINE"] == "1"


# ------------------------------------------------------------------ pictures


def test_a_picture_of_the_gallery_has_the_size_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "gallery.png"
    done = python("-m", "gui", "shot", "gallery", "--size", "1000x640", "--theme", "light", "--out", str(out))
    assert done.returncode == 0, done.stderr
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1000, 640)
    assert image.pixelColor(4, 600) == QColor(LIGHT.window)


def test_a_picture_of_a_lab_shows_it_training(tmp_path: Path) -> None:
    out = tmp_path / "lab.png"
    done = python("-m", "gui", "shot", LAB, "--seconds", "1", "--out", str(out), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1440, 900)
    middle = {image.pixel(x, y) for x in range(300, 1400, 7) for y in range(60, 800, 7)}
    assert len(middle) > 50


def test_what_a_picture_cannot_show_is_refused(tmp_path: Path) -> None:
    done = python("-m", "gui", "shot", LAB, "--set", "wings=2", "--out", str(tmp_path / "x.png"), OMP_NUM_THREADS="1")
    assert done.returncode == 2
    assert "wings" in done.stderr
    for text in ("0x10", "wide", "10"):
        with pytest.raises(SystemExit):
            shot.parser().parse_args(["gallery", "--out", "x.png", "--size", text])


# ------------------------------------------------------------------ theme


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in QColor(colour).getRgbF()[:3]]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_text_can_be_read(t: Theme) -> None:
    for ground in (t.window, t.bar, t.panel, t.raised):
        for ink in (t.text, t.muted, t.link, t.good, t.warning, t.bad):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    assert contrast(t.on_accent, t.accent) >= 4.5
    assert contrast(t.accent, t.panel) >= 3  # a slider's track is no text


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_the_style_sheet_is_complete(t: Theme) -> None:
    sheet = style.style_sheet(t)
    assert "$" not in sheet
    assert t.accent in sheet
    for line in sheet.split('url("')[1:]:
        assert Path(line.split('"')[0]).is_file()


@pytest.mark.parametrize(
    ("setting", "scheme", "expected"),
    [
        ("system", Qt.ColorScheme.Unknown, DARK),
        ("system", Qt.ColorScheme.Light, LIGHT),
        ("system", Qt.ColorScheme.Dark, DARK),
        ("light", Qt.ColorScheme.Dark, LIGHT),
        ("dark", Qt.ColorScheme.Light, DARK),
    ],
)
def test_which_theme(setting: str, scheme: Qt.ColorScheme, expected: Theme) -> None:
    assert style.choose(setting, scheme) is expected


def test_the_theme_changes_the_running_window(window: MainWindow, application: QApplication, qtbot: QtBot) -> None:
    app.follow_theme(application, window.settings)
    window.settings.theme = "dark"
    corner = window.height() - 4
    assert window.grab().toImage().pixelColor(4, corner) == QColor(DARK.window)
    heard: list[str] = []
    theme.holder.changed.connect(lambda: heard.append(theme.current().name))
    qtbot.mouseClick(window.header._theme, Qt.MouseButton.LeftButton)
    assert heard == ["light"]
    assert window.settings.theme == "light"
    assert window.grab().toImage().pixelColor(4, corner) == QColor(LIGHT.window)
    assert application.palette().window().color() == QColor(LIGHT.window)
    assert window.header._theme.accessibleName() == "Dark theme"


@pytest.mark.usefixtures("application")
def test_the_fonts_ship_with_the_project() -> None:
    from PySide6.QtGui import QFontDatabase, QFontInfo

    assert QFontInfo(style.font()).family() == "Inter"
    assert QFontInfo(style.font(mono=True)).family() == "JetBrains Mono"
    assert "SemiBold" in " ".join(QFontDatabase.styles("Inter")).replace(" ", "")
    assert (style.ASSETS / "fonts" / "OFL.txt").is_file()


@pytest.mark.parametrize("name", icons.names())
def test_every_icon_draws_something_within_its_square(name: str) -> None:
    image = icons.pixmap(name, 24, "#ff0000", 2.0).toImage()
    inked = [(x, y) for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() > 60]
    assert len(inked) > 20
    assert all(0 < x < 47 and 0 < y < 47 for x, y in inked)


# ------------------------------------------------------------------ the window


@pytest.fixture
def window(settings: Settings, qtbot: QtBot) -> Iterator[MainWindow]:
    """The window on the gallery, as it is after the first paint."""
    made = MainWindow(settings, warm_up=False)
    made.resize(1280, 720)
    with qtbot.waitSignal(made.painted):
        made.show()
    yield made
    made.close()
    made.deleteLater()


def open_lab(window: MainWindow, qtbot: QtBot) -> None:
    window.open_lab(LAB)
    qtbot.waitUntil(lambda: window.workbench is not None and window.workbench.run is not None, timeout=60_000)


def test_a_lab_opens_is_kept_when_left_and_closed_for_another(window: MainWindow, qtbot: QtBot) -> None:
    open_lab(window, qtbot)
    bench = window.workbench
    assert bench is not None
    assert window.in_lab
    assert window.settings.recent_labs == (LAB,)
    assert window.windowTitle().startswith("Dense network")
    assert window.header._back.isVisible()
    assert not window.header.search.isVisible()
    qtbot.mouseClick(window.header._back, Qt.MouseButton.LeftButton)
    assert not window.in_lab
    assert window.windowTitle() == "Deepscope"
    assert window.gallery._page._recent[0].card.id == LAB
    window.open_lab(LAB)
    assert window.workbench is bench
    window.open_lab(LAB, seed=3)
    assert window.workbench is not bench
    qtbot.waitUntil(lambda: "seed 3" in window.header._subtitle.text(), timeout=60_000)


def test_leaving_a_lab_pauses_it(window: MainWindow, qtbot: QtBot) -> None:
    open_lab(window, qtbot)
    bench = window.workbench
    assert bench is not None
    bench.toggle_play()
    qtbot.waitUntil(lambda: bench.transport.playing)
    window.show_gallery()
    qtbot.waitUntil(lambda: not bench.transport.playing)


def test_explain_and_code_take_turns(window: MainWindow, qtbot: QtBot) -> None:
    open_lab(window, qtbot)
    header = window.header
    qtbot.mouseClick(header.explain, Qt.MouseButton.LeftButton)
    assert header.explain.isChecked()
    qtbot.mouseClick(header.code, Qt.MouseButton.LeftButton)
    assert (header.explain.isChecked(), header.code.isChecked()) == (False, True)


def test_closing_while_a_lab_trains_joins_the_worker(settings: Settings, qtbot: QtBot) -> None:
    window = MainWindow(settings, warm_up=False)
    window.show()
    open_lab(window, qtbot)
    assert window.workbench is not None
    window.workbench.toggle_play()
    window.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("deepscope")]
    assert not settings.geometry.isEmpty()
    window.deleteLater()


def test_closing_while_the_engine_loads_does_not_hang(settings: Settings, qtbot: QtBot) -> None:
    window = MainWindow(settings, warm_up=False)
    with qtbot.waitSignal(window.painted):
        window.show()
    window.engine()
    window.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("deepscope")]
    window.deleteLater()


def test_the_device_is_told_once_the_engine_is_loaded(window: MainWindow, qtbot: QtBot) -> None:
    assert window.device_name() == ""
    window.engine()
    qtbot.waitUntil(lambda: window.header._device.text() != "", timeout=60_000)
    assert window.header._device.text() == window.device_name()


def test_geometry_is_remembered(settings: Settings, qtbot: QtBot) -> None:
    first = MainWindow(settings, warm_up=False)
    first.resize(1111, 666)
    first.show()
    first.close()
    second = MainWindow(settings, warm_up=False)
    qtbot.addWidget(second)
    assert second.height() == 666  # Qt fits the width to the screen, which is small off screen
    first.deleteLater()


def test_keys(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.focusWidget() is window.header.search
    qtbot.keyClicks(window.header.search, "playground")
    assert window.gallery.shown() == [LAB]
    qtbot.keyClick(window.header.search, Qt.Key.Key_Down)
    assert window.gallery.focusWidget() in window.gallery._page.visible_cards()
    qtbot.keyClick(window.header.search, Qt.Key.Key_Escape)
    assert len(window.gallery.shown()) == len(catalogue())
    window.gallery.setFocus()
    qtbot.keyClick(window.gallery, Qt.Key.Key_L)
    assert window.header.search.text() == "l"
    qtbot.keyClick(window, Qt.Key.Key_F1)
    sheet = window.findChild(keys.KeysSheet)
    assert sheet is not None
    assert sheet.isVisible()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(keys.KeysSheet) is None)


def test_the_sheet_of_keys_closes_though_the_widget_with_the_focus_is_gone(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Space):
        field = QLineEdit(window.centralWidget())
        field.show()
        field.setFocus()
        qtbot.keyClick(window, Qt.Key.Key_F1)
        sheet = window.findChild(keys.KeysSheet)
        assert sheet is not None
        with qtbot.waitSignal(field.destroyed):
            field.deleteLater()
        qtbot.keyClick(sheet, key)
        assert sheet.isHidden()
        qtbot.waitUntil(lambda: window.findChild(keys.KeysSheet) is None)


def test_a_key_that_closes_the_sheet_does_nothing_else(window: MainWindow, qtbot: QtBot) -> None:
    open_lab(window, qtbot)
    assert window.workbench is not None
    window.workbench.setFocus()
    before = window.focusWidget()
    window.show_keys()
    sheet = window.findChild(keys.KeysSheet)
    assert sheet is not None
    qtbot.keyClick(sheet, Qt.Key.Key_E)
    assert sheet.isHidden()
    assert not window.workbench.explain_action.isChecked()
    assert window.focusWidget() is before
    window.show_keys()  # at once: the first sheet is about to go
    assert [each.isVisible() for each in window.findChildren(keys.KeysSheet)] == [False, True]


def test_the_keys_of_the_sheet_are_bound(window: MainWindow, qtbot: QtBot) -> None:
    open_lab(window, qtbot)
    assert window.workbench is not None
    actions = [*window.actions(), *window.workbench.actions()]
    bound = {key.toString() for action in actions for key in action.shortcuts()}
    told = {
        key.split()[0].replace("Ctrl+←", "Ctrl+Left")
        for _, section in (keys.EVERYWHERE, keys.GALLERY, keys.LAB)
        for key, _ in section
    }
    assert told - bound == {"←", "Enter", "Esc"}  # no shortcuts, but key presses of a card or the window


def test_a_setting_reaches_the_engine_at_once(window: MainWindow, tmp_path: Path) -> None:
    from engine.data.catalogue import data_folder

    window.settings.data_folder = str(tmp_path)
    assert data_folder() == tmp_path
    window.settings.data_folder = ""
    assert data_folder() != tmp_path


def test_about_copies_what_a_report_needs(window: MainWindow, qtbot: QtBot) -> None:
    dialog = AboutDialog(window, "CPU: 2 cores")
    qtbot.addWidget(dialog)
    dialog.copy()
    copied = QGuiApplication.clipboard().text()
    for word in (f"Deepscope: {__version__}", "Qt: 6", "PyTorch: 2", "Python: 3", "CPU: 2 cores"):
        assert word in copied


# ------------------------------------------------------------------ when something goes wrong


def log_text(folder: Path) -> str:
    return (folder / "deepscope.log").read_text(encoding="utf-8")


def test_the_log_takes_exceptions_of_every_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, str]] = []
    crash_log.install(tmp_path)
    crash_log.on_exception(lambda summary, details: told.append((summary, details)))

    def fail() -> None:
        raise ValueError("three is not four")

    worker = threading.Thread(target=fail, name="worker")
    worker.start()
    worker.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert [summary for summary, _ in told] == ["ValueError: three is not four"] * 2
    assert log_text(tmp_path).count("three is not four") >= 2
    assert "in thread worker" in log_text(tmp_path)
    assert "three is not four" in capsys.readouterr().err


def test_a_long_log_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "deepscope.log").write_text("x" * (crash_log.LARGEST + 1))
    crash_log.install(tmp_path)
    crash_log.write("first line")
    assert log_text(tmp_path).endswith("first line\n")
    assert len(log_text(tmp_path)) < 100
    assert (tmp_path / "deepscope.old.log").stat().st_size > crash_log.LARGEST


def test_no_log_is_no_reason_not_to_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    crash_log.install(tmp_path / "file")
    crash_log.write("lost")
    assert crash_log.path() is None
    assert "no crash log" in capsys.readouterr().err


def test_an_exception_in_a_slot_shows_a_notice_and_the_window_lives(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crash_log.install(tmp_path)

    def fail() -> None:
        raise RuntimeError("the slot fell over")

    with qtbot.captureExceptions():  # else pytest-qt's hook takes it
        sys.excepthook = crash_log._excepthook
        QTimer.singleShot(0, fail)
        qtbot.waitUntil(window.notice.isVisible)
    assert "the slot fell over" in window.notice.text()
    assert str(tmp_path / "deepscope.log") in window.notice._text.toolTip()
    qtbot.mouseClick(window.notice._copy, Qt.MouseButton.LeftButton)
    assert "Traceback" in QGuiApplication.clipboard().text()
    qtbot.mouseClick(window.notice._close, Qt.MouseButton.LeftButton)
    assert not window.notice.isVisible()
    assert window.isVisible()
    assert "the slot fell over" in capsys.readouterr().err


def test_a_session_that_cannot_be_read_is_named(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "broken.deepscope").write_text("no zip")
    open_file(window, qtbot, tmp_path / "broken.deepscope")
    assert "broken.deepscope" in window.notice.text()
    assert not window.in_lab


def test_settings_can_be_reset_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, application: QApplication
) -> None:
    Settings().theme = "light"
    shown: list[str] = []

    def fake_exec(_app: QApplication) -> int:
        shown.append(Settings().theme)
        for widget in QApplication.topLevelWidgets():
            widget.close()
        return 0

    monkeypatch.setattr(app, "make_application", lambda _argv: application)
    monkeypatch.setattr(crash_log, "install_qt", lambda: None)
    monkeypatch.setattr(QApplication, "exec", fake_exec)
    monkeypatch.setattr(crash_log, "install", lambda: None)
    assert app.run(app.Start(reset_settings=True)) == 0
    assert shown == ["system"]
    assert QSettings().value("theme") is None


def test_the_import_hook_of_pyside_is_gone() -> None:
    """It slows every import, and reads what another thread is importing."""
    code = """
import builtins
plain = builtins.__import__
from gui import app
application = app.make_application([])
print(builtins.__import__ is plain)
import sys, torch, pydantic
print("torch" in sys.modules)
"""
    assert python("-c", code).stdout.split() == ["True", "True"]


def test_an_offer_does_not_look_like_an_error(window: MainWindow, qtbot: QtBot) -> None:
    """What was left at the end of the last start, which may have ended as it should, is no trouble."""
    notice = window.notice

    def ground() -> QColor:
        return notice.grab().toImage().pixelColor(notice.width() // 2, 2)

    notice.show_error("ValueError: no", "details")
    qtbot.waitUntil(notice.isVisible)
    error = ground()
    notice.offer("A lab was open", "Go on", lambda: None, lambda: None)
    calm = ground()
    assert error.red() > error.blue() + 8
    assert calm.red() <= calm.blue()
    notice.show_text("not readable")
    assert ground() == error


def test_a_window_closed_right_after_it_was_shown_starts_no_engine(settings: Settings, qtbot: QtBot) -> None:
    window = MainWindow(settings)
    with qtbot.waitSignal(window.painted):
        window.show()
    window.close()
    later = QTimer(window, interval=3 * WARM_UP_MS, singleShot=True)  # by then the timers of the start have run out
    with qtbot.waitSignal(later.timeout):
        later.start()
    assert window.bridge is None
    window.deleteLater()
