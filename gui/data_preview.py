"""The viewer's own data, looked at before a lab learns from them. Training goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.data.columns import join_name, split_name
from engine.data.describe import TAKEN
from engine.data.errors import Cancelled, DataError
from engine.data.reading import watched
from gui import style, theme
from gui.background import Work
from gui.column_choice import ColumnChoice
from gui.plain import plain

if TYPE_CHECKING:
    from engine.data.preview import Preview

NOUNS = {"images": "a set of pictures", "text": "a text", "table": "a table"}
WIDTH, HEIGHT, LOW = 760, 640, 240
MOST_COLUMNS = 50  # of a table that are shown
LINES = 10  # of a table that are seen at once


def look(name: str) -> Callable[[Work], object]:
    """The work of reading what is at a path, so that it can be shown."""

    def work(work: Work) -> object:
        from engine.data.preview import preview

        def progress(done: int, total: int) -> None:
            if work.asked_to_stop():
                raise Cancelled("no longer wanted")
            work.note(1000 * done // max(1, total), 1000)  # bytes could be more than Qt's int holds

        with watched(progress):
            return preview(name)

    return work


class DataPreview(QDialog):
    """Reads in the background, then shows what was found. `chosen` gives the name of the data set to be used."""

    chosen = Signal(str)

    def __init__(self, name: str, lab: str, accepts: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name, self._lab, self._accepts = name, lab, accepts
        self._path = Path(split_name(name)[0])
        self.found: Preview | None = None
        self.columns: ColumnChoice | None = None
        self.grid: QTableWidget | None = None
        self._over: QWidget | None = None  # what it stands in the middle of
        self.setWindowTitle("Your own data")
        self.resize(WIDTH, LOW)
        self._build()
        self._work = Work(look(name), self)
        self._work.progress.connect(self._progress)
        self._work.finished.connect(self._show)
        self._work.failed.connect(self._failed)
        self.finished.connect(self._closed)
        self._running = True
        self._work.over.connect(self._stop_running)
        self._work.start()

    def _build(self) -> None:
        title = QLabel(self._path.name)
        title.setProperty("role", "heading")
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setToolTip(plain(str(self._path)))
        self.facts = self._label("Reading…", "muted")
        self.problem = self._label("", "warning")
        self.problem.hide()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How much is read")
        self.body = QVBoxLayout()
        self.body.setSpacing(10)
        self.use = QPushButton("Use this data")
        self.use.setProperty("kind", "primary")
        self.use.setDefault(True)
        self.use.setEnabled(False)
        self.use.clicked.connect(self._use)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.use)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(10)
        for widget in (title, self.facts, self.bar, self.problem):
            column.addWidget(widget)
        column.addLayout(self.body)
        column.addStretch(1)
        column.addLayout(buttons)

    def _label(self, text: str, role: str) -> QLabel:
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setProperty("role", role)
        label.setWordWrap(True)
        return label

    # ------------------------------------------------------------------ reading

    def _progress(self, done: int, of: int) -> None:
        self.bar.setValue(1000 * done // max(1, of))

    def _stop_running(self) -> None:
        self._running = False

    def _closed(self) -> None:
        """Reading that is under way is told to end, and nobody waits for it."""
        if self._running:
            self._work.stop()
            self._work.over.connect(self.deleteLater)
        else:
            self.deleteLater()

    def end(self) -> None:
        """Close it, and wait until nothing is read any more: the window closes."""
        if self._running:
            self._running = False
            self._work.end()
        self.reject()

    def _failed(self, error: Exception) -> None:
        if self.isHidden():
            return
        self.bar.hide()
        self.facts.setText(str(self._path.parent))
        said = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        self._complain(said, *self._taken())
        self.cancel.setText("Close")
        self.cancel.setFocus()
        QTimer.singleShot(0, self, self._fit)  # once what was added is shown

    def _taken(self) -> tuple[str]:
        """What the lab takes, in words."""
        kinds = " and ".join(TAKEN[kind] for kind in self._accepts)
        return (f"{self._lab} takes {kinds}.",)

    def _complain(self, *sentences: str) -> None:
        name = self._path.name  # stays as it is written
        text = "\n".join(s if s.startswith(name) else s[:1].upper() + s[1:] for s in sentences)
        self.problem.setText(text)
        self.problem.setAccessibleName(text)
        self.problem.setVisible(bool(sentences))
        self.use.setEnabled(not sentences)

    # ------------------------------------------------------------------ what was found

    def _show(self, found: Preview) -> None:
        if self.isHidden():  # closed just before
            return
        self.found = found
        self.bar.hide()
        self.facts.setText(" · ".join(found.facts))
        if found.kind not in self._accepts:
            self._complain(f"{self._path.name} is {NOUNS[found.kind]}.", *self._taken())
        elif found.problem:
            self._complain(f"{found.problem}.")
        else:
            self._complain()
        if found.pictures:
            self.body.addWidget(self._strip(found))
        if found.headings:
            self.grid = self._grid(found)
            self.body.addWidget(self.grid)
        if found.text:
            self.body.addWidget(self._text(found.text))
        self.broken_title = self._label("", "warning")
        self.broken = QPlainTextEdit()
        self.broken.setReadOnly(True)
        self.broken.setTabChangesFocus(True)
        self.broken.setFont(style.font(12, mono=True))
        self.broken.setFixedHeight(96)
        self.broken.setAccessibleName("What is left out")
        self.body.addWidget(self.broken_title)
        self.body.addWidget(self.broken)
        self._show_broken()
        if found.table is not None and "table" in self._accepts:
            self.columns = ColumnChoice(found.table, found.wanted)
            self.columns.changed.connect(self._columns_changed)
            self.body.insertWidget(0, self.columns)
            self._columns_changed()
        (self.use if self.use.isEnabled() else self.cancel).setFocus()
        QTimer.singleShot(0, self, self._fit)  # once what was added is shown

    def _fit(self) -> None:
        """No taller than what there is to show."""
        self.resize(self.width(), min(HEIGHT, max(LOW, self._column.totalHeightForWidth(self.width()))))
        if self._over is not None:
            self.place_over(self._over)

    def _show_broken(self, left_out: int = 0, more: list[str] | None = None) -> None:
        """What was left out for good, and of a table the rows without a value in the chosen columns."""
        assert self.found is not None
        titles = [self.found.broken_title] if self.found.broken else []
        lack = "1 row lacks" if left_out == 1 else f"{left_out:,} rows lack"
        titles += [f"{lack} a value in these columns: left out"] if left_out else []
        lines = [*self.found.broken_list, *(more or ())]
        self.broken_title.setText(" · ".join(titles))
        self.broken_title.setVisible(bool(titles))
        self.broken.setPlainText("\n".join(lines) + ("\n…" if self.found.broken + left_out > len(lines) else ""))
        self.broken.setVisible(bool(lines))

    def _columns_changed(self) -> None:
        """Other columns are chosen: say what can be used of the table now."""
        from engine.data.preview import lacking

        assert self.columns is not None
        assert self.found is not None
        task, table = self.columns.task, self.found.table
        if task is None or table is None:
            self._complain(f"{self.columns.problem}.")
            self._show_broken()
            self.facts.setText(" · ".join(self.found.facts))
        else:
            self._complain()
            self._show_broken(task.lacking, lacking(table, task) if task.lacking else [])
            usable = f"{len(task.rows):,} can be used"
            what = f"{len(task.classes)} classes" if task.classes else "values"
            self.facts.setText(" · ".join([*self.found.facts, usable, what]))
        self._mark_columns()

    def _mark_columns(self) -> None:
        """What is learnt from stands out in the table's first rows, and is named above them."""
        assert self.columns is not None
        assert self.found is not None
        assert self.grid is not None
        for place, (column, remark) in enumerate(self.found.headings[: self.grid.columnCount()]):
            use = self.columns.use(column)
            if (heading := self.grid.horizontalHeaderItem(place)) is not None:
                heading.setText(f"{column}\n{f'{use}: ' if use else ''}{remark}")
            colour = theme.current().text if use else theme.current().muted
            for row in range(self.grid.rowCount()):
                if (item := self.grid.item(row, place)) is not None:
                    item.setForeground(QColor(colour))

    def _grid(self, found: Preview) -> QTableWidget:
        headings = found.headings[:MOST_COLUMNS]
        grid = QTableWidget(len(found.cells), len(headings))
        grid.setAccessibleName("What is in it")
        grid.setHorizontalHeaderLabels([f"{title}\n{remark}" if remark else title for title, remark in headings])
        grid.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        grid.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        grid.setTabKeyNavigation(False)
        grid.setShowGrid(False)
        grid.verticalHeader().hide()
        grid.verticalHeader().setDefaultSectionSize(24)
        numbers = found.table.numbers if found.table else ()
        for row, cells in enumerate(found.cells):
            for place, cell in enumerate(cells[:MOST_COLUMNS]):
                item = QTableWidgetItem(cell[:80])
                if headings[place][0] in numbers:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                grid.setItem(row, place, item)
        header = grid.horizontalHeader()
        header.setSectionsClickable(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        rows = min(LINES, len(found.cells))
        grid.setFixedHeight(header.sizeHint().height() + 24 * rows + grid.horizontalScrollBar().sizeHint().height() + 4)
        return grid

    def _text(self, text: str) -> QPlainTextEdit:
        shown = QPlainTextEdit(text)
        shown.setReadOnly(True)
        shown.setTabChangesFocus(True)
        shown.setFont(style.font(12, mono=True))
        shown.setFixedHeight(280)
        shown.setAccessibleName("How it begins")
        return shown

    def _strip(self, found: Preview) -> QWidget:
        strip = QFrame()
        strip.setAccessibleName("Some of the pictures")
        row = QHBoxLayout(strip)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for caption, grey in found.pictures:
            picture, below = QLabel(), QLabel()
            picture.setPixmap(_pixmap(grey))
            picture.setAccessibleName(f"Picture of {caption}")
            below.setProperty("role", "hint")
            below.setTextFormat(Qt.TextFormat.PlainText)
            below.setText(below.fontMetrics().elidedText(caption, Qt.TextElideMode.ElideRight, 54))
            below.setToolTip(plain(caption))
            column = QVBoxLayout()
            column.setSpacing(2)
            for label in (picture, below):
                column.addWidget(label, 0, Qt.AlignmentFlag.AlignHCenter)
            row.addLayout(column)
        row.addStretch(1)
        return strip

    def _use(self) -> None:
        columns = self.columns.columns if self.columns is not None else None
        name = join_name(split_name(self.name)[0], columns)
        self.accept()
        self.chosen.emit(name)

    def place_over(self, widget: QWidget) -> None:
        """Stand in the middle of a widget, also once the dialog has grown to what was found."""
        self._over = widget
        middle = widget.mapToGlobal(widget.rect().center())
        top = max(middle.y() - self.height() // 2, widget.mapToGlobal(QPoint(0, 0)).y())
        self.move(middle.x() - self.width() // 2, top)


def _pixmap(grey: npt.NDArray[np.uint8]) -> QPixmap:
    """Grey values (H, W), as large as a thumbnail."""
    grey = np.ascontiguousarray(grey)
    height, width = grey.shape
    image = QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
    ratio = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(image.scaled(54, 54, ratio, Qt.TransformationMode.SmoothTransformation))
