"""Saving a run to a file: where to, with how much of its timeline, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.messages import Failed, Saved
from gui import format
from gui.drops import SUFFIX
from gui.error_banner import ErrorBanner, report_of
from gui.runs import ROOM, Runs
from gui.toast import Toast

LARGE = 128 << 20  # bytes of a timeline that are kept unless the viewer chooses otherwise
SMALL = 16 << 20


@dataclass(frozen=True)
class Choice:
    """What a file may keep, with its size."""

    text: str
    room: int  # bytes of the timeline

    @property
    def filter(self) -> str:
        """As an entry of the dialog's list of kinds of files."""
        return f"{self.text} (*{SUFFIX})"


def choices(state: int, timeline: int) -> tuple[Choice, ...]:
    """What can be kept of a run whose state and timeline take so many bytes; what is proposed comes first."""
    found = []
    if timeline > LARGE:
        found.append(Choice(f"With its timeline thinned, {format.size(state + LARGE)}", LARGE))
        found.append(Choice(f"With its whole timeline, {format.size(state + timeline)}", timeline))
    elif timeline:
        found.append(Choice(f"With its timeline, {format.size(state + timeline)}", LARGE))
    if timeline > SMALL:
        found.append(Choice(f"With its timeline thinned, {format.size(state + SMALL)}", SMALL))
    return (*found, Choice(f"Weights only, {format.size(state)}", 0))


class Saving(QObject):
    """Knows the file of the run that is shown, and what it may keep. A restart is another run: it asks anew, lest it
    replace what was learned."""

    def __init__(self, runs: Runs, banner: ErrorBanner, toast: Toast, parent: QWidget) -> None:
        super().__init__(parent)
        self._runs, self._banner, self._toast, self._parent = runs, banner, toast, parent
        self._file: tuple[int, Path] | None = None  # the run that lies in it
        self._room = LARGE  # bytes of the timeline
        self._dialog: QFileDialog | None = None

    def keep(self, run: int, path: Path, window: Mapping[str, str]) -> None:
        """This run lies in this file, which goes on keeping as much as was chosen for it."""
        self._file = run, path
        chosen = window.get(ROOM, "")
        if chosen.isdecimal() and len(chosen) < 16:
            self._room = int(chosen)

    def save(self) -> None:
        """Save the run to its file; ask where, if it has none."""
        if self._file is not None and self._file[0] == self._runs.run:
            self._write(self._file[1])
        else:
            self.save_as()

    def save_as(self) -> None:
        """Ask where to save the run, and save it there."""
        if self._runs.run is None or self._dialog is not None:
            return
        offered = {each.filter: each.room for each in choices(*self._runs.sizes())}
        dialog = self._dialog = QFileDialog(self._parent, "Save session")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setLabelText(QFileDialog.DialogLabel.FileType, "Keep:")
        dialog.setNameFilters(list(offered))
        if self._room in offered.values():
            dialog.selectNameFilter(next(text for text, room in offered.items() if room == self._room))
        dialog.setDefaultSuffix(SUFFIX)  # before the dialog asks whether to replace a file of that name
        dialog.selectFile(str(self._file[1]) if self._file else f"{self._runs.lab_id}{SUFFIX}")
        dialog.fileSelected.connect(lambda name: self._chosen(Path(name), offered[dialog.selectedNameFilter()]))
        dialog.finished.connect(self._asked)
        dialog.open()

    def _asked(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _chosen(self, path: Path, room: int) -> None:
        self._room = room
        self._write(path)

    def _write(self, path: Path) -> None:
        self._runs.save(path, self._room)

    def saved(self, event: Saved) -> None:
        """It lies on the disk."""
        self._file = event.run, event.path
        self._runs.settings.remember_session(event.path.absolute(), self._runs.lab_id)
        if self._banner.subject == "save":
            self._banner.dismiss()
        self._toast.say(f"Saved {event.path.name}")

    def not_kept(self, why: str) -> None:
        """The lab was to be closed, and its network could not be kept."""
        elsewhere = ("Save elsewhere…", self.save_as)
        self._banner.say(f"Not closed, as the network could not be kept: {why}", elsewhere, subject="save")

    def failed(self, event: Failed) -> None:
        """It could not be written."""
        details, report = ("", "") if event.expected else (event.traceback, report_of(event))
        elsewhere = ("Save elsewhere…", self.save_as)
        self._banner.say(f"Not saved. {event.summary}", elsewhere, subject="save", details=details, report=report)
