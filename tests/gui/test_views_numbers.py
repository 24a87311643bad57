"""Arrays as numbers: how they are written and placed, hovering, picking, changing a cell, and large arrays."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from chart_examples import count_near, picture, wheel
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip
from view_examples import INF, KEY, NAN, click, colours, drag, hover, shower

from engine.diagrams import Numbers
from engine.payloads import CellPick, Grid, NumbersData, ValueEdit
from gui import export, style, theme
from gui.views.numbers_layout import LEAST_TEXT, Lens, decimals, outline, parsed, texts

NUMBERS = Numbers("Numbers", help="h")
GREY = Numbers("Picture", help="h", colour="grey", low=0, high=255)
NONE = Qt.KeyboardModifier.NoModifier
RNG = np.random.default_rng(0)


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def product():
    a, b = np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([[1.0, 0], [0, 1], [-1, 2]])
    return NumbersData(
        (
            Grid(
                "A", a, "(2, 3) float32", rows=("first", "second"), columns=("x", "y", "z"), lit=[[1, 1, 1], [0, 0, 0]]
            ),
            Grid("B", b, "(3, 2) float32", "×", lit=[[0, 1], [0, 1], [0, 1]]),
            Grid("A @ B", a @ b, "(2, 2) float32", "=", lit=[[0, 1], [0, 0]]),
        )
    )


def one(values, name="W", **more):
    return NumbersData((Grid(name, values, **more),))


EXAMPLES = {
    "product": (NUMBERS, product()),
    "kernel": (NUMBERS, one([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])),
    "row": (NUMBERS, one([0.5, -1.25, 3.0, 2.0], columns=("a", "b", "c", "d"))),
    "scalar": (NUMBERS, one(0.6931, caption="()")),
    "picture": (GREY, one(RNG.integers(0, 256, (28, 28)))),
    "large": (NUMBERS, one(RNG.normal(size=(1000, 1000)))),
    "vector": (NUMBERS, one(RNG.normal(size=784))),
    "column": (NUMBERS, one(RNG.normal(size=(300, 1)))),
    "many": (NUMBERS, NumbersData(tuple(Grid(f"layer {i}", RNG.normal(size=(4, 4)) * 10.0**i) for i in range(12)))),
    "odd": (NUMBERS, NumbersData((Grid("odd", [[NAN, INF], [-INF, 1e300]]), Grid("", np.zeros((0, 3)), before="+")))),
    "equal": (GREY, one(np.full((3, 3), 1e-12))),
}


@pytest.mark.parametrize("size", [(600, 400), (320, 240), (200, 140), (120, 80), (900, 120)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_paints_without_complaint(show, application, name, size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = show(*EXAMPLES[name], edits=True, size=size)
        for look in ("light", "dark"):
            style.apply(application, look)
            assert colours(view) > 3
        for x in range(5, size[0], 61):
            hover(view, (x, size[1] // 2))
            click(view, (x, size[1] // 2))
            view.grab()
        for key in (KEY.Key_Right, KEY.Key_Down, KEY.Key_Plus, KEY.Key_Left, KEY.Key_Minus, KEY.Key_Home):
            QTest.keyClick(view, key)
            view.grab()
        assert len(view.csv_rows()) > 1
        view.reset_view()
        view.clear()
        assert view.csv_rows() == []
        assert colours(view) > 1  # says what to do


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([1.0, -2, 30], ["1", "−2", "30"]),
        ([0.5, 1.25, -3], ["0.50", "1.25", "−3.00"]),
        ([0.5, 1.5], ["0.5", "1.5"]),
        ([12345.0, 7], ["12,345", "7"]),
        ([1 / 3, 2 / 3], ["0.33", "0.67"]),
        ([100 / 3, -0.001], ["33.3", "0.0"]),  # no -0.0
        ([0.0123, 0.004], ["0.012", "0.004"]),
        ([2e-5, 0.0], ["2e−5", "0"]),
        ([NAN, INF, -INF, 1], ["NaN", "∞", "−∞", "1"]),
        ([0.0], ["0"]),
    ],
)
def test_numbers_as_a_person_writes_them(values, written):
    assert texts(np.atleast_2d(np.array(values))) == [written]


def test_decimals_are_those_that_are_needed():
    assert decimals(np.array([[1.0, 2.0]])) == 0
    assert decimals(np.array([[NAN, INF]])) == 0
    assert decimals(np.array([[0.25, 0.5]])) == 2
    assert decimals(np.float64(np.float32([[0.1, 0.3]]))) == 1  # float32's noise is not written


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "1e999", "1 2"])
def test_what_is_no_number_is_refused(text):
    assert parsed(text) is None


def test_numbers_may_be_typed_as_they_are_shown():
    assert [parsed(text) for text in ("−1.5", " 2e-3 ", "0,5", "12,345.5")] == [-1.5, 0.002, 0.5, 12345.5]
    assert [parsed(text) for text in ("12,345", "1,234,567", "0,123")] == [12345, 1234567, 0.123]


@pytest.mark.parametrize("size", [(600, 400), (320, 240), (1200, 700), (1200, 200), (300, 700)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_bodies_stay_within_the_view_and_apart(show, name, size):
    view = show(*EXAMPLES[name], size=size)
    bodies = [view.body(index) for index in range(len(view.blocks))]
    for index, body in enumerate(bodies):
        assert view.rect().toRectF().contains(body) or (name == "many" and min(size) <= 240)
        assert not any(body.intersects(other) for other in bodies[:index])


def test_few_numbers_are_large_and_all_of_one_size(show):
    view = show(NUMBERS, product(), size=(1200, 700))
    sizes = [view.text_size(index) for index in range(3)]
    assert min(sizes) > 24
    assert max(sizes) - min(sizes) < 0.5
    bodies = [view.body(index) for index in range(3)]
    assert bodies[0].right() < bodies[1].left() < bodies[1].right() < bodies[2].left()  # one line
    assert bodies[0].center().y() == pytest.approx(bodies[2].center().y(), abs=1)
    narrow = show(NUMBERS, product(), size=(220, 400))
    assert narrow.body(0).bottom() < narrow.body(2).top()  # several lines
    assert narrow.text_size(0) >= LEAST_TEXT


def test_numbers_do_not_make_the_cells_jump(show):
    view = show(NUMBERS, one([[-10.25, 2.5], [0.25, 1.0]]))
    before = view.body(0)
    view.show_payload(NUMBERS.pack(one([[1.25, 2.5], [0.25, 1.0]])), 2)
    assert view.body(0) == before


def test_cells_have_the_colours_of_their_values(show):
    view = show(NUMBERS, one([[-1.0, 0.0, 1.0, NAN]]), size=(500, 200))
    image = picture(view)
    corners = [view.cell_area((0, 0, column)).topLeft() + QPointF(4, 4) for column in range(4)]
    minus, zero, plus, missing = (image.pixelColor(corner.toPoint()) for corner in corners)
    assert minus.blue() > minus.red() + 20
    assert plus.red() > plus.blue() + 20
    assert abs(zero.lightness() - QColor(theme.current().panel).lightness()) < 3
    assert missing.name() == "#808080"


def test_lit_cells_have_one_frame(show):
    assert sorted(map(tuple, outline(np.array([[True, True]])).tolist())) == sorted(
        [(0, 0, 1, 0), (1, 0, 2, 0), (0, 1, 1, 1), (1, 1, 2, 1), (0, 0, 0, 1), (2, 0, 2, 1)]
    )
    frame = theme.current().link
    lit = count_near(picture(show(NUMBERS, product())), frame, 12)
    dull = NumbersData(tuple(Grid(g.name, g.values, g.caption, g.before) for g in product().grids))
    assert lit > 100 + count_near(picture(show(NUMBERS, dull)), frame, 12)


def test_hover_tells_name_row_column_and_value(show, monkeypatch):
    view, told = show(NUMBERS, product()), []
    monkeypatch.setattr(view, "tell", lambda _, text: told.append(text))
    hover(view, view.cell_area((1, 2, 0)).center())
    assert told[-1] == "B[2, 0] = −1"
    hover(view, (2, 2))
    assert told[-1] == ""


def test_a_click_picks_a_cell(show):
    view = show(NUMBERS, product())
    click(view, view.cell_area((1, 2, 0)).center())
    assert view.sent == [(CellPick(1, 2, 0), False)]
    click(view, (2, 2))
    assert len(view.sent) == 1
    silent = show(NUMBERS, product(), probes=False, edits=True)
    click(silent, silent.cell_area((1, 2, 0)).center())
    assert silent.sent == []  # a click is no change


def edit(view, cell):
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, NONE, view.cell_area(cell).center().toPoint())
    assert view.editor.isVisible()


def test_a_double_click_changes_a_cell(show):
    view = show(NUMBERS, product(), probes=False, edits=True)
    edit(view, (1, 2, 1))
    assert view.editor.text() == "2"
    assert view.editor.accessibleName() == "New value of B[2, 1]"
    QTest.keyClicks(view.editor, "-0.75")
    QTest.keyClick(view.editor, KEY.Key_Return)
    assert view.sent == [(ValueEdit("B", -0.75, 2, 1), True)]
    assert not view.editor.isVisible()


def test_escape_leaves_the_cell_as_it_was(show):
    view = show(NUMBERS, product(), probes=False, edits=True)
    edit(view, (0, 0, 0))
    QTest.keyClicks(view.editor, "5")
    QTest.keyClick(view.editor, KEY.Key_Escape)
    assert not view.editor.isVisible()
    assert view.sent == []


def test_what_is_no_number_stays_in_the_editor_and_is_told(show, monkeypatch):
    view, told = show(NUMBERS, product(), probes=False, edits=True), []
    edit(view, (0, 0, 0))
    monkeypatch.setattr(QToolTip, "showText", lambda _, text, __: told.append(text))
    for text in ("nan", "five"):
        view.editor.setText(text)
        QTest.keyClick(view.editor, KEY.Key_Return)
    assert view.editor.isVisible()
    assert view.sent == []
    assert len(told) == 2
    assert "number" in told[0]


def test_keys_typed_into_the_editor_are_not_the_windows(show):
    view = show(NUMBERS, product(), probes=False, edits=True)
    edit(view, (0, 0, 0))
    for key in (KEY.Key_Escape, KEY.Key_Space, KEY.Key_S):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, NONE)
        event.ignore()
        view.editor.event(event)
        assert event.isAccepted()


def test_without_an_edit_handler_nothing_can_be_changed(show):
    view = show(NUMBERS, product())
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, NONE, view.cell_area((0, 0, 0)).center().toPoint())
    assert not view.editor.isVisible()


def test_a_new_payload_leaves_the_editor_open_unless_its_cell_is_gone(show):
    view = show(NUMBERS, product(), probes=False, edits=True)
    edit(view, (1, 2, 1))
    QTest.keyClicks(view.editor, "7")
    view.show_payload(NUMBERS.pack(product()), 2)
    assert view.editor.isVisible()
    assert view.editor.text() == "7"
    view.show_payload(NUMBERS.pack(one([[1.0]])), 3)
    assert not view.editor.isVisible()
    assert view.sent == []


def test_arrow_keys_go_from_cell_to_cell_and_array_to_array(show):
    view = show(NUMBERS, product(), edits=True)
    cells = []
    for key in (KEY.Key_Right, KEY.Key_Right, KEY.Key_Right, KEY.Key_Right, KEY.Key_Down, KEY.Key_Down, KEY.Key_Down):
        QTest.keyClick(view, key)
        cells.append(view.selected)
    assert cells == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0), (1, 1, 0), (1, 2, 0), (1, 2, 0)]
    assert view.accessibleDescription() == view.said == "B[2, 0] = −1"
    QTest.keyClick(view, KEY.Key_Left)
    assert view.selected == (0, 1, 2)
    QTest.keyClick(view, KEY.Key_Return)
    assert view.editor.isVisible()
    QTest.keyClick(view.editor, KEY.Key_Escape)
    QTest.keyClick(view, KEY.Key_Escape)
    assert view.selected is None


def test_enter_picks_where_nothing_can_be_changed(show):
    view = show(NUMBERS, product())
    QTest.keyClick(view, KEY.Key_Down)
    QTest.keyClick(view, KEY.Key_Return)
    assert view.sent == [(CellPick(0, 0, 0), False)]


def test_small_cells_have_a_lens_and_zooming_shows_their_numbers(show):
    view = show(GREY, one(RNG.integers(0, 256, (28, 28))), size=(320, 240))
    assert view.text_size(0) < LEAST_TEXT
    middle = view.cell_area((0, 14, 14)).center()
    before = picture(view)
    hover(view, middle)
    assert view.hovered == (0, 14, 14)
    assert picture(view) != before
    wheel(view, middle, 30)
    assert view.text_size(0) >= LEAST_TEXT
    assert view.cell_at(middle) == (0, 14, 14)  # what was under the pointer is still there
    zoomed = view.lens
    drag(view, (160, 120), (120, 90), (100, 80))
    assert view.lens.x < zoomed.x
    assert view.sent == []
    drag(view, (10, 10), (310, 230))
    drag(view, (10, 10), (310, 230))
    drag(view, (10, 10), (310, 230))
    assert view.lens.x <= 0  # not beyond what there is
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, NONE, QPoint(100, 100))
    assert view.lens == Lens()


def test_a_large_array_is_quick(show):
    view = show(NUMBERS, one(RNG.normal(size=(1000, 1000))), size=(700, 500))
    view.grab()
    times = []
    for step in range(5):
        hover(view, (300 + step, 250))
        begin = time.thread_time()
        view.grab()
        times.append(time.thread_time() - begin)
    assert min(times) < 0.016


def test_compared_runs_have_one_scale_and_one_pointer(show):
    first, second = show(NUMBERS, one([[1.0, -1.0]])), show(NUMBERS, one([[10.0, 5.0]]))
    assert first.scales() == {"W": (-1, 1)}
    first.share_scales(second.scales())
    assert first.limits(first.blocks[0].grid) == (-10, 10)
    first.pointed.connect(second.follow)
    QTest.keyClick(first, KEY.Key_Right)
    assert second.selected == first.selected == (0, 0, 0)
    second.show_payload(NUMBERS.pack(one([[3.0]])), 2)
    QTest.keyClick(first, KEY.Key_Right)
    assert first.selected == (0, 0, 1)
    assert second.selected is None  # it has no such cell


def test_numbers_as_csv(show):
    rows = show(NUMBERS, product()).csv_rows()
    assert rows[0] == ["array", "row", "0", "1", "2"]
    assert rows[1] == ["A", "", "x", "y", "z"]
    assert rows[3] == ["A", "second", "4", "5", "6"]
    assert rows[-1] == ["A @ B", "1", "-2", "17"]


def test_saved_as_vectors(show, tmp_path):
    view = show(NUMBERS, product())
    export.save_svg(view, tmp_path / "numbers.svg")
    text = (tmp_path / "numbers.svg").read_text()
    assert "A @ B" in text
    assert "−1" in text
