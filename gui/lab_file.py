"""The file of the lab that is open: shown, opened in an editor, copied; and, where it is one's own, watched.

When it changes, the lab is built anew from the new code. Code that cannot be loaded or built is said with its line, in
the banner and beside the code, and what ran before goes on.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QProcess, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QApplication, QInputDialog, QWidget
from shiboken6 import isValid

from engine.discovery import find_card
from engine.messages import Failed, Opened
from engine.own_labs import PREFIX, copy_lab, free_name, is_own
from gui.code_panel import CodeSide
from gui.problems import Problems
from gui.view_grid import ViewGrid

SETTLE_MS = 120  # editors write a file in several steps, or put another in its place
IN_TERMINALS = {"vi", "vim", "nvim", "nano", "pico", "emacs", "ed", "ex", "micro", "hx", "helix", "kak", "joe"}


class LabFile(QObject):
    """Belongs to one workbench."""

    copied = Signal(str)  # the id of a lab that was just made, to be opened

    def __init__(self, lab_id: str, code: CodeSide, show: QAction, problems: Problems, grid: ViewGrid, parent: QWidget):
        super().__init__(parent)
        self.path = find_card(lab_id).path
        self._code, self._show, self._problems, self._grid, self._parent = code, show, problems, grid, parent
        self._runs, self._banner, self._toast = problems.runs, problems.banner, problems.toast
        self._text = self._read()
        self._reloading = False
        self._dialog: QInputDialog | None = None
        self._watcher = QFileSystemWatcher(self)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self._look)
        if is_own(lab_id):
            self._watcher.fileChanged.connect(lambda _: self._settled.start())
            self._watcher.directoryChanged.connect(lambda _: self._settled.start())
            self._watcher.addPath(str(self.path.parent))
            self._watcher.addPath(str(self.path))
        self._runs.adopted.connect(self._adopted)
        code.edit_asked.connect(self.edit)
        code.copy_asked.connect(self.ask_copy)
        QApplication.instance().focusChanged.connect(self._focus_changed)  # type: ignore[union-attr]

    # ------------------------------------------------------------------ watching

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def _look(self) -> None:
        if str(self.path) not in self._watcher.files() and self.path.exists():
            self._watcher.addPath(str(self.path))  # another file was put in its place, which ends the watch
        text = self._read()
        if text and text != self._text:
            self._text = text
            self.reload()

    def reload(self) -> None:
        """Build the lab anew from the code that stands in the file."""
        self._code.show_error("")
        self._code.show_file(self.path)
        self._reloading = True
        self._problems.over("open", "step", "resume")
        self._problems.page.go_on()
        self._runs.rebuild()

    def _adopted(self, _: Opened) -> None:
        if self._runs.own:
            self._code.show_error("")
        if self._reloading:
            self._reloading = False
            self._toast.say(f"{self.path.name} was reloaded: it begins at step 0")

    def located(self, event: Failed) -> Failed:
        """The same failure, with the line of one's own lab that it came from; the line is lit in the code."""
        if not self._runs.own:
            return event
        found = re.findall(rf'File "{re.escape(str(self.path))}", line (\d+)', event.traceback)
        line = int(found[-1]) if found else 0
        if line and not event.expected:
            event = replace(event, summary=f"{self.path.name}, line {line}: {event.summary}")
        opening = event.what in ("open", "resume")
        if opening:
            self._reloading = False
        if opening and self._runs.run is None:  # there is nothing else to be seen
            self._code.show_file(self.path)
            self._show.setChecked(True)
        if line or opening:
            self._code.show_error(event.summary, line)
        return event

    def _focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        # the focus also changes while the views are being deleted
        if now is not None and isValid(self._grid) and self._grid.isAncestorOf(now):
            name = self._grid.current()
            if name and self._grid.panels[name].isAncestorOf(now):
                self._code.focus_view(name)

    # ------------------------------------------------------------------ editing

    def edit(self, path: Path) -> None:
        """Open a file in the viewer's editor."""
        path = path.absolute()  # no name is taken for an option
        command = editor()
        if command:
            done = QProcess.startDetached(command[0], [*command[1:], str(path)])[0]
        elif sys.platform == "win32":  # to open a .py there is to run it
            done = QProcess.startDetached("notepad.exe", [str(path)])[0]
        else:
            done = QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
        if not done:
            self._banner.say(f"No editor could be started. The file is {path}", subject="editor")

    def ask_copy(self) -> None:
        """Ask for a name, and save a copy of the lab under it."""
        if self._dialog is not None:
            return
        dialog = self._dialog = QInputDialog(self._parent)
        dialog.setWindowTitle("A lab of my own")
        dialog.setLabelText(f"Save a copy of {self.path.name} as a lab of your own, called")
        dialog.setTextValue(free_name(self.path))
        dialog.setOkButtonText("Save and open")
        dialog.textValueSelected.connect(self.copy)
        dialog.finished.connect(self._asked)
        dialog.open()

    def _asked(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def copy(self, name: str) -> None:
        """Save a copy of the lab under a name, and open it."""
        try:
            made = copy_lab(self.path, name)
        except FileExistsError as error:
            self._banner.say(f"There is a lab of that name already: {error.filename}.", subject="copy")
        except (OSError, ValueError) as error:
            self._banner.say(f"Not copied: {error}.", subject="copy")
        else:
            QTimer.singleShot(0, self, lambda: self.copied.emit(PREFIX + made.stem))


def editor() -> list[str]:
    """The command of the editor that the environment names, unless it needs a terminal; [] for the system's choice."""
    for name in ("VISUAL", "EDITOR"):
        command = shlex.split(os.environ.get(name, ""), posix=sys.platform != "win32")
        if command and Path(command[0]).stem.lower() not in IN_TERMINALS and shutil.which(command[0]):
            return command
    return []
