"""Formulas: set off the GUI thread, numbers that change without any typesetting, sizes, wrapping, scrolling."""

from __future__ import annotations

import pytest
from chart_examples import wheel
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtTest import QTest
from view_examples import FORMULA, KEY, colours, shower

from engine.payloads import FormulaData, FormulaLine
from gui import formulas, theme
from gui.views.formula import FIGURES, NOTE, figures_font, wrapped

STEP = FormulaLine(r"w_{t+1} = w_t - \eta \frac{\partial L}{\partial w}", "= 0.80 - 0.10 · 0.50 = 0.75", "one step")

MIDDLE = QPointF(100, 100)


@pytest.fixture
def show(qtbot):
    make = shower(qtbot)

    def shown(*lines, size=(600, 400)):
        view = make(FORMULA, FormulaData(lines), size=size)
        qtbot.waitUntil(lambda: view._job is None)
        view.grab()
        return view

    return shown


def again(view, *lines):
    view.show_payload(FORMULA.pack(FormulaData(lines)), 2)
    view.grab()


def layout(view):
    return view._layout[1]


def test_raw_until_it_is_set(qtbot):
    view = shower(qtbot)(FORMULA, FormulaData((FormulaLine(r"\alpha + \beta^{17}"),)))
    raw = view.grab().toImage()
    assert view._job is not None
    assert colours(view) > 5
    qtbot.waitUntil(lambda: view._job is None)
    assert view.grab().toImage() != raw
    assert view._set[r"\alpha + \beta^{17}"].width > 20


def test_numbers_change_without_typesetting(show, monkeypatch):
    view = show(STEP)
    monkeypatch.setattr(formulas, "typeset_all", None)  # not to be called
    before, picture = view.grab().toImage(), dict(view._pictures)
    again(view, FormulaLine(STEP.latex, "= 0.75 - 0.10 · 0.40 = 0.71", STEP.note))
    assert view.grab().toImage() != before
    assert view._pictures.keys() == picture.keys()
    assert all(view._pictures[key] is picture[key] for key in picture)


def test_numbers_that_become_shorter_move_nothing(show):
    view = show(FormulaLine("a", "= -12.5", "far"), STEP)
    pieces = layout(view).pieces
    again(view, FormulaLine("a", "= 9", "far"), STEP)
    assert layout(view).pieces == pieces


def test_what_cannot_be_set_is_shown_as_text(show):
    view = show(FormulaLine(r"\nosuchcommand{", "= 3"), FormulaLine("", "only numbers"), FormulaLine(r"x^2"))
    assert view._set[r"\nosuchcommand{"] is None
    assert view._set["x^2"] is not None
    assert colours(view) > 5


def test_text_grows_with_the_view(show):
    sizes = [layout(show(STEP, STEP, size=size)).size for size in ((320, 240), (600, 400), (1200, 700))]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("size", [(240, 160), (320, 240), (600, 400), (1200, 700)])
def test_nothing_is_clipped(show, size):
    long = FormulaLine(
        r"\sum_{i=1}^{n} \frac{a_i}{b_i}", "= 1.234 + 5.678 + 9.101 + 1.121 + 3.141 + 5.161 = 26.4", "why " * 30
    )
    view = show(STEP, long, size=size)
    found = layout(view)
    for piece in found.pieces:
        line = view.payload.lines[piece.line]
        assert piece.x >= 0
        if piece.what == FIGURES:
            font = figures_font(found.size)
            rows = wrapped(line.numbers, font, piece.width + 0.5)
            assert all(piece.x + QFontMetricsF(font).horizontalAdvance(row) <= size[0] for row in rows)
        elif view._set.get(line.latex) is not None and piece.what == 0:
            assert piece.x + view._set[line.latex].width * piece.scale <= size[0]
    assert found.lines[-1][1] == pytest.approx(found.height)


def test_numbers_stand_on_the_baseline_or_below_where_there_is_no_room(show):
    wide = show(STEP, size=(900, 200))
    formula, figures = layout(wide).pieces[:2]
    assert figures.y == formula.y
    assert figures.x > formula.x
    narrow = show(STEP, size=(240, 300))
    formula, figures = layout(narrow).pieces[:2]
    assert figures.y > formula.y


def test_scrolls_only_where_there_is_no_other_way(show):
    view = show(STEP)
    wheel(view, MIDDLE, -2)
    assert view._offset == 0
    many = show(*[FormulaLine(STEP.latex, STEP.numbers, "word " * 20)] * 12, size=(320, 200))
    wheel(many, MIDDLE, -2)
    assert many._offset > 0
    QTest.keyClick(many, KEY.Key_End)
    assert many._offset == pytest.approx(layout(many).height + 12 - 200)
    QTest.keyClick(many, KEY.Key_Home)
    assert many._offset == 0
    wheel(many, MIDDLE, 2)
    assert many._offset == 0


def test_what_is_lit_has_a_bar(show):
    def bars(view):
        image, accent = view.grab().toImage(), theme.current().accent
        return [y for y in range(image.height()) if image.pixelColor(7, y).name() == accent]

    dark = show(STEP, FormulaLine("x = 1"))
    assert bars(dark) == []
    again(dark, STEP, FormulaLine("x = 1", lit=True))
    lit = bars(dark)
    assert min(lit) > 200  # the lower one
    again(dark, FormulaLine(STEP.latex, STEP.numbers, STEP.note, lit=True), FormulaLine("x = 1"))
    assert max(bars(dark)) < min(lit)


def test_themes_colour_the_formulas(show):
    view = show(FormulaLine("x"))
    dark = view.grab().toImage()
    theme.holder.set(theme.LIGHT)
    light = view.grab().toImage()
    theme.holder.set(theme.DARK)
    assert view.grab().toImage() == dark
    assert light != dark


def test_said_and_exported(show):
    view = show(STEP)
    assert view.csv_rows() == [["formula", "numbers", "note"], [STEP.latex, STEP.numbers, STEP.note]]
    assert STEP.numbers in view.accessibleDescription()
    again(view)
    assert view.csv_rows() == []
    assert "train" in view.empty_text()
    view.clear()
    assert "Space" in view.empty_text()


def test_a_drawing_has_the_outlines_in_the_colour_of_the_text(show, tmp_path):
    view, generator = show(FormulaLine("x")), QSvgGenerator()
    generator.setFileName(str(tmp_path / "view.svg"))
    generator.setSize(view.size())
    painter = QPainter(generator)
    view.render(painter, QPoint())
    painter.end()
    drawn = (tmp_path / "view.svg").read_text()
    assert "<path" in drawn
    assert "<image" not in drawn
    assert theme.current().text in drawn


def test_wrapping_breaks_between_words():
    font = figures_font(20)
    width = QFontMetricsF(font).horizontalAdvance("= 0.80 - 0.10")
    rows = wrapped("= 0.80 - 0.10 · 0.50 = 0.75", font, width)
    assert rows == ["= 0.80 - 0.10", "· 0.50 = 0.75"]
    assert wrapped("a\nb", font, 500) == ["a", "b"]
    assert NOTE < 1
    assert all(QFontMetricsF(font).horizontalAdvance(row) <= 60 for row in wrapped("x" * 50, font, 60))
