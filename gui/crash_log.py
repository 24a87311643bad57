"""What went wrong, on disk: crashes of the interpreter, uncaught exceptions of any thread, and Qt's own warnings."""

from __future__ import annotations

import faulthandler
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TextIO

# traceback and datetime are imported when something is written: start-up does without them

LARGEST = 1_000_000  # bytes; a longer log is begun anew and the old one kept beside it

_installed = False
_folder: Path | None = None
_file: TextIO | None = None
_path: Path | None = None
_tell: Callable[[str, str], None] | None = None


def path() -> Path | None:
    """Where the log is written; None before `install`, or where no file could be opened."""
    return _path


def install(folder: Path | None = None) -> None:
    """Catch exceptions from now on; the file is opened by `open_file`, or when there is something to write."""
    global _installed, _folder
    _installed, _folder = True, folder
    sys.excepthook = _excepthook
    threading.excepthook = _thread_excepthook


def open_file() -> None:
    """Open the log, for crashes of the interpreter too. A folder that cannot be written is no reason not to start."""
    global _file, _path, _folder
    if _file is not None or not _installed:
        return
    if _folder is None:
        from platformdirs import user_log_path

        _folder = user_log_path("deepscope", appauthor=False)
    target = _folder / "deepscope.log"
    try:
        _folder.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.stat().st_size > LARGEST:
            target.replace(target.with_suffix(".old.log"))
        _file = target.open("a", encoding="utf-8", buffering=1)
        _path = target
        faulthandler.enable(_file)
    except OSError as error:
        if sys.stderr is not None:
            print(f"deepscope: no crash log: {error}", file=sys.stderr)


def remove() -> None:
    """Stop logging and close the file."""
    global _installed, _folder, _file, _path, _tell
    _installed = False
    sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    if _file is not None:
        faulthandler.disable()
        _file.close()
    _folder = _file = _path = _tell = None


def install_qt() -> None:
    """Log what Qt says too; call it once Qt is imported."""
    from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

    def handle(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        write(f"Qt {kind.name.removeprefix('Qt').removesuffix('Msg').lower()}: {message}")
        if kind != QtMsgType.QtDebugMsg and sys.stderr is not None:
            print(message, file=sys.stderr)

    qInstallMessageHandler(handle)


def on_exception(tell: Callable[[str, str], None] | None) -> None:
    """Call `tell(summary, traceback)` for every uncaught exception, on the thread that raised it."""
    global _tell
    _tell = tell


def write(text: str) -> None:
    """Add a line with the time to the log."""
    from datetime import datetime

    open_file()
    if _file is not None and not _file.closed:
        _file.write(f"{datetime.now().isoformat(timespec='seconds')} {text}\n")


def _report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, where: str) -> None:
    import traceback

    text = "".join(traceback.format_exception(kind, error, trace))
    write(f"uncaught{where}\n{text}")
    if sys.stderr is not None:  # there is none in a windowed build
        print(text, file=sys.stderr)
    if _tell is not None:
        _tell(f"{kind.__name__}: {error}" if str(error) else kind.__name__, text)


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _report(kind, error, trace, "")


def _thread_excepthook(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        where = f" in thread {args.thread.name}" if args.thread else ""
        _report(args.exc_type, args.exc_value, args.exc_traceback, where)
