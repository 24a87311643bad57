"""The command line. What can be answered without Qt and torch is answered without them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine import __version__
from engine.discovery import UnknownLab, find_card

EPILOG = """\
deepscope shot LAB ...   renders a lab to a picture, without a screen (deepscope shot --help)
deepscope bench [NAME]   measures the window on this machine
"""


class Refused(Exception):
    """What the command line asks for cannot be done; the message is for the user."""


def parser() -> argparse.ArgumentParser:
    """The options of the application itself."""
    made = argparse.ArgumentParser(
        prog="deepscope",
        description="A desktop laboratory for deep learning: real networks train live while you look inside.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "session", nargs="?", type=Path, metavar="SESSION", help="a saved session (.deepscope) to go on with"
    )
    made.add_argument("--lab", default="", metavar="LAB", help="open this lab at once")
    made.add_argument("--data", type=Path, metavar="DIR", help="look for data sets in this folder first")
    made.add_argument("--offline", action="store_true", help="never use the network")
    made.add_argument("--reset-settings", action="store_true", help="forget all settings, then start")
    made.add_argument(
        "--associate",
        action=argparse.BooleanOptionalAction,
        help="have a double click on a .deepscope file open it here (Linux), or no longer; then end",
    )
    made.add_argument("--version", action="version", version=f"Deepscope {__version__}")
    return made


def check_lab(name: str) -> str:
    """The id of a lab. Raises Refused with the ids there are."""
    try:
        return find_card(name).id
    except UnknownLab as error:
        raise Refused(str(error)) from None


def check_session(path: Path) -> Path:
    """A file. Whether it holds a session is for the window to say, as who opened it by a double click sees no
    terminal. Raises Refused."""
    if not path.is_file():
        raise Refused(f"{path} is a folder, not a session file" if path.is_dir() else f"there is no file {path}")
    return path.resolve()


def check_data(path: Path | None) -> Path | None:
    """A folder, or None. Raises Refused."""
    if path is not None and not path.is_dir():
        raise Refused(f"--data {path}: there is no such folder")
    return path


def associate(on: bool) -> int:
    """Set up, or take back, that a double click opens a session. Raises Refused."""
    from gui import association

    if why := association.unsupported():
        raise Refused(why)
    try:
        association.associate() if on else association.dissociate()
    except OSError as error:
        raise Refused(f"{error.filename or 'a file'} cannot be written: {error.strerror or error}") from None
    print("A double click on a .deepscope file now opens it." if on else "Double clicks are as they were before.")
    return 0


def check_display() -> None:
    """Qt aborts where there is no display; say so instead."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names):
        raise Refused("there is no display here; set DISPLAY, or use `python -m engine` to train without a window")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        if arguments[:1] == ["shot"]:
            from gui.shot import main as shot

            return shot(arguments[1:])
        if arguments[:1] == ["bench"]:
            from gui.bench import main as bench

            return bench(arguments[1:])
        options = parser().parse_args(arguments)
        if options.associate is not None:
            return associate(options.associate)
        if options.session is not None and options.lab:
            raise Refused("a session file already says which lab: leave out --lab")
        lab = check_lab(options.lab) if options.lab else ""
        session = check_session(options.session) if options.session is not None else None
        data = check_data(options.data)
        check_display()
    except Refused as refusal:
        print(f"deepscope: {refusal}", file=sys.stderr)
        return 2
    try:
        from gui.app import Start, run

        return run(Start(session, lab, data, options.offline, options.reset_settings))
    except KeyboardInterrupt:  # before there was a window
        return 130


def entry(argv: list[str] | None = None) -> int:
    """The whole program: nothing runs in this process after it."""
    from engine.interruption import leave

    return leave(main(argv))


if __name__ == "__main__":
    sys.exit(entry())
