"""Formulas with the numbers of this moment: typeset once, off this thread, while the numbers change at each frame."""

from __future__ import annotations

import math
import textwrap
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QByteArray, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer

from engine.payloads import FormulaData, FormulaLine
from gui import formulas, style, theme
from gui.formulas import Formula
from gui.views.base import ViewWidget
from gui.views.parts import faded, is_vector, paint_focus

SET_AT = 24.0  # formulas are set at this size and scaled
SIZES = (60, 54, 48, 44, 40, 36, 33, 30, 27, 25, 23, 21, 19, 18, 17, 16, 15, 14, 13, 12, 11)
NUMBERS, NOTE = 0.82, 0.74  # their sizes in those of the formulas
BETWEEN = 0.35  # the least distance of two lines, in sizes; where there is room they stand further apart
WIDEST = 18  # the text is at most so large that so many letters M stand side by side
IN_A_ROW = 0.85  # all stands behind its formula rather than below it, unless that made the text smaller than this
LARGE = 24  # text at which numbers stand behind their formula in any case
LEFT, RIGHT, EDGE = 14.0, 14.0, 6.0  # free beside the text, for the bar of what is lit; and the margin all around
KEPT = 100  # pictures of formulas
FORMULA, FIGURES, WORDS = range(3)


@dataclass(frozen=True)
class Piece:
    """Something in its place; `y` is its baseline."""

    what: int  # FORMULA, FIGURES or WORDS
    line: int
    x: float
    y: float
    width: float  # that it may take: longer text is wrapped
    scale: float = 1.0  # of a formula


@dataclass
class Layout:
    """All lines at one size of text."""

    size: int
    pieces: list[Piece] = field(default_factory=list)
    lines: list[tuple[float, float]] = field(default_factory=list)  # top and bottom
    height: float = 0.0
    noted: bool = False  # notes stand below their formula
    broken: bool = False  # numbers do
    wrapped: bool = False  # or even in several rows
    shrunk: bool = False  # a formula had to be set smaller than the rest

    @property
    def apart(self) -> bool:
        """Whether numbers stand apart from their formula."""
        return self.broken or self.wrapped

    @property
    def worth(self) -> int:
        """How well it reads, apart from its size."""
        return 0 if self.wrapped else 1 if self.broken else 2 if self.noted else 3


@lru_cache(maxsize=64)
def figures_font(size: float) -> QFont:
    return style.font(max(10, round(size * NUMBERS)), mono=True)


@lru_cache(maxsize=64)
def words_font(size: float) -> QFont:
    return style.font(max(10, round(size * NOTE)))


def wrapped(text: str, font: QFont, width: float) -> list[str]:
    """Text in rows of at most so many pixels, broken between words where that is possible."""
    metrics = QFontMetricsF(font)
    rows = []
    for part in text.split("\n"):
        if metrics.horizontalAdvance(part) <= width:
            rows.append(part)
        else:
            letters = max(4, int(width / max(metrics.averageCharWidth(), 1.0)))
            while letters > 4 and any(metrics.horizontalAdvance(row) > width for row in textwrap.wrap(part, letters)):
                letters -= 1
            rows += textwrap.wrap(part, letters)
    return rows


class FormulaView(ViewWidget):
    """Shows FormulaData, as large as the view has room for. What is lit has a bar at its left."""

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self._set: dict[str, Formula | None] = {}  # None: cannot be set, and is shown as it was written
        self._job: tuple[tuple[str, ...], Future[list[Formula | None]]] | None = None
        self._poll = QTimer(self)
        self._poll.setInterval(20)
        self._poll.timeout.connect(self._look_for_formulas)
        self._widest: dict[int, float] = {}  # of the numbers so far, in sizes: the layout does not follow each digit
        self._layout: tuple[Any, Layout] | None = None
        self._pictures: dict[tuple[Any, ...], QImage] = {}
        self._offset = 0.0  # scrolled so far

    # ------------------------------------------------------------------------------------------------- payload

    def take(self, payload: FormulaData) -> None:
        if self._layout is not None and self._layout[0][0] != self._shape():
            self._widest, self._offset = {}, 0.0
        for index, line in enumerate(payload.lines):
            font = figures_font(100)
            longest = max(line.numbers.split("\n"), key=len)
            width = QFontMetricsF(font).horizontalAdvance(longest) / font.pixelSize()
            self._widest[index] = max(width, self._widest.get(index, 0.0))
        self._typeset()
        told = [" ".join(filter(None, (line.latex, line.numbers, line.note))) for line in payload.lines]
        self.setAccessibleDescription(". ".join([self.description.help.rstrip("."), *told]))
        self.update()

    def clear(self) -> None:
        self._widest, self._layout, self._offset = {}, None, 0.0
        super().clear()

    def reset_view(self) -> None:
        self._offset = 0.0
        self.update()

    def restyle(self) -> None:
        self._pictures = {}
        self.update()

    def _shape(self) -> tuple[Any, ...]:
        """What the layout follows at once, unlike the numbers."""
        return tuple((line.latex, line.note, line.numbers.count("\n")) for line in self.payload.lines)

    def empty(self) -> bool:
        return self.payload is None or not self.payload.lines

    def empty_text(self) -> str:
        return super().empty_text() if self.payload is None else "No formula to show yet: train a little"

    def vector(self) -> bool:
        return True

    def csv_rows(self) -> list[list[str]]:
        if self.empty():
            return []
        return [["formula", "numbers", "note"], *([line.latex, line.numbers, line.note] for line in self.payload.lines)]

    # --------------------------------------------------------------------------------------------- typesetting

    def _typeset(self) -> None:
        """Have set what is not yet, on the typesetter's thread."""
        wanted = tuple(dict.fromkeys(line.latex for line in self.payload.lines if line.latex not in self._set))
        if wanted and self._job is None:
            self._job = wanted, formulas.typeset_all(tuple((latex, True) for latex in wanted), SET_AT)
            self._poll.start()

    def _look_for_formulas(self) -> None:
        if self._job is None or not self._job[1].done():
            return
        self._poll.stop()
        (wanted, future), self._job = self._job, None
        self._set |= dict(zip(wanted, future.result(), strict=True))
        if self.payload is not None:
            self._typeset()  # what has come meanwhile
        self._layout = None
        self.update()

    # -------------------------------------------------------------------------------------------------- layout

    def _arranged(self) -> Layout:
        """The largest text with which all fits, unless numbers come to stand behind their formulas with a text that is
        little smaller. Where none fits, the smallest: the rest is scrolled to."""
        shape = self._shape()
        key = shape, self.width(), self.height(), tuple(round(width, 3) for width in self._widest.values())
        if self._layout is None or self._layout[0] != key:
            most = max(20.0, self.width() / WIDEST)
            tried = [self._lay_out(size) for size in SIZES if size <= most]
            fitting = [found for found in tried if found.height <= self.height() - 2 * EDGE and not found.shrunk]
            chosen = fitting[0] if fitting else tried[-1]
            for found in fitting:
                large = found.size >= LARGE and not found.apart and chosen.apart
                if found.worth > chosen.worth and (large or found.size >= IN_A_ROW * fitting[0].size):
                    chosen = found
            self._layout = key, chosen
        self._scroll(self._offset)
        return self._layout[1]

    def _lay_out(self, size: int) -> Layout:
        """All lines at one size of text."""
        result, y = Layout(size), 0.0
        room = max(20.0, self.width() - LEFT - EDGE - RIGHT)
        for index, line in enumerate(self.payload.lines):
            top = y
            y = self._lay_line(result, index, line, size, top, room)
            result.lines.append((top, y))
            y += BETWEEN * size
        result.height = max(0.0, y - BETWEEN * size)
        return result

    def _lay_line(self, result: Layout, index: int, line: FormulaLine, size: int, top: float, room: float) -> float:
        """Place one line's formula, numbers and note from `top` on; returns where it ends."""
        figures, words = QFontMetricsF(figures_font(size)), QFontMetricsF(words_font(size))
        formula, scale = self._set.get(line.latex), size / SET_AT
        if formula is not None:
            if formula.width * scale > room:
                result.shrunk, scale = True, room / formula.width
            wide, above, below = formula.width * scale, formula.ascent * scale, formula.descent * scale
            rows = 1
        else:
            rows = len(wrapped(line.latex, figures_font(size), room)) if line.latex else 1
            result.wrapped |= rows > 1
            wide = min(room, figures.horizontalAdvance(line.latex))
            above, below = figures.ascent(), figures.descent() + (rows - 1) * figures.lineSpacing()
        above, below = max(above, figures.ascent()), max(below, figures.descent())
        baseline, left, gap = top + above, LEFT + EDGE, 0.55 * size
        if line.latex:
            result.pieces.append(Piece(FORMULA, index, left, baseline, room, scale))
        end = wide + gap if line.latex else 0.0  # of what stands on the baseline so far
        y = baseline + below
        length = self._widest.get(index, 0.0) * figures_font(size).pixelSize()
        if line.numbers:
            if rows == 1 and end + length <= room and "\n" not in line.numbers:
                result.pieces.append(Piece(FIGURES, index, left + end, baseline, room - end))
                end += length + gap
            else:
                result.broken = result.broken or bool(line.latex)
                indent = min(1.2 * size, 0.08 * room) if line.latex else 0.0
                count = sum(
                    math.ceil(max(figures.horizontalAdvance(part), length) / (room - indent))
                    for part in line.numbers.split("\n")
                )
                count = max(count, len(wrapped(line.numbers, figures_font(size), room - indent)))
                result.wrapped |= count > line.numbers.count("\n") + 1
                baseline = y + 0.25 * size + figures.ascent()
                result.pieces.append(Piece(FIGURES, index, left + indent, baseline, room - indent))
                y = baseline + (count - 1) * figures.lineSpacing() + figures.descent()
                end = indent + length + gap if count == 1 else room
        if line.note:
            if rows == 1 and end + words.horizontalAdvance(line.note) <= room:
                result.pieces.append(Piece(WORDS, index, left + end, baseline, room - end))
            else:
                result.noted = True
                count = len(wrapped(line.note, words_font(size), room))
                result.pieces.append(Piece(WORDS, index, left, y + 0.1 * size + words.ascent(), room))
                y += 0.1 * size + words.height() + (count - 1) * words.lineSpacing()
        return y

    # ------------------------------------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:  # Qt dies of a painter that outlives what it paints on
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self.empty():
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        layout, look = self._arranged(), theme.current()
        free = max(0.0, self.height() - 2 * EDGE - layout.height)
        between = min(free / (len(layout.lines) + 1), 0.8 * layout.size)  # more air where there is room
        above = EDGE + (free - between * (len(layout.lines) - 1)) / 2 - self._offset
        for index, (top, bottom) in enumerate(layout.lines):
            if self.payload.lines[index].lit:
                margin = min(0.2 * layout.size, (BETWEEN * layout.size + between) / 2)
                area = QRectF(EDGE, top + above + index * between - margin, 3, bottom - top + 2 * margin)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(faded(look.accent, 0.1))
                painter.drawRoundedRect(area.adjusted(0, 0, self.width() - 2 * EDGE - 3, 0), 4, 4)
                painter.setBrush(QColor(look.accent))
                painter.drawRoundedRect(area, 1.5, 1.5)
        for piece in layout.pieces:
            self._paint_piece(painter, piece, layout.size, piece.y + above + piece.line * between)
        self._paint_scroll(painter, layout)
        paint_focus(painter, self)

    def _paint_piece(self, painter: QPainter, piece: Piece, size: int, y: float) -> None:
        line, look = self.payload.lines[piece.line], theme.current()
        formula = self._set.get(line.latex)
        if piece.what == FORMULA and formula is not None and is_vector(painter):
            outlines = formula.svg.replace('fill="black"', f'fill="{look.text}"')
            area = QRectF(
                piece.x,
                y - formula.ascent * piece.scale,
                formula.width * piece.scale,
                (formula.ascent + formula.descent) * piece.scale,
            )
            QSvgRenderer(QByteArray(outlines.encode())).render(painter, area)
            return
        if piece.what == FORMULA and formula is not None:
            ratio = self.devicePixelRatioF() * piece.scale
            key = line.latex, ratio
            if key not in self._pictures:
                if len(self._pictures) >= KEPT:
                    self._pictures = {}
                self._pictures[key] = formulas.paint(formula, look.text, ratio)
            picture, scale = self._pictures[key], piece.scale / ratio
            area = QRectF(piece.x, y - formula.ascent * piece.scale, picture.width() * scale, picture.height() * scale)
            painter.drawImage(area, picture)
            return
        font = words_font(size) if piece.what == WORDS else figures_font(size)
        text = (line.latex, line.numbers, line.note)[piece.what]
        painter.setFont(font)
        painter.setPen(QColor(look.muted if piece.what == WORDS else look.text))
        step = QFontMetricsF(font).lineSpacing()
        for row, part in enumerate(wrapped(text, font, piece.width + 0.5)):
            painter.drawText(QPointF(piece.x, y + row * step), part)

    def _paint_scroll(self, painter: QPainter, layout: Layout) -> None:
        shown = self.height() / (layout.height + 2 * EDGE)
        if shown >= 1:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current().hover))
        top = self.height() * self._offset / (layout.height + 2 * EDGE)
        painter.drawRoundedRect(QRectF(self.width() - 3, top, 3, self.height() * shown), 1.5, 1.5)

    # ------------------------------------------------------------------------------------------- mouse and keys

    def _scroll(self, offset: float) -> bool:
        """Scroll to there, as far as something is hidden; whether that moved anything."""
        hidden = 0.0 if self._layout is None else max(0.0, self._layout[1].height + 2 * EDGE - self.height())
        before, self._offset = self._offset, min(max(offset, 0.0), hidden)
        return self._offset != before

    def wheelEvent(self, event: Any) -> None:
        if self._scroll(self._offset - event.angleDelta().y() / 3):
            self.update()
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: Any) -> None:
        page = self.height() - 20
        steps = {
            Qt.Key.Key_Down: 40,
            Qt.Key.Key_Up: -40,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_Home: -math.inf,
            Qt.Key.Key_End: math.inf,
        }
        if event.key() in steps and self._scroll(self._offset + steps[event.key()]):
            self.update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: Any) -> None:
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        self.update()
