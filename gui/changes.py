"""What changed the run, as a list over the timeline: go to a change, take it back, or run again with all of them."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)
from PySide6.QtWidgets import QTableWidgetItem as Item

from engine.messages import LabInfo, Mark, RunSpec
from gui.control_panel import readable
from gui.flags import Flag, Flags
from gui.plain import plain
from gui.rewinding import Rewinding
from gui.runs import Runs
from gui.timeline import Timeline
from gui.undo import UndoHistory

COLUMNS = ("Step", "What", "From", "To")
SIZE = 460, 300


def row_of(flag: Flag, info: LabInfo) -> tuple[str, ...]:
    """A change as the list shows it."""
    first, last = flag.marks[0], flag.marks[-1]
    declared = info.hyperparameters.get(last.name)
    if last.kind != "set" or declared is None:
        return f"{flag.step:,}", last.text, "", ""
    values = (readable(declared, value).removeprefix(f"{declared.label}: ") for value in (first.old, last.new))
    return f"{flag.step:,}", declared.label, *values


def beginning(spec: RunSpec, marks: tuple[Mark, ...]) -> RunSpec:
    """What a run was opened with, before these marks changed it."""
    values = dict(spec.hyperparameters)
    for mark in reversed(marks):
        if mark.kind == "set":
            values[mark.name] = mark.old
    return replace(spec, hyperparameters=values)


class ChangesList(QFrame):
    """Opens over the timeline; a click elsewhere or Escape closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("role", "panel")
        self.setAccessibleName("Changes")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName("What changed the run")
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        head = self.table.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(len(COLUMNS)):
            stretch = QHeaderView.ResizeMode.Stretch if column == 1 else QHeaderView.ResizeMode.ResizeToContents
            head.setSectionResizeMode(column, stretch)
        hint = QLabel("Double click shows the run as it was then.")
        hint.setProperty("role", "hint")
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Take the chosen change back, from now on: training goes on")
        self.again = QPushButton("Run again with these changes")
        self.again.setToolTip("From the beginning with the same seed; each change comes at its step")
        buttons = QHBoxLayout()
        for button in (self.undo, self.again):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        buttons.addWidget(hint, 1)
        buttons.addWidget(self.undo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.again)
        self.resize(*SIZE)

    def show_rows(self, rows: list[tuple[str, ...]]) -> None:
        """Show the changes, the latest last; the chosen one stays chosen."""
        chosen = self.table.currentRow()
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                item = Item(text)
                item.setToolTip(plain(text))
                self.table.setItem(number, column, item)
        self.table.setCurrentCell(chosen if 0 <= chosen < len(rows) else len(rows) - 1, 0)


class Changes(QObject):
    """Keeps the button of the timeline and its list in step with the flags."""

    def __init__(
        self,
        flags: Flags,
        runs: Runs,
        rewinding: Rewinding,
        timeline: Timeline,
        history: UndoHistory,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._flags, self._runs, self._rewinding, self._timeline = flags, runs, rewinding, timeline
        self._history = history
        self.list = ChangesList(timeline)
        timeline.changes.clicked.connect(self.open)
        flags.changed.connect(self._show)
        self.list.table.doubleClicked.connect(lambda index: self._go(index.row()))
        self.list.table.activated.connect(lambda index: self._go(index.row()))  # Enter
        self.list.table.itemSelectionChanged.connect(self._chosen)
        self.list.undo.clicked.connect(self.undo)
        self.list.again.clicked.connect(self.run_again)

    def open(self) -> None:
        """Show the list over the button."""
        button = self._timeline.changes
        corner = button.mapToGlobal(QPoint(button.width(), 0))
        self.list.move(corner - QPoint(self.list.width(), self.list.height() + 4))
        self._show()
        self.list.table.setCurrentCell(len(self._flags.flags) - 1, 0)
        self.list.show()
        self.list.table.setFocus()

    def undo(self) -> None:
        """Take the chosen change back: a change like any other, from the next step on."""
        if (flag := self._to_undo()) is None:
            return
        self._rewinding.live()
        if flag.marks[0].kind == "set":
            self._runs.choose(flag.marks[0].name, flag.marks[0].old)
            self._runs.settled.emit()
        else:
            self._history.revert(flag.marks, flag.text)

    def run_again(self) -> None:
        """From the beginning, changed at the same steps as this run was."""
        marks = self._flags.marks
        if self._runs.spec is not None and marks:
            self.list.hide()
            self._runs.open(beginning(self._runs.spec, marks), play=True, marks=marks, why="run again with its changes")

    def _go(self, row: int) -> None:
        track = self._timeline.track
        step = self._flags.flags[row].step
        self._rewinding.scrub(min(max(step, track.first), track.last))

    def _to_undo(self) -> Flag | None:
        """The chosen change; a hyperparameter only where taking it back makes a difference."""
        row = self.list.table.currentRow()
        if not 0 <= row < len(self._flags.flags):
            return None
        flag = self._flags.flags[row]
        mark = flag.marks[0]
        return None if mark.kind == "set" and self._runs.values().get(mark.name) == mark.old else flag

    def _chosen(self) -> None:
        self.list.undo.setEnabled(self._to_undo() is not None)

    def _show(self) -> None:
        if (info := self._runs.info) is not None:
            self.list.show_rows([row_of(flag, info) for flag in self._flags.flags])
        self.list.again.setEnabled(bool(self._flags.flags))
        self._chosen()
