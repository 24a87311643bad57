"""Arrays as the numbers they are, side by side, each cell in the colour of its value."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QLineEdit, QToolTip, QWidget

from engine.payloads import Array, CellPick, Grid, NumbersData, ValueEdit
from gui import colour
from gui.views.base import ViewWidget
from gui.views.numbers_layout import LEAST_TEXT, Block, Lens, Room, measure, parsed, place, plain
from gui.views.numbers_paint import NumbersPainter
from gui.views.parts import paint_focus, small
from gui.views.scales import label_font
from gui.views.shared import Scales

Cell = tuple[int, int, int]  # grid, row, column
STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class CellEditor(QLineEdit):
    """The number of a cell, being changed. Enter sends it, Escape forgets it."""

    entered = Signal(float)
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.view = parent
        self.setAccessibleName("New value")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hide()

    def open(self, area: QRectF, value: float) -> None:
        """Lie over a cell."""
        self.setText(plain(value) if math.isfinite(value) else "")
        self.follow(area)
        self.selectAll()
        self.show()
        self.raise_()
        self.setFocus()

    def follow(self, area: QRectF) -> None:
        """Stay over the cell, within the view."""
        wide = max(self.fontMetrics().horizontalAdvance(self.text()) + 36.0, 84.0, area.width())
        high = max(26.0, min(area.height(), 44.0))
        x = min(max(area.center().x() - wide / 2, 0.0), self.view.width() - wide)
        y = min(max(area.center().y() - high / 2, 0.0), self.view.height() - high)
        self.setGeometry(QRectF(x, y, wide, high).toRect())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:  # typing here is not for the shortcuts of the window
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            value = parsed(self.text())
            if value is None:
                self.refuse()
            else:
                self.entered.emit(value)
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def refuse(self) -> None:
        """Say what can be entered."""
        QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), "A number, such as −0.5 or 1e-3", self)
        self.selectAll()

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class NumbersView(ViewWidget):
    """Hover tells a cell, a click picks it where the lab listens, a double click or Enter changes it where the lab
    lets one. The wheel zooms, a drag moves what is zoomed; arrow keys move from cell to cell."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        keys = "arrow keys move from cell to cell" + (", Enter changes the number" if edits else "")
        self.setAccessibleDescription(f"{description.help} Keys: {keys}, + and − zoom, Home resets.".strip())
        self.blocks: list[Block] = []
        self.lens = Lens()
        self.selected: Cell | None = None
        self.hovered: Cell | None = None
        self.pointer = QPointF()
        self.editor = CellEditor(self)
        self.editor.entered.connect(self._entered)
        self.editor.left.connect(self._close_editor)
        self._edited: Cell | None = None
        self._stale = True
        self._press: QPointF | None = None
        self._moved = False
        self.brush = NumbersPainter(self)

    # ------------------------------------------------------------------------------------------ payload

    def take(self, payload: NumbersData) -> None:
        former = {block.grid.name: block for block in self.blocks}
        if [(g.name, g.values.shape) for g in payload.grids] != [(b.grid.name, b.shape) for b in self.blocks]:
            former, self.lens = {}, Lens()
        self.blocks = [measure(grid, self.font(), former.get(grid.name)) for grid in payload.grids]
        self._stale = True
        self.selected, self.hovered = (c if c and self._has(c) else None for c in (self.selected, self.hovered))
        if self._edited is not None and self._has(self._edited):
            self.editor.follow(self.cell_area(self._edited))
        else:
            self._close_editor()
        self.update()

    def _has(self, cell: Cell) -> bool:
        grid, row, column = cell
        return grid < len(self.blocks) and all(
            index < length for index, length in zip((row, column), self.blocks[grid].grid.values.shape, strict=True)
        )

    def clear(self) -> None:
        self.blocks, self.selected, self.hovered, self.lens = [], None, None, Lens()
        self._close_editor()
        super().clear()

    def reset_view(self) -> None:
        self.lens, self.selected = Lens(), None
        self.update()

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        if not self.blocks:
            return []
        most = max(block.grid.values.shape[1] for block in self.blocks)
        rows = [["array", "row", *(str(column) for column in range(most))]]
        for block in self.blocks:
            grid = block.grid
            if grid.columns:
                rows.append([grid.name, "", *grid.columns])
            for index, line in enumerate(grid.values.tolist()):
                label = grid.rows[index] if grid.rows else str(index)
                rows.append([grid.name, label, *(f"{value:.6g}" for value in line)])
        return rows

    def limits(self, grid: Grid) -> tuple[float, float]:
        """The range of the colours of an array, the same in all runs that are compared."""
        return self.joint.get(grid.name) or self._own_limits(grid)

    def scales(self) -> Scales:
        return {block.grid.name: self._own_limits(block.grid) for block in self.blocks}

    def share_scales(self, scales: Scales) -> None:
        if scales != self.joint:
            self.brush.forget()
        super().share_scales(scales)

    def place(self) -> Any:
        return self.hovered, self.selected, self.lens

    def point(self, place: Any) -> None:
        self.hovered, self.selected = (cell if cell is not None and self._has(cell) else None for cell in place[:2])
        self.lens = place[2]
        self.update()

    def _own_limits(self, grid: Grid) -> tuple[float, float]:
        """Its own, unless the description fixes it."""
        low, high = colour.limits(grid.values, self.description.colour)
        low = low if self.description.low is None else self.description.low
        high = high if self.description.high is None else self.description.high
        return (low, high) if high > low else (low - 0.5, low + 0.5)

    # ------------------------------------------------------------------------------------------ layout

    def room(self) -> Room:
        """What the words around the arrays take."""
        labels = QFontMetricsF(self.label_font())
        line = labels.height()
        names, captions = (line * 1.15 if self.height() >= 60 else 0.0), (line if self.height() >= 110 else 0.0)
        return Room(names, captions, labels, QFontMetricsF(self.sign_font()))

    def label_font(self) -> QFont:
        """Of names and captions, larger in a large view."""
        return label_font(self.font(), self.size())

    def sign_font(self) -> QFont:
        """Of the signs between the arrays."""
        font = small(self.font())
        font.setPixelSize(round(min(max(14.0, min(self.width() / 26, self.height() / 14)), 34.0)))
        return font

    def lay_out(self) -> None:
        """Place the arrays, where something has changed."""
        if self._stale:
            self._stale = False
            place(self.blocks, QRectF(self.rect()).adjusted(6, 4, -6, -4), self.room())

    def body(self, grid: int) -> QRectF:
        """Where the cells of an array are seen."""
        self.lay_out()
        return self.lens.rect(self.blocks[grid].body)

    def cell_area(self, cell: Cell) -> QRectF:
        grid, row, column = cell
        body, (rows, columns) = self.body(grid), self.blocks[grid].shape
        wide, high = body.width() / columns, body.height() / rows
        return QRectF(body.left() + column * wide, body.top() + row * high, wide, high)

    def text_size(self, grid: int) -> float:
        """Of the numbers in an array's cells; below LEAST_TEXT they are not written."""
        return self.brush.text_size(self.blocks[grid], self.body(grid))

    def cell_at(self, at: QPointF) -> Cell | None:
        """The cell under a place."""
        for index, block in enumerate(self.blocks):
            body, (rows, columns) = self.body(index), block.shape
            if body.contains(at) and block.grid.values.size:
                row = min(int((at.y() - body.top()) / body.height() * rows), rows - 1)
                column = min(int((at.x() - body.left()) / body.width() * columns), columns - 1)
                return index, row, column
        return None

    def value(self, cell: Cell) -> float:
        return float(self.values(cell[0])[cell[1], cell[2]])

    def values(self, grid: int) -> Array:
        return self.blocks[grid].grid.values

    def told(self, cell: Cell) -> str:
        """W[0, 2] = 0.125"""
        grid = self.blocks[cell[0]].grid
        return f"{grid.name}[{cell[1]}, {cell[2]}] = {plain(self.value(cell)).replace('-', '−')}"

    # ------------------------------------------------------------------------------------------ painting

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        if not self.blocks:
            self.paint_empty(painter)
        else:
            self.lay_out()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.brush.paint(painter)
        paint_focus(painter, self)
        painter.end()

    def restyle(self) -> None:
        self.brush.forget()
        super().restyle()

    def resizeEvent(self, event: Any) -> None:
        self._stale, self.lens = True, Lens()
        self._close_editor()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self.blocks = [measure(block.grid, self.font(), None) for block in self.blocks]
            self._stale = True
        super().changeEvent(event)

    # ------------------------------------------------------------------------------------------ editing

    def edit(self, cell: Cell) -> None:
        """Open the editor over a cell."""
        self.selected = self._edited = cell
        self.tell(self.rect().topLeft(), "")
        self.editor.setAccessibleName(f"New value of {self.told(cell).partition(' = ')[0]}")
        self.editor.open(self.cell_area(cell), self.value(cell))
        self.update()

    def _entered(self, value: float) -> None:
        cell = self._edited
        self._close_editor()
        if cell is not None:
            self.send(ValueEdit(self.blocks[cell[0]].grid.name, value, cell[1], cell[2]), edit=True)

    def _close_editor(self) -> None:
        if self._edited is not None:
            self._edited = None
            had = self.editor.hasFocus()
            self.editor.hide()
            if had:
                self.setFocus()
            self.update()

    # ------------------------------------------------------------------------------------------ mouse and keys

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.blocks:
            self._press, self._moved = event.position(), False
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:
        at = event.position()
        if self._press is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = at - self.pointer
            if self._moved or (at - self._press).manhattanLength() > 4:
                moved = moved if self._moved else at - self._press
                self._moved = True
                if self.lens.zoom > 1:
                    self.setCursor(Qt.CursorShape.ClosedHandCursor)
                    self.lens = self.lens.moved(moved.x(), moved.y(), self.width(), self.height())
                    self.update()
        self.pointer = at
        cell = self.cell_at(at)
        lens = cell is not None and self.text_size(cell[0]) < LEAST_TEXT
        self.tell(at.toPoint(), "" if cell is None or lens or self.editor.isVisible() else self.told(cell))
        if cell != self.hovered or lens:
            self.hovered = cell
            self.update()

    def mouseReleaseEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        cell = self.cell_at(event.position())
        if self._moved:
            self.unsetCursor()
        elif cell is not None:
            self.selected = cell
            self._pick(cell)
        self._press, self._moved = None, False
        self.update()

    def _pick(self, cell: Cell) -> None:
        """Tell the lab, where it listens; a lab that lets numbers be changed does not take a click for a change."""
        if self.probes:
            self.send(CellPick(*cell))

    def mouseDoubleClickEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        cell = self.cell_at(event.position())
        if cell is not None and self.edits:
            self.edit(cell)
        else:
            self.reset_view()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered = None
        self.tell(self.rect().topLeft(), "")
        self.update()

    def wheelEvent(self, event: Any) -> None:
        if self.blocks and event.angleDelta().y():
            self.zoom(1.0015 ** event.angleDelta().y(), event.position())
            event.accept()
        else:
            event.ignore()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Larger by a factor; no larger than the numbers can be read well."""
        self._close_editor()
        self.lay_out()
        most = max(
            (40.0 * max(block.widest, 1.0) / max(block.body.width() / block.shape[1], 1e-9) for block in self.blocks),
            default=1.0,
        )
        factor = min(factor, max(most, 1.0) / self.lens.zoom)
        at = QRectF(self.rect()).center() if at is None else at
        self.lens = self.lens.zoomed(factor, at).moved(0, 0, self.width(), self.height())
        self.update()

    def keyPressEvent(self, event: Any) -> None:
        key = event.key()
        if not self.blocks:
            super().keyPressEvent(event)
        elif key in STEPS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self._step(*STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            if self.edits:
                self.edit(self.selected)
            else:
                self._pick(self.selected)
        elif key == Qt.Key.Key_Escape and self.selected is not None:
            self.selected = None
            self.tell(self.rect().topLeft(), "")
            self.update()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            middle = None if self.selected is None else self.cell_area(self.selected).center()
            self.zoom(0.8 if key == Qt.Key.Key_Minus else 1.25, middle)
        elif key == Qt.Key.Key_Home:
            self.reset_view()
        else:
            super().keyPressEvent(event)

    def _step(self, down: int, right: int) -> None:
        """The next cell; beyond the side of an array, the next array."""
        if self.selected is None:
            cell = next(((index, 0, 0) for index in range(len(self.blocks)) if self.values(index).size), None)
        else:
            grid, row, column = self.selected
            row, column = min(max(row + down, 0), self.blocks[grid].shape[0] - 1), column + right
            if not 0 <= column < self.blocks[grid].shape[1]:
                other = grid + right
                if 0 <= other < len(self.blocks) and self.values(other).size:
                    rows, columns = self.blocks[other].shape
                    grid, row, column = other, min(row, rows - 1), 0 if right > 0 else columns - 1
                else:
                    column -= right
            cell = grid, row, column
        self.selected = cell
        if cell is None:
            return
        area = self.cell_area(cell)
        if self.lens.zoom > 1:  # what is chosen is seen
            dx = max(0.0, 8 - area.left()) - max(0.0, area.right() + 8 - self.width())
            dy = max(0.0, 8 - area.top()) - max(0.0, area.bottom() + 8 - self.height())
            self.lens = self.lens.moved(dx, dy, self.width(), self.height())
            area = self.cell_area(cell)
        self.setAccessibleDescription(self.told(cell))
        self.say(self.told(cell))
        self.update()

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.say("")
        self.update()
