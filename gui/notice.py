"""A strip under the header that says what went wrong, with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from gui import crash_log, style, theme
from gui.plain import plain


class Notice(QFrame):
    """Hidden until `show_error` or `show_text` is called."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self.setAccessibleName("Notice")
        self._details = ""
        self._calm = False
        self._picture = QLabel()
        self._text = QLabel()
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._offer: tuple[Callable[[], None], Callable[[], None]] | None = None  # what the button does, and closing
        self._do = QPushButton()
        self._do.clicked.connect(self._take_offer)
        self._decline = QPushButton()
        self._decline.clicked.connect(self._dismiss)
        self._copy = QPushButton("Copy")
        self._copy.setToolTip("Copy the details to the clipboard")
        self._copy.clicked.connect(self._copy_details)
        self._close = QToolButton()
        self._close.setAccessibleName("Close the notice")
        self._close.clicked.connect(self._dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 12, 8)
        row.setSpacing(12)
        row.addWidget(self._picture)
        row.addWidget(self._text, 1)
        row.addWidget(self._decline)
        row.addWidget(self._do)
        row.addWidget(self._copy)
        row.addWidget(self._close)
        theme.holder.changed.connect(self._restyle)
        self.hide()

    def show_error(self, summary: str, details: str) -> None:
        """An error: `details` go to the clipboard on Copy, and lie in the log."""
        self._details = details
        log = crash_log.path()
        self._say(f"Something went wrong: {_short(summary)}", f"The details are in {log}" if log else details)

    def show_text(self, text: str) -> None:
        """A sentence for the viewer."""
        self._details = text
        self._say(text, text)

    def offer(
        self,
        text: str,
        button: str,
        do: Callable[[], None],
        decline: Callable[[], None],
        *,
        decline_button: str = "",
        tip: str = "",
    ) -> None:
        """Something the viewer may want: `do` on the button, `decline` on closing or on a button of its own."""
        self._details = text
        self._say(text, tip or text, calm=True)
        self._offer = do, decline
        self._do.setText(button)
        self._do.show()
        self._decline.setText(decline_button)
        self._decline.setVisible(bool(decline_button))
        self._copy.hide()

    def retell(self, text: str) -> None:
        """Change the words of the offer that is shown."""
        self._details = text
        self._text.setText(text)
        self._text.setToolTip(plain(text))
        self._text.setAccessibleName(text)

    def _take_offer(self) -> None:
        if self._offer is not None:
            do, _ = self._offer
            self.hide()
            do()

    def _dismiss(self) -> None:
        declined = self._offer
        self.hide()
        if declined is not None:
            declined[1]()

    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def _say(self, text: str, tip: str, *, calm: bool = False) -> None:
        """`calm` is what nothing went wrong with: it does not look like an error."""
        self._calm = calm
        style.mark(self, "role", "offer" if calm else "notice")
        self._text.setText(text)
        self._text.setToolTip(plain(tip))
        self._text.setAccessibleName(text)
        self._offer = None
        self._do.hide()
        self._decline.hide()
        self._copy.show()
        self._copy.setText("Copy")
        self._restyle()
        self.show()

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
        self._copy.setText("Copied")

    def _restyle(self) -> None:
        if self._details:
            from gui import icons  # not at start-up

            t = theme.current()
            name, colour = ("restart", t.link) if self._calm else ("warning", t.bad)
            self._picture.setPixmap(icons.pixmap(name, 18, colour, self.devicePixelRatioF()))
            self._close.setIcon(icons.icon("close"))
            self._close.setIconSize(QSize(16, 16))


class Relay(QObject):
    """Brings exceptions of any thread to the window's thread: a signal of this object is queued where it must be."""

    raised = Signal(str, str)

    def tell(self, summary: str, details: str) -> None:
        """May be called from any thread."""
        self.raised.emit(summary, details)


def _short(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "no message"
    return line if len(line) <= 160 else line[:157] + "…"
