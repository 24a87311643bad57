"""The code of the lab that runs: the file itself, coloured, with the phase that was reached lit."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextOption,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

import engine.nn
from gui import style, theme
from gui.folding import Gutter, Part, parts_of

_TOKENS = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<string>[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))"
    r"|(?P<decorator>^\s*@[\w.]+)"
    r"|(?P<defined>(?<=\bdef\s)\w+|(?<=\bclass\s)\w+)"
    rf"|(?P<keyword>\b(?:{'|'.join(keyword.kwlist)}|self)\b)"
    r"|(?P<number>\b\d[\d_.]*(?:e[+-]?\d+)?\b)"
)
_TRIPLE = re.compile(r"\"\"\"|'''")
OUTSIDE, IN_DOUBLE, IN_SINGLE = -1, 1, 2


class PythonColours(QSyntaxHighlighter):
    """Python in a few quiet colours: the words of a lab are read as prose."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._formats: dict[str, QTextCharFormat] = {}
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        t = theme.current()
        colours = {
            "comment": t.muted,
            "string": t.good,
            "decorator": t.warning,
            "defined": t.link,
            "keyword": t.classes[3],
            "number": t.classes[1],
        }
        for name, colour in colours.items():
            made = QTextCharFormat()
            made.setForeground(QColor(colour))
            if name == "defined":
                made.setFontWeight(QFont.Weight.DemiBold)
            self._formats[name] = made
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        start = 0
        state = self.previousBlockState()
        if state in (IN_DOUBLE, IN_SINGLE):
            start = self._close_string(text, 0, state)
        while start < len(text):
            opening = _TRIPLE.search(text, start)
            comment = text.find("#", start)
            if opening is None or 0 <= comment < opening.start():
                break
            self._colour(text, start, opening.start())
            state = IN_DOUBLE if opening.group() == '"""' else IN_SINGLE
            start = self._close_string(text, opening.start(), state, opening.end())
        if start >= 0:
            self._colour(text, start, len(text))

    def _close_string(self, text: str, begin: int, state: int, search: int = 0) -> int:
        """Colour a string of several lines up to its end, or to the end of the line. Returns where to go on."""
        end = text.find('"""' if state == IN_DOUBLE else "'''", search)
        stop = len(text) if end < 0 else end + 3
        self.setFormat(begin, stop - begin, self._formats["string"])
        self.setCurrentBlockState(state if end < 0 else OUTSIDE)
        return stop

    def _colour(self, text: str, start: int, stop: int) -> None:
        for match in _TOKENS.finditer(text, start, stop):
            if match.lastgroup:
                self.setFormat(match.start(), match.end() - match.start(), self._formats[match.lastgroup])


class CodePanel(QPlainTextEdit):
    """Read-only; what stands here is what runs."""

    changed = Signal()  # another text is shown

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setAccessibleName("The lab's code")
        self.setProperty("role", "side")
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)  # nothing is cut at the edge
        self.setFont(style.font(12, mono=True))
        self.document().setDocumentMargin(6)
        self._colours = PythonColours(self.document())
        self._phase = ""
        self._path: Path | None = None
        self.error_line = -1  # counted from 0; below it, none
        self.parts: list[Part] = []
        self.folded: set[str] = set()  # the names of parts
        self._gutter = Gutter(self)
        self.updateRequest.connect(lambda _rect, _dy: self._gutter.update())
        theme.holder.changed.connect(self._restyle)

    def show_file(self, path: Path) -> None:
        """Show a lab's file; where it is shown already, it stays where it is scrolled to, and folded."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            text = f"# The file of this lab cannot be read: {error}"
        place = self.verticalScrollBar().value() if path == self._path else 0
        self.setPlainText(text)
        self.parts = parts_of(text)
        self.folded = {part.name for part in self.parts if part.name in self.folded} if path == self._path else set()
        self._path = path
        self._show_folds()
        self.setViewportMargins(self._gutter.sizeHint().width(), 0, 0, 0)
        self.resizeEvent(None)
        self.verticalScrollBar().setValue(place)
        self.light_phase(self._phase)
        self.changed.emit()

    # ------------------------------------------------------------------ lines that are lit

    def light_phase(self, phase: str) -> None:
        """Light the line that yields this phase; "" lights none."""
        self._phase = phase
        if (line := self._light()) >= 0 and self.isVisible():
            self.go_to(line, choose=False)

    def mark_error(self, line: int) -> None:
        """Light a line, counted from 1, as the one at fault; 0 lights none."""
        self.error_line = line - 1
        self._light()
        if line:
            self.go_to(line - 1, choose=False)

    def _light(self) -> int:
        """Returns the line of the phase that is lit, below zero where there is none."""
        t = theme.current()
        found = self.document().find(phase_line(self._phase)) if self._phase else QTextCursor()
        lit = [] if found.isNull() else [self._lit(found.block(), t.accent)]
        if self.error_line >= 0:
            lit.append(self._lit(self.document().findBlockByNumber(self.error_line), t.bad))
        self.setExtraSelections(lit)
        self._gutter.update()
        return -1 if found.isNull() else found.blockNumber()

    def _lit(self, block: QTextBlock, colour: str) -> QTextEdit.ExtraSelection:
        line = QTextEdit.ExtraSelection()
        line.cursor = QTextCursor(block)
        line.format.setBackground(style.mix(theme.current().panel, colour, 0.3))
        line.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        return line

    def go_to(self, line: int, *, choose: bool = True) -> None:
        """Bring a line, counted from 0, into view: at the top where it was chosen, else in the middle."""
        hiding = [part.name for part in self.parts if part.head < line <= part.last or (choose and part.first == line)]
        if self.folded.intersection(hiding):
            self.folded.difference_update(hiding)
            self._show_folds()
        self.setTextCursor(QTextCursor(self.document().findBlockByNumber(line)))
        self.centerCursor()
        if choose:
            shown = [n for n, _, _ in self.visible_lines()]
            above = shown.index(line) if line in shown else 0
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() + max(0, above - 1))

    # ------------------------------------------------------------------ folding

    def fold(self, name: str, folded: bool) -> None:
        """Fold a method away but for its first line, or show it."""
        (self.folded.add if folded else self.folded.discard)(name)
        self._show_folds()

    def fold_all(self, folded: bool) -> None:
        """Fold all methods, or show all."""
        self.folded = {part.name for part in self.parts if part.folds} if folded else set()
        self._show_folds()

    def fold_at(self, line: int) -> Part | None:
        """The method that a line begins."""
        return next((part for part in self.parts if part.folds and part.head == line), None)

    def _show_folds(self) -> None:
        hidden = {n for p in self.parts if p.name in self.folded for n in range(p.head + 1, p.last + 1)}
        document = self.document()
        block = document.begin()
        while block.isValid():
            block.setVisible(block.blockNumber() not in hidden)
            block = block.next()
        document.markContentsDirty(0, document.characterCount())
        document.documentLayout().documentSizeChanged.emit(document.documentLayout().documentSize())
        self.viewport().update()
        self._gutter.update()

    def visible_lines(self) -> Iterator[tuple[int, int, int]]:
        """The lines that can be seen: number from 0, top and height in pixels."""
        block = self.firstVisibleBlock()
        while block.isValid():
            where = self.blockBoundingGeometry(block).translated(self.contentOffset())
            if where.top() > self.viewport().height():
                return
            if block.isVisible():
                yield block.blockNumber(), round(where.top()), round(where.height())
            block = block.next()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        if event is not None:
            super().resizeEvent(event)
        inside = self.contentsRect()
        self._gutter.setGeometry(inside.left(), inside.top(), self._gutter.sizeHint().width(), inside.height())

    def _restyle(self) -> None:
        self._colours.restyle()
        self._light()

    def sizeHint(self) -> QSize:
        return QSize(420, 400)


class CodeSide(QWidget):
    """The lab's file, and the shared pieces of engine.nn that it is built of, to choose from; where to go in it, and
    what can be done with it."""

    edit_asked = Signal(Path)  # the file that is shown is to be opened in an editor
    copy_asked = Signal()  # the lab's file is to be copied

    def __init__(self) -> None:
        super().__init__()
        self._view = ""
        self.text = CodePanel()
        self.files = self._combo("File shown")
        self.places = self._combo("Go to a part of the code")
        self.places.setPlaceholderText("Go to…")
        self.places.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.folding = self._button("Fold", "Show the methods' first lines alone")
        self.folding.setCheckable(True)
        self.edit = self._button("Open in editor", "In the program that this machine edits such files with")
        self.copy = self._button("Copy as my own…", "Save a copy as a lab of my own, to change it as I like")
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.setContentsMargins(14, 2, 14, 4)
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(4)
        for widgets in ((self.files, self.places, self.folding), (self.edit, self.copy)):
            row = QHBoxLayout()
            row.setContentsMargins(12, 0, 12, 0)
            row.setSpacing(6)
            for widget in widgets:
                row.addWidget(widget)
            row.addStretch(1)
            column.addLayout(row)
        column.addWidget(self.error)
        column.addWidget(self.text, 1)
        self.setFocusProxy(self.text)
        self.files.activated.connect(lambda index: self.text.show_file(self.files.itemData(index)))
        self.places.activated.connect(self._go)
        self.folding.clicked.connect(self.text.fold_all)
        self.edit.setEnabled(False)  # until there is a file to open
        self.edit.clicked.connect(lambda: self.edit_asked.emit(self.files.currentData()))
        self.copy.clicked.connect(self.copy_asked)
        self.text.changed.connect(self._list_places)

    def _combo(self, name: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return combo

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("kind", "quiet")
        button.setToolTip(tip)
        button.setAccessibleDescription(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_file(self, path: Path) -> None:
        """Show a lab's file, and offer those that it imports from engine.nn."""
        self.files.clear()
        for each in (path, *pieces_of(path)):
            self.files.addItem(each.name if each == path else f"nn/{each.name}", each)
        self.files.setVisible(self.files.count() > 1)
        self.edit.setEnabled(True)
        self.text.show_file(path)

    def light_phase(self, phase: str) -> None:
        """Light the line that yields this phase, in the file of the lab."""
        if phase:
            self._show_lab()
        self.text.light_phase(phase)

    def show_error(self, text: str, line: int = 0) -> None:
        """Say what is wrong with the lab's file, and light its line (counted from 1); "" says nothing."""
        if text == self.error.text() and line == self.text.error_line + 1:
            return
        self.error.setText(text)
        self.error.setVisible(bool(text))
        if text:
            self._show_lab()
        self.text.mark_error(line)

    def _show_lab(self) -> None:
        if self.files.currentIndex() > 0:
            self.files.setCurrentIndex(0)
            self.text.show_file(self.files.itemData(0))

    # ------------------------------------------------------------------ where to go

    def focus_view(self, name: str) -> None:
        """This view has the keyboard: offer the method that makes it."""
        if name != self._view:
            self._view = name
            self._list_places()

    def _list_places(self) -> None:
        self.folding.setChecked(bool(self.text.folded))
        self.places.clear()
        lab = next((part.name.removesuffix("build") for part in self.text.parts if part.short == "build"), "")
        inside = [part for part in self.text.parts if part.name.startswith(lab)]
        parts = {part.short: part for part in reversed(inside)}  # of a view and its handlers, the view
        if self._view in parts:
            self.places.addItem(f"View in focus: {self._view}", parts[self._view].first)
        firsts = [parts[name] for name in ("build", "step") if name in parts]
        others = [part for part in inside if part.folds and part not in firsts and parts[part.short] is part]
        for part in (*firsts, *others):
            self.places.addItem(part.short, part.first)
        self.places.setCurrentIndex(-1)
        self.places.setEnabled(self.places.count() > 0)
        self.folding.setEnabled(any(part.folds for part in self.text.parts))

    def _go(self, index: int) -> None:
        self.text.go_to(self.places.itemData(index))
        self.places.setCurrentIndex(-1)


def pieces_of(path: Path) -> tuple[Path, ...]:
    """The files of engine.nn that a lab imports from."""
    try:
        names = re.findall(r"^from engine\.nn\.(\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return ()  # the panel says so in the place of the lab's own file
    folder = Path(engine.nn.__file__).parent
    return tuple(folder / f"{name}.py" for name in dict.fromkeys(names))


def phase_line(phase: str) -> str:
    """The statement that yields a phase, as it is written in a lab."""
    return f'yield "{phase}"'
