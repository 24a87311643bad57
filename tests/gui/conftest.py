"""What the tests of the window share: no screen, settings in a temporary folder, and nothing left running."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import torch  # noqa: F401  before Qt: on Windows the other order fails
from helpers import LAB, PATIENCE, SMALL
from PySide6.QtCore import QCoreApplication, QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.data import set_data_folder
from engine.discovery import Card
from engine.hyperparameters import Value
from engine.own_labs import set_labs_folder
from gui import crash_log, style
from gui.main_window import MainWindow
from gui.session_bridge import SessionBridge
from gui.settings import APPLICATION, ORGANISATION, Settings
from gui.workbench import Workbench


@pytest.fixture(scope="session", autouse=True)
def application(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> QApplication:
    """The application as the viewer has it, but for its settings."""
    QCoreApplication.setOrganizationName(ORGANISATION)
    QCoreApplication.setApplicationName(APPLICATION)
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path_factory.mktemp("settings")))
    qapp.setStyle("Fusion")
    style.load_fonts()
    style.load_mono()
    qapp.setFont(style.font())
    style.apply(qapp, "dark")
    return qapp


@pytest.fixture(autouse=True)
def clean(application: QApplication) -> Iterator[None]:
    """Every test begins with default settings in the dark theme, and ends with its threads joined."""
    QSettings().clear()
    style.apply(application, "dark")
    before = set(threading.enumerate())  # a thread is charged to the test that left it, not to all later ones
    yield
    crash_log.remove()
    set_data_folder(None)
    set_labs_folder(None)
    style.apply(application, "dark")
    left = [t.name for t in threading.enumerate() if t.name.startswith("deepscope") and t not in before]
    assert not left, f"still running after the test: {left}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings in a file of this test's own."""
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def open_window(settings: Settings, qtbot: QtBot) -> Iterator[Callable[..., MainWindow]]:
    """``open_window("lenet", seed=3)`` shows the window, and in it a lab that stands (or a problem, or the gallery)."""
    settings.device, settings.threads = "cpu", 1
    made: list[MainWindow] = []

    def make(lab: str = "", **asked: Any) -> MainWindow:
        window = MainWindow(settings, warm_up=False)
        made.append(window)
        window.resize(1280, 720)
        window.show()
        if lab:
            window.open_lab(lab, **asked)
            bench = window.workbench
            assert bench is not None
            qtbot.waitUntil(lambda: bench.ready or bool(bench.trouble), timeout=60_000)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()


@pytest.fixture
def open_bench(qtbot: QtBot, settings: Settings) -> Iterator[Callable[..., Workbench]]:
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
    for bench in made:
        bench.close_run()
        bench.close()
    bridge.shutdown()


@pytest.fixture
def make_cards() -> Callable[[int], list[Card]]:
    """``make_cards(50)`` invents fifty labs in three chapters."""

    def make(count: int) -> list[Card]:
        chapters = ("Foundations", "Vision", "Language")
        return [
            Card(
                id=f"lab_{i}",
                title=f"Lab {i}",
                chapter=chapters[i * len(chapters) // count],
                summary=f"Shows the idea number {i} at work, in a line that is too long for one",
                about="A network learns something." + (" It attends." if i == 1 else ""),
                order=i,
                path=Path(f"lab_{i}.py"),
                class_name="Some",
            )
            for i in range(count)
        ]

    return make
