"""Tokens coloured by probability; what else could have stood there; a line to type a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QLinearGradient, QPainter, QPen
from PySide6.QtWidgets import QLineEdit, QScrollBar

from engine.payloads import Pick, TextData, Typed
from gui import theme
from gui.format import percent
from gui.views.base import ViewWidget
from gui.views.parts import faded, monospace, paint_focus, small

MARGIN = 8.0
SHADES = 24  # levels of tint
MOST_ALTERNATIVES = 6
LONG = 16  # longer tokens (a given prompt, say) may be broken between words


@dataclass(frozen=True)
class Piece:
    """A part of a token that lies on one line."""

    token: int
    text: str
    x: float
    width: float
    line: int


def split(token: str) -> list[str]:
    """A token in pieces that must not be broken: lines apart, and long ones word by word."""
    pieces = []
    for line in token.splitlines(keepends=True):
        if len(line) <= LONG:
            pieces.append(line)
            continue
        start = 0
        for i, char in enumerate(line):
            if (char == " " and i + 1 < len(line)) or i - start >= 2 * LONG:
                pieces.append(line[start : i + 1])
                start = i + 1
        pieces.append(line[start:])
    return pieces or [""]


def visible(text: str) -> str:
    """A token as it is named: spaces and line ends to be seen."""
    return text.replace("\n", "↵").replace("\t", "⇥").replace(" ", "·") or "∅"


class TextView(ViewWidget):
    """Shows TextData. Hover or arrow keys tell a token's probability and alternatives; clicking one branches there."""

    aspect = 1.6

    def __init__(self, description: Any, *, probes: bool = False, edits: bool = False) -> None:
        super().__init__(description, probes=probes, edits=edits)
        self.pieces: list[Piece] = []
        self.lines = 0
        self.token = -1  # under the pointer or chosen by keys
        self.alternative = -1
        self.held = False  # the card stays though the pointer moves
        self._alternatives: list[tuple[QRectF, int]] = []
        self._card = QRectF()
        self._laid: tuple[Any, ...] = ()
        self._line = "", 0.0  # the font and its line's height
        self._first: list[int] = []  # the first piece of each line
        self.scroller = QScrollBar(Qt.Orientation.Vertical, self)
        self.scroller.setRange(0, 0)
        self.scroller.setAccessibleName(f"Scroll {description.title}")
        self.scroller.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scroller.valueChanged.connect(self.update)
        self.scroller.sliderMoved.connect(self.tell_place)
        self.scroller.hide()
        self.prompt: QLineEdit | None = None
        if probes or edits:
            self.prompt = _Prompt(self)
            self.prompt.setPlaceholderText("Type a beginning and press Enter")
            self.prompt.setAccessibleName(f"Prompt for {description.title}")
            self.prompt.returnPressed.connect(self._type)

    # --------------------------------------------------------------------------------------------- payload

    def take(self, payload: TextData) -> None:
        at_end = self._at_end()
        if self.token >= len(payload.tokens):
            self._point(-1)
        self._lay_out()
        if at_end and not self.held:
            self.scroller.setValue(self.scroller.maximum())  # follow what is being written
        self.update()

    def _at_end(self) -> bool:
        """Whether the viewer went to the end: before that the beginning is shown, with the prompt that was given."""
        return 0 < self.scroller.maximum() <= self.scroller.value() + 2

    def place(self) -> Any:
        return self.token, self.alternative, self.scroller.value()

    def point(self, place: Any) -> None:
        known = self.payload is not None and place[0] < len(self.payload.tokens)
        self._point(*place[:2] if known else (-1, -1))
        self.scroller.setValue(place[2])

    def clear(self) -> None:
        self.pieces, self.lines, self._laid = [], 0, ()
        self._point(-1)
        self.scroller.setRange(0, 0)
        self.scroller.hide()
        super().clear()

    def empty_text(self) -> str:
        return "Press Space to start training, or type below" if self.prompt else super().empty_text()

    def restyle(self) -> None:
        self._laid = ()
        self._lay_out()
        super().restyle()

    # ---------------------------------------------------------------------------------------------- layout

    def area(self) -> QRectF:
        """Where the tokens flow: whole lines."""
        bottom = self.prompt.height() + 6.0 if self.prompt is not None and self.prompt.isVisibleTo(self) else 0.0
        legend = 16.0 if self.height() >= 150 else 0.0
        line, height = self.line_height(), self.height() - 8 - bottom - legend
        return QRectF(MARGIN, 4, max(self.width() - MARGIN - 14, 20), max(height // line, 1) * line)

    def offset(self) -> float:
        """How far the lines are scrolled up: by whole lines, so that none is cut."""
        return round(self.scroller.value() / self.line_height()) * self.line_height()

    def line_height(self) -> float:
        key = self.font().key()
        if key != self._line[0]:  # asked for at every piece
            self._line = key, round(QFontMetricsF(monospace(self.font())).height() * 1.28)
        return self._line[1]

    def _lay_out(self) -> None:
        """Break the tokens into lines; nothing is done where neither they nor the width changed."""
        if self.payload is None:
            return
        area = self.area()
        key = (self.payload.tokens, area.width(), self.font().key())
        if key != self._laid:
            self._laid = key
            metrics, widths = QFontMetricsF(monospace(self.font())), dict[str, float]()
            pieces: list[Piece] = []
            x, line, opening = 0.0, 0, 0  # opening: the first piece that may be carried to the next line
            for index, token in enumerate(self.payload.tokens):
                for part in split(token):
                    text = part.rstrip("\n") + ("↵" if part.endswith("\n") else "")
                    if text not in widths:
                        widths[text] = metrics.horizontalAdvance(text)
                    width = widths[text]
                    if part[:1].isspace():
                        opening = len(pieces)
                    if x + width > area.width() and x > 0 and part != "\n":
                        carried = pieces[opening:]
                        if part.isspace() or not carried or carried[0].x < 0.5 * area.width():
                            carried = []  # a long run without spaces is broken where it is
                        start = carried[0].x if carried else x
                        line += 1
                        pieces[len(pieces) - len(carried) :] = [
                            Piece(p.token, p.text, p.x - start, p.width, line) for p in carried
                        ]
                        x -= start
                        opening = len(pieces) - len(carried)
                    pieces.append(Piece(index, text, x, width, line))
                    x += width
                    if part.endswith("\n"):
                        x, line, opening = 0.0, line + 1, len(pieces)
                    elif part[-1:].isspace():
                        opening = len(pieces)
            self.pieces, self.lines = pieces, line + 1
            numbers = np.array([p.line for p in pieces], np.int64)
            self._first = np.searchsorted(numbers, np.arange(self.lines + 1)).tolist()
        overflow = self.lines * self.line_height() - area.height()
        self.scroller.setVisible(overflow > 0)
        self.scroller.setRange(0, max(0, round(overflow)))
        self.scroller.setPageStep(round(area.height()))
        self.scroller.setSingleStep(round(self.line_height()))

    def resizeEvent(self, event: Any) -> None:
        at_end = self._at_end()
        if self.prompt is not None:
            height = round(QFontMetricsF(self.font()).height()) + 12
            self.prompt.setVisible(self.height() >= 110)
            self.prompt.setGeometry(4, self.height() - height - 3, self.width() - 8, height)
        area = self.area()
        self.scroller.setGeometry(self.width() - 10, round(area.top()), 8, round(area.height()))
        self._lay_out()
        if at_end:
            self.scroller.setValue(self.scroller.maximum())

    def box(self, piece: Piece) -> QRectF:
        """Where a piece is on the screen."""
        area, height = self.area(), self.line_height()
        return QRectF(area.left() + piece.x, area.top() + piece.line * height - self.offset(), piece.width, height)

    def token_at(self, at: QPointF) -> int:
        """The token at a pixel, -1 where there is none."""
        area = self.area()
        if not area.contains(at):
            return -1
        line = int((at.y() - area.top() + self.offset()) // self.line_height())
        if not 0 <= line < self.lines:
            return -1
        x = at.x() - area.left()
        for piece in self.pieces[self._first[line] : self._first[line + 1]]:
            if piece.x <= x < piece.x + piece.width:
                return piece.token
        return -1

    # -------------------------------------------------------------------------------------------- painting

    def paintEvent(self, event: Any) -> None:
        painter, look = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.payload is None or not self.pieces:
            self.paint_empty(painter)
            paint_focus(painter, self)
            return
        area, height = self.area(), self.line_height()
        first = max(0, round(self.offset() / height))
        last = min(self.lines, first + round(area.height() / height))
        shown = self.pieces[self._first[first] : self._first[last]]
        painter.save()
        painter.setClipRect(area.adjusted(-2, 0, 2, 0))
        self._paint_tints(painter, shown)
        painter.setFont(monospace(self.font()))
        baseline = QFontMetricsF(painter.font()).ascent() + height * 0.11
        text, muted, quiet = QColor(look.text), QColor(look.muted), faded(look.muted, 0.45)
        given = np.isnan(self.payload.probabilities)
        run, start, style = "", QPointF(), (-1, False)
        for piece in shown:
            # neighbours of one look are drawn together
            now = (piece.line, bool(given[piece.token]))
            if now != style:
                if run:
                    painter.setPen(muted if style[1] else text)
                    painter.drawText(start, run)
                box = self.box(piece)
                run, start, style = "", QPointF(box.left(), box.top() + baseline), now
            run += piece.text.replace("↵", " ")
            mark = "↵" if piece.text.endswith("↵") else ""
            if mark or (" " in piece.text and not now[1]):
                box = self.box(piece)
                marks = "".join("·" if c == " " else c if c == "↵" else " " for c in piece.text)
                painter.setPen(quiet)
                painter.drawText(QPointF(box.left(), box.top() + baseline), marks)
        if run:
            painter.setPen(muted if style[1] else text)
            painter.drawText(start, run)
        for piece in shown:
            if piece.token not in (self.payload.chosen, self.token):
                continue
            box = self.box(piece)
            if piece.token == self.payload.chosen:  # a line under it: a frame would touch its neighbours
                painter.fillRect(QRectF(box.left(), box.bottom() - 3, box.width() - 0.6, 2), QColor(look.link))
            if piece.token == self.token:
                painter.setPen(QPen(QColor(look.text), 1.4))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(box.adjusted(-1, 1.5, 0.5, -1.5), 3, 3)
        painter.restore()
        self._paint_legend(painter)
        self._alternatives, self._card = [], QRectF()
        if 0 <= self.token < len(self.payload.tokens):
            self._paint_card(painter, shown)
        paint_focus(painter, self)

    def _tint(self, level: int) -> QColor:
        """The background of a token of probability level / (SHADES - 1)."""
        return faded(theme.current().accent, 0.1 + 0.5 * level / (SHADES - 1))

    def _paint_tints(self, painter: QPainter, shown: list[Piece]) -> None:
        probabilities = self.payload.probabilities
        known = np.isfinite(probabilities)
        levels = np.where(known, np.rint(np.nan_to_num(probabilities).clip(0, 1) * (SHADES - 1)), -1).astype(int)
        area, height, offset = self.area(), self.line_height(), self.offset()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        colours = [self._tint(level) for level in range(SHADES)]
        for piece in shown:
            level = levels[piece.token]
            if level >= 0:
                top = area.top() + piece.line * height - offset
                painter.fillRect(QRectF(area.left() + piece.x, top + 2, piece.width - 0.6, height - 4), colours[level])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_legend(self, painter: QPainter) -> None:
        if self.height() < 150 or not np.isfinite(self.payload.probabilities).any():
            return
        area = self.area()
        painter.setFont(small(self.font(), 0.82))
        metrics = QFontMetricsF(painter.font())
        y = area.bottom() + 3
        words = "probability 0"
        left = area.left() + metrics.horizontalAdvance(words) + 6
        painter.setPen(QColor(theme.current().muted))
        painter.drawText(QPointF(area.left(), y + metrics.ascent() - 1), words)
        painter.drawText(QPointF(left + 78, y + metrics.ascent() - 1), "1")
        gradient = QLinearGradient(left, 0, left + 72, 0)
        gradient.setColorAt(0, self._tint(0))
        gradient.setColorAt(1, self._tint(SHADES - 1))
        painter.fillRect(QRectF(left, y + 2, 72, 8), gradient)

    def _paint_card(self, painter: QPainter, shown: list[Piece]) -> None:
        """The token's probability, and its alternatives as bars that can be clicked."""
        piece = next((p for p in shown if p.token == self.token), None)
        if piece is None:
            return
        look, box = theme.current(), self.box(piece)
        rows = self.alternatives(self.token)
        probability = float(self.payload.probabilities[self.token])
        painter.setFont(small(self.font()))
        metrics = QFontMetricsF(painter.font())
        line = metrics.height() + 4
        told = percent(probability) if np.isfinite(probability) else "given"
        headline = (
            f"{metrics.elidedText(visible(self.payload.tokens[self.token]), Qt.TextElideMode.ElideRight, 110)}   {told}"
        )
        names = [metrics.elidedText(visible(name), Qt.TextElideMode.ElideRight, 90) for name, _ in rows]
        names_width = max((metrics.horizontalAdvance(name) for name in names), default=0.0)
        width = max(names_width + 120, metrics.horizontalAdvance(headline)) + 16
        height = line * (1 + len(rows)) + 10
        # touching the token, so that the pointer can go straight from it into the card
        top = box.bottom() - 1 if box.bottom() + height < self.height() - 2 else box.top() + 1 - height
        top = max(2.0, min(top, self.height() - height - 2))
        left = max(2.0, min(box.left() - 8, self.width() - width - 2))
        self._card = QRectF(left, top, width, height)
        painter.setPen(QPen(QColor(look.accent if self.held else look.border), 1))
        painter.setBrush(faded(look.raised, 0.98))
        painter.drawRoundedRect(self._card, 6, 6)
        painter.setPen(QColor(look.text))
        painter.drawText(QPointF(left + 8, top + 5 + metrics.ascent() + 1), headline)
        for number_, (name, (token, share)) in enumerate(zip(names, rows, strict=True)):
            row = QRectF(left + 4, top + 5 + line * (number_ + 1), width - 8, line)
            self._alternatives.append((row, number_))
            if number_ == self.alternative:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(look.hover))
                painter.drawRoundedRect(row, 4, 4)
            chosen = token == self.payload.tokens[self.token]
            painter.setPen(QColor(look.text if chosen else look.muted))
            y = row.top() + metrics.ascent() + 2
            painter.drawText(QPointF(row.left() + 4, y), name)
            bar = QRectF(row.left() + names_width + 12, row.center().y() - 3, 50, 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.border))
            painter.drawRoundedRect(bar, 3, 3)
            painter.setBrush(QColor(look.accent))
            filled = 50 * min(max(share, 0.0), 1.0) if np.isfinite(share) else 0.0
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), filled, 6), min(3, filled / 2), 3)
            painter.setPen(QColor(look.muted))
            painter.drawText(QPointF(bar.right() + 6, y), percent(share))

    def alternatives(self, token: int) -> tuple[tuple[str, float], ...]:
        """What else could have stood there, likeliest first."""
        rows = self.payload.alternatives
        return rows[token][:MOST_ALTERNATIVES] if token < len(rows) else ()

    # ----------------------------------------------------------------------------------- mouse and keyboard

    def _point(self, token: int, alternative: int = -1) -> None:
        if (token, alternative) != (self.token, self.alternative):
            self.token, self.alternative = token, alternative
            self.update()
        self.held = self.held and token >= 0

    def _alternative_at(self, at: QPointF) -> int:
        return next((number_ for row, number_ in self._alternatives if row.contains(at)), -1)

    def mouseMoveEvent(self, event: Any) -> None:
        if self.payload is None:
            return
        at = event.position()
        alternative = self._alternative_at(at) if self.token >= 0 and self._card.contains(at) else -1
        if self.token >= 0 and self._card.contains(at):
            self._point(self.token, alternative)
        elif not self.held:
            self._point(self.token_at(at))
        active = alternative >= 0 or (self.token >= 0 and not self._card.contains(at))
        on = active and (self.probes or self.edits)
        self.setCursor(Qt.CursorShape.PointingHandCursor if on else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.payload is None:
            return
        at = event.position()
        if self.token >= 0 and self._card.contains(at):
            self._branch(self._alternative_at(at))
            return
        token = self.token_at(at)
        self.held = token >= 0
        self._point(token)
        if token >= 0:
            self.send(Pick(token))
        self.update()

    def _branch(self, alternative: int) -> None:
        """Tell that this alternative is to stand in the token's place."""
        rows = self.alternatives(self.token)
        if 0 <= alternative < len(rows):
            self.send(Pick(self.token, text=rows[alternative][0]))
            self.held = False
            self._point(-1)

    def leaveEvent(self, event: Any) -> None:
        if not self.held:
            self._point(-1)

    def wheelEvent(self, event: Any) -> None:
        if self.scroller.maximum() > 0:
            self.scroller.setValue(self.scroller.value() - event.angleDelta().y() // 2)
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: Any) -> None:
        key, count = event.key(), 0 if self.payload is None else len(self.payload.tokens)
        if count == 0:
            event.ignore()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            token = (self.token if self.token >= 0 else count) + (1 if key == Qt.Key.Key_Right else -1)
            self.held = True
            self._point(min(max(token, 0), count - 1))
            self._reveal(self.token)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.token >= 0 and self.alternatives(self.token):
            step, rows = (1 if key == Qt.Key.Key_Down else -1), len(self.alternatives(self.token))
            self._point(self.token, min(max(self.alternative + step, 0), rows - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.token >= 0:
            if self.alternative >= 0:
                self._branch(self.alternative)
            else:
                self.send(Pick(self.token))
        elif key == Qt.Key.Key_Escape and self.token >= 0:
            self.held = False
            self._point(-1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self.scroller.setValue(
                self.scroller.value() + (1 if key == Qt.Key.Key_PageDown else -1) * self.scroller.pageStep()
            )
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.scroller.setValue(0 if key == Qt.Key.Key_Home else self.scroller.maximum())
        else:
            event.ignore()

    def _reveal(self, token: int) -> None:
        """Scroll until a token is seen."""
        line = next((p.line for p in self.pieces if p.token == token), 0)
        height, view = self.line_height(), self.area().height()
        top, bottom = line * height, (line + 1) * height
        if top < self.scroller.value():
            self.scroller.setValue(int(top))
        elif bottom > self.scroller.value() + view:
            self.scroller.setValue(round(bottom - view))

    def _type(self) -> None:
        assert self.prompt is not None
        if self.prompt.text():
            self.send(Typed(self.prompt.text()))

    # ---------------------------------------------------------------------------------------------- export

    def csv_rows(self) -> list[list[str]]:
        if self.payload is None:
            return []
        rows = [["index", "token", "probability", "alternatives"]]
        for index, token in enumerate(self.payload.tokens):
            probability = float(self.payload.probabilities[index])
            others = self.payload.alternatives[index] if index < len(self.payload.alternatives) else ()
            told = "" if np.isnan(probability) else f"{probability:.6g}"
            rows.append([str(index), token, told, " | ".join(f"{name} {share:.4g}" for name, share in others)])
        return rows

    def vector(self) -> bool:
        return True


class _Prompt(QLineEdit):
    """Escape leaves the box, and closes nothing else."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.parentWidget().setFocus(Qt.FocusReason.OtherFocusReason)  # type: ignore[union-attr]
        else:
            super().keyPressEvent(event)
