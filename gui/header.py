"""The bar at the top: on the home page name, search and device; in a lab the way back, its title and its panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from gui import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QAction, QKeyEvent
    from PySide6.QtWidgets import QMenu

HEIGHT = 48
SEARCH_WIDTH = 340
GLASS = 24  # pixels that the magnifying glass takes, kept free until it is drawn


class Header(QFrame):
    """Says what was pressed; the window acts on it."""

    back = Signal()
    searched = Signal(str)
    search_entered = Signal()  # Enter in the search field
    search_left = Signal()  # Down in the search field: on to the cards
    theme_toggled = Signal()
    explain_toggled = Signal(bool)
    code_toggled = Signal(bool)
    compare_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self.setProperty("edge", "bottom")
        self.setFixedHeight(HEIGHT)
        self._brand = QLabel("Deepscope")
        self._brand.setProperty("role", "title")
        self._back = QPushButton("‹ Labs")
        self._back.setAccessibleName("Back to all labs")
        self._back.setToolTip("All labs; this one stays open (Ctrl+G)")
        self._back.clicked.connect(self.back)
        self._title = QLabel()
        self._title.setProperty("role", "title")
        self._subtitle = QLabel()
        self._subtitle.setProperty("role", "muted")
        self.search = _SearchField()
        self.search.textChanged.connect(self.searched)
        self.search.returnPressed.connect(self.search_entered)
        self.search.left.connect(self.search_left)
        self._device = QLabel()
        self._device.setProperty("role", "muted")
        self.explain = self._panel_button("Explain", "What this lab shows, and the mathematics of it (E)")
        self.explain.toggled.connect(self.explain_toggled)
        self.code = self._panel_button("Code", "The code that is running (C)")
        self.code.toggled.connect(self.code_toggled)
        self.compare = self._panel_button("Compare", "Up to three runs beside this one, with something changed (T)")
        self.compare.toggled.connect(self.compare_toggled)
        self._theme = QToolButton()
        self._theme.clicked.connect(self.theme_toggled)
        self._menu = QToolButton()
        self._menu.setAccessibleName("Menu")
        self._menu.setToolTip("Open, save, export, settings, keys")
        self._menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for button in (self._theme, self._menu):
            button.setFixedSize(30, 30)
            button.setIconSize(QSize(18, 18))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._lay_out()
        self.show_home()

    def _panel_button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setCheckable(True)
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        left, right = QHBoxLayout(), QHBoxLayout()
        left.setSpacing(12)
        right.setSpacing(8)
        for label in (self._brand, self._back, self._title, self._subtitle):
            left.addWidget(label)
        left.addStretch(1)
        right.addStretch(1)
        for widget in (self._device, self.explain, self.code, self.compare, self._theme, self._menu):
            right.addWidget(widget)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 0, 12, 0)
        grid.setHorizontalSpacing(16)
        grid.addLayout(left, 0, 0)
        grid.addWidget(self.search, 0, 1)
        grid.addLayout(right, 0, 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(2, 1)

    def load_icons(self) -> None:
        """Draw the icons: after the first paint, as it takes a moment."""
        from gui import icons

        t = theme.current()
        dark = t is theme.DARK
        self._theme.setIcon(icons.icon("sun" if dark else "moon", t.muted))
        name = "Light theme" if dark else "Dark theme"
        self._theme.setToolTip(name)
        self._theme.setAccessibleName(name)
        self._menu.setIcon(icons.icon("menu", t.muted))
        self.search.load_icon()

    def set_menu(self, menu: QMenu) -> None:
        """What the menu button opens."""
        self._menu.setMenu(menu)

    def show_home(self) -> None:
        """The header of the home page."""
        self._switch(home=True)

    def show_lab(self) -> None:
        """The header of a lab."""
        self._switch(home=False)

    def set_title(self, title: str, subtitle: str) -> None:
        """Title and the muted words beside it."""
        self._title.setText(title)
        self._subtitle.setText(subtitle)

    def set_device(self, text: str) -> None:
        """What computes, once that is known."""
        self._device.setText(text)

    def _switch(self, *, home: bool) -> None:
        at_home: tuple[QWidget, ...] = (self._brand, self.search, self._device)
        panels = (self.explain, self.code, self.compare)
        in_lab: tuple[QWidget, ...] = (self._back, self._title, self._subtitle, *panels)
        for widget in (*at_home, *in_lab):
            widget.setVisible((widget in at_home) == home)


class _SearchField(QLineEdit):
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Search labs, ideas, papers…")
        self.setAccessibleName("Search labs")
        self.setFixedWidth(SEARCH_WIDTH)
        self.setTextMargins(GLASS, 0, 0, 0)
        self._glass: QAction | None = None
        self._clear: QAction | None = None
        self.textChanged.connect(self._show_clear)

    def load_icon(self) -> None:
        from PySide6.QtGui import QAction

        from gui import icons

        if self._glass is None or self._clear is None:
            self._glass, self._clear = QAction(self), QAction("Clear search", self)
            self._clear.triggered.connect(self.clear)
            self.setTextMargins(0, 0, 0, 0)
            self.addAction(self._glass, QLineEdit.ActionPosition.LeadingPosition)
        colour = theme.current().muted
        self._glass.setIcon(icons.icon("search", colour))
        self._clear.setIcon(icons.icon("close", colour))

    def _show_clear(self, text: str) -> None:
        if self._clear is None:
            return
        if text and self._clear not in self.actions():
            self.addAction(self._clear, QLineEdit.ActionPosition.TrailingPosition)
        elif not text:
            self.removeAction(self._clear)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() == Qt.Key.Key_Down:
            self.left.emit()
        else:
            super().keyPressEvent(event)
