"""The guide of a lab beside its views: text, formulas, and links that light up a view or turn the knobs.

A guide is Markdown in assets/guides/<lab>.md. `$…$` and `$$…$$` are LaTeX. A link to `view:NAME` lights up that view
while the pointer is on it, and so does a view's title in bold; a link to `set:name=value&…` (`dataset` too) sets
hyperparameters and starts training. A heading or list item that begins with a phase's name in `code` is lit while the
run stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QPixmap,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextImageFormat,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit

from engine.messages import LabInfo
from gui import formulas, style, theme
from gui.formulas import Formula
from gui.plain import plain

TEXT_SIZE = 14
FORMULA_SIZE = 16
MOST_BYTES = 1_000_000  # of a guide of one's own
HEADINGS = {1: 20, 2: 16, 3: 14}
# a guide of one's own has no HTML: its tags are shown as they are written
MARKDOWN = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
MARGIN = 18  # pixels about the text, and above and below what is brought to sight

# code first, so that a dollar inside it stays one
_PIECES = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)", re.DOTALL)
_MARK = re.compile("\ue000(\\d+)\ue001")


def split_formulas(text: str) -> tuple[str, list[tuple[str, bool]]]:
    """Markdown with a mark in the place of each formula, and the formulas, each with whether it stands alone."""
    found: list[tuple[str, bool]] = []

    def mark(match: re.Match[str]) -> str:
        code, display, inline = match.groups()
        if code is not None:
            return code
        found.append(((display or inline).strip(), display is not None))
        sign = f"\ue000{len(found) - 1}\ue001"
        return f"\n\n{sign}\n\n" if display is not None else sign

    return _PIECES.sub(mark, text).replace("\\$", "$"), found


def guide_of(lab_id: str, source: Path | None = None) -> str:
    """The guide's Markdown, "" where there is none. One that lies beside the lab's file goes before."""
    beside = source.with_suffix(".md") if source else None
    guide = beside if beside and beside.is_file() else files("assets") / "guides" / f"{lab_id}.md"
    try:
        if beside is guide and beside.stat().st_size > MOST_BYTES:
            return f"The guide of this lab has more than {MOST_BYTES // 1_000_000} MB."
        return guide.read_text(encoding="utf-8") if guide.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        return f"The guide of this lab cannot be read: {error}"


class ExplainPanel(QTextBrowser):
    """Typesets in the background the first time it is seen."""

    view_pointed = Signal(str)  # a view's name while the pointer is on a link to it, "" after
    settings_asked = Signal(dict)  # hyperparameters by name, as text

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Explanation")
        self.setProperty("role", "side")
        self.setOpenLinks(False)
        self.document().setDocumentMargin(MARGIN)
        self.setFont(style.font(TEXT_SIZE))
        self._text = ""
        self._formulas: list[tuple[str, bool]] = []
        self._set: list[Formula | None] = []
        self._job: Future[list[Formula | None]] | None = None
        self._views: dict[str, str] = {}  # names by title
        self._phase = ""
        self._named: dict[int, str] = {}  # the code that headings and list items begin with, by block
        self._poll = QTimer(self)
        self._poll.setInterval(20)
        self._poll.timeout.connect(self._look_for_formulas)
        self.highlighted.connect(self._pointed)
        self.anchorClicked.connect(self._clicked)
        theme.holder.changed.connect(self._render)

    def show_lab(self, info: LabInfo) -> None:
        """Show the guide of a lab, its docstring where there is none."""
        text = guide_of(info.id, info.source) or f"# {info.title}\n\n{info.about}"
        self._views = {view.title: name for name, view in info.views.items()}
        self._text, self._formulas = split_formulas(text)
        self._set = []
        if self._formulas:
            self._job = formulas.typeset_all(tuple(self._formulas), FORMULA_SIZE)
            self._poll.start()
        else:
            self._render()

    def _look_for_formulas(self) -> None:
        if self._job is not None and self._job.done():
            self._poll.stop()
            self._set, self._job = self._job.result(), None
            self._render()

    # ------------------------------------------------------------------ rendering

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Nothing from the disk: the only pictures in a guide are its formulas, which the document holds."""
        empty = QPixmap(1, 1)  # with none at all the document would look for the file itself
        empty.fill(Qt.GlobalColor.transparent)
        return empty

    def _render(self) -> None:
        if self._job is not None or not self._text:
            return
        place = self.verticalScrollBar().value()
        document = self.document()
        document.clear()
        document.setDefaultFont(style.font(TEXT_SIZE))
        document.setMarkdown(self._text, MARKDOWN)
        self._named = _named(document)  # before headings lose their code
        self._dress_blocks(document)
        self._dress_words(document)
        self._place_formulas(document)
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(place)
        self._light()

    def _dress_blocks(self, document: QTextDocument) -> None:
        """Sizes, spacing and the background of code, which Qt's Markdown leaves as they come."""
        block = document.begin()
        while block.isValid():
            cursor = QTextCursor(block)
            layout = QTextBlockFormat()
            layout.setLineHeight(145, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
            level = block.blockFormat().headingLevel()
            layout.setTopMargin(14 if level else 0)
            layout.setBottomMargin(4 if level or block.textList() else 10)
            if level:
                letters = cursor.blockCharFormat()
                letters.clearProperty(QTextFormat.Property.FontSizeAdjustment)
                letters.setFont(style.font(HEADINGS.get(level, TEXT_SIZE), QFont.Weight.DemiBold))
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                cursor.setCharFormat(letters)
            cursor.mergeBlockFormat(layout)
            block = block.next()

    def _dress_words(self, document: QTextDocument) -> None:
        """Links in the theme's colour; code in its font; a view's title in bold becomes a link to it."""
        t = theme.current()
        changes: list[tuple[int, int, QTextCharFormat]] = []
        block = document.begin()
        while block.isValid():
            iterator = block.begin()
            while not iterator.atEnd():
                piece = iterator.fragment()
                written, wanted = piece.charFormat(), QTextCharFormat()
                heading = block.blockFormat().headingLevel()
                name = self._views.get(piece.text().strip())
                if written.isAnchor() or (name and written.fontWeight() >= QFont.Weight.DemiBold and not heading):
                    href = written.anchorHref() or f"view:{name}"
                    wanted.setAnchor(True)
                    wanted.setAnchorHref(href)
                    wanted.setForeground(QColor(t.link))
                    wanted.setFontUnderline(False)
                elif written.fontFixedPitch():
                    wanted.setFontFamilies([style.MONO])
                    wanted.setBackground(QColor(t.raised))
                if wanted.propertyCount():
                    changes.append((piece.position(), piece.length(), wanted))
                iterator += 1
            block = block.next()
        for position, length, wanted in changes:
            cursor = QTextCursor(document)
            cursor.setPosition(position)
            cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(wanted)

    def _place_formulas(self, document: QTextDocument) -> None:
        for match in reversed(list(_MARK.finditer(document.toPlainText()))):
            number = int(match.group(1))
            (latex, display), formula = self._formulas[number], self._set[number] if self._set else None
            cursor = QTextCursor(document)
            cursor.setPosition(match.start())
            cursor.setPosition(match.end(), QTextCursor.MoveMode.KeepAnchor)
            if formula is None:
                cursor.insertText(latex)
                continue
            around = cursor.charFormat()
            cursor.insertImage(self._picture(document, number, formula, display, around))
            if display:
                centred = cursor.blockFormat()
                centred.setLeftMargin(12)
                centred.setLineHeight(100, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
                centred.setTopMargin(4)
                centred.setBottomMargin(14)
                cursor.setBlockFormat(centred)

    def _picture(
        self,
        document: QTextDocument,
        number: int,
        formula: Formula,
        display: bool,
        around: QTextCharFormat,
    ) -> QTextImageFormat:
        """The picture of a formula, padded so that its baseline comes to lie on that of the text."""
        t = theme.current()
        above, below = formula.ascent, formula.descent
        image = QTextImageFormat()
        if not display:
            font, above, below = _on_baseline(above, below)
            image.setFont(font)
            image.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
        colour = t.link if around.isAnchor() else t.text
        name = f"formula:{number}"
        picture = formulas.paint(formula, colour, self.devicePixelRatioF(), above=above, below=below)
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(name), picture)
        image.setName(name)
        image.setToolTip(plain(self._formulas[number][0]))
        if around.isAnchor():
            image.setAnchor(True)
            image.setAnchorHref(around.anchorHref())
        return image

    # ------------------------------------------------------------------ the phase reached

    def light_phase(self, phase: str) -> None:
        """Light the heading or list item that begins with this phase, and bring it to sight; "" lights none."""
        self._phase = phase
        self._light()
        if self.isVisible() and (lit := self.extraSelections()):
            self._show(QTextCursor(lit[0].cursor))

    def _light(self) -> None:
        lit = []
        for number in [number for number, name in self._named.items() if name == self._phase]:
            item = QTextEdit.ExtraSelection()
            item.cursor = QTextCursor(self.document().findBlockByNumber(number))
            item.cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
            item.format.setBackground(style.mix(theme.current().panel, theme.current().accent, 0.3))
            item.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
            lit.append(item)
        self.setExtraSelections(lit)

    def _show(self, cursor: QTextCursor) -> None:
        """Scroll as little as shows all of what the cursor selects."""
        end, bar = self.cursorRect(cursor), self.verticalScrollBar()
        cursor.setPosition(cursor.selectionStart())
        begin = self.cursorRect(cursor)
        below = end.bottom() + MARGIN - self.viewport().height()
        bar.setValue(bar.value() + (begin.top() - MARGIN if begin.top() < MARGIN else max(0, below)))

    # ------------------------------------------------------------------ links

    def _pointed(self, url: QUrl) -> None:
        address = url.toString()
        self.view_pointed.emit(address.removeprefix("view:") if address.startswith("view:") else "")

    def _clicked(self, url: QUrl) -> None:
        address = url.toString(QUrl.ComponentFormattingOption.FullyEncoded)
        if address.startswith("set:"):
            self.settings_asked.emit(settings_of(address))
        elif address.startswith("view:"):
            self._pointed(url)

    def leaveEvent(self, event: object) -> None:
        self.view_pointed.emit("")


def _named(document: QTextDocument) -> dict[int, str]:
    """The code that headings and list items begin with, by the numbers of their blocks."""
    found = {}
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        if not iterator.atEnd() and (block.textList() or block.blockFormat().headingLevel()):
            piece = iterator.fragment()
            if piece.charFormat().fontFixedPitch():
                found[block.blockNumber()] = piece.text()
        block = block.next()
    return found


def settings_of(address: str) -> Mapping[str, str]:
    """What a link "set:filters1=8&dataset=mnist" asks for."""
    return dict(parse_qsl(address.removeprefix("set:"), keep_blank_values=True))


def _on_baseline(above: float, below: float) -> tuple[QFont, float, float]:
    """A font and a padding that put a picture on the baseline.

    Qt centres a picture half the x-height of its own font, halved again, above the baseline: it then reaches up that
    much further than down. So the font is chosen by what the formula needs, and less than a pixel is padded.
    """
    size = 4
    while QFontMetrics(style.font(size + 1)).xHeight() / 2 <= above - below and size < 200:
        size += 1
    excess = above - below - QFontMetrics(style.font(size)).xHeight() / 2
    return style.font(size), above + max(0.0, -excess), below + max(0.0, excess)
