"""The strip of open labs below the header: a tab for each, with what it is doing and a button that closes it."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QIcon,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractButton, QFrame, QMenu, QToolButton, QWidget

from gui import format, icons, style, theme
from gui.plain import plain

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent

    from gui.open_labs import OpenLabs
    from gui.workbench import Workbench

HEIGHT = 34
MARGIN, GAP = 12, 2
NARROWEST, WIDEST = 104, 232  # pixels of a tab; where not even that fits, the strip scrolls
ROOM_FOR_STEP = 150  # from this width on a tab tells the step
CLOSE = 18
REFRESH_SECONDS = 0.2
KEYS = 9


def state_of(bench: Workbench, *, keeping: bool = False) -> str:
    """What a lab is doing, in words: "step 1,030, training"."""
    if keeping:
        return "keeping the network…"
    if bench.trouble and bench.run is None:
        return "not built"
    if bench.run is None:
        return "building…"
    return f"step {bench.step:,}, {'training' if bench.training else 'paused'}"


class LabTab(QAbstractButton):
    """One open lab."""

    close_pressed = Signal()
    menu_asked = Signal(QPoint)  # where, on the screen
    steered = Signal(int)  # to the tab so many places on

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self.bench = bench
        self.current = False
        self.state = ""
        self._shown: tuple[object, ...] = ()
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.close_button = QToolButton(self)
        self.close_button.setFixedSize(CLOSE, CLOSE)
        self.close_button.setIconSize(QSize(11, 11))
        self.close_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the tab takes the keyboard; Delete closes it
        self.close_button.setStyleSheet("padding: 0")
        self.close_button.clicked.connect(self.close_pressed)
        theme.holder.changed.connect(self._show_close)

    def show_state(self, place: int, *, current: bool, keeping: bool) -> None:
        """Show how the lab stands; nothing is painted where that is as before."""
        bench = self.bench
        self.state = state_of(bench, keeping=keeping)
        shown = (place, current, self.state, bench.title, bench.subtitle, bench.trains_on)
        if shown == self._shown:
            return
        self._shown, self.current = shown, current
        self.setChecked(current)
        self.setAccessibleName(f"{bench.title}, {self.state}")
        self.close_button.setAccessibleName(f"Close {bench.title}")
        self.close_button.setToolTip("Close (Ctrl+W); what it has learned is kept")
        lines = [f"{bench.title} · {bench.subtitle}", self.state[:1].upper() + self.state[1:]]
        lines.append("Trains on while another lab is shown" if bench.trains_on else "Paused while another lab is shown")
        keys = f"Ctrl+{place + 1} shows it; " if place < KEYS else ""
        lines.append(f"{keys}a middle click closes it; more in the context menu")
        self.setToolTip(plain("\n".join(lines)))
        self._show_close()
        self.update()

    # ------------------------------------------------------------------ mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton and self.rect().contains(event.position().toPoint()):
            self.close_pressed.emit()
        else:
            super().mouseReleaseEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_asked.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Right:
                self.steered.emit(1 if event.key() == Qt.Key.Key_Right else -1)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.click()
            case Qt.Key.Key_Delete:
                self.close_pressed.emit()
            case _:
                super().keyPressEvent(event)

    def nextCheckState(self) -> None:
        """Which tab is checked is decided by the lab that is shown."""

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_close()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_close()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_close()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_close()

    def _show_close(self) -> None:
        on = self.current or self.underMouse() or self.hasFocus()
        self.close_button.setIcon(icons.icon("close", theme.current().muted) if on else QIcon())

    # ------------------------------------------------------------------ how it looks

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.close_button.move(self.width() - CLOSE - 6, (self.height() - CLOSE) // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        t, painter = theme.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        body = QRectF(self.rect()).adjusted(0.5, 3.5, -0.5, -3.5)
        if self.current or self.underMouse():
            painter.setPen(QPen(QColor(t.border if self.current else t.bar), 1))
            painter.setBrush(QColor(t.raised) if self.current else style.mix(t.bar, t.raised, 0.6))
            painter.drawRoundedRect(body, 6, 6)
        if self.hasFocus():
            painter.setPen(QPen(QColor(t.link), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(body, 6, 6)
        middle = self.height() / 2
        self._paint_sign(painter, middle)
        closes = not self.close_button.icon().isNull()
        left, right = 25, self.close_button.x() - 4 if closes else self.width() - 10
        step = self._step_text() if self.current or not closes else ""  # the button takes its place
        font = style.font(12)
        if step and self.width() >= ROOM_FOR_STEP:
            wide = QFontMetrics(font).horizontalAdvance(step)
            painter.setFont(font)
            painter.setPen(QColor(t.muted))
            painter.drawText(QRect(right - wide, 0, wide, self.height()), Qt.AlignmentFlag.AlignVCenter, step)
            right -= wide + 8
        painter.setFont(style.font(13))
        painter.setPen(QColor(t.text if self.current else t.muted))
        title = QFontMetrics(painter.font()).elidedText(
            self.bench.title, Qt.TextElideMode.ElideRight, max(0, right - left)
        )
        painter.drawText(QRect(left, 0, right - left, self.height()), Qt.AlignmentFlag.AlignVCenter, title)
        painter.end()

    def _step_text(self) -> str:
        if self.bench.run is None or not self.state.startswith("step"):
            return "…"
        return f"{self.bench.step:,}" if self.bench.step < 100_000 else format.number(self.bench.step)

    def _paint_sign(self, painter: QPainter, middle: float) -> None:
        """A disc while it trains, two bars where it is paused, a ring while something is under way."""
        t = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        if not self.state.startswith("step"):
            painter.setPen(QPen(QColor(t.muted), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(11, middle - 3.5, 7, 7))
        elif self.bench.training:
            painter.setBrush(QColor(t.good))
            painter.drawEllipse(QRectF(10.5, middle - 4, 8, 8))
        else:
            painter.setBrush(QColor(t.muted))
            for x in (11.0, 15.5):
                painter.drawRoundedRect(QRectF(x, middle - 4, 2.5, 8), 1, 1)


class LabStrip(QFrame):
    """Tells what was pressed; the window acts on it."""

    chosen = Signal(object)  # a Workbench to show
    close_asked = Signal(object)  # a Workbench to close
    settings_asked = Signal()

    def __init__(self, labs: OpenLabs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labs = labs
        self._at_home = False
        self._first = 0  # the first tab that is seen, where not all fit
        self._refreshed = 0.0
        self.tabs: list[LabTab] = []
        self.setProperty("role", "bar")
        self.setProperty("edge", "bottom")
        self.setAccessibleName("Open labs")
        self.setFixedHeight(HEIGHT)
        self.more = QToolButton(self)
        self.more.setAccessibleName("Open labs")
        self.more.setToolTip("All open labs, and what they do while another one is shown")
        self.more.setFixedSize(28, 26)
        self.more.setIconSize(QSize(14, 14))
        self.more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.more.clicked.connect(self._open_menu)
        theme.holder.changed.connect(self._restyle)
        self._restyle()
        labs.changed.connect(self.refresh)

    def _restyle(self) -> None:
        self.more.setIcon(icons.icon("down", theme.current().muted))

    def show_at_home(self, on: bool) -> None:
        """Whether the gallery is on screen: then no tab is the current one."""
        self._at_home = on
        self.refresh()

    def refresh(self) -> None:
        """Make the tabs those of the open labs, and show how each stands."""
        benches = self._labs.benches
        if [tab.bench for tab in self.tabs] != benches:
            for menu in self.findChildren(QMenu):  # it may act on a lab that is closed now
                menu.close()
            known = {tab.bench: tab for tab in self.tabs}
            for tab in self.tabs:
                if tab.bench not in benches:
                    tab.hide()
                    tab.deleteLater()
            self.tabs = [known.get(bench) or self._make(bench) for bench in benches]
            self._order_focus()
        for place, tab in enumerate(self.tabs):
            current = tab.bench is self._labs.shown and not self._at_home
            tab.show_state(place, current=current, keeping=self._labs.is_keeping(tab.bench))
        self._place()

    def polled(self) -> None:
        """The session was asked for news: steps may have gone on."""
        now = time.monotonic()
        if self.isVisible() and now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            for place, tab in enumerate(self.tabs):
                tab.show_state(place, current=tab.current, keeping=self._labs.is_keeping(tab.bench))

    def _make(self, bench: Workbench) -> LabTab:
        tab = LabTab(bench, self)
        tab.clicked.connect(lambda: self.chosen.emit(bench))
        tab.close_pressed.connect(lambda: self.close_asked.emit(bench))
        tab.menu_asked.connect(lambda at: self.menu_of(bench).popup(at))
        tab.steered.connect(lambda way: self._steer(tab, way))
        return tab

    def _order_focus(self) -> None:
        for before, after in pairwise([*self.tabs, self.more]):
            QWidget.setTabOrder(before, after)

    def _steer(self, tab: LabTab, way: int) -> None:
        after = self.tabs[(self.tabs.index(tab) + way) % len(self.tabs)]
        self._reveal(self.tabs.index(after))
        after.setFocus(Qt.FocusReason.TabFocusReason)

    # ------------------------------------------------------------------ layout

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _room(self) -> int:
        return self.width() - 2 * MARGIN - self.more.width() - GAP

    def _fitting(self) -> int:
        return max(1, (self._room() + GAP) // (NARROWEST + GAP))

    def _place(self) -> None:
        if not self.tabs:
            return
        fitting = min(len(self.tabs), self._fitting())
        current = next((place for place, tab in enumerate(self.tabs) if tab.current), self._first)
        self._first = min(max(self._first, current - fitting + 1), current, len(self.tabs) - fitting)
        self._lay_out(fitting)

    def _reveal(self, place: int) -> None:
        fitting = min(len(self.tabs), self._fitting())
        self._first = min(max(self._first, place - fitting + 1), place)
        self._lay_out(fitting)

    def _lay_out(self, fitting: int) -> None:
        width = min(WIDEST, (self._room() + GAP) // fitting - GAP)
        x = MARGIN
        for place, tab in enumerate(self.tabs):
            seen = self._first <= place < self._first + fitting
            tab.setVisible(seen)
            if seen:
                tab.setGeometry(x, 0, width, self.height() - 1)
                x += width + GAP
        self.more.move(x + 2, (self.height() - self.more.height()) // 2)

    def wheelEvent(self, event: QWheelEvent) -> None:
        fitting = min(len(self.tabs), self._fitting())
        turned = event.angleDelta().y() or event.angleDelta().x()
        if turned and fitting < len(self.tabs):
            self._first = min(max(0, self._first - (1 if turned > 0 else -1)), len(self.tabs) - fitting)
            self._lay_out(fitting)
        event.accept()

    # ------------------------------------------------------------------ menus

    def menu_of(self, bench: Workbench) -> QMenu:
        """What can be done with one lab."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        play = menu.addAction("Pause" if bench.training else "Train")
        play.setEnabled(bench.run is not None)
        play.triggered.connect(bench.toggle_play)
        on = menu.addAction("Train on while another lab is shown")
        on.setCheckable(True)
        on.setChecked(bench.trains_on)
        on.triggered.connect(lambda checked: bench.set_background(checked))
        menu.addSeparator()
        menu.addAction("Close").triggered.connect(lambda: self.close_asked.emit(bench))
        others = menu.addAction("Close the others")
        others.setEnabled(len(self._labs.benches) > 1)
        others.triggered.connect(lambda: self._close_others(bench))
        return menu

    def _close_others(self, bench: Workbench) -> None:
        for other in [each for each in self._labs.benches if each is not bench]:
            self.close_asked.emit(other)

    def menu(self) -> QMenu:
        """All labs, and what holds for all of them."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for place, bench in enumerate(self._labs.benches):
            state = state_of(bench, keeping=self._labs.is_keeping(bench))
            keys = f"\tCtrl+{place + 1}" if place < KEYS else ""
            action = QAction(f"{bench.title} – {state}".replace("&", "&&") + keys, menu)
            action.setToolTip(plain(f"{bench.title} – {state}"))
            action.setCheckable(True)
            action.setChecked(bench is self._labs.shown and not self._at_home)
            action.triggered.connect(lambda _=False, bench=bench: self.chosen.emit(bench))
            menu.addAction(action)
        menu.addSeparator()
        settings = self._labs.settings
        on = menu.addAction("Labs train on while another is shown")
        on.setCheckable(True)
        on.setChecked(settings.train_in_background)
        on.triggered.connect(lambda checked: setattr(settings, "train_in_background", checked))
        if (shown := self._labs.shown) is not None:
            taken = f"Recordings take {shown.bridge.recorded >> 20} of {settings.memory:,} MB…"
            memory = menu.addAction(taken)
            memory.setToolTip("Of all open labs together. Beyond that, those not looked at for longest thin out first")
            memory.triggered.connect(self.settings_asked)
        return menu

    def _open_menu(self) -> None:
        self.menu().popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))
