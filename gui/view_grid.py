"""The views of a lab in its mosaic. Cells share the room equally and never change size with what they show."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.messages import Frame, LabInfo
from engine.recorder import MetricHistory
from gui import theme
from gui.view_panel import ViewPanel
from gui.views import make_view
from gui.views.base import ViewWidget
from gui.views.ghosts import Ghost

NEWEST = 1 << 62  # the step that curves are shown at: wherever the run has got to


class BusyLine(QWidget):
    """A thin line with a light running along it: something is under way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(3)
        self._at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(33)
        self._timer.timeout.connect(self._advance)
        self.setAccessibleName("Working")

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def _advance(self) -> None:
        self._at = (self._at + 0.02) % 1.0
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.current().raised))
        length = 0.3 * self.width()
        painter.fillRect(
            QRectF(self._at * (self.width() + length) - length, 0, length, 3), QColor(theme.current().accent)
        )
        painter.end()


class BuildingPage(QWidget):
    """What stands where the views will be, while the first run of a lab is built."""

    def __init__(self, title: str, doing: str) -> None:
        super().__init__()
        self._doing = doing
        self.heading, self.text, self.line = QLabel(title), QLabel(doing), BusyLine()
        self.heading.setProperty("role", "title")
        self.text.setProperty("role", "muted")
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text.setFixedWidth(420)
        self.line.setFixedWidth(280)
        column = QVBoxLayout(self)
        column.addStretch(2)
        for widget in (self.heading, self.text, self.line):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.setSpacing(10)
        column.addStretch(3)

    def stop(self, why: str) -> None:
        """It cannot be built: say why."""
        self.text.setText(why)
        self.line.hide()

    def go_on(self) -> None:
        """It is built once more."""
        self.text.setText(self._doing)
        self.line.show()


class ViewGrid(QWidget):
    """One panel per view of the layout."""

    gesture = Signal(str, object, bool)  # view, engine.payloads.Gesture, whether it is to change the experiment
    visible_changed = Signal()
    notice = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.panels: dict[str, ViewPanel] = {}
        self.info: LabInfo | None = None  # the lab whose views these are
        self.enlarged = ""
        self.budget = 0.05  # the share of the time that drawing may take
        self.leisure = False  # the training keeps a pace with time to spare: the budget does not count
        self._costs: dict[str, float] = {}  # seconds per drawing
        self._due: dict[str, float] = {}
        self._places: dict[str, tuple[int, int, int, int]] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(10, 10, 10, 10)
        self._grid.setSpacing(10)

    def build(self, info: LabInfo) -> None:
        """Make the panels of a lab's layout."""
        self.clear()
        self.info = info
        rows = info.layout
        for name in dict.fromkeys(cell for row in rows for cell in row if cell != "."):
            cells = [(r, c) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell == name]
            (top, left), (bottom, right) = cells[0], cells[-1]
            view = make_view(info.views[name], probes=name in info.probes, edits=name in info.edits)
            panel = ViewPanel(name, view)
            # the stretch alone decides: what a view would like must not move its neighbours
            panel.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
            panel.setMinimumSize(120, 90)
            view.gesture.connect(lambda gesture, edit, name=name: self.gesture.emit(name, gesture, edit))
            panel.enlarge.connect(lambda name=name: self.enlarge("" if self.enlarged == name else name))
            panel.notice.connect(self.notice)
            self.panels[name] = panel
            self._places[name] = (top, left, bottom - top + 1, right - left + 1)
            self._grid.addWidget(panel, *self._places[name])
        for row in range(len(rows)):
            self._grid.setRowStretch(row, 1)
            self._grid.setRowMinimumHeight(row, 1)
        for column in range(len(rows[0])):
            self._grid.setColumnStretch(column, 1)
            self._grid.setColumnMinimumWidth(column, 1)
        self.visible_changed.emit()

    def clear(self) -> None:
        """Remove all panels."""
        self.enlarged = ""
        for panel in self.panels.values():
            self._grid.removeWidget(panel)
            panel.close()
            panel.deleteLater()
        self.panels, self._places, self._costs, self._due = {}, {}, {}, {}
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 0)
            self._grid.setRowMinimumHeight(row, 0)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 0)
            self._grid.setColumnMinimumWidth(column, 0)

    # ------------------------------------------------------------------ what is shown

    def show_frame(self, frame: Frame) -> None:
        """Hand a frame to its panel."""
        if (panel := self.panels.get(frame.view)) is not None:
            panel.show_frame(frame)

    def show_metrics(
        self, history: MetricHistory, *, names: Iterable[str] = (), now: bool = False, step: int = NEWEST
    ) -> None:
        """Let the curves of these metrics (of all where none are named) show the history, each as often as its share
        of the budget allows: they are drawn from what the window has, so the session cannot pace them. `now` does
        not wait: training stands, and the last point is to be seen."""
        wanted = set(names)
        at = time.monotonic()
        for name, panel in self.panels.items():
            view = panel.view
            if view.description.kind != "curves" or (wanted and not wanted & set(view.description.metrics)):
                continue
            if now or (panel.isVisible() and self._due.get(name, 0.0) <= at):
                view.show_metrics(history, step)  # type: ignore[attr-defined]
                cost = self._costs.get(name, 0.0)
                self._due[name] = at + (2 * cost if self.leisure else cost * max(1, len(self.panels)) / self.budget)

    def set_flags(self, flags: Sequence[tuple[int, str]]) -> None:
        """Mark the steps at which a knob was turned."""
        from gui.views.curves import Flag

        for panel in self.panels.values():
            if panel.view.description.kind == "curves":
                panel.view.set_flags([Flag(step, text) for step, text in flags])  # type: ignore[attr-defined]

    def pair(self, info: LabInfo | None, letters: str = "") -> None:
        """Show other runs of the lab beside the first in every panel; without letters the first is alone again. What
        all share stays single: curves are drawn in one plot, and a drawing is made for all."""
        for name, panel in self.panels.items():
            wanted = letters if info is not None and info.views[name].kind not in ("curves", "canvas") else ""
            if "".join(panel.twins) != wanted:
                panel.pair({letter: self._twin(info, name) for letter in wanted if info is not None})

    def _twin(self, info: LabInfo, name: str) -> ViewWidget:
        twin = make_view(info.views[name], probes=name in info.probes, edits=name in info.edits)
        twin.awaited = True
        twin.gesture.connect(lambda gesture, edit: self.gesture.emit(name, gesture, edit))
        return twin

    def show_twin(self, letter: str, frame: Frame) -> None:
        """Hand a frame of another run to its panel."""
        if (panel := self.panels.get(frame.view)) is not None:
            panel.show_twin(letter, frame)

    def set_twins(self, histories: Mapping[str, MetricHistory]) -> None:
        """Draw the curves of other runs over the present ones, by letter."""
        for panel in self.panels.values():
            if panel.view.description.kind == "curves":
                panel.view.set_twins(histories)  # type: ignore[attr-defined]

    def set_ghosts(self, ghosts: Sequence[Ghost]) -> None:
        """Show the curves of other runs faintly beside the present ones."""
        for panel in self.panels.values():
            if panel.view.description.kind == "curves":
                panel.view.set_ghosts(ghosts)  # type: ignore[attr-defined]

    def visible_views(self) -> tuple[str, ...]:
        """The views that can be seen: one where it is enlarged, none in a minimised or hidden window."""
        window = self.window()
        if not self.isVisible() or window.isMinimized():
            return ()
        return tuple(name for name in self.panels if not self.enlarged or name == self.enlarged)

    def take_drawn(self) -> dict[str, float]:
        """Seconds spent on drawing each view since the last call."""
        drawn = {}
        for name, panel in self.panels.items():
            drawn[name], times = panel.take_spent()
            if times:
                self._costs[name] = drawn[name] / times
        return drawn

    def light(self, name: str) -> None:
        """Light up the panel of one view, or of none."""
        for each, panel in self.panels.items():
            panel.light(each == name)

    # ------------------------------------------------------------------ one panel over all

    def enlarge(self, name: str) -> None:
        """Let one panel fill the grid; "" shows all again."""
        if name == self.enlarged or (name and name not in self.panels):
            return
        self.enlarged = name
        for each, panel in self.panels.items():
            panel.setVisible(not name or each == name)
            panel.set_enlarged(each == name)
        if name:
            rows, columns = self._grid.rowCount(), self._grid.columnCount()
            self._grid.addWidget(self.panels[name], 0, 0, rows, columns)
        else:
            for each, place in self._places.items():
                self._grid.addWidget(self.panels[each], *place)
        self.visible_changed.emit()

    def current(self) -> str:
        """The panel that has the focus, else the one under the pointer, else none."""
        focus = QApplication.focusWidget()
        for name, panel in self.panels.items():
            if focus is not None and panel.isAncestorOf(focus):
                return name
        return next((name for name, panel in self.panels.items() if panel.underMouse()), "")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.visible_changed.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.visible_changed.emit()
