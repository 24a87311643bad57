"""Saving a run to a file: where to, with which curves, and what came of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.messages import Failed, Saved
from gui.drops import SUFFIX
from gui.error_banner import ErrorBanner, report_of
from gui.runs import Runs
from gui.toast import Toast

FILTER = f"Deepscope sessions (*{SUFFIX})"


class Saving(QObject):
    """Knows the file of the run that is shown. A restart is another run: it asks anew, lest it replace what was
    learned."""

    def __init__(self, runs: Runs, banner: ErrorBanner, toast: Toast, parent: QWidget) -> None:
        super().__init__(parent)
        self._runs, self._banner, self._toast, self._parent = runs, banner, toast, parent
        self._file: tuple[int, Path] | None = None  # the run that lies in it
        self._dialog: QFileDialog | None = None

    def keep(self, run: int, path: Path) -> None:
        """This run lies in this file."""
        self._file = run, path

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
        dialog = self._dialog = QFileDialog(self._parent, "Save session", "", f"{FILTER};;All files (*)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(SUFFIX)  # before the dialog asks whether to replace a file of that name
        dialog.selectFile(str(self._file[1]) if self._file else f"{self._runs.lab_id}{SUFFIX}")
        dialog.fileSelected.connect(lambda name: self._write(Path(name)))
        dialog.finished.connect(self._asked)
        dialog.open()

    def _asked(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _write(self, path: Path) -> None:
        self._runs.save(path)

    def saved(self, event: Saved) -> None:
        """It lies on the disk."""
        self.keep(event.run, event.path)
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
