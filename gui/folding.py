"""What a file of Python consists of, and the gutter beside it: line numbers, and triangles that fold methods away."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QWidget

from gui import style, theme

if TYPE_CHECKING:
    from gui.code_panel import CodePanel


@dataclass(frozen=True)
class Part:
    """A class, a function, or what a class declares by a call: `loss = Curves(…)`."""

    name: str  # the class's name and the method's, with a dot
    first: int  # the line it begins with, decorators included, counted from 0
    head: int  # the line that names it
    last: int
    folds: bool

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]


def parts_of(source: str) -> list[Part]:
    """The parts of a file, from top to bottom; none where it is no Python."""
    try:
        return list(_parts(ast.parse(source).body, ""))
    except (SyntaxError, ValueError):
        return []


def _parts(body: list[ast.stmt], within: str) -> Iterator[Part]:
    for node in body:
        last = (node.end_lineno or node.lineno) - 1
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            folds = isinstance(node, ast.FunctionDef) and last > node.lineno - 1
            yield Part(f"{within}{node.name}", first, node.lineno - 1, last, folds)
            if isinstance(node, ast.ClassDef):
                yield from _parts(node.body, f"{within}{node.name}.")
        elif within and isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield Part(f"{within}{target.id}", node.lineno - 1, node.lineno - 1, last, False)


class Gutter(QWidget):
    """Stands at the left of the code; a click on a line that begins a method folds it, and another unfolds it."""

    ARROW = 16  # pixels

    def __init__(self, code: CodePanel) -> None:
        super().__init__(code)
        self._code = code
        self.setFont(style.font(11, mono=True))
        self.setAccessibleName("Line numbers")

    def sizeHint(self) -> QSize:
        digits = max(2, len(str(self._code.blockCount())))
        return QSize(10 + digits * self.fontMetrics().horizontalAdvance("0") + self.ARROW, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), QColor(t.panel))
        room = self.width() - self.ARROW
        for line, top, height in self._code.visible_lines():
            wrong = line == self._code.error_line
            painter.setPen(QColor(t.bad) if wrong else style.mix(t.muted, t.panel, 0.35))
            painter.drawText(QRect(0, top, room, height), Qt.AlignmentFlag.AlignRight, str(line + 1))
            if (part := self._code.fold_at(line)) is not None:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(t.muted))
                folded = part.name in self._code.folded
                painter.drawPolygon(_arrow(room + self.ARROW / 2, top + height / 2, down=not folded))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for line, top, height in self._code.visible_lines():
            if top <= event.position().y() < top + height and (part := self._code.fold_at(line)) is not None:
                self._code.fold(part.name, part.name not in self._code.folded)
                return


def _arrow(x: float, y: float, *, down: bool) -> QPolygonF:
    corners = [(-3.5, -2), (3.5, -2), (0, 3)] if down else [(-2, -3.5), (-2, 3.5), (3, 0)]
    return QPolygonF([QPointF(x + dx, y + dy) for dx, dy in corners])
