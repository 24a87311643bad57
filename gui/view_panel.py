"""The card around a view: title, muted hint, the buttons that appear on hover, and what is shown when it raises."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFontMetrics,
    QIcon,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.messages import Frame
from gui import export, icons, style, theme
from gui.plain import plain, wrapped
from gui.side_by_side import SideBySide
from gui.views.base import ViewWidget


class ElidedLabel(QLabel):
    """A line of text that ends in … where there is too little room, and never asks for more.

    `keeps_end`: of parts like "validation · 98.7 %" the first ones make way, as the last one tells most.
    `whole`: other texts are shown whole or not at all, as "ho…" tells nobody to hover; of these at least half.
    """

    keeps_end = whole = False

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        room = self.contentsRect()
        metrics, text = QFontMetrics(self.font()), self.text()
        while self.keeps_end and " · " in text and metrics.horizontalAdvance(text) > room.width():
            text = text.partition(" · ")[2]
        if self.whole and room.width() < metrics.horizontalAdvance(text) * (0.5 if self.keeps_end else 1):
            text = ""
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.setPen(self.palette().windowText().color())
        painter.drawText(room, self.alignment() | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class ViewPanel(QFrame):
    """Shows one view of a lab."""

    enlarge = Signal()  # the viewer wants it to fill the grid, or no longer
    notice = Signal(str)  # something to tell in passing

    def __init__(self, name: str, view: ViewWidget) -> None:
        super().__init__()
        self.name, self.view = name, view
        self.twins: dict[str, ViewWidget] = {}  # by letter: the same view of other runs, beside it
        self._beside: SideBySide | None = None
        self._said: dict[ViewWidget, str] = {}
        self.setProperty("role", "panel")
        self.title = ElidedLabel(view.description.title)
        self.title.setProperty("role", "panel-title")
        self.title.setToolTip(wrapped(view.description.help))
        self.hint = ElidedLabel(view.description.hint)
        self.hint.whole = True
        self.hint.setProperty("role", "hint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.enlarge_button = self._button("Enlarge (F)", self.enlarge.emit)
        self.menu_button = self._button("Copy and save", self._open_menu)
        header = QHBoxLayout()
        header.setContentsMargins(2, 0, 2, 0)
        header.setSpacing(4)
        header.addWidget(self.title)
        header.addWidget(self.hint, 1)
        self.header = QWidget()
        self.header.setLayout(header)
        self.header.setFixedHeight(26)
        self.buttons = QWidget(self.header)  # over the hint: nothing moves when they appear
        row = QHBoxLayout(self.buttons)
        row.setContentsMargins(8, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.enlarge_button)
        row.addWidget(self.menu_button)
        self.complaint = QLabel()
        self.complaint.setProperty("role", "muted")
        self.complaint.setWordWrap(True)
        self.complaint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.complaint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.stack = QStackedLayout()
        self.stack.addWidget(view)
        self.stack.addWidget(self.complaint)
        column = QVBoxLayout(self)
        column.setContentsMargins(11, 6, 11, 11)
        column.setSpacing(4)
        column.addWidget(self.header)
        column.addLayout(self.stack, 1)
        view.hint.connect(lambda text: self._hear(view, text))
        theme.holder.changed.connect(self._restyle)
        self.enlarged = False
        self._restyle()
        self._show_buttons(False)

    def _button(self, text: str, pressed: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setToolTip(text)
        button.setAccessibleName(f"{text}: {self.view.description.title}")
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(22, 22)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(pressed)
        button.installEventFilter(self)
        return button

    # ------------------------------------------------------------------ content

    def show_frame(self, frame: Frame) -> None:
        """Show a payload; a widget that cannot says so in its own panel, and the others go on."""
        try:
            self.view.show_payload(frame.payload, frame.step)
        except Exception as error:
            self.complain(f"This view cannot be drawn.\n{type(error).__name__}: {error}")
            return
        self._share(self.view)
        if self.stack.currentIndex() != 0:
            self.stack.setCurrentIndex(0)

    def pair(self, twins: Mapping[str, ViewWidget]) -> None:
        """Show the same view of other runs beside this one; none of them leaves it alone."""
        if self._beside is not None:
            self.stack.removeWidget(self._beside)
            self.stack.insertWidget(0, self.view)
            self._beside.part()
            for widget in (*self.twins.values(), self._beside):
                widget.close()
                widget.deleteLater()
        self.twins, self._beside = dict(twins), None
        self._said = {self.view: self._said.get(self.view, "")}
        if twins:
            self.stack.removeWidget(self.view)
            self._beside = SideBySide({"A": self.view, **twins})
            self.stack.insertWidget(0, self._beside)
            for twin in twins.values():
                twin.hint.connect(lambda text, twin=twin: self._hear(twin, text))
        self.stack.setCurrentIndex(0)
        self._show_hint()

    def show_twin(self, letter: str, frame: Frame) -> None:
        """Show a payload of another run."""
        if (twin := self.twins.get(letter)) is not None:
            try:
                twin.show_payload(frame.payload, frame.step)
            except Exception as error:
                self.complain(f"This view of {letter} cannot be drawn.\n{type(error).__name__}: {error}")
            else:
                self._share(twin)

    def _share(self, view: ViewWidget) -> None:
        if self._beside is not None:
            self._beside.shown(view)

    def complain(self, text: str, details: str = "") -> None:
        """Show an error in the place of the view, until its next payload."""
        self.complaint.setText(text)
        self.complaint.setToolTip(f"<pre>{html.escape(details)}</pre>" if details else "")
        self.stack.setCurrentIndex(1)

    def take_spent(self) -> tuple[float, int]:
        """Seconds spent on drawing since the last call, and how often it was drawn."""
        spent, times = 0.0, 0
        for view in (self.view, *self.twins.values()):
            spent, times = spent + view.spent, max(times, view.painted)
            view.spent, view.painted = 0.0, 0
        return spent, times

    def light(self, on: bool) -> None:
        """Light up the border: Explain speaks of this view."""
        style.mark(self, "lit", "true" if on else "false")

    def set_enlarged(self, on: bool) -> None:
        """Change the button: the grid does the rest."""
        self.enlarged = on
        self.enlarge_button.setToolTip("Back to all views (Esc)" if on else "Enlarge (F)")
        self._restyle()

    def _hear(self, view: ViewWidget, text: str) -> None:
        self._said[view] = text
        self._show_hint()

    def _show_hint(self) -> None:
        said = [self._said.get(view, "") for view in (self.view, *self.twins.values())]
        text = next(filter(None, said), "")
        if len({*filter(None, said)}) > 1:  # A | B | C, of each the last part, which tells most
            heads, _, tails = zip(*(each.rpartition(" · ")[2].rpartition(" ") for each in said), strict=True)
            alike = len({head for head, tail in zip(heads, tails, strict=True) if tail}) == 1  # "value 0.1 | 0.2"
            ends = tails if alike else [each.rpartition(" · ")[2] for each in said]
            text = f"{max(heads)} " * alike + " | ".join(end or "–" for end in ends)
        self.hint.keeps_end = bool(text)
        self.hint.setText(text or self.view.description.hint)
        self.hint.setToolTip(plain(self.hint.text()))

    # ------------------------------------------------------------------ hover, keys, menu

    def enterEvent(self, event: QEnterEvent) -> None:
        self._show_buttons(True)

    def leaveEvent(self, event: QEvent) -> None:
        self._show_buttons(False)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._show_buttons(self.underMouse() or event.type() == QEvent.Type.FocusIn)
        return False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.position().y() <= self.header.geometry().bottom():
            self.enlarge.emit()

    def _show_buttons(self, on: bool) -> None:
        # without icons and background they are not seen, yet can be reached by Tab
        self.buttons.setAutoFillBackground(on)
        self.hint.setContentsMargins(0, 0, self.buttons.width() if on else 0, 0)
        for button, name in (
            (self.enlarge_button, "shrink" if self.enlarged else "expand"),
            (self.menu_button, "more"),
        ):
            button.setIcon(icons.icon(name, theme.current().muted) if on else QIcon())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.buttons.adjustSize()
        margins = self.layout().contentsMargins()  # type: ignore[union-attr]
        self.buttons.move(self.width() - margins.left() - margins.right() - self.buttons.width(), 2)

    def _restyle(self) -> None:
        palette = self.buttons.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.current().panel))
        self.buttons.setPalette(palette)
        self._show_buttons(self.underMouse())

    def menu(self) -> QMenu:
        """What can be taken out of the view."""
        menu = QMenu(self)
        menu.addAction(icons.icon("copy"), "Copy picture", self.copy_picture)
        menu.addSeparator()
        menu.addAction(
            "Save as PNG…", lambda: self._save("png", lambda path: export.save_png(self._beside or self.view, path))
        )
        if self.view.vector():
            menu.addAction("Save as SVG…", lambda: self._save("svg", lambda path: export.save_svg(self.view, path)))
        numbers = menu.addAction("Save numbers as CSV…")
        numbers.triggered.connect(lambda: self._save("csv", lambda path: export.save_csv(self.view, path)))
        numbers.setEnabled(bool(self.view.csv_rows()))
        menu.addSeparator()
        menu.addAction("Reset view", self.reset_view)
        return menu

    def reset_view(self) -> None:
        """Undo zoom, pan and selection, in the views of all runs."""
        for view in (self.view, *self.twins.values()):
            view.reset_view()

    def _open_menu(self) -> None:
        menu = self.menu()
        menu.exec(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))
        menu.deleteLater()

    def copy_picture(self) -> None:
        """Put a picture of the view on the clipboard."""
        export.copy_picture(self._beside or self.view)
        self.notice.emit(f"Copied a picture of {self.view.description.title}")

    def _save(self, suffix: str, write: Callable[[Path], None]) -> None:
        proposed = f"{self.view.description.title}.{suffix}".replace("/", "-")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save", proposed, f"{suffix.upper()} (*.{suffix})")
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(f"{chosen}.{suffix}")
        try:
            write(path)
        except OSError as error:
            self.notice.emit(f"Not saved: {error.strerror or error}")
        else:
            self.notice.emit(f"Saved {path.name}")
