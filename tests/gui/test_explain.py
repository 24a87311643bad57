"""Guides with formulas and links, the code with its colours."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QUrl
from PySide6.QtGui import QColor, QFontMetrics, QTextCursor, QTextDocument, QTextImageFormat
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.discovery import find_card
from engine.messages import LabInfo
from engine.views import Table
from gui import formulas, style, theme
from gui.code_panel import CodePanel, CodeSide
from gui.explain_panel import ExplainPanel, _on_baseline, guide_of, settings_of, split_formulas

GUIDES = sorted(guide.name for guide in (files("assets") / "guides").iterdir() if guide.name.endswith(".md"))


def lab(lab_id: str = "nobody", about: str = "A lab.") -> LabInfo:
    views = {"rates": Table("Rates", help="…")}
    return LabInfo(
        lab_id, "Some", "Vision", "", about, (("rates",),), views, frozenset(), frozenset(), {}, (), (), (), Path("x")
    )


@pytest.fixture
def panel(qtbot: QtBot) -> ExplainPanel:
    made = ExplainPanel()
    qtbot.addWidget(made)
    made.resize(400, 600)
    made.show()
    return made


def show(panel: ExplainPanel, qtbot: QtBot, about: str) -> None:
    panel.show_lab(lab(about=about))
    qtbot.waitUntil(lambda: panel._job is None)


def images(document: QTextDocument) -> list[QTextImageFormat]:
    found = []
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            written = iterator.fragment().charFormat()
            if written.isImageFormat():
                found.append(written.toImageFormat())
            iterator += 1
        block = block.next()
    return found


def links(document: QTextDocument) -> dict[str, str]:
    found = {}
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            piece = iterator.fragment()
            if piece.charFormat().isAnchor():
                found[piece.text()] = piece.charFormat().anchorHref()
            iterator += 1
        block = block.next()
    return found


def test_formulas_are_found_and_code_and_prices_left_alone() -> None:
    text, found = split_formulas("Here $a_1$ and `$b$`, $$c = \\frac{1}{2}$$ for \\$5 or $6 and $7.\n```\n$d$\n```")
    assert found == [("a_1", False), ("c = \\frac{1}{2}", True)]
    assert "`$b$`" in text
    assert "$d$" in text
    assert "$5 or $6 and $7" in text


def test_a_formula_stands_on_its_baseline() -> None:
    plain, deep = formulas.typeset("x", 16, False), formulas.typeset("y_p", 16, False)
    assert plain is not None
    assert deep is not None
    assert plain.descent < 2
    assert deep.descent > plain.descent + 2


def test_what_cannot_be_typeset_is_none() -> None:
    assert formulas.typeset(r"\frac{1", 16, False) is None


def test_a_picture_has_the_colour_and_the_sharpness_asked_for() -> None:
    formula = formulas.typeset(r"\sum_i w_i x_i", 16, True)
    assert formula is not None
    image = formulas.paint(formula, "#ff0000", 2.0)
    assert image.devicePixelRatio() == 2.0
    assert image.width() >= 2 * formula.width
    seen = {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert seen == {"#ff0000"}


@given(st.floats(2, 50), st.floats(0, 50))
def test_padding_puts_the_middle_where_qt_expects_it(above: float, below: float) -> None:
    font, padded_above, padded_below = _on_baseline(above, below)
    assert padded_above >= above
    assert padded_below >= below
    assert padded_above - padded_below == pytest.approx(QFontMetrics(font).xHeight() / 2)
    if above > below + 2:
        assert padded_above + padded_below <= above + below + 1


def test_a_guide_is_rendered_with_pictures_for_formulas(panel: ExplainPanel, qtbot: QtBot) -> None:
    show(panel, qtbot, "The sum $z = wx$ and\n\n$$a = g(z)$$\n\nand broken $\\frac{1$ here.")
    shown = panel.document().toPlainText()
    assert "Some" in shown
    assert "\\frac{1" in shown
    assert "\ue000" not in shown
    pictures = images(panel.document())
    assert [picture.toolTip() for picture in pictures] == ["z = wx", "a = g(z)"]
    resource = panel.document().resource(QTextDocument.ResourceType.ImageResource.value, QUrl(pictures[0].name()))
    assert not resource.isNull()


def test_the_theme_recolours_the_formulas(panel: ExplainPanel, qtbot: QtBot, application: QApplication) -> None:
    show(panel, qtbot, r"$\sum$")

    def colours() -> set[str]:
        name = QUrl(images(panel.document())[0].name())
        image = panel.document().resource(QTextDocument.ResourceType.ImageResource.value, name)
        return {
            image.pixelColor(x, y).name()
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() == 255
        }

    assert colours() == {theme.DARK.text}
    style.apply(application, "light")
    assert colours() == {theme.LIGHT.text}


def test_links_and_bold_titles_light_up_views(panel: ExplainPanel, qtbot: QtBot) -> None:
    show(panel, qtbot, "See **Rates**, **not this**, [those](view:rates) and [$w$](view:rates).")
    found = links(panel.document())
    assert found["Rates"] == "view:rates"
    assert found["those"] == "view:rates"
    assert "not this" not in found
    assert list(found.values()).count("view:rates") == 3
    with qtbot.waitSignal(panel.view_pointed) as told:
        panel.highlighted.emit(QUrl("view:rates"))
    assert told.args == ["rates"]
    with qtbot.waitSignal(panel.view_pointed) as told:
        panel.highlighted.emit(QUrl())
    assert told.args == [""]


def test_a_link_asks_for_settings(panel: ExplainPanel, qtbot: QtBot) -> None:
    show(panel, qtbot, "[Try](set:rate=1e-3&shape=two%20moons&dataset=mnist)")
    with qtbot.waitSignal(panel.settings_asked) as told:
        panel.anchorClicked.emit(QUrl(links(panel.document())["Try"]))
    assert told.args == [{"rate": "1e-3", "shape": "two moons", "dataset": "mnist"}]
    assert settings_of("set:a=") == {"a": ""}


def lit(panel: ExplainPanel) -> list[QTextCursor]:
    selections = panel.extraSelections()  # its cursors go with it
    return [QTextCursor(each.cursor) for each in selections]


def light(panel: ExplainPanel) -> str:
    """The colour of what is lit."""
    selections = panel.extraSelections()
    return selections[0].format.background().color().name()


def test_the_phase_reached_is_lit_and_brought_to_sight(panel: ExplainPanel, qtbot: QtBot) -> None:
    filler = "Words. " * 800
    show(
        panel,
        qtbot,
        f"Code `forward` in a sentence.\n\n{filler}\n\n- `forward`: there\n- the `backward` way\n\n## `backward`",
    )
    panel.light_phase("forward")
    (cursor,) = lit(panel)
    assert cursor.selectedText() == "forward: there"
    assert panel.viewport().rect().contains(panel.cursorRect(cursor))
    scrolled = panel.verticalScrollBar().value()
    panel.light_phase("backward")
    assert [each.selectedText() for each in lit(panel)] == ["backward"]
    assert panel.verticalScrollBar().value() >= scrolled
    for phase in ("validation", ""):
        panel.light_phase(phase)
        assert lit(panel) == []


def test_a_phase_stays_lit_in_another_theme(panel: ExplainPanel, qtbot: QtBot, application: QApplication) -> None:
    panel.light_phase("forward")
    show(panel, qtbot, "- `forward`: $x$")  # typeset only after the phase is known
    before = light(panel)
    style.apply(application, "light")
    assert light(panel) != before


def phases_of(name: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r'yield "(\w+)"', find_card(name).path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", [name for guide in GUIDES if phases_of(name := guide.removesuffix(".md"))])
def test_every_guide_names_the_phases_of_its_lab_in_their_order(panel: ExplainPanel, qtbot: QtBot, name: str) -> None:
    path, phases = find_card(name).path, phases_of(name)
    panel.show_lab(replace(lab(name), source=path))
    qtbot.waitUntil(lambda: panel._job is None, timeout=20_000)
    places = []
    for phase in phases:
        panel.light_phase(phase)
        assert len(lit(panel)) == 1, f"{name}.md says nothing of {phase}"
        places.append(lit(panel)[0].position())
    assert places == sorted(places)


def test_a_lab_without_a_guide_shows_its_docstring(panel: ExplainPanel, qtbot: QtBot) -> None:
    assert guide_of("nobody") == ""
    show(panel, qtbot, "What the docstring says.")
    assert "What the docstring says." in panel.document().toPlainText()


@pytest.mark.parametrize("name", GUIDES)
def test_every_formula_of_every_guide_can_be_typeset(name: str) -> None:
    _, found = split_formulas(guide_of(name.removesuffix(".md")))
    assert [latex for latex, display in found if formulas.typeset(latex, 16, display) is None] == []


# ------------------------------------------------------------------------------------------ code

SOURCE = '''"""Text with # no comment
over two lines."""
from x import y  # why
@view(1)
def step(self):
    yield "forward"
    return "a # b", 3.5
'''


@pytest.fixture
def code(qtbot: QtBot, tmp_path: Path) -> CodePanel:
    made = CodePanel()
    qtbot.addWidget(made)
    (tmp_path / "some.py").write_text(SOURCE, encoding="utf-8")
    made.show_file(tmp_path / "some.py")
    return made


def colour_of(code: CodePanel, text: str) -> str:
    """The colour of the first letter of `text`."""
    found = code.document().find(text)
    at = found.selectionStart() - found.block().position()
    for span in found.block().layout().formats():
        if span.start <= at < span.start + span.length:
            return span.format.foreground().color().name()
    return ""


def test_the_code_is_coloured(code: CodePanel) -> None:
    t = theme.current()
    assert colour_of(code, "# no comment") == QColor(t.good).name()
    assert colour_of(code, "over two") == QColor(t.good).name()
    assert colour_of(code, "# why") == QColor(t.muted).name()
    assert colour_of(code, "@view") == QColor(t.warning).name()
    assert colour_of(code, "step") == QColor(t.link).name()
    assert colour_of(code, "# b") == QColor(t.good).name()
    assert colour_of(code, "3.5") == QColor(t.classes[1]).name()
    assert colour_of(code, "import") == QColor(t.classes[3]).name()
    assert colour_of(code, "self") == QColor(t.classes[3]).name()


def test_the_phase_reached_is_lit(code: CodePanel) -> None:
    code.light_phase("forward")
    (lit,) = code.extraSelections()
    assert QTextCursor(lit.cursor).block().text().strip() == 'yield "forward"'
    code.light_phase("no such phase")
    assert code.extraSelections() == []
    code.light_phase("")
    assert code.extraSelections() == []


def test_the_code_cannot_be_changed(code: CodePanel) -> None:
    assert code.isReadOnly()
    assert code.toPlainText() == SOURCE


def test_the_pieces_that_a_lab_is_built_of_can_be_read_too(qtbot: QtBot) -> None:
    side = CodeSide()
    qtbot.addWidget(side)
    lab = find_card("gpt").path
    side.show_file(lab)
    assert side.text.toPlainText() == lab.read_text(encoding="utf-8")
    names = [side.files.itemText(i) for i in range(side.files.count())]
    assert names[0] == "gpt.py"
    assert "nn/transformer.py" in names
    side.files.setCurrentIndex(names.index("nn/transformer.py"))
    side.files.activated.emit(side.files.currentIndex())
    assert "class Block" in side.text.toPlainText()
    side.light_phase("backward")  # stands in the lab's own file
    assert side.files.currentIndex() == 0
    assert side.text.extraSelections()


def test_no_line_of_code_is_cut_at_the_edge(qtbot: QtBot) -> None:
    panel = CodePanel()
    qtbot.addWidget(panel)
    panel.resize(440, 600)
    panel.show()
    panel.show_file(find_card("lenet").path)
    longest = max(panel.toPlainText().splitlines(), key=len)
    assert panel.fontMetrics().horizontalAdvance(longest) > panel.viewport().width()
    assert panel.horizontalScrollBar().maximum() == 0


def test_there_is_nothing_to_edit_before_a_file_is_shown(qtbot: QtBot) -> None:
    side = CodeSide()
    qtbot.addWidget(side)
    with qtbot.assertNotEmitted(side.edit_asked):
        side.edit.click()
    side.show_file(find_card("dense_network").path)
    with qtbot.waitSignal(side.edit_asked) as asked:
        side.edit.click()
    assert asked.args == [find_card("dense_network").path]
