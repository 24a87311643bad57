"""Opening sessions by a double click: what is written for the desktop, taken back, and said where it cannot be."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from engine import __version__
from gui import __main__ as command_line
from gui import association
from gui.settings import Settings
from gui.settings_dialog import SettingsDialog

PROGRAMS = ("update-mime-database", "update-desktop-database", "xdg-mime")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux desktops alone are told")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, and none of the desktop's programs."""
    for name in ("data", "config", "programs"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    return tmp_path / "data"


@pytest.fixture
def told(data: Path) -> Path:
    """The desktop's programs write into this file how they were called."""
    file = data.parent / "told"
    for name in PROGRAMS:
        program = data.parent / "programs" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {shlex.quote(str(file))}\n')
        program.chmod(0o755)
    return file


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def entry(data: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(data / "applications" / "deepscope.desktop", encoding="utf-8")
    return parser["Desktop Entry"]


def test_what_is_written_and_taken_back(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not association.associated()
    assert command_line.main(["--associate"]) == 0
    assert "double click" in capsys.readouterr().out
    assert association.associated()
    assert written(data) == [
        "applications/deepscope.desktop",
        "icons/hicolor/scalable/apps/deepscope.svg",
        "icons/hicolor/scalable/mimetypes/application-x-deepscope.svg",
        "mime/packages/deepscope.xml",
    ]
    found = entry(data)
    assert (found["Type"], found["Name"], found["Icon"]) == ("Application", "Deepscope", "deepscope")
    assert found["MimeType"] == "application/x-deepscope;"
    kind = ElementTree.parse(data / "mime" / "packages" / "deepscope.xml").getroot()[0]
    assert kind.get("type") == "application/x-deepscope"
    assert [each.get("pattern") for each in kind if each.tag.endswith("glob")] == ["*.deepscope"]
    assert command_line.main(["--associate"]) == 0  # once more does no harm
    assert command_line.main(["--no-associate"]) == 0
    assert written(data) == []
    assert not association.associated()
    assert command_line.main(["--no-associate"]) == 0


def test_the_entry_starts_this_installation(data: Path) -> None:
    association.associate()
    found = entry(data)
    *words, file = shlex.split(found["Exec"].replace("\\\\", "\\"))
    assert file == "%f"
    folder = found.get("Path", str(data))
    done = subprocess.run([*words, "--version"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"Deepscope {__version__}\n", done.stderr


def test_an_entry_of_another_installation_is_made_anew(data: Path) -> None:
    association.associate()
    path = data / "applications" / "deepscope.desktop"
    path.write_text(path.read_text().replace("Exec=", "Exec=/gone"))
    assert not association.associated()
    association.associate()
    assert association.associated()


@pytest.mark.parametrize("word", ["/opt/deep scope/bin", "/a$b`c", '/say "hi"', "/100%/x", "C:\\x"])
def test_words_of_a_command_are_quoted(word: str) -> None:
    said = association.quoted(word).replace("\\\\", "\\")  # as every string of an entry is read
    assert said[0] == said[-1] == '"'
    assert re.sub(r'\\(["`$\\])', r"\1", said[1:-1]) == word.replace("%", "%%")


def test_the_desktop_is_told(data: Path, told: Path) -> None:
    association.associate()
    assert told.read_text().splitlines() == [
        f"update-mime-database {data / 'mime'}",
        f"update-desktop-database {data / 'applications'}",
        "xdg-mime default deepscope.desktop application/x-deepscope",
    ]
    told.unlink()
    association.dissociate()
    assert [line.split()[0] for line in told.read_text().splitlines()] == list(PROGRAMS[:2])


def test_programs_that_fail_are_no_error(told: Path) -> None:
    for name in PROGRAMS:
        (told.parent / "programs" / name).write_text("#!/bin/sh\nexit 3\n")
    association.associate()
    (told.parent / "programs" / PROGRAMS[0]).write_text("no program at all")
    association.associate()
    assert association.associated()


def test_only_our_line_goes_from_the_list_of_defaults(data: Path) -> None:
    file = data.parent / "config" / "mimeapps.list"
    kept = "[Default Applications]\ntext/plain=editor.desktop\n"
    file.write_text(kept + "application/x-deepscope=deepscope.desktop\n")
    association.dissociate()
    assert file.read_text() == kept
    file.write_text(kept + "application/x-deepscope=deepscope.desktop;other.desktop;\n")
    association.dissociate()
    assert file.read_text() == kept + "application/x-deepscope=other.desktop;\n"


def test_a_home_that_cannot_be_written_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "in the way").write_text("x")
    monkeypatch.setenv("XDG_DATA_HOME", str(data / "in the way"))
    assert command_line.main(["--associate"]) == 2
    assert "in the way" in capsys.readouterr().err


def test_a_relative_home_is_ignored(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(data))
    association.associate()
    assert (data / ".local/share/applications/deepscope.desktop").is_file()


GIO, UPDATE = shutil.which("gio"), shutil.which("update-mime-database")


@pytest.mark.skipif(not (GIO and UPDATE), reason="needs gio and update-mime-database")
def test_the_desktop_knows_the_type_of_a_session(data: Path) -> None:
    assert GIO
    assert UPDATE
    (data.parent / "programs" / "update-mime-database").symlink_to(UPDATE)
    association.associate()
    file = data.parent / "a.deepscope"
    file.write_bytes(b"PK\x03\x04")
    environment = {**os.environ, "LC_ALL": "C"}
    asked = [GIO, "info", "-a", "standard::content-type", str(file)]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "standard::content-type: application/x-deepscope" in done.stdout, done.stderr


def test_the_settings_set_it_up_and_take_it_back(data: Path, settings: Settings, qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = SettingsDialog(settings, None, parent)
    dialog.show()
    assert dialog._associate.text() == "Open by a double click"
    dialog._associate.click()
    assert not dialog._associate.isEnabled()  # until it is done
    qtbot.waitUntil(dialog._associate.isEnabled)
    assert association.associated()
    assert dialog._associate.text() == "Do so no longer"
    dialog._associate.click()
    qtbot.waitUntil(dialog._associate.isEnabled)
    assert written(data) == []
    shutil.rmtree(data)
    data.write_text("in the way")
    dialog._associate.click()
    qtbot.waitUntil(lambda: dialog._associate_hint.text().startswith("That failed"))


def test_elsewhere_the_reason_is_said(
    settings: Settings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = SettingsDialog(settings, None, parent)
    dialog.show()
    assert dialog._associate.isHidden()
    assert "Ctrl+O" in dialog._associate_hint.text()
    assert command_line.main(["--associate"]) == 2
    assert "Ctrl+O" in capsys.readouterr().err
