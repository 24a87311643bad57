"""A few words over the lower edge of the views, gone by themselves; sometimes with a button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

SECONDS = 6


class Toast(QFrame):
    """Lies over `parent`, so that nothing below it moves."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._around = parent
        self.setProperty("role", "toast")
        self.setAccessibleName("Notice")
        self.text = QLabel()
        self.button = QPushButton()
        self.button.setProperty("kind", "quiet")
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(self._pressed)
        self._action: Callable[[], None] | None = None
        self._row = QHBoxLayout(self)
        self._row.addWidget(self.text)
        self._row.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SECONDS * 1000)
        self._timer.timeout.connect(self.hide)
        parent.installEventFilter(self)
        self.hide()

    def say(self, text: str, button: str = "", action: Callable[[], None] | None = None) -> None:
        """Show a text for a while, and a button that does `action`."""
        self.text.setText(text)
        self._action = action
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._row.setContentsMargins(16, 6, 8 if button else 16, 6)
        self._place()
        self.show()
        self.raise_()
        self._timer.start()

    def _pressed(self) -> None:
        self.hide()
        if self._action is not None:
            self._action()

    def _place(self) -> None:
        self.setMinimumHeight(40)
        self.adjustSize()
        around = self._around.rect()
        self.move((around.width() - self.width()) // 2, around.height() - self.height() - 18)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False
