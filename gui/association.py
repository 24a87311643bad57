"""Opening .deepscope files by a double click, for the present user of a Linux desktop.

Written are what the freedesktop.org specifications ask for: an entry among the applications, the type of file in the
shared MIME database, and icons. The desktop's own programs that read these again are run where they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine.files import writing

ASSETS = Path(__file__).parent.parent / "assets"
MIME = "application/x-deepscope"
ENTRY = "deepscope.desktop"
SECONDS = 30  # that one of the desktop's programs may take
TYPE = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME}">
    <comment>Deepscope session</comment>
    <sub-class-of type="application/zip"/>
    <icon name="application-x-deepscope"/>
    <glob pattern="*.deepscope"/>
  </mime-type>
</mime-info>
"""


def unsupported() -> str:
    """Why it cannot be done on this system; "" where it can."""
    if sys.platform.startswith("linux"):
        return ""
    return "A double click is for Linux alone: open a session with Ctrl+O, or drop it on the window."


def _home(variable: str, usual: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else Path.home() / usual  # others are to be ignored


def _files() -> dict[Path, str]:
    """What is written where."""
    data = _home("XDG_DATA_HOME", ".local/share")
    icons, icon = data / "icons" / "hicolor" / "scalable", (ASSETS / "icons" / "deepscope.svg").read_text("utf-8")
    return {
        data / "mime" / "packages" / "deepscope.xml": TYPE,
        icons / "apps" / "deepscope.svg": icon,
        icons / "mimetypes" / "application-x-deepscope.svg": icon,
        data / "applications" / ENTRY: entry(),
    }


def entry() -> str:
    """The application's entry, which starts this installation."""
    script = Path(sys.executable).with_name("deepscope")
    words = [str(script)] if script.is_file() else [sys.executable, "-m", "gui"]
    lines = [f"Exec={' '.join(map(quoted, words))} %f", f"MimeType={MIME};"]
    if len(words) > 1:
        lines.append(f"Path={ASSETS.parent}")
    given = (ASSETS / ENTRY).read_text("utf-8").splitlines()
    kept = [line for line in given if line.partition("=")[0] not in ("Exec", "MimeType", "Path")]
    return "\n".join([*kept, *lines]) + "\n"


def quoted(word: str) -> str:
    """A word of a command as the key Exec has it: in quotes, and escaped once more as every string of an entry is."""
    for character in '\\"`$':
        word = word.replace(character, "\\" + character)
    return '"' + word.replace("\\", "\\\\").replace("%", "%%") + '"'


def associated() -> bool:
    """Whether a double click opens a session in this installation."""
    try:
        return all(path.read_text("utf-8") == text for path, text in _files().items())
    except (OSError, UnicodeDecodeError):
        return False


def associate() -> None:
    """Have a double click on a session open it here. Raises OSError where nothing can be written."""
    for path, text in _files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
    _read_again()
    _run("xdg-mime", "default", ENTRY, MIME)


def _write(path: Path, text: str) -> None:
    with writing(path) as file:
        file.write(text.encode())


def dissociate() -> None:
    """Take it back. Raises OSError where something cannot be removed."""
    for path in _files():
        path.unlink(missing_ok=True)
    _forget_default(_home("XDG_CONFIG_HOME", ".config") / "mimeapps.list")
    _read_again()


def _forget_default(path: Path) -> None:
    """Take our entry out of the list that xdg-mime keeps."""
    if not path.is_file():
        return
    before = path.read_text("utf-8").splitlines()
    after = []
    for line in before:
        key, _, entries = line.partition("=")
        others = [each for each in entries.split(";") if each and each != ENTRY]
        if key.strip() != MIME:
            after.append(line)
        elif others:
            after.append(f"{key}={';'.join(others)};")
    if after != before:
        _write(path, "\n".join(after) + "\n")


def _read_again() -> None:
    data = _home("XDG_DATA_HOME", ".local/share")
    _run("update-mime-database", str(data / "mime"))
    _run("update-desktop-database", str(data / "applications"))


def _run(program: str, *arguments: str) -> None:
    """Run a program of the desktop; without it the desktop looks for itself, sooner or later."""
    if (found := shutil.which(program)) is None:
        return
    try:
        subprocess.run([found, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
