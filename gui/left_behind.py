"""Runs that earlier starts left behind: the autosaves of processes that are gone. They are offered at the start.

Opening one removes its file only once its run was written anew. What is declined moves to the folder of kept networks,
and is found under Recent. Files are read on another thread: a damaged one is passed over, and stays where it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PySide6.QtCore import QDateTime, QObject

from engine.discovery import UnknownLab, find_card
from gui import kept
from gui.background import Work
from gui.notice import Notice
from gui.settings import Settings

KEEP_DAYS = 30
AT_ONCE = 4  # labs that are opened together
TOLERANCE = 10.0  # seconds: how far two readings of the moment at which a process began may lie apart

# lab, process, when that process began, number of the workbench; earlier versions wrote the first two
_NAME = re.compile(r"(?P<lab>.+)-(?P<process>\d+)-(?P<began>\d+)-\d+|(?P<old_lab>.+)-(?P<old_process>\d+)")
_PART = re.compile(r"\.(?P<stem>.+)\.deepscope\..*")


@dataclass(frozen=True)
class Left:
    """A run that an earlier start left behind."""

    path: Path
    lab_id: str
    step: int
    saved: float  # seconds since the epoch


@cache
def _began() -> int:
    import psutil

    return int(psutil.Process().create_time())


def file_name(lab_id: str, number: int) -> str:
    """What the autosave of a workbench of this process is called."""
    return f"{lab_id}-{os.getpid()}-{_began()}-{number}.deepscope"


def left_behind(folder: Path) -> tuple[Left, ...]:
    """The autosaves of processes that are gone and can be read, the newest first. Removes very old ones, and what such
    processes were writing when they ended. It may take seconds: files are read to their end."""
    found = []
    for path in folder.glob("*.deepscope") if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            saved = path.stat().st_mtime
            if time.time() - saved > KEEP_DAYS * 86_400:
                path.unlink()
            elif (lab_id := _orphan(path.stem)) and (step := _readable(path)) is not None:
                found.append(Left(path, lab_id, step, saved))
    sweep(folder)
    return tuple(sorted(found, key=lambda left: left.saved, reverse=True))


def sweep(folder: Path) -> None:
    """Remove what processes that are gone were writing when they ended, and what nobody has written to for a day."""
    for path in folder.glob(".*.part") if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            name = _PART.fullmatch(path.name)
            if (name is not None and _orphan(name["stem"])) or time.time() - path.stat().st_mtime > 86_400:
                path.unlink()


def _orphan(stem: str) -> str:
    """The lab of a file whose process is gone; "" for any other file."""
    name = _NAME.fullmatch(stem)
    if name is None:
        return ""
    if name["process"]:
        return "" if _alive(int(name["process"]), int(name["began"])) else name["lab"]
    return "" if _alive(int(name["old_process"])) else name["old_lab"]


def _alive(number: int, began: int | None = None) -> bool:
    """Whether a process still runs; with `began` it must be the one that began then, not another with its number."""
    import psutil

    try:
        process = psutil.Process(number)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if began is None:
            return number != os.getpid()
        return bool(abs(process.create_time() - began) < TOLERANCE)
    except (psutil.NoSuchProcess, OverflowError):
        return False
    except psutil.Error:  # it is somebody else's
        return True


def _readable(path: Path) -> int | None:
    """The step at which a file stands; None where it is damaged."""
    from engine.checkpoint import CheckpointError, read_spec

    try:
        read_spec(path)
        with zipfile.ZipFile(path) as archive:
            return int(json.loads(archive.read("session.json"))["step"])
    except (CheckpointError, OSError, ValueError, KeyError, TypeError):
        return None


class Offer(QObject):
    """Looks for what was left behind, and offers it in the notice."""

    def __init__(self, settings: Settings, notice: Notice, open_session: Callable[[Path], None], parent: QObject):
        super().__init__(parent)
        self._settings, self._notice, self._open = settings, notice, open_session
        self._waiting: list[Left] = []  # to be opened, one after another
        self._work: Work | None = None

    def look(self) -> None:
        """Look on another thread; the offer follows where there is something."""
        folder, kept_folder = self._settings.autosave_folder, self._settings.kept_folder

        def look(_: Work) -> tuple[Left, ...]:
            sweep(kept_folder)
            return left_behind(folder)

        if folder.is_dir():
            self._work = Work(look, self)
            self._work.finished.connect(self._offer)
            self._work.over.connect(self._looked)
            self._work.start()

    def _looked(self) -> None:
        self._work = None

    def end(self) -> None:
        """Nothing follows any more."""
        self._waiting.clear()
        if self._work is not None:
            self._work.end()

    def _offer(self, found: tuple[Left, ...]) -> None:
        known = [(left, title) for left in found if (title := _title(left.lab_id))]
        if not known:
            return
        when = QDateTime.fromSecsSinceEpoch(int(known[0][0].saved)).toString("d MMMM, HH:mm")
        titles = list(dict.fromkeys(title for _, title in known))
        several = len(titles) > 1
        told = f"{_listed(titles)} {'were' if several else 'was'} open when Deepscope last ended ({when}); what "
        told += f"{'they' if several else 'it'} had learned is kept."
        lefts = [left for left, _ in known]
        self._notice.offer(told, "Go on", lambda: self._go_on(lefts), lambda: self._keep(lefts))

    def _go_on(self, lefts: list[Left]) -> None:
        self._keep(lefts[AT_ONCE:])
        self._waiting = lefts[:AT_ONCE]  # the newest is opened last, and is then on screen
        self.go_on()

    def go_on(self) -> None:
        """Open the next one. To be called again once it is open, or was refused."""
        if self._waiting:
            self._open(self._waiting.pop().path)

    def _keep(self, lefts: list[Left]) -> None:
        """Put them where networks are kept: they are not offered again, and nothing is lost."""
        for left in lefts:
            with contextlib.suppress(OSError):
                place = kept.place_for(self._settings.kept_folder, left.lab_id, left.step)
                os.replace(left.path, place)
                self._settings.remember_session(place, left.lab_id)


def _title(lab_id: str) -> str:
    try:
        return find_card(lab_id).title
    except UnknownLab:
        return ""


def _listed(titles: list[str]) -> str:
    shown = titles if len(titles) <= 3 else [*titles[:2], f"{len(titles) - 2} more labs"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
