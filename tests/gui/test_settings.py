"""Settings survive a restart with their types, and the dialog changes them at once."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import PATIENCE, SMALL, bench_of
from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from engine.data.catalogue import CATALOGUE
from gui.main_window import MainWindow
from gui.settings import RECENT, Settings
from gui.settings_dialog import SettingsDialog, describe_folder


def reopened(settings: Settings) -> Settings:
    """The same file, read anew as after a restart."""
    settings.sync()
    return Settings(QSettings(settings._store.fileName(), QSettings.Format.IniFormat))


def test_defaults(settings: Settings) -> None:
    assert (settings.theme, settings.device, settings.data_folder) == ("system", "auto", "")
    assert (settings.budget, settings.threads, settings.memory) == (0.05, 0, 512)
    assert settings.recent_labs == ()
    assert settings.hyperparameters("lenet") == {}
    assert settings.geometry.isEmpty()


def test_types_survive_a_restart(settings: Settings) -> None:
    settings.theme, settings.budget, settings.threads = "light", 0.25, 3
    settings.geometry = QByteArray(b"\x01\x00\x02")
    values = {"lr": 0.05, "hidden": 16, "test": False, "optimizer": "adam"}
    settings.remember_hyperparameters("lenet", values)
    settings.remember_lab("lenet")
    again = reopened(settings)
    assert (again.theme, again.budget, again.threads) == ("light", 0.25, 3)
    assert again.recent_labs == ("lenet",)
    assert again.geometry == QByteArray(b"\x01\x00\x02")
    kept = again.hyperparameters("lenet")
    assert kept == values
    assert [type(value) for value in kept.values()] == [float, int, bool, str]


@pytest.mark.parametrize(
    ("name", "rubbish", "expected"),
    [
        ("theme", "purple", "system"),
        ("device", "abacus", "auto"),
        ("budget", "lots", 0.05),
        ("budget", 7.0, 0.9),
        ("threads", "-4", 0),
        ("memory", "much", 512),
        ("memory", 700, 512),
        ("memory", -1, 64),
        ("recent_labs", "{broken", ()),
        ("recent_labs", '{"a": 1}', ()),
    ],
)
def test_rubbish_in_the_file_is_not_believed(settings: Settings, name: str, rubbish: object, expected: object) -> None:
    settings._store.setValue(name, rubbish)
    assert getattr(reopened(settings), name) == expected


def test_recent_labs_are_few_and_the_latest_first(settings: Settings) -> None:
    for i in range(RECENT + 5):
        settings.remember_lab(f"lab{i}")
    settings.remember_lab("lab9")
    assert settings.recent_labs[:2] == ("lab9", "lab14")
    assert len(settings.recent_labs) == RECENT


def test_changed_tells_what_changed_and_only_that(settings: Settings) -> None:
    heard: list[str] = []
    settings.changed.connect(heard.append)
    settings.theme = "light"
    settings.theme = "light"
    settings.budget = 0.2
    assert heard == ["theme", "budget"]


def test_reset_forgets_everything(settings: Settings) -> None:
    settings.theme, settings.data_folder = "dark", "/somewhere"
    settings.remember_hyperparameters("lenet", {"lr": 1.0})
    settings.reset()
    again = reopened(settings)
    assert (again.theme, again.data_folder, again.hyperparameters("lenet")) == ("system", "", {})


# ------------------------------------------------------------------ the dialog


def hints(dialog: SettingsDialog) -> str:
    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_the_dialog_shows_and_changes(settings: Settings, qtbot: QtBot) -> None:
    settings.budget = 0.3
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    assert dialog._budget.value() == 30
    dialog._budget.setValue(7)
    qtbot.keyClick(dialog._theme, Qt.Key.Key_Down)
    dialog._theme.activated.emit(dialog._theme.currentIndex())
    dialog._threads.setValue(1)
    qtbot.keyClick(dialog._memory, Qt.Key.Key_Down)
    dialog._memory.activated.emit(dialog._memory.currentIndex())
    assert (settings.budget, settings.theme, settings.threads, settings.memory) == (0.07, "light", 1, 1024)
    assert "snapshots of all open labs" in hints(dialog)
    dialog.reset()
    assert (dialog._budget.value(), dialog._theme.currentIndex(), dialog._memory.currentText()) == (5, 0, "512 MB")


def test_every_control_of_the_dialog_has_a_name(settings: Settings, qtbot: QtBot) -> None:
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    for control in (dialog._theme, dialog._folder, dialog._device, dialog._budget, dialog._threads, dialog._memory):
        assert control.accessibleName()


def test_a_folder_that_is_not_there_is_said_and_not_taken(settings: Settings, qtbot: QtBot, tmp_path: Path) -> None:
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    dialog._folder.setText(str(tmp_path / "nowhere"))
    dialog._folder.editingFinished.emit()
    assert "no such folder" in hints(dialog)
    assert settings.data_folder == ""
    dialog._folder.setText(str(tmp_path))
    dialog._folder.editingFinished.emit()
    assert settings.data_folder == str(tmp_path)


def test_what_is_in_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    assert describe_folder("")[1] == "hint"
    assert describe_folder(str(tmp_path))[1] == "warning"
    (tmp_path / "file").write_text("x")
    assert describe_folder(str(tmp_path / "file")) == ("This is a file, not a folder.", "bad")
    mnist = CATALOGUE["mnist"]
    (tmp_path / mnist.folder).mkdir()
    for file in mnist.files:
        (tmp_path / mnist.folder / file.name).write_bytes(gzip.compress(b"digits"))
    said, role = describe_folder(str(tmp_path))
    assert role == "good"
    assert mnist.title in said


def test_the_memory_chosen_acts_at_once_on_all_runs(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    window = open_window("dense_network", values=SMALL)
    bench, bridge = bench_of(window), window.bridge
    assert bridge is not None
    session, former = bridge._session, bench.run
    assert session is not None
    assert former is not None
    assert session._runs[former].snapshots.capacity == bridge.tape(former).capacity == 256 << 20
    window.settings.memory = 128
    qtbot.waitUntil(lambda: session._runs[former].snapshots.capacity == 64 << 20, timeout=PATIENCE)
    assert bridge.tape(former).capacity == 64 << 20
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != former and bench.ready, timeout=PATIENCE)
    run = bench.run
    assert run is not None
    assert session._runs[run].snapshots.capacity == bridge.tape(run).capacity == 64 << 20


def test_the_dialog_fits_a_small_screen_and_tells_what_recordings_take(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    window = open_window("dense_network", values=SMALL)
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    qtbot.waitUntil(dialog.isVisible, timeout=PATIENCE)
    assert dialog.height() <= 720
    assert dialog.width() <= 960
    assert "MB in use" in dialog._memory_hint.text()
    assert "of all open labs" in dialog._memory_hint.text()
    dialog._away.activated.emit(1)
    dialog._kept.activated.emit(0)
    assert window.settings.train_in_background
    assert window.settings.kept_limit == 256
    dialog.close()
