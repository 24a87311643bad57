"""The list of earlier runs, over the timeline: pin their curves, or go back to one."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QDateTime, QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)
from PySide6.QtWidgets import QTableWidgetItem as Item

from gui.plain import plain
from gui.view_panel import ElidedLabel
from gui.views.ghosts import SAMPLE, sample

WIDTH, ROW, MOST_ROWS = 860, 30, 8  # pixels, and how many rows it grows to
COLUMNS = ("Pin", "Run", "What set it apart, and what it came to", "Ended")
EMPTY = (
    "No earlier runs yet.\n\nRestart (R), a new seed (N), other data or another architecture begins a new run.\n"
    "The curves of the one before are then kept here, to be pinned beside the new ones."
)


@dataclass(frozen=True)
class Row:
    """A run as the list shows it."""

    number: int
    pinned: int | None  # its strokes
    text: str
    ended: float  # seconds since the epoch
    details: str
    has_network: bool = False  # it can be shown again as it was; else only what it was made of is known


class EarlierList(QFrame):
    """Opens over its button; a click elsewhere or Escape closes it."""

    pinned = Signal(int, bool)  # the run's number, whether its curves are to be drawn
    chosen = Signal(int)  # the run to go back to

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("role", "panel")
        self.setAccessibleName("Earlier runs")
        self._rows: list[Row] = []
        self._filling = self._full = False
        self.present = ElidedLabel()
        self.present.setProperty("role", "muted")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName("Earlier runs of this lab")
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setIconSize(QSize(SAMPLE + 2, 12))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        head = self.table.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(len(COLUMNS)):
            stretch = QHeaderView.ResizeMode.Stretch if column == 2 else QHeaderView.ResizeMode.ResizeToContents
            head.setSectionResizeMode(column, stretch)
        self.empty = QLabel(EMPTY)
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.table)
        self.pages.addWidget(self.empty)
        self.hint = QLabel()
        self.hint.setProperty("role", "hint")
        self.back = QPushButton()
        self.back.setAutoDefault(False)
        foot = QHBoxLayout()
        foot.addWidget(self.hint, 1)
        foot.addWidget(self.back)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(self.present)
        layout.addWidget(self.pages, 1)
        layout.addLayout(foot)
        self.table.verticalHeader().setDefaultSectionSize(ROW)
        self.table.installEventFilter(self)
        self.table.itemChanged.connect(self._item_changed)
        self.table.doubleClicked.connect(lambda index: self._go_back() if index.column() else None)
        self.back.clicked.connect(self._go_back)
        self.table.itemSelectionChanged.connect(self._show_back)
        self._show_back()

    def show_rows(self, rows: list[Row], present: str, *, full: bool) -> None:
        """Show the runs, the latest first; `full`: no more can be pinned. The chosen one stays chosen."""
        chosen = self._chosen()
        self._rows, self._full, self._filling = rows, full, True
        self.present.setText(f"Now: {present}" if rows else "")
        self.table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            self._show_row(place, row, full and row.pinned is None)
        numbers = [row.number for row in rows]
        self.table.setCurrentCell(numbers.index(chosen) if chosen in numbers else min(0, len(rows) - 1), 2)
        self._filling = False
        self.pages.setCurrentWidget(self.table if rows else self.empty)
        self.back.setVisible(bool(rows))
        said = "No more fit on the curves: unpin one first." if full else "Space pins a run to the curves, as a ghost."
        self.hint.setText(said if rows else "")
        self.resize(WIDTH, (106 + ROW * (1 + min(MOST_ROWS, max(2, len(rows)))) if rows else 150))

    def _show_row(self, place: int, row: Row, full: bool) -> None:
        ended = QDateTime.fromSecsSinceEpoch(int(row.ended))
        today = ended.date() == QDateTime.currentDateTime().date()
        pin, texts = Item(), (str(row.number), row.text, ended.toString("HH:mm" if today else "d MMM, HH:mm"))
        pin.setData(Qt.ItemDataRole.AccessibleTextRole, f"Pin run {row.number} to the curves")
        pin.setCheckState(Qt.CheckState.Unchecked if row.pinned is None else Qt.CheckState.Checked)
        if row.pinned is not None:
            pin.setIcon(QIcon(sample(row.pinned, self.devicePixelRatioF())))
        if full:
            pin.setFlags(pin.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)
        for column, item in enumerate((pin, *map(Item, texts))):
            item.setToolTip(plain(row.details))
            self.table.setItem(place, column, item)

    def take_keyboard(self) -> None:
        """The keyboard goes to the latest run."""
        self.table.setCurrentCell(min(0, len(self._rows) - 1), 2)
        (self.table if self._rows else self).setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Space and Enter in any column act on the row; the table would let Space act on the column of boxes alone."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or (row := self._current()) is None:
            return False
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(row.number)
        elif event.key() != Qt.Key.Key_Space:
            return False
        elif row.pinned is not None or not self._full:
            self.pinned.emit(row.number, row.pinned is None)
        return True

    def _item_changed(self, item: Item) -> None:
        if not self._filling and item.column() == 0:
            self.pinned.emit(self._rows[item.row()].number, item.checkState() == Qt.CheckState.Checked)

    def _current(self) -> Row | None:
        place = self.table.currentRow()
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def _chosen(self) -> int | None:
        row = self._current()
        return row.number if row is not None else None

    def _show_back(self) -> None:
        """Say what going back to the chosen run means."""
        row = self._current()
        if row is not None and row.has_network:
            text, tip = "Go back to this run", "Show the chosen run as it was, with its network and curves (Enter)"
        else:
            text = "Go back to these hyperparameters"
            tip = "A new run with the hyperparameters, data and seed of the chosen one (Enter)"
        self.back.setText(text)
        self.back.setAccessibleName(text)
        self.back.setToolTip(tip)

    def _go_back(self) -> None:
        if (row := self._current()) is not None:
            self.chosen.emit(row.number)
