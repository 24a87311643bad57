"""The painting of arrays: cells in the colours of their values, brackets, names, and a lens where cells are small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from engine.payloads import Array
from gui import colour, theme
from gui.views.field import soft_table
from gui.views.numbers_layout import BRACKET, LEAST_TEXT, LINE, MOST_TEXT, Block, neighbourhood, outline, texts
from gui.views.parts import draw_lines, faded, pack_rgb, paint_tag, small
from gui.views.pixels import MISSING, to_image

if TYPE_CHECKING:
    from gui.views.numbers import NumbersView

DARK_INK, BRIGHT_INK = "#101216", "#f4f5f8"
LINED = 5.0  # pixels: lines stand between cells from this size on


def table_of(name: str) -> Array:
    """256 packed colours: zero is the panel's colour, so that what is not zero stands out."""
    if name == "grey":
        return pack_rgb(colour.lookup_table("grey"))
    return soft_table(name, theme.current().panel)


class NumbersPainter:
    """Paints what a NumbersView holds."""

    def __init__(self, view: NumbersView) -> None:
        self.view = view
        self._images: dict[int, tuple[tuple[object, ...], QImage]] = {}

    def forget(self) -> None:
        self._images.clear()

    def text_size(self, block: Block, body: QRectF) -> float:
        rows, columns = block.shape
        wide, high = body.width() / columns, body.height() / rows
        per_wide, per_high = block.cell()
        return min(high / min(per_high, LINE), wide / per_wide, MOST_TEXT) + 1e-6

    def paint(self, painter: QPainter) -> None:
        view = self.view
        for index, block in enumerate(view.blocks):
            body = view.body(index)
            if body.intersects(QRectF(view.rect())):
                self._paint_cells(painter, index, block, body)
            self._paint_around(painter, block, body)
        for index, block in enumerate(view.blocks):
            if block.grid.lit is not None:
                self._paint_lit(painter, block, view.body(index))
        if view.selected is not None and (view.hasFocus() or view.probes):
            self._frame(painter, view.cell_area(view.selected), view.hasFocus())
        if view.hovered is not None and not view.editor.isVisible():
            if view.text_size(view.hovered[0]) < LEAST_TEXT:
                self._paint_lens(painter)
            else:
                self._frame(painter, view.cell_area(view.hovered), False)
                if view.following:  # no pointer is here to tell it
                    painter.setFont(small(view.font()))
                    paint_tag(painter, view.cell_area(view.hovered).center(), view.rect(), [view.told(view.hovered)])

    def words(self, values: Array, limits: tuple[float, float]) -> Array:
        """(R, C) numbers to packed colours."""
        low, high = limits
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (values - low) * (255.0 / (high - low))
        index = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)
        words: Array = table_of(self.view.description.colour)[index]
        words[np.isnan(values)] = MISSING
        return words

    def _paint_cells(self, painter: QPainter, index: int, block: Block, body: QRectF) -> None:
        values, (rows, columns) = block.grid.values, block.shape
        if not values.size:
            painter.setPen(QPen(QColor(theme.current().border), 1))
            painter.drawRect(body)
            return
        wide, high = body.width() / columns, body.height() / rows
        seen = body.intersected(QRectF(self.view.rect()))
        top, left = (max(0, int(v)) for v in ((seen.top() - body.top()) / high, (seen.left() - body.left()) / wide))
        bottom = min(rows, math.ceil((seen.bottom() - body.top()) / high))
        right = min(columns, math.ceil((seen.right() - body.left()) / wide))
        part = values[top:bottom, left:right]
        if not part.size:
            return
        area = QRectF(body.left() + left * wide, body.top() + top * high, (right - left) * wide, (bottom - top) * high)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(area, self._image(index, block, (top, bottom, left, right), area))
        self._paint_lines(painter, area, wide, high)
        size = self.text_size(block, body)
        if size >= LEAST_TEXT:
            lit = None if block.grid.lit is None else block.grid.lit[top:bottom, left:right]
            self._paint_numbers(painter, block, (top, left), part, area, size, lit)

    def _image(self, index: int, block: Block, part: tuple[int, int, int, int], area: QRectF) -> QImage:
        """The cells' colours, one pixel each. Kept: hovering repaints."""
        ratio = self.view.devicePixelRatioF()
        high, wide = (max(1, round(length * ratio)) for length in (area.height(), area.width()))
        key = (id(block.grid), part, high, wide)
        kept = self._images.get(index)
        if kept is None or kept[0] != key:
            top, bottom, left, right = part
            # of more cells than pixels some are left out: the mean of many weights would tell nothing of them
            rows, columns = (
                np.linspace(first, last - 1, min(last - first, length)).round().astype(int)
                for first, last, length in ((top, bottom, high), (left, right, wide))
            )
            values = block.grid.values[rows[:, None], columns]
            kept = self._images[index] = key, to_image(self.words(values, self.view.limits(block.grid)))
        return kept[1]

    def _paint_lines(self, painter: QPainter, area: QRectF, wide: float, high: float) -> None:
        """Between cells, and around all."""
        look = theme.current()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(look.border) if high >= 2 * LEAST_TEXT else faded(look.border, 0.5), 1))
        if min(wide, high) >= LINED:
            xs = np.arange(1, round(area.width() / wide)) * wide + area.left()
            ys = np.arange(1, round(area.height() / high)) * high + area.top()
            upright = np.stack([xs, np.full_like(xs, area.top()), xs, np.full_like(xs, area.bottom())], axis=1)
            level = np.stack([np.full_like(ys, area.left()), ys, np.full_like(ys, area.right()), ys], axis=1)
            draw_lines(painter, np.concatenate([upright, level]))
        painter.drawRect(area)

    def _paint_numbers(
        self,
        painter: QPainter,
        block: Block,
        first: tuple[int, int],
        part: Array,
        area: QRectF,
        size: float,
        lit: Array | None,
    ) -> None:
        font = QFont(self.view.font())
        font.setPixelSize(max(int(LEAST_TEXT), int(size)))
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        metrics = QFontMetricsF(font)
        words = self.words(part, self.view.limits(block.grid))
        bright = (words >> 16 & 255) * 0.299 + (words >> 8 & 255) * 0.587 + (words & 255) * 0.114 > 130
        top, left = first
        whole = block.written
        rows = texts(part) if whole is None else [row[left : left + part.shape[1]] for row in whole[top:]]
        wide, high = area.width() / part.shape[1], area.height() / part.shape[0]
        # digits stand below digits; a sign hangs out a little on their left
        most = metrics.horizontalAdvance(block.longest)
        if block.longest.startswith("−"):
            most -= 0.6 * metrics.horizontalAdvance("−")
        up = metrics.capHeight() / 2
        for r, row in enumerate(rows[: part.shape[0]]):
            y = area.top() + (r + 0.5) * high + up
            for c, text in enumerate(row):
                strong = lit is not None and bool(lit[r, c])
                painter.setFont(bold if strong else font)
                painter.setPen(QColor(DARK_INK if bright[r, c] else BRIGHT_INK))
                x = area.left() + (c + 0.5) * wide + most / 2 - metrics.horizontalAdvance(text)
                painter.drawText(QPointF(x, y), text)

    # ------------------------------------------------------------------------------------------ around the cells

    def _paint_around(self, painter: QPainter, block: Block, body: QRectF) -> None:
        look, grid, room = theme.current(), block.grid, self.view.room()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(look.muted), 1.4))
        left, right, top, bottom = body.left() - 5, body.right() + 5, body.top() - 2, body.bottom() + 2
        for x, inward in ((left, 5.0), (right, -5.0)):
            painter.drawPolyline(
                [QPointF(x + inward, top), QPointF(x, top), QPointF(x, bottom), QPointF(x + inward, bottom)]
            )
        label_font, metrics = self.view.label_font(), room.labels
        painter.setFont(label_font)
        painter.setPen(QColor(look.muted))
        self._paint_labels(painter, block, body, metrics)
        y = body.top() - 6 - (metrics.height() if grid.columns else 0)
        wide = room.width(block, body.width()) - room.before(block)
        elide = Qt.TextElideMode.ElideRight
        if grid.name and room.names:
            font = QFont(label_font)
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(QColor(look.text))
            painter.drawText(QPointF(body.left(), y), QFontMetricsF(font).elidedText(grid.name, elide, wide))
        painter.setFont(label_font)
        painter.setPen(QColor(look.muted))
        if grid.caption and room.captions:
            text = metrics.elidedText(grid.caption, elide, wide)
            painter.drawText(QPointF(body.left(), body.bottom() + 5 + metrics.ascent()), text)
        if grid.before:
            font = self.view.sign_font()
            sign = QFontMetricsF(font)
            painter.setFont(font)
            painter.setPen(QColor(look.text))
            x = body.left() - BRACKET - room.row_labels(block) - 7 - sign.horizontalAdvance(grid.before)
            painter.drawText(QPointF(x, body.center().y() + sign.capHeight() / 2), grid.before)

    def _paint_labels(self, painter: QPainter, block: Block, body: QRectF, metrics: QFontMetricsF) -> None:
        """The words at rows and columns, as many as have room."""
        (rows, columns), grid = block.shape, block.grid
        wide, high = body.width() / columns, body.height() / rows
        if grid.rows:
            every, room = max(1, math.ceil(metrics.height() * 0.8 / high)), self.view.room().row_labels(block)
            for row in range(0, rows, every):
                text = metrics.elidedText(grid.rows[row], Qt.TextElideMode.ElideRight, room)
                x = body.left() - BRACKET - 2 - metrics.horizontalAdvance(text)
                painter.drawText(QPointF(x, body.top() + (row + 0.5) * high + metrics.capHeight() / 2), text)
        if grid.columns:
            widest = max(metrics.horizontalAdvance(text) for text in grid.columns) + 4
            every = max(1, math.ceil(min(widest, 60.0) / wide))
            for column in range(0, columns, every):
                text = metrics.elidedText(grid.columns[column], Qt.TextElideMode.ElideRight, max(every * wide, 12.0))
                x = body.left() + (column + 0.5) * wide - metrics.horizontalAdvance(text) / 2
                painter.drawText(QPointF(x, body.top() - 5), text)

    # ------------------------------------------------------------------------------------------ emphasis

    def _paint_lit(self, painter: QPainter, block: Block, body: QRectF) -> None:
        """One frame around all lit cells that touch."""
        look, (rows, columns) = theme.current(), block.shape
        segments = outline(block.grid.lit)
        if not len(segments):
            return
        scale = np.array([body.width() / columns, body.height() / rows] * 2)
        segments = segments * scale + (body.left(), body.top(), body.left(), body.top())
        strong = min(body.width() / columns, body.height() / rows) >= LINED
        for ink, wide in ((look.panel, 5.0 if strong else 3.0), (look.link, 2.4 if strong else 1.6)):
            painter.setPen(QPen(QColor(ink), wide, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
            draw_lines(painter, segments)

    def _frame(self, painter: QPainter, area: QRectF, focused: bool) -> None:
        look = theme.current()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ink, wide in ((look.panel, 4.0), (look.accent if focused else look.text, 2.2 if focused else 1.3)):
            painter.setPen(QPen(QColor(ink), wide))
            painter.drawRoundedRect(area, 2, 2)

    def _paint_lens(self, painter: QPainter) -> None:
        """The numbers around the pointer, where the cells are too small for them."""
        view, look = self.view, theme.current()
        assert view.hovered is not None
        grid, row, column = view.hovered
        block = view.blocks[grid]
        self._frame(painter, view.cell_area(view.hovered), False)
        part, here_row, here_column = neighbourhood(block.grid.values, row, column)
        written, font = texts(part), small(view.font())
        metrics = QFontMetricsF(font)
        wide = max(max(metrics.horizontalAdvance(text) for line in written for text in line) + 10, 24.0)
        high, title = metrics.height() + 6, view.told(view.hovered)
        width = max(wide * part.shape[1], metrics.horizontalAdvance(title)) + 16
        height = high * part.shape[0] + metrics.height() + 18
        at = view.cell_area(view.hovered).center() if view.following else view.pointer
        x = at.x() + 16 if at.x() + 20 + width < view.width() else at.x() - 16 - width
        y = at.y() + 16 if at.y() + 20 + height < view.height() else at.y() - 16 - height
        x, y = min(max(x, 2.0), view.width() - width - 2), min(max(y, 2.0), view.height() - height - 2)
        painter.setPen(QPen(QColor(look.border), 1))
        painter.setBrush(faded(look.raised, 0.97))
        painter.drawRoundedRect(QRectF(x, y, width, height), 6, 6)
        painter.setFont(font)
        painter.setPen(QColor(look.text))
        painter.drawText(QPointF(x + 8, y + 6 + metrics.ascent()), title)
        words = self.words(part, view.limits(block.grid))
        bright = (words >> 16 & 255) * 0.299 + (words >> 8 & 255) * 0.587 + (words & 255) * 0.114 > 130
        left, top = x + (width - wide * part.shape[1]) / 2, y + metrics.height() + 11
        for r, line in enumerate(written):
            for c, text in enumerate(line):
                cell = QRectF(left + c * wide, top + r * high, wide, high)
                painter.setPen(QPen(QColor(look.border), 1))
                painter.setBrush(QColor(int(words[r, c]) & 0xFFFFFF))
                painter.drawRect(cell)
                painter.setPen(QColor(DARK_INK if bright[r, c] else BRIGHT_INK))
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._frame(painter, QRectF(left + here_column * wide, top + here_row * high, wide, high), False)
