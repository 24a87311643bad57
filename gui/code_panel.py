"""The code of the lab that runs: the file itself, coloured, with the phase that was reached lit."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

import engine.nn
from gui import style, theme

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
            "comment": t.muted, "string": t.good, "decorator": t.warning, "defined": t.link,
            "keyword": t.classes[3], "number": t.classes[1],
        }  # fmt: skip
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

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setAccessibleName("The lab's code")
        self.setProperty("role", "side")
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFont(style.font(12, mono=True))
        self.document().setDocumentMargin(14)
        self._colours = PythonColours(self.document())
        self._phase = ""
        theme.holder.changed.connect(self._restyle)

    def show_file(self, path: Path) -> None:
        """Show a lab's file."""
        try:
            self.setPlainText(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            self.setPlainText(f"# The file of this lab cannot be read: {error}")
        self.light_phase(self._phase)

    def light_phase(self, phase: str) -> None:
        """Light the line that yields this phase; "" lights none."""
        self._phase = phase
        self.setExtraSelections([])
        if not phase:
            return
        found = self.document().find(phase_line(phase))
        if found.isNull():
            return
        line = QTextEdit.ExtraSelection()
        line.cursor = QTextCursor(found.block())
        line.format.setBackground(style.mix(theme.current().panel, theme.current().accent, 0.3))
        line.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        self.setExtraSelections([line])
        if self.isVisible():
            self.setTextCursor(QTextCursor(found.block()))
            self.centerCursor()

    def _restyle(self) -> None:
        self._colours.restyle()
        self.light_phase(self._phase)

    def sizeHint(self) -> QSize:
        return QSize(420, 400)


class CodeSide(QWidget):
    """The lab's file, and the shared pieces of engine.nn that it is built of, to choose from."""

    def __init__(self) -> None:
        super().__init__()
        self.files = QComboBox()
        self.files.setAccessibleName("File shown")
        self.files.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.text = CodePanel()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 0)
        row.addWidget(self.files)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.text, 1)
        self.setFocusProxy(self.text)
        self.files.activated.connect(lambda index: self.text.show_file(self.files.itemData(index)))

    def show_file(self, path: Path) -> None:
        """Show a lab's file, and offer those that it imports from engine.nn."""
        self.files.clear()
        for each in (path, *pieces_of(path)):
            self.files.addItem(each.name if each == path else f"nn/{each.name}", each)
        self.files.setVisible(self.files.count() > 1)
        self.text.show_file(path)

    def light_phase(self, phase: str) -> None:
        """Light the line that yields this phase, in the file of the lab."""
        if phase and self.files.currentIndex() > 0:
            self.files.setCurrentIndex(0)
            self.text.show_file(self.files.itemData(0))
        self.text.light_phase(phase)


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
