"""Rows of text: sortable by a click on a column's head, copied with the usual key."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QStyle, QTableView, QVBoxLayout

from engine.payloads import Pick, TableData
from gui.views.base import ViewWidget

Index = QModelIndex | QPersistentModelIndex
NUMBER = re.compile(r"^[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?( ?[%A-Za-zµ]+)?$")
DIGIT = re.compile(r"\d")
SUFFIXES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def as_number(text: str) -> float | None:
    """What a cell is worth when sorting: 1,204, 98.7 % and 1.2 M are numbers; None for words."""
    text = text.strip().replace("−", "-")
    if not NUMBER.match(text):
        return None
    digits = re.match(r"^[+-]?[\d,]*\.?\d*(e[+-]?\d+)?", text)
    assert digits is not None
    suffix = text[digits.end() :].strip()
    return float(digits.group().replace(",", "")) * SUFFIXES.get(suffix, 1.0)


class _Model(QAbstractTableModel):
    """The payload as Qt wants it."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.table = TableData((), ())

    def show(self, table: TableData) -> None:
        """Take new rows; where only the texts changed, selection and scrolling stay."""
        old, same = self.table, len(table.rows) == len(self.table.rows) and table.columns == self.table.columns
        if same:
            self.table = table
            if table.rows != old.rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(table.rows) - 1, len(table.columns) - 1))
            return
        self.beginResetModel()
        self.table = table
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.table.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.table.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        text = self.table.rows[index.row()][index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if as_number(text) is None else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and section < len(self.table.columns):
            if role == Qt.ItemDataRole.DisplayRole:
                return self.table.columns[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return self.data(self.index(0, section), role) if self.table.rows else Qt.AlignmentFlag.AlignLeft
        return None


class _Sorter(QSortFilterProxyModel):
    """Sorts numbers as numbers, before words."""

    def lessThan(self, left: Index, right: Index) -> bool:
        texts = [str(self.sourceModel().data(index)) for index in (left, right)]
        keys = [((0, value, "") if (value := as_number(t)) is not None else (1, 0.0, t.casefold())) for t in texts]
        return keys[0] < keys[1]


class TableView(ViewWidget):
    """A click on a head sorts (a third one restores the lab's order); Enter or a double click picks a row."""

    aspect = 1.6

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self._model, self._sorter = _Model(self), _Sorter(self)
        self._room: list[int] = []  # per column the widest text it was fitted to, in pixels
        self._own: dict[int, int] = {}  # the widths that the viewer gave to columns
        self._fitting = False
        self._sorter.setSourceModel(self._model)
        self.table = QTableView()
        self.table.setModel(self._sorter)
        self.table.setAccessibleName(description.title)
        self.table.setFrameShape(QTableView.Shape.NoFrame)
        # the panel is its frame
        self.table.setStyleSheet(
            "QTableView, QHeaderView, QHeaderView::section { background: transparent; }"
            "QTableView, QHeaderView { border: none; }"
        )
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(26)
        head = self.table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSortIndicatorClearable(True)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        head.setStretchLastSection(True)
        head.sectionResized.connect(self._resized)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.setSortingEnabled(True)
        self.table.activated.connect(self._picked)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self.tell_place())
        self.table.verticalScrollBar().valueChanged.connect(lambda _: self.tell_place())
        head.sortIndicatorChanged.connect(lambda *_: self.tell_place())
        key = QKeySequence(QKeySequence.StandardKey.Copy).toString(QKeySequence.SequenceFormat.NativeText)
        copy = QAction(f"Copy\t{key}", self.table)
        copy.triggered.connect(self.copy)
        self.table.installEventFilter(self)
        self.table.addAction(copy)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        self.setFocusProxy(self.table)
        self.table.hide()

    def place(self) -> Any:
        head, rows = self.table.horizontalHeader(), self.table.selectionModel().selectedRows()
        order = (head.sortIndicatorSection(), head.sortIndicatorOrder())
        return order, tuple(sorted({row.row() for row in rows})), self.table.verticalScrollBar().value()

    def point(self, place: Any) -> None:
        order, rows, top = place
        if order != self.place()[0]:
            self.table.horizontalHeader().setSortIndicator(*order)
        if rows != self.place()[1]:
            self.table.clearSelection()
            for row in rows:
                self.table.selectRow(row)
        self.table.verticalScrollBar().setValue(top)

    def take(self, payload: TableData) -> None:
        fresh = payload.columns != self._model.table.columns
        self._model.show(payload)
        self.table.setVisible(bool(payload.columns))
        if fresh:
            self._room, self._own = [], {}
        if fresh or any(now > before for now, before in zip(self._texts(), self._room, strict=True)):
            self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _texts(self) -> list[int]:
        """The width of the longest text of each column. Every digit counts as 0, so that numbers of as many digits are
        equally wide."""
        columns, metrics = zip(*self._model.table.rows, strict=True), self.table.fontMetrics()
        found = [metrics.horizontalAdvance(DIGIT.sub("0", max(texts, key=len))) for texts in columns]
        return found or [0] * len(self._model.table.columns)

    def _fit(self) -> None:
        """Columns as wide as they want to be, and no narrower than they were: numbers that come and go move nothing.
        Where that is too much, without the room for the arrow that sorts."""
        now = self._texts()
        self._room = [max(pair) for pair in zip(now, self._room or now, strict=True)]
        self._fitting = True
        self.table.resizeColumnsToContents()
        head, metrics = self.table.horizontalHeader(), self.table.horizontalHeader().fontMetrics()
        tight = head.length() > self.table.viewport().width()
        margin = 2 * (self.style().pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin, None, self.table) + 1)
        for column, title in enumerate(self._model.table.columns):
            least = max(self._room[column] + margin, self.table.sizeHintForColumn(column))
            wide = max(least, metrics.horizontalAdvance(title) + 14 if tight else head.sectionSize(column))
            head.resizeSection(column, self._own.get(column, wide))
        self._fitting = False

    def _resized(self, column: int, _: int, width: int) -> None:
        if not self._fitting and QApplication.mouseButtons():
            self._own[column] = width

    def clear(self) -> None:
        self._model.show(TableData((), ()))
        self.table.hide()
        super().clear()

    def reset_view(self) -> None:
        self.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.table.clearSelection()
        self.table.scrollToTop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The key that copies is the table's while it has the focus; a second shortcut would be ambiguous."""
        pressed, asked = QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride
        if event.type() not in (pressed, asked) or not isinstance(event, QKeyEvent):
            return False
        if not event.matches(QKeySequence.StandardKey.Copy):
            return False
        event.accept()
        if event.type() == pressed:
            self.copy()
        return True

    def csv_rows(self) -> list[list[str]]:
        if self.payload is None or not self.payload.columns:
            return []
        return [list(self.payload.columns), *(list(row) for row in self.payload.rows)]

    def shown_rows(self) -> list[tuple[str, ...]]:
        """The rows in the order in which they are shown."""
        order = (self._sorter.mapToSource(self._sorter.index(r, 0)).row() for r in range(self._sorter.rowCount()))
        return [self._model.table.rows[r] for r in order]

    def copy(self) -> None:
        """Put the selected rows (all, where none is) on the clipboard, tab by tab: a spreadsheet takes them."""
        chosen = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        rows = self.shown_rows()
        lines = [self._model.table.columns, *(rows[r] for r in (chosen or range(len(rows))))]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))

    def _picked(self, index: QModelIndex) -> None:
        if self.probes or self.edits:
            self.gesture.emit(Pick(self._sorter.mapToSource(index).row()), not self.probes)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.table.isVisibleTo(self):
            painter = QPainter(self)
            self.paint_empty(painter)
            painter.end()
