"""The strip over the views that says what went wrong, and offers what can be done about it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
)

from engine.messages import Failed
from gui import format, icons, style, theme

Choice = tuple[str, Callable[[], None]]


class ErrorBanner(QFrame):
    """Hidden until there is something to say; each new message replaces the former."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "banner")
        self.setAccessibleName("Problem")
        self.subject = ""  # what the banner is about, so that it can be taken down once that is over
        self._report = ""
        self._picture = QLabel()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFixedHeight(170)
        self.details.setFont(style.font(12, mono=True))
        self.details.setAccessibleName("Details")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self._more = self._button("Details", self._toggle_details)
        self._copy = self._button("Copy", self._copy_report)
        self._copy.setToolTip("Copy message, traceback, hyperparameters, seed and versions")
        self._close = QToolButton()
        self._close.setAccessibleName("Close this message")
        self._close.setIconSize(QSize(14, 14))
        self._close.clicked.connect(self.dismiss)
        self._choices: list[QPushButton] = []
        self._row = QHBoxLayout()
        self._row.setSpacing(8)
        self._row.addWidget(self._picture)
        self._row.addWidget(self.text, 1)
        for widget in (self._more, self._copy, self._close):
            self._row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 10, 8)
        column.addLayout(self._row)
        column.addWidget(self.progress)
        column.addWidget(self.details)
        theme.holder.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def _button(self, text: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(lambda: pressed())
        return button

    def say(self, text: str, *choices: Choice, subject: str = "", details: str = "", report: str = "") -> None:
        """Show a message with the buttons that answer it; `report` is what Copy copies."""
        self.subject, self._report = subject, report
        self.text.setText(text)
        self.setAccessibleDescription(text)
        for button in self._choices:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._choices = [self._button(label, pressed) for label, pressed in choices]
        for place, button in enumerate(self._choices):
            self._row.insertWidget(2 + place, button)
        self.details.setPlainText(details)
        self.details.hide()
        self._more.setVisible(bool(details))
        self._more.setText("Details")
        self._copy.setVisible(bool(report))
        self._copy.setText("Copy")
        self.progress.hide()
        self.show()

    def show_progress(self, done: int, total: int) -> None:
        """Show how far something has come, in bytes."""
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(1000 * done / max(1, total)))
        self.progress.setToolTip(f"{format.size(done)} of {format.size(total)}")
        self.progress.show()

    def dismiss(self) -> None:
        """Take the message down."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def buttons(self) -> dict[str, QPushButton]:
        """The buttons that are shown, by what is written on them."""
        found = [*self._choices, *(button for button in (self._more, self._copy) if not button.isHidden())]
        return {button.text(): button for button in found}

    def _toggle_details(self) -> None:
        self.details.setVisible(self.details.isHidden())
        self._more.setText("Details" if self.details.isHidden() else "Hide details")

    def _copy_report(self) -> None:
        QGuiApplication.clipboard().setText(self._report)
        self._copy.setText("Copied")

    def _restyle(self) -> None:
        self._picture.setPixmap(icons.pixmap("warning", 18, theme.current().warning, self.devicePixelRatioF()))
        self._close.setIcon(icons.icon("close", theme.current().muted))


def report_of(failed: Failed) -> str:
    """All that is needed to find out what happened, as text."""
    return "\n".join(
        [
            f"{failed.what}: {failed.summary}",
            f"lab {failed.spec.lab}, step {failed.step:,}, seed {failed.spec.seed}, data {failed.spec.dataset or '–'}, "
            f"device {failed.spec.device}",
            f"hyperparameters: {_settings(failed.spec.hyperparameters)}",
            _versions(),
            "",
            failed.traceback.strip(),
        ]
    ).strip()


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"


def _versions() -> str:
    from engine import __version__

    found = [f"Deepscope {__version__}", f"Python {platform.python_version()}", platform.platform(terse=True)]
    for package in ("torch", "numpy", "PySide6-Essentials"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
