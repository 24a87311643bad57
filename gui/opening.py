"""Opening saved sessions: which file, what it holds, and those that were saved or opened last.

Files are looked at on another thread: reading one for its checksum takes a second per gigabyte, and one that lies on a
network or a stick may keep whoever asks for it waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QObject, Qt, Signal

from engine.discovery import UnknownLab, find_card
from gui import kept
from gui.background import Work
from gui.plain import plain

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMenu, QWidget

    from engine.messages import RunSpec
    from gui.kept import Kept
    from gui.settings import Settings

MOST_KEPT = 20  # in the menu
SHOWN = 90  # characters of a path in a question
NONE_YET = "None yet: save one with {}"


@dataclass(frozen=True)
class Session:
    """A file that was saved or opened, and what the lab of its run is called."""

    path: Path
    title: str
    kept: Kept | None = None  # it was kept when its lab was closed

    @property
    def name(self) -> str:
        """As a person calls it."""
        return f"{self.title}, step {self.kept.step:,}" if self.kept else self.path.stem

    @property
    def about(self) -> str:
        """What else there is to say of it."""
        if self.kept is None:
            return self.title
        when = QDateTime.fromSecsSinceEpoch(int(self.kept.saved)).toString("d MMMM yyyy, HH:mm")
        return f"Kept when it was closed, {when}"


def question(path: Path, dataset: str) -> tuple[str, str]:
    """What to ask before the files that a session names are read, and the same with their whole names. They are written
    as in Python, so that nothing in a name breaks the line."""
    name = repr(dataset)
    half = SHOWN // 2
    shown = name if len(name) <= SHOWN else f"{name[:half]}…{name[-half:]}"
    return f"{path.name:.40} learns from files on this computer: {shown}", f"{path} learns from {name}"


class Opening(QObject):
    """Asks for a file and reads which run it holds; the last file asked for counts. `ready`, `asks` or `refused`
    follows."""

    ready = Signal(object, object)  # the path, and its RunSpec
    asks = Signal(object, object)  # the same, where it names files to learn from that the viewer may not know
    refused = Signal(str)  # why it cannot be opened

    def __init__(self, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._settings, self._window = settings, window
        self._work: Work | None = None

    def choose(self) -> None:
        """Ask which file."""
        from PySide6.QtWidgets import QFileDialog

        if self._window.findChild(QFileDialog) is not None:
            return
        dialog = QFileDialog(self._window, "Open session", "", "Deepscope sessions (*.deepscope);;All files (*)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.open()

    def open(self, path: Path) -> None:
        """Read which run a file holds."""
        work = self._work = Work(lambda _: _spec_of(path), self)
        work.finished.connect(lambda spec: self._read(work, path, spec))
        work.failed.connect(lambda error: self._failed(work, error))
        work.start()

    def end(self) -> None:
        """Nothing follows any more."""
        self._work = None
        for work in self.findChildren(Work):
            work.end()

    def _read(self, work: Work, path: Path, spec: RunSpec) -> None:
        if work is not self._work:
            return
        self._work = None
        if path.parent != self._settings.autosave_folder:
            self._settings.remember_session(path.absolute(), spec.lab)
        if self._knows(path, spec):
            self.ready.emit(path, spec)
        else:
            self.asks.emit(path, spec)

    def _knows(self, path: Path, spec: RunSpec) -> bool:
        """Whether the data of a session are Deepscope's, or those that the viewer learned from before."""
        from engine.data.catalogue import is_known
        from gui.runs import DATASET  # not at start-up

        if is_known(spec.dataset) or path.parent in (self._settings.autosave_folder, self._settings.kept_folder):
            return True
        return self._settings.hyperparameters(spec.lab).get(DATASET) == spec.dataset

    def _failed(self, work: Work, error: Exception) -> None:
        if work is self._work:
            self._work = None
            self.refused.emit(str(error))


def _spec_of(path: Path) -> RunSpec:
    from engine.checkpoint import read_spec

    spec = read_spec(path)
    find_card(spec.lab)
    return spec


class RecentSessions(QObject):
    """The sessions saved or opened last, as far as their files are there."""

    changed = Signal(object)  # tuple[Session, ...], the latest first
    chosen = Signal(object)  # the path of the one to open

    def __init__(self, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._settings = settings
        self.sessions: tuple[Session, ...] = ()
        self.kept: tuple[Session, ...] = ()  # all that were kept when their labs were closed, the latest first
        self._work: Work | None = None
        self._again = False  # something changed while files were being looked for
        settings.changed.connect(self._setting_changed)

    def _setting_changed(self, name: str) -> None:
        if name == "recent_sessions":
            self.look()

    def look(self) -> None:
        """See which files are there now; `changed` follows where that is something new."""
        if self._work is not None:
            self._again = True
            return
        known, folder = self._settings.recent_sessions, self._settings.kept_folder
        self._work = Work(lambda _: _found(known, folder), self)
        self._work.finished.connect(self._looked)
        self._work.start()

    def end(self) -> None:
        """Nothing follows any more."""
        if self._work is not None:
            self._work.end()

    def _looked(self, found: tuple[tuple[Session, ...], tuple[Session, ...]]) -> None:
        self._work = None
        if found != (self.sessions, self.kept):
            self.sessions, self.kept = found
            self.changed.emit(self.sessions)
        if self._again:
            self._again = False
            self.look()

    def fill(self, menu: QMenu) -> None:
        """Show them in a menu, now and whenever they change."""
        menu.aboutToShow.connect(self.look)
        self.changed.connect(lambda _: self._show_in(menu))
        self._show_in(menu)

    def _show_in(self, menu: QMenu) -> None:
        from PySide6.QtGui import QKeySequence

        menu.clear()
        for session in self.sessions:
            action = menu.addAction(f"{session.name} – {session.title}".replace("&", "&&"))
            action.setToolTip(plain(str(session.path)))
            action.triggered.connect(lambda _=False, path=session.path: self.chosen.emit(path))
        if not self.sessions:
            save = QKeySequence("Ctrl+S").toString(QKeySequence.SequenceFormat.NativeText)
            menu.addAction(NONE_YET.format(save)).setEnabled(False)
        if self.kept:
            menu.addSeparator()
            kept_menu = menu.addMenu("Kept when closed")
            kept_menu.setToolTipsVisible(True)
            for session in self.kept[:MOST_KEPT]:
                self._add(kept_menu, session, f"{session.name} – {session.about.partition(', ')[2]}")
            kept_menu.addSeparator()
            folder = self._settings.kept_folder
            kept_menu.addAction("Show the folder").triggered.connect(lambda: _show(folder))

    def _add(self, menu: QMenu, session: Session, text: str) -> None:
        action = menu.addAction(text.replace("&", "&&"))
        action.setToolTip(str(session.path))
        action.triggered.connect(lambda _=False: self.chosen.emit(session.path))


def _found(known: tuple[tuple[str, str], ...], folder: Path) -> tuple[tuple[Session, ...], tuple[Session, ...]]:
    """The known sessions whose files are there, and all that are kept; those kept too long are removed."""
    kept.expire(folder)
    files = {file.path: file for file in kept.listing(folder)}
    sessions = (_session(Path(path), lab, files.get(Path(path))) for path, lab in known)
    keeping = (_session(file.path, file.lab_id, file) for file in files.values())
    return tuple(filter(None, sessions)), tuple(filter(None, keeping))


def _session(path: Path, lab: str, file: Kept | None) -> Session | None:
    """What is to be shown of a file; None where it, or its lab, is gone."""
    try:
        return Session(path, find_card(lab).title, file) if path.is_file() else None
    except (UnknownLab, OSError, ValueError):  # ValueError: a NUL in the path
        return None


def _show(folder: Path) -> None:
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QDesktopServices

    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
