"""The keys sheet (F1): a list of keys over the dimmed window; any key or click closes it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget
from shiboken6 import isValid

Section = tuple[str, Sequence[tuple[str, str]]]

EVERYWHERE: Section = (
    "Everywhere",
    (
        ("F1", "These keys"),
        ("Ctrl+O", "Open a saved session"),
        ("Ctrl+,", "Settings"),
        ("F11", "Full screen"),
        ("Ctrl+G", "All labs; open ones stay open"),
        ("Ctrl+Tab", "Next open lab; with Shift the previous"),
        ("Ctrl+1", "First open lab; up to Ctrl+9"),
        ("Ctrl+W", "Close the lab; its network is kept"),
        ("Esc", "Close what is on top, never the lab"),
        ("Ctrl+Q", "Quit"),
    ),
)
GALLERY: Section = (
    "All labs",
    (
        ("Ctrl+F", "Search"),
        ("← ↑ ↓ →", "From card to card"),
        ("Enter", "Open the lab"),
    ),
)
LAB: Section = (
    "In a lab",
    (
        ("Space", "Play and pause"),
        ("S  →", "One step"),
        ("P", "One phase of a step, seen inside"),
        ("R", "Restart, same seed"),
        ("N", "Restart, new seed"),
        ("[  ]", "Slower, faster"),
        ("F", "Enlarge a view, and back"),
        ("T", "Compare up to four runs"),
        ("H", "Earlier runs: pin their curves, go back"),
        ("E", "Explain: what this lab shows"),
        ("C", "Code: what is running"),
        ("Ctrl+L", "Live: from the past back to now"),
        ("Ctrl+B", "Branch from the step that is shown"),
        ("B", "Bookmark the step that is shown"),
        ("Ctrl+←  Ctrl+→", "From bookmark to bookmark"),
        ("Ctrl+Z", "Undo the last change"),
        ("Ctrl+Shift+Z", "Redo it"),
        ("Ctrl+C", "Copy a picture of the view"),
        ("Ctrl+S", "Save the session"),
        ("Ctrl+Shift+P", "Save a picture of the window"),
        ("Ctrl+Shift+R", "Record an animation, and end it"),
    ),
)


def native(keys: str) -> str:
    """A key as this platform writes it: ⌘F on a Mac."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) if "+" in keys else keys


class KeysSheet(QWidget):
    """Covers its parent until it is closed."""

    closed = Signal()

    def __init__(self, parent: QWidget, sections: Sequence[Section] = (EVERYWHERE, GALLERY, LAB)) -> None:
        super().__init__(parent)
        self.setAccessibleName("Keys")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._before: QWidget | None = parent.window().focusWidget()
        panel = QFrame()
        panel.setProperty("role", "panel")
        columns = QHBoxLayout()
        columns.setSpacing(40)
        for title, keys in sections:
            columns.addLayout(self._section(title, keys))
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(28, 24, 28, 24)
        inside.setSpacing(20)
        heading = QLabel("Keys")
        heading.setProperty("role", "heading")
        inside.addWidget(heading)
        inside.addLayout(columns)
        outer = QGridLayout(self)
        outer.addWidget(panel, 0, 0, Qt.AlignmentFlag.AlignCenter)
        parent.installEventFilter(self)
        self.setGeometry(parent.rect())
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def _section(self, title: str, keys: Sequence[tuple[str, str]]) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(10)
        heading = QLabel(title)
        heading.setProperty("role", "chapter")
        column.addWidget(heading)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        for row, (key, what) in enumerate(keys):
            cap = QLabel(native(key))
            cap.setProperty("role", "key")
            grid.addWidget(cap, row, 0, Qt.AlignmentFlag.AlignLeft)
            said = QLabel(what)
            said.setProperty("role", "muted")
            grid.addWidget(said, row, 1)
        column.addLayout(grid)
        column.addStretch(1)
        return column

    def dismiss(self) -> None:
        """Close, and give the keyboard back."""
        if self.isHidden():
            return
        self.hide()
        before, self._before = self._before, None
        if before is not None and isValid(before) and before.isVisible():  # it may be gone, or on another page
            before.setFocus()
        self.closed.emit()
        self.deleteLater()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:  # a key that is a shortcut closes the sheet, and does no more
            event.accept()
        return super().event(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab closes the sheet as any other key does; it does not wander behind it."""
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0, 150))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.dismiss()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.dismiss()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return super().eventFilter(watched, event)
