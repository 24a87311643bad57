"""Settings that no window has written: it opens all the same, with what makes sense and defaults for the rest."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import PATIENCE, BenchOpener, bench_of
from helpers import WindowOpener as Opener
from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine import device
from engine.data import find_files, set_data_folder
from engine.data.errors import DataMissing
from engine.own_labs import set_labs_folder
from gui import app, crash_log
from gui import settings as module
from gui.main_window import MainWindow
from gui.settings import DEVICES, KEPT_LIMITS, MEMORIES, THEMES, Settings
from gui.settings_dialog import SettingsDialog, describe_folder, describe_labs

KEYS = (
    "theme",
    "data_folder",
    "labs_folder",
    "device",
    "budget",
    "threads",
    "memory",
    "kept_limit",
    "export_folder",
    "train_in_background",
    "recent_labs",
    "recent_sessions",
    "labs/dense_network",
    "geometry",
)
ABSURD: dict[str, Any] = {
    "text": "ünder & <b>über</b> \n\t'\"%s{}",
    "long text": "x" * 300,
    "path that cannot be": "~nobody/\0/..",
    "list": ["a", "b", "3"],
    "empty list": [],
    "flag": True,
    "huge number": str(10**30),
    "large number": 2**62,
    "very many digits": "9" * 5000,
    "negative": -(2**63),
    "nan": math.nan,
    "infinite": "inf",
    "bytes": QByteArray(bytes(range(256))),
    "JSON list": '["dense_network", 3, null, ["a"], ["/dev/zero", "dense_network"], ["\\u0000", "lenet"]]',
    "JSON object": '{"learning_rate": NaN, "width_1": 1e400, "nope": 1, "activation": [], "dataset": "/dev/zero"}',
    "deep JSON": "[" * 100_000,
}


def absurd(path: Path, value: Any, *keys: str) -> Settings:
    """Settings with this value stored under each of the keys."""
    store = QSettings(str(path / "absurd.ini"), QSettings.Format.IniFormat)
    for key in keys:
        store.setValue(key, value)
    store.sync()
    return Settings(QSettings(store.fileName(), QSettings.Format.IniFormat))


def test_every_setting_is_among_those_tried() -> None:
    """A new one joins the list above."""
    names = {name for name, value in vars(Settings).items() if isinstance(value, property)}
    tried = {key.partition("/")[0] for key in KEYS}
    assert names <= tried | {"autosave_folder", "kept_folder"}  # these are not stored


@pytest.mark.parametrize("value", ABSURD.values(), ids=ABSURD)
@pytest.mark.parametrize("key", KEYS)
def test_each_property_makes_sense_of_anything(tmp_path: Path, key: str, value: Any) -> None:
    found = absurd(tmp_path, value, key)
    assert found.theme in THEMES
    assert found.device in DEVICES
    assert 0.01 <= found.budget <= 0.9
    assert 0 <= found.threads <= 1024
    assert found.memory in MEMORIES
    assert found.kept_limit in KEPT_LIMITS
    assert isinstance(found.train_in_background, bool)
    assert all(isinstance(folder, str) for folder in (found.data_folder, found.labs_folder, found.export_folder))
    assert all(isinstance(name, str) for name in found.recent_labs)
    assert all(len(pair) == 2 for pair in found.recent_sessions)
    assert isinstance(found.hyperparameters("dense_network"), dict)
    assert isinstance(found.geometry, QByteArray)


@pytest.mark.parametrize("value", ABSURD.values(), ids=ABSURD)
def test_the_window_and_the_dialog_open_whatever_is_stored(
    open_window: Opener, qtbot: QtBot, value: Any, settings: Settings
) -> None:
    for key in KEYS:
        settings._store.setValue(key, value)
    set_data_folder(settings.data_folder)  # as at the start
    set_labs_folder(settings.labs_folder)
    window = open_window()
    qtbot.waitUntil(lambda: "dense_network" in window.gallery.shown(), timeout=PATIENCE)
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.reset()
    assert settings.theme == "system"


@pytest.mark.parametrize("name", ["JSON object", "deep JSON", "list", "text"])
def test_a_lab_opens_whatever_is_remembered_of_it(
    open_window: Opener, qtbot: QtBot, settings: Settings, name: str
) -> None:
    settings._store.setValue("labs/dense_network", ABSURD[name])
    window = open_window("dense_network")
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert bench.runs.spec.dataset == "spiral"


# ------------------------------------------------------------------ what is gone since


def test_a_device_that_is_gone_is_replaced_and_told(open_bench: BenchOpener, settings: Settings, qtbot: QtBot) -> None:
    gone = next(name for name in ("mps", "cuda") if name not in device.available())
    bench = open_bench(wait=False)
    bench.close_run()
    settings.device = gone
    bench = open_bench()
    assert bench.ready
    assert bench.trouble == ""
    assert "is not on this machine: the device is chosen automatically" in bench.toast.text.text()
    assert bench.toast.isVisible()
    dialog = SettingsDialog(settings, bench.bridge)
    qtbot.addWidget(dialog)
    assert "is not on this machine now: the device is chosen automatically" in dialog._device_hint.text()
    assert settings.device == gone  # it may come back


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 300, "There is no such folder."),
        ("gone", "There is no such folder."),
        ("~nobody-of-that-name/data", "There is no such folder."),
        ("nul\0", "There is no such folder."),
        ("file", "This is a file, not a folder."),
    ],
)
def test_a_data_folder_that_is_gone_is_told_and_hinders_nothing(
    tmp_path: Path, open_window: Opener, qtbot: QtBot, settings: Settings, name: str, said: str
) -> None:
    (tmp_path / "file").write_text("")
    folder = name if name.startswith("~") else str(tmp_path / name)
    assert describe_folder(folder) == (said, "bad")
    assert describe_labs(folder) == (said, "bad")
    settings.data_folder = folder
    set_data_folder(settings.data_folder)  # as at the start
    with pytest.raises(DataMissing):
        find_files("mnist")
    window = open_window()
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    assert dialog._folder_hint.text() == said
    assert window.gallery.shown()


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    assert describe_folder(str(tmp_path)) == ("This folder may not be read.", "bad")


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes are files on Unix")
@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("/dev/zero"), os.mkfifo, os.mkdir], ids=("device", "pipe", "folder")
)
def test_settings_are_not_written_to_what_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "settings.conf"
    make(path)
    before = path.lstat().st_ino
    monkeypatch.setattr(module, "_usual_path", lambda: str(path))
    kept = Settings()
    assert f"{path} is not a regular file" in kept.problem
    kept.theme, kept.budget = "light", 0.3
    kept.remember_lab("lenet")
    kept.sync()
    assert (kept.theme, kept.budget, kept.recent_labs) == ("light", 0.3, ("lenet",))
    kept.reset()
    assert kept.theme == "system"
    assert path.lstat().st_ino == before
    assert "deepscope" in str(kept.autosave_folder)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the platform decides where settings lie")
def test_the_window_says_that_its_settings_will_be_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: QApplication, qtbot: QtBot
) -> None:
    """Where the file is a pipe, opening it would wait for ever."""
    (tmp_path / "Deepscope").mkdir()
    os.mkfifo(tmp_path / "Deepscope" / "Deepscope.conf")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    told: list[str] = []

    def fake_exec(_app: QApplication) -> int:
        (window,) = (
            each for each in QApplication.topLevelWidgets() if isinstance(each, MainWindow) and each.isVisible()
        )
        qtbot.waitUntil(window.notice.isVisible, timeout=PATIENCE)
        told.append(window.notice.text())
        window.close()
        return 0

    monkeypatch.setattr(app, "make_application", lambda _argv: application)
    monkeypatch.setattr(crash_log, "install_qt", lambda: None)
    monkeypatch.setattr(QApplication, "exec", fake_exec)
    monkeypatch.setattr(crash_log, "install", lambda: None)
    assert app.run(app.Start()) == 0
    assert "Deepscope.conf is not a regular file: settings are forgotten when the window is closed." in told[0]
