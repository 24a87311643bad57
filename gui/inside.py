"""Inside the step: while a viewer goes through a step phase by phase, what each phase does to every layer."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QStackedLayout, QToolButton, QVBoxLayout

from engine.messages import Event, InsideSeen, Paused, Playing
from gui import format, icons, theme
from gui.layer_strip import LARGE, SMALL, TITLE, LayerStrip
from gui.view_panel import ElidedLabel

if TYPE_CHECKING:
    from gui.workbench import Workbench

HEADER, BAR = 28, 12  # pixels: above the layers, and the scroll bar below them
LEGEND = "blue below zero · red above"
TALL = 760  # from this height of the workbench on the pictures are larger


class SidewaysScroll(QScrollArea):
    """What is wider than the window; the wheel moves it sideways, as there is nothing above or below."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (turned.x() or turned.y()))
        event.accept()


class InsidePanel(QFrame):
    """The strip below the views."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setProperty("edge", "top")
        self.setAccessibleName("Inside the step")
        self.seen: InsideSeen | None = None
        self.strip = LayerStrip()
        self.area = SidewaysScroll()
        self.area.setProperty("role", "bar")
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.strip)
        self.empty = QLabel("Press P to go through the next step phase by phase")
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = QLabel("Inside the step")
        self.title.setProperty("role", "panel-title")
        self.where, self.detail = QLabel(), ElidedLabel(LEGEND)
        for label in (self.where, self.detail):
            label.setProperty("role", "hint")
        self.detail.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.close_button = QToolButton()
        self.close_button.setToolTip("Close (Esc): P goes on without it until the next Play")
        self.close_button.setAccessibleName("Close: Inside the step")
        self.close_button.setIconSize(QSize(14, 14))
        self.close_button.setFixedSize(22, 22)
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.clicked.connect(self.closed)
        header = QHBoxLayout()
        header.setContentsMargins(14, 0, 10, 0)
        header.setSpacing(12)
        header.addWidget(self.title)
        header.addWidget(self.where)
        header.addWidget(self.detail, 1)
        header.addWidget(self.close_button)
        self.stack = QStackedLayout()
        self.stack.addWidget(self.area)
        self.stack.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(header)
        column.addLayout(self.stack, 1)
        self.strip.told.connect(lambda words: self.detail.setText(words or LEGEND))
        self.strip.moved.connect(self._reveal)
        theme.holder.changed.connect(self._restyle)
        self._restyle()
        self.set_row_height(SMALL)

    def _restyle(self) -> None:
        self.close_button.setIcon(icons.icon("close", theme.current().muted))

    def set_row_height(self, height: int) -> None:
        """How high each of the three rows is; the panel is as high as they need."""
        self.strip.set_row_height(height)
        self.setFixedHeight(HEADER + TITLE + 3 * height + BAR)

    def show_seen(self, seen: InsideSeen, shares: Container[str] = ()) -> None:
        """Show what is known of the step so far; `shares`: the metrics that are written in per cent."""
        self.seen = seen
        self.stack.setCurrentWidget(self.area)
        self.strip.show_layers(seen.layers, seen.lit)
        parts = [f"step {seen.step:,}", f"after {seen.phase}" if seen.phase else "done"]
        for name, value in seen.numbers[:2]:
            parts.append(f"{name} {format.percent(value) if name in shares else format.number(value)}")
        self.where.setText(" · ".join(parts))

    def clear(self) -> None:
        """The run has gone on: what was seen is of a former step."""
        self.seen = None
        self.strip.show_layers((), "")
        self.where.setText("")
        self.stack.setCurrentWidget(self.empty)

    def _reveal(self, left: int, right: int) -> None:
        self.area.ensureVisible(left, 0, 0, 0)
        self.area.ensureVisible(right, 0, 0, 0)


class Inside(QObject):
    """Opens the panel with the first phase, closes it when training goes on; closed by hand it stays so until then."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench = bench
        self._dismissed = False
        self.panel = InsidePanel()
        self.panel.hide()
        bench.pages.parentWidget().layout().addWidget(self.panel)  # type: ignore[union-attr]
        self.panel.closed.connect(self.dismiss)
        bench.bridge.happened.connect(self._event)
        bench.runs.adopted.connect(lambda *_: self._over())
        bench.installEventFilter(self)

    @property
    def open(self) -> bool:
        """Whether the panel is there."""
        return not self.panel.isHidden()

    def dismiss(self) -> None:
        """Close the panel until training has gone on."""
        self._dismissed = True
        self._hide()

    def _hide(self) -> None:
        if self.panel.isAncestorOf(self._bench.window().focusWidget() or self._bench):
            self._bench.setFocus()
        self.panel.hide()

    def _over(self) -> None:
        self._dismissed = False
        self._hide()
        self.panel.clear()

    def _event(self, event: Event) -> None:
        if event.run != self._bench.run:
            return
        match event:
            case InsideSeen(layers=layers, lit=lit) if layers and (lit or self.open) and not self._dismissed:
                compared = self._bench.twins.on
                self.panel.title.setText("Inside the step of A" if compared else "Inside the step")
                views = self._bench.info.views.values() if self._bench.info is not None else ()
                shares = [name for view in views if view.kind == "curves" and view.percent for name in view.metrics]  # type: ignore[attr-defined]
                self.panel.show_seen(event, shares)
                self.panel.show()
            case Playing():
                self._over()
            case Paused(step=step, phase=phase) if (seen := self.panel.seen) is not None:
                if (seen.step, seen.phase) != (step, phase):
                    self.panel.clear()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QResizeEvent):
            self.panel.set_row_height(LARGE if event.size().height() >= TALL else SMALL)
        pressed = event.key() if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress else 0
        if pressed == Qt.Key.Key_Escape and self.open and not self._bench.grid.enlarged:
            self.dismiss()
            return True
        return False
