"""About: which versions of what run here, and under which licences."""

from __future__ import annotations

import platform
from importlib import metadata

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtSvgWidgets import QSvgWidget
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine import __version__
from gui import crash_log, style

LICENCES = (
    ("Deepscope", "MIT"),
    ("Qt and PySide6", "LGPL 3"),
    ("PyTorch, NumPy, scikit-learn", "BSD 3-Clause"),
    ("ziamath", "MIT"),
    ("Inter, JetBrains Mono", "SIL Open Font License 1.1"),
)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def facts(device: str = "") -> list[tuple[str, str]]:
    """What a report of a fault should say. Imports nothing heavy: versions are read from the packages' metadata."""
    return [
        ("Deepscope", __version__),
        ("Python", platform.python_version()),
        ("Qt", qVersion()),
        ("PySide6", _version("pyside6-essentials")),
        ("PyTorch", _version("torch")),
        ("NumPy", _version("numpy")),
        ("Device", device or "known once a lab has been opened"),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("Window system", QGuiApplication.platformName()),
        ("Log", str(crash_log.path() or "none")),
    ]


class AboutDialog(QDialog):
    """Versions, licences, Copy."""

    def __init__(self, parent: QWidget | None = None, device: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle("About Deepscope")
        self._facts = facts(device)
        logo = QSvgWidget(str(style.ASSETS / "icons" / "deepscope.svg"))
        logo.setFixedSize(56, 56)
        name = QLabel("Deepscope")
        name.setProperty("role", "heading")
        line = QLabel("A desktop laboratory for deep learning: real networks train live while you look inside.")
        line.setProperty("role", "muted")
        line.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(name)
        words.addWidget(line)
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(logo)
        head.addLayout(words, 1)
        self._copy = QPushButton("Copy")
        self._copy.setToolTip("Copy the versions, for a report")
        self._copy.clicked.connect(self.copy)
        close = QPushButton("Close")
        close.setProperty("kind", "primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 20)
        layout.setSpacing(18)
        layout.addLayout(head)
        layout.addLayout(_table(self._facts, "mono"))
        layout.addWidget(_rule())
        layout.addLayout(_table(LICENCES, "muted"))
        layout.addLayout(buttons)
        self.setMinimumWidth(560)

    def copy(self) -> None:
        """Put the versions on the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(f"{name}: {value}" for name, value in self._facts))
        self._copy.setText("Copied")


def _table(rows: list[tuple[str, str]] | tuple[tuple[str, str], ...], role: str) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(5)
    grid.setColumnStretch(1, 1)
    for row, (name, value) in enumerate(rows):
        left, right = QLabel(name), QLabel(value)
        left.setProperty("role", "muted" if role == "mono" else "")
        right.setProperty("role", role)
        right.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        right.setWordWrap(True)
        grid.addWidget(left, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(right, row, 1)
    return grid


def _rule() -> QWidget:
    from PySide6.QtWidgets import QFrame

    rule = QFrame()
    rule.setProperty("role", "rule")
    return rule
