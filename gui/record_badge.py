"""What is being recorded, or written: a few words over the window's upper edge, with a button that ends it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget


class RecordBadge(QFrame):
    """Lies over the header of `around`, in its middle, so that no recording of a lab shows it."""

    pressed = Signal()

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        self._around = around
        self.setProperty("role", "toast")
        self.setAccessibleName("Recording")
        self._dot = QLabel("●")
        self._dot.setProperty("role", "bad")
        self.text = QLabel()
        self.button = QPushButton()
        self.button.setProperty("kind", "quiet")
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(self.pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 2, 6, 2)
        row.setSpacing(8)
        for widget in (self._dot, self.text, self.button):
            row.addWidget(widget)
        around.installEventFilter(self)
        self.hide()

    def say(self, text: str, button: str, *, live: bool) -> None:
        """Show a text and what the button does; a dot says that pictures are being taken."""
        self.text.setText(text)
        self.setAccessibleDescription(text)
        self.button.setText(button)
        self._dot.setVisible(live)
        self.place()
        self.show()
        self.raise_()

    def place(self) -> None:
        """Stand at the top, in the middle."""
        self.adjustSize()
        top = 6 if getattr(self._around, "in_lab", True) else 54  # the gallery's search field is not covered
        self.move((self._around.width() - self.width()) // 2, top)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.place()
        return False
