"""Matrices with labelled rows and columns: attention, confusion, similarity. Several get a strip of thumbnails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QAction, QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QResizeEvent

from engine.payloads import Array, CellPick, HeatmapData
from gui import colour, theme
from gui.format import number, position
from gui.views.base import ViewWidget
from gui.views.heatmap_paint import paint_lit, paint_scale, short
from gui.views.parts import faded, paint_focus, paint_tag, small
from gui.views.pixels import coloured, enlarged, reduced, tiled, to_image
from gui.views.scales import countable, room_for
from gui.views.shared import Scales

THUMB, LEAST_THUMB, THUMB_GAP = 34, 14, 4
NUMBERED = 900  # cells beyond which no numbers are written into them


class HeatmapView(ViewWidget):
    """Hover reads a cell and lights up its row; a click keeps the row lit, and picks the cell where the lab listens.
    Arrow keys move the lit cell, Page Up and Page Down choose the matrix."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.chosen = 0
        self.selected: tuple[int, int] | None = None
        self._hovered: tuple[int, int] | None = None
        self._stale = True
        self._unnamed = False  # too small for the names of rows and columns
        self._image: QImage | None = None
        self._strip: QImage | None = None
        self._matrix = QRectF()
        self._thumb, self._per_row, self._first_row, self._strip_rows = THUMB, 1, 0, 0
        self.average = QAction("Average of all", self)
        self.average.setShortcut("A")
        self.average.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.average.setCheckable(True)
        self.average.setVisible(False)
        self.average.toggled.connect(self._changed)
        self.addAction(self.average)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    # ------------------------------------------------------------------ content

    def take(self, payload: HeatmapData) -> None:
        count, rows, columns = payload.values.shape
        self.chosen = min(self.chosen, max(0, count - 1))
        self.average.setVisible(count > 1)
        for name in ("selected", "_hovered"):
            cell = getattr(self, name)
            if cell is not None and not (cell[0] < rows and cell[1] < columns):
                setattr(self, name, None)
        self._changed()

    def clear(self) -> None:
        self.selected = self._hovered = None
        super().clear()

    def reset_view(self) -> None:
        self.selected = self._hovered = None
        self.average.setChecked(False)
        self.choose(0)

    def restyle(self) -> None:
        self._changed()

    def _changed(self) -> None:
        self._stale = True
        self.update()

    def payload_hint(self) -> str:
        return super().payload_hint() or ("names on hover" if self._unnamed else "")

    def choose(self, index: int) -> None:
        """Show another one of several matrices."""
        if self.payload is not None and len(self.payload.values):
            self.chosen = index % len(self.payload.values)
            self.average.setChecked(False)
            self._changed()

    def empty(self) -> bool:
        return self.payload is None or self.payload.values.size == 0

    def values(self) -> Array:
        """The matrix on view, (R, C)."""
        values = self.payload.values
        if self.average.isChecked() and len(values) > 1:
            return values.mean(axis=0)
        return values[self.chosen]

    def limits(self) -> tuple[float, float]:
        """The range of the colours, the same for all matrices, and in all runs that are compared."""
        return self.joint.get("cells") or self._own_limits()

    def scales(self) -> Scales:
        return {} if self.empty() else {"cells": self._own_limits()}

    def share_scales(self, scales: Scales) -> None:
        self._stale |= scales != self.joint
        super().share_scales(scales)

    def place(self) -> Any:
        return self.chosen, self.average.isChecked(), self._hovered, self.selected

    def point(self, place: Any) -> None:
        if not self.empty():
            count, rows, columns = self.payload.values.shape
            if place[:2] != (self.chosen, self.average.isChecked()):
                self.chosen = min(place[0], count - 1)
                self.average.setChecked(place[1])
                self._changed()
            cells = (None if c is None else (min(c[0], rows - 1), min(c[1], columns - 1)) for c in place[2:])
            self._hovered, self.selected = cells
            self.update()

    def _own_limits(self) -> tuple[float, float]:
        low, high = colour.limits(self.payload.values, self.description.colour)
        if self.description.colour == "grey" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        low = low if self.description.low is None else self.description.low
        high = high if self.description.high is None else self.description.high
        return (low, high) if high > low else (low - 0.5, low + 0.5)

    def _ends(self) -> list[str]:
        """The two ends of the colour scale, to a thousandth of what it spans."""
        low, high = self.limits()
        digits = min(max(2 - math.floor(math.log10(high - low)), -12), 12)
        return [number(round(value, digits)) for value in (low, high)]

    def csv_rows(self) -> list[list[str]]:
        if self.empty():
            return []
        data = self.payload
        columns = data.columns or tuple(f"column {c}" for c in range(data.values.shape[2]))
        rows = [["matrix", self.description.row_axis or "row", *columns]]
        for k, matrix in enumerate(data.values.tolist()):
            for r, line in enumerate(matrix):
                name, row = data.names[k] if data.names else str(k), data.rows[r] if data.rows else str(r)
                rows.append([name, row, *(f"{value:.6g}" for value in line)])
        return rows

    def vector(self) -> bool:
        return True

    # ------------------------------------------------------------------ layout

    def _lay_out(self) -> None:
        self._stale = False
        metrics = QFontMetricsF(small(self.font()))
        line = metrics.height()
        top = self._lay_out_strip(line)
        data, (rows, columns) = self.payload, self.payload.values.shape[1:]
        width, height = float(self.width()), self.height() - top
        short_names = (
            max(room_for(data.rows, metrics), room_for(data.columns, metrics)) <= 2 * metrics.averageCharWidth()
        )
        roomy = (width >= 150 and height >= 100) or (short_names and width >= 110 and height >= 80)
        self._unnamed = not roomy and bool(data.rows or data.columns)
        self._row_room = min(room_for(data.rows, metrics), 0.3 * width) + 6 if roomy and data.rows else 0.0
        self._row_axis = line + 2 if roomy and self.description.row_axis and height >= 130 else 0.0
        self._column_axis = line + 4 if roomy and self.description.column_axis and height >= 130 else 0.0
        self._bar_room = room_for(self._ends(), metrics) + 22 if width >= 230 and height >= 110 else 0.0
        left = self._row_room + self._row_axis
        across = max(8.0, width - left - self._bar_room)
        label_width = room_for(data.columns, metrics)
        self._turned = bool(data.columns) and not countable(data.columns) and label_width + 4 > across / columns
        self._column_room = 0.0
        self.tell_hint()
        if roomy and data.columns:
            self._column_room = min(label_width + 6, 0.3 * height) if self._turned else line + 2
        down = max(8.0, height - self._column_room - self._column_axis)
        # square cells for what is square; otherwise a cell may be up to three times as long as wide
        stretch = 1.0 if rows == columns else 3.0
        cell_width, cell_height = across / columns, down / rows
        cell_width, cell_height = min(cell_width, cell_height * stretch), min(cell_height, cell_width * stretch)
        ratio = self.devicePixelRatioF()
        wide, high = (max(1, math.floor(n * ratio)) for n in (cell_width * columns, cell_height * rows))
        if wide > 4 * columns:  # whole pixels per cell, so that all are equally large
            wide = wide // columns * columns
        if high > 4 * rows:
            high = high // rows * rows
        x = math.floor((left + (across - wide / ratio) / 2) * ratio) / ratio
        y = math.floor((top + (down - high / ratio) / 2) * ratio) / ratio
        self._matrix = QRectF(x, y, wide / ratio, high / ratio)
        low, most = self.limits()
        words = coloured(reduced(self.values()[None], high, wide), self.description.colour, low, most)
        self._image = to_image(enlarged(words, high, wide)[0])
        self._image.setDevicePixelRatio(ratio)

    def _lay_out_strip(self, line: float) -> float:
        """Place the thumbnails of several matrices at the top; returns the height they take."""
        values, self._strip, self._strip_rows = self.payload.values, None, 0
        count = len(values)
        if count < 2 or self.height() < 90:
            return 0.0
        self._thumb, allowed = THUMB, max(0.3 * self.height(), LEAST_THUMB + THUMB_GAP)
        while True:
            self._per_row = max(1, (self.width() + THUMB_GAP) // (self._thumb + THUMB_GAP))
            needed = -(-count // self._per_row)
            if needed * (self._thumb + THUMB_GAP) <= allowed or self._thumb <= LEAST_THUMB:
                break
            self._thumb -= 1
        # full rows, where a row more or two makes them so
        needed = next((n for n in range(needed, needed + 3) if not count % n and self._strip_fits(n, allowed)), needed)
        self._per_row = -(-count // needed)
        self._strip_rows = min(needed, max(1, int(allowed // (self._thumb + THUMB_GAP))))
        current = self.chosen // self._per_row
        self._first_row = min(max(0, current - self._strip_rows // 2), needed - self._strip_rows)
        ratio = self.devicePixelRatioF()
        side, pitch = round(self._thumb * ratio), round((self._thumb + THUMB_GAP) * ratio)
        first = self._first_row * self._per_row
        shown = values[first : first + self._strip_rows * self._per_row]
        low, high = self.limits()
        words = enlarged(coloured(reduced(shown, side, side), self.description.colour, low, high), side, side)
        self._strip = tiled(words, self._per_row, (pitch, pitch))
        self._strip.setDevicePixelRatio(ratio)
        below = 4.0 if self._named_beside(QFontMetricsF(small(self.font()))) else line + 4
        return self._strip_rows * (self._thumb + THUMB_GAP) + below

    def _strip_fits(self, rows: int, allowed: float) -> bool:
        return rows * (self._thumb + THUMB_GAP) <= allowed

    def _thumb_area(self, index: int) -> QRectF | None:
        row, column = divmod(index, self._per_row)
        row -= self._first_row
        if self._strip is None or not 0 <= row < self._strip_rows:
            return None
        pitch = self._thumb + THUMB_GAP
        return QRectF(column * pitch, row * pitch, self._thumb, self._thumb)

    def cell_area(self, row: int, column: int) -> QRectF:
        """Where a cell lies."""
        if self._stale:
            self._lay_out()
        rows, columns = self.payload.values.shape[1:]
        wide, high = self._matrix.width() / columns, self._matrix.height() / rows
        return QRectF(self._matrix.left() + column * wide, self._matrix.top() + row * high, wide, high)

    def cell_at(self, at: QPointF) -> tuple[int, int] | None:
        """The row and column at a place; on the labels of a row, its first cell."""
        if self.empty():
            return None
        if self._stale:
            self._lay_out()
        rows, columns = self.payload.values.shape[1:]
        row = math.floor((at.y() - self._matrix.top()) / self._matrix.height() * rows)
        column = math.floor((at.x() - self._matrix.left()) / self._matrix.width() * columns)
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.empty():
            self.paint_empty(painter)
            painter.end()
            return
        if self._stale:
            self._lay_out()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small(self.font()))
        if self._strip is not None:
            self._paint_strip(painter)
        assert self._image is not None
        painter.drawImage(self._matrix.topLeft(), self._image)
        lit = self._hovered or self.selected
        if self.description.numbers:
            self._paint_numbers(painter)
        self._paint_row_labels(painter, lit)
        self._paint_column_labels(painter, lit)
        self._paint_axis_names(painter)
        if self._bar_room:
            paint_scale(painter, self._matrix, self.description.colour, self._ends())
        if lit is not None:
            self._paint_lit(painter, lit)
        paint_focus(painter, self)
        painter.end()

    def _paint_strip(self, painter: QPainter) -> None:
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        assert self._strip is not None
        painter.drawImage(QPointF(0, 0), self._strip)
        area, averaged = self._thumb_area(self.chosen), self.average.isChecked()
        if area is not None and not averaged:
            painter.setPen(QPen(QColor(look.accent), 2))
            painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), 3, 3)
        count = len(self.payload.values)
        name = self.payload.names[self.chosen] if self.payload.names else f"{self.chosen + 1} of {count}"
        text = f"average of all {count}" if averaged else name
        x, y = 0.0, self._strip_rows * (self._thumb + THUMB_GAP) + metrics.ascent() - 1
        if self._named_beside(metrics):
            x, y = self._per_row * (self._thumb + THUMB_GAP) + 6.0, metrics.ascent() + 1
        painter.setPen(QColor(look.muted))
        painter.drawText(QPointF(x, y), metrics.elidedText(text, Qt.TextElideMode.ElideRight, self.width() - x))

    def _named_beside(self, metrics: QFontMetricsF) -> bool:
        """Whether the chosen matrix' name has room at the right of the thumbnails, rather than a line below them."""
        texts = [*self.payload.names, f"average of all {len(self.payload.values)}"]
        free = self.width() - self._per_row * (self._thumb + THUMB_GAP) - 8
        return bool(room_for(texts, metrics) <= free)

    def _paint_row_labels(self, painter: QPainter, lit: tuple[int, int] | None) -> None:
        if not self._row_room:
            return
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        labels, cell = self.payload.rows, self.cell_area(0, 0).height()
        every = max(1, math.ceil(metrics.height() * 0.74 / cell))
        edge = self._matrix.left()
        for row, label in enumerate(labels):
            if lit is not None and row == lit[0]:
                painter.setPen(QColor(look.text))
            elif row % every or (lit is not None and abs(row - lit[0]) * cell < metrics.height() * 0.8):
                continue
            else:
                painter.setPen(QColor(look.muted))
            text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, self._row_room - 5)
            y = self.cell_area(row, 0).center().y()
            painter.drawText(QPointF(edge - 6 - metrics.horizontalAdvance(text), y + metrics.capHeight() / 2), text)
            if every > 1:  # which row this is the name of
                painter.drawLine(QPointF(edge - 4, y), QPointF(edge - 1, y))

    def _paint_column_labels(self, painter: QPainter, lit: tuple[int, int] | None) -> None:
        """Names under the columns. With a lit row, each is tinted by the row's value there: what a token attends to."""
        if not self._column_room:
            return
        look, metrics = theme.current(), QFontMetricsF(painter.font())
        labels, cell = self.payload.columns, self.cell_area(0, 0).width()
        room = (
            metrics.height() * 0.74
            if self._turned
            else room_for(labels, metrics) + (2 if max(map(len, labels)) == 1 else 6)
        )
        every = max(1, math.ceil(room / cell))
        low, high = self.limits()
        weights = None if lit is None else (self.values()[lit[0]] - low) / (high - low)
        for column, label in enumerate(labels):
            own = lit is not None and column == lit[1]
            crowded = lit is not None and not own and abs(column - lit[1]) * cell < room * 0.95
            if (column % every and not own) or crowded:
                continue
            area = self.cell_area(0, column)
            centre, y = area.center().x(), self._matrix.bottom() + 3
            text = (
                metrics.elidedText(label, Qt.TextElideMode.ElideRight, self._column_room - 4) if self._turned else label
            )
            wide = metrics.horizontalAdvance(text)
            painter.save()
            if self._turned:
                painter.translate(centre, y)
                painter.rotate(90)
                box, at = (
                    QRectF(0, -metrics.height() / 2, wide + 4, metrics.height()),
                    QPointF(2, metrics.capHeight() / 2),
                )
            else:
                painter.translate(centre - wide / 2, y)
                box, at = QRectF(-2, 0, wide + 4, metrics.height()), QPointF(0, metrics.ascent())
            weight = 0.0
            if weights is not None and self.description.colour == "viridis" and np.isfinite(weights[column]):
                weight = min(max(float(weights[column]), 0.0), 1.0)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(faded(look.accent, 0.85 * weight))
                painter.drawRoundedRect(box, 3, 3)
                painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(look.on_accent if weight > 0.6 else look.text if own else look.muted))
            painter.drawText(at, text)
            painter.restore()
            if every > 1:  # which column this is the name of
                painter.setPen(QColor(look.text if own else look.muted))
                painter.drawLine(QPointF(centre, y - 2), QPointF(centre, y + 1))

    def _paint_axis_names(self, painter: QPainter) -> None:
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(theme.current().muted))
        if self._column_axis:
            text = metrics.elidedText(self.description.column_axis, Qt.TextElideMode.ElideRight, self.width())
            wide = metrics.horizontalAdvance(text)
            x = min(max(0.0, self._matrix.center().x() - wide / 2), self.width() - wide)
            y = self._matrix.bottom() + self._column_room + 3 + metrics.ascent()
            painter.drawText(QPointF(x, min(y, self.height() - metrics.descent())), text)
        if self._row_axis:
            text = metrics.elidedText(self.description.row_axis, Qt.TextElideMode.ElideRight, self._matrix.height())
            painter.save()
            painter.translate(self._matrix.left() - self._row_room - 6, self._matrix.center().y())
            painter.rotate(-90)
            painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, 0), text)
            painter.restore()

    def _paint_numbers(self, painter: QPainter) -> None:
        values, metrics = self.values(), QFontMetricsF(painter.font())
        if values.size > NUMBERED:
            return
        texts = [[short(v) for v in row] for row in values.tolist()]
        cell, flat = self.cell_area(0, 0), [text for row in texts for text in row]
        if room_for(flat, metrics) + 4 > cell.width():
            painter.setFont(small(painter.font(), 0.85))
            metrics = QFontMetricsF(painter.font())
        if room_for(flat, metrics) + 2 > cell.width() or metrics.height() > cell.height() + 2:
            painter.setFont(small(self.font()))
            return
        low, high = self.limits()
        rgb = colour.colourise(values, self.description.colour, low, high)
        bright = rgb @ np.array([0.299, 0.587, 0.114]) > 140
        for r, row in enumerate(texts):
            for c, text in enumerate(row):
                painter.setPen(QColor("#101216" if bright[r, c] else "#f4f5f8"))
                painter.drawText(self.cell_area(r, c), Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(small(self.font()))

    def _paint_lit(self, painter: QPainter, lit: tuple[int, int]) -> None:
        row, cell = self.cell_area(lit[0], 0), self.cell_area(*lit)
        row.setWidth(self._matrix.width())
        paint_lit(painter, row, cell)
        if self.following and lit == self._hovered:
            paint_tag(painter, cell.center(), self.rect(), [number(float(self.values()[lit]))])

    # ------------------------------------------------------------------ mouse and keys

    def told(self, row: int, column: int) -> str:
        """The text for a cell: value, row, column."""
        data, shown = self.payload, self.payload.values.shape[1:]
        high, wide = data.size or shown
        rows, columns = (
            (data.rows[row] if data.rows else position(row, shown[0], high)),
            (data.columns[column] if data.columns else position(column, shown[1], wide)),
        )
        return (
            f"{number(float(self.values()[row, column]))}\n"
            f"{self.description.row_axis or 'row'}: {rows}\n{self.description.column_axis or 'column'}: {columns}"
        )

    def thumb_at(self, at: QPointF) -> int | None:
        """The matrix whose thumbnail lies at a place."""
        if self.empty():
            return None
        found = (i for i in range(len(self.payload.values)) if (a := self._thumb_area(i)) and a.contains(at))
        return next(found, None)

    def mouseMoveEvent(self, event: Any) -> None:
        cell = self.cell_at(event.position())
        thumb = None if cell is not None else self.thumb_at(event.position())
        text = ""
        if cell is not None:
            text = self.told(*cell)
        elif thumb is not None:
            text = self.payload.names[thumb] if self.payload.names else f"matrix {thumb + 1}"
        self.tell(event.position().toPoint(), text)
        if cell != self._hovered:
            self._hovered = cell
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.tell(QPoint(), "")
        self.update()

    def mousePressEvent(self, event: Any) -> None:
        cell, thumb = self.cell_at(event.position()), self.thumb_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
        elif thumb is not None and cell is None:
            self.choose(thumb)
        else:
            self.selected = None if cell == self.selected else cell
            if cell is not None:
                self._pick(*cell)
            self.update()

    def _pick(self, row: int, column: int) -> None:
        if self.probes or self.edits:
            rows, columns = self.payload.values.shape[1:]
            high, wide = self.payload.size or (rows, columns)
            picked = CellPick(self.chosen, row * -(-high // rows), column * -(-wide // columns))
            self.gesture.emit(picked, not self.probes)

    def keyPressEvent(self, event: Any) -> None:
        key, steps = (
            event.key(),
            {
                Qt.Key.Key_Left: (0, -1),
                Qt.Key.Key_Right: (0, 1),
                Qt.Key.Key_Up: (-1, 0),
                Qt.Key.Key_Down: (1, 0),
            },
        )
        if self.empty():
            super().keyPressEvent(event)
        elif key in steps:
            rows, columns = self.payload.values.shape[1:]
            row, column = self.selected or (0, 0)
            down, right = steps[key] if self.selected else (0, 0)
            self.selected = min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1)
            self.tell(self.cell_area(*self.selected).center().toPoint(), self.told(*self.selected))
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected is not None:
            self._pick(*self.selected)
        elif key == Qt.Key.Key_Escape and self.selected is not None:
            self.selected = None
            self.tell(QPoint(), "")
            self.update()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and len(self.payload.values) > 1:
            self.choose(self.chosen + (1 if key == Qt.Key.Key_PageDown else -1))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._stale = True

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.DevicePixelRatioChange):
            self._stale = True
        super().changeEvent(event)
