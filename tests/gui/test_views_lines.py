"""Functions of one variable: ranges, reading off, cursor, drawing, legend, captions, zoom."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QKeyEvent
from PySide6.QtTest import QTest
from view_examples import KEY, LEFT, LINES, NAN, click, colours, drag, hover, lines_data, shower

from engine.diagrams import Lines
from engine.payloads import Line, LinesData, PointPick, PointsData, Stroke
from gui import theme
from gui.views import lines_paint
from gui.views.lines_paint import crowded, envelope, place_captions, reading, value_at
from gui.views.shared import common

RIGHT = Qt.MouseButton.RightButton
X = np.linspace(-1.0, 1.0, 201)


@pytest.fixture
def show(qtbot):
    make = shower(qtbot)

    def shown(*description_and_value, **more):
        view = make(*description_and_value, **more)
        view.grab()  # lays it out
        return view

    return shown


def at(view, x, y):
    """The pixel of a place."""
    return view._x.pixel(x), view._y.pixel(y)


def again(view, value):
    view.show_payload(view.description.pack(value), 2)
    view.grab()


def inked(view, place, colour, reach=2):
    """Whether a colour is to be seen about a place."""
    image, (x, y) = view.grab().toImage(), place
    around = range(-reach, reach + 1)
    return any(image.pixelColor(round(x) + i, round(y) + j).name() == colour for i in around for j in around)


def test_lines_are_where_their_axes_say(show):
    view = show(LINES, LinesData((Line("f", X, X**2), Line("g", X, -X))))
    first, second = theme.current().classes[:2]
    assert inked(view, at(view, 0.5, 0.25), first)
    assert inked(view, at(view, 0.5, -0.5), second)
    assert not inked(view, at(view, 0.5, 0.8), first)


def test_what_is_named_after_a_colour_has_it(show):
    view = show(LINES, LinesData((Line("red", X, X**2), Line("blue", X, -X))))
    assert view.colour_of("blue").name() == theme.current().classes[0]
    red = view.colour_of("red")
    assert red.red() > red.green() > 0
    assert red.red() > 1.5 * red.blue()


def test_gaps_stay_gaps(show):
    y = np.where(np.abs(X) < 0.2, NAN, 0.5)
    view = show(Lines("Lines", help="h", low=0, high=1), LinesData((Line("f", X, y),)))
    colour = theme.current().classes[0]
    assert inked(view, at(view, 0.5, 0.5), colour)
    assert not inked(view, at(view, 0.0, 0.5), colour)
    assert np.isnan(value_at(view.payload.lines[0], 0.0))


def test_a_logarithmic_axis_has_powers_of_ten(show):
    x = np.geomspace(1, 1e4, 50)
    view = show(Lines("Lines", help="h", log_x=True, log_y=True), LinesData((Line("f", x, 1 / x),)))
    assert [text for _, text in view._x.ticks] == ["1", "10", "100", "1,000", "10,000"]
    pixels = [view._x.pixel(10.0**power) for power in range(5)]
    assert np.diff(pixels) == pytest.approx([pixels[1] - pixels[0]] * 4)
    again(view, LinesData((Line("f", x - 1, x * 0),)))  # zeros have no place on it
    assert view.csv_rows()[1] == ["0", "0"]


def test_the_range_grows_at_once_and_stays_while_it_is_filled(show):
    view = show(LINES, LinesData((Line("f", X, X),)))
    wide = view._y.low, view._y.high
    again(view, LinesData((Line("f", X, 0.8 * X),)))
    assert (view._y.low, view._y.high) == wide
    again(view, LinesData((Line("f", X, 3 * X),)))
    assert view._y.low < -3
    again(view, LinesData((Line("f", X, 0.1 * X),)))
    assert view._y.high < 0.2


def test_a_fixed_range_is_kept(show):
    view = show(Lines("Lines", help="h", low=0, high=1), LinesData((Line("f", X, 40 * X),)))
    assert (view._y.low, view._y.high) == (0, 1)


def test_a_click_and_a_drag_tell_a_place(show):
    view = show(LINES, lines_data(cursor=0.2))
    drag(view, at(view, 0.2, 0.1), at(view, 0.3, 0.1), at(view, 0.6, 0.1))
    picks = [gesture for gesture, edit in view.sent if not edit]
    assert all(isinstance(pick, PointPick) and pick.index == -1 for pick in picks)
    assert picks[-1].x == pytest.approx(0.6, abs=0.01)
    assert picks[-1].y == pytest.approx(0.1, abs=0.02)
    assert view.at == pytest.approx(0.6, abs=0.01)
    again(view, lines_data(cursor=0.5))  # the lab has the last word
    assert view.at == 0.5


def test_a_drag_is_not_disturbed_by_what_arrives(show):
    view = show(LINES, lines_data(cursor=0.0))
    QTest.mousePress(view, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(*map(round, at(view, 0.5, 0.0))))
    again(view, lines_data(cursor=0.0))
    assert view.at == pytest.approx(0.5, abs=0.01)
    QTest.mouseRelease(view, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(*map(round, at(view, 0.5, 0.0))))


def test_a_point_is_hit_and_the_cursor_stays(show):
    points = PointsData(np.array([[-0.5, 0.0], [0.5, 0.4]]), names=("a", "b"))
    view = show(LINES, LinesData((Line("f", X, X),), points, cursor=0.0))
    hover(view, at(view, 0.5, 0.4))
    assert view.said.startswith("b · ")
    click(view, at(view, 0.5, 0.4))
    assert view.sent[-1][0].index == 1
    assert view.at == 0.0


def test_keys_move_the_cursor(show):
    view = show(LINES, lines_data(cursor=0.0))
    QTest.keyClick(view, KEY.Key_Right)
    small = view.at
    assert 0 < small < 0.05
    QTest.keyClick(view, KEY.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.at == pytest.approx(11 * small)
    QTest.keyClick(view, KEY.Key_End)
    assert view.at == pytest.approx(1.0)
    QTest.keyClick(view, KEY.Key_Home)
    assert view.at == pytest.approx(-1.0)
    view._sending.flush()
    assert view.sent[-1][0].x == pytest.approx(-1.0)


@pytest.mark.parametrize(("cursor", "taken"), [(0.0, True), (None, False)])
def test_the_arrow_that_steps_the_training_is_taken_only_for_a_cursor(show, cursor, taken):
    view = show(LINES, lines_data(cursor=cursor))
    event = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Right, Qt.KeyboardModifier.NoModifier)
    view.keyPressEvent(event)
    assert event.isAccepted() == taken
    QTest.keyClick(view, KEY.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert (view._cross is None) == taken


def test_all_lines_are_read_off_at_the_cursor(show):
    view = show(LINES, LinesData((Line("f", X, X**2), Line("g", X, -X)), cursor=0.5))
    told = view.accessibleDescription()
    assert "x = 0.50" in told
    assert "f = 0.25" in told
    assert "g = -0.50" in told
    rows = [x for row in view._legend for x, _, _ in row]
    again(view, LinesData((Line("f", X, X**2), Line("g", X, -X)), cursor=-0.9))
    assert [x for row in view._legend for x, _, _ in row] == rows  # nothing moves


def test_a_function_is_drawn_with_the_mouse(show):
    view = show(Lines("Draw", help="h", draws=True, low=-1, high=1), LinesData(()), probes=False, edits=True)
    assert view.hints == ["draw with the mouse"]
    drag(view, at(view, -0.5, 0.5), at(view, 0.5, -0.5), at(view, 0.0, 0.8))  # and back over what was drawn
    ((stroke, edit),) = view.sent
    assert isinstance(stroke, Stroke)
    assert edit
    x, y = np.array(stroke.xy).T
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == (pytest.approx(-0.5, abs=0.01), pytest.approx(0.5, abs=0.01))
    assert y[0] == pytest.approx(0.5, abs=0.02)
    assert y[np.abs(x) < 0.02].max() == pytest.approx(0.8, abs=0.03)
    assert view.drawn is not None  # until the lab answers
    again(view, LinesData((Line("f", X, X),)))
    assert view.drawn is None


def test_wheel_and_right_drag_zoom_and_a_double_click_resets(show):
    view = show(LINES, lines_data())
    view.zoom(2.0)
    view.grab()
    assert (view._x.low, view._x.high) == (pytest.approx(-0.5), pytest.approx(0.5))
    view.reset_view()
    view.grab()
    drag(view, at(view, 0.0, 0.0), at(view, 0.25, 0.0), at(view, 0.5, 0.0), button=RIGHT)
    view.grab()
    assert (view._x.low, view._x.high) == (pytest.approx(0.0, abs=0.01), pytest.approx(0.5, abs=0.01))
    QTest.mouseDClick(view, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(300, 200))
    view.grab()
    assert view._x.high == pytest.approx(1.0)
    assert view.sent == []


def test_names_stand_at_the_ends_or_over_the_plot_but_never_in_it(show):
    view = show(LINES, LinesData((Line("f", X, X), Line("g", X, -X))))
    assert view._at_ends
    assert view._legend == []
    again(view, LinesData((Line("f", X, X), Line("g", X, -X)), cursor=0.0))
    line = QFontMetricsF(view.font()).height()
    assert [name for row in view._legend for _, _, name in row] == ["f", "g"]
    assert view._plot.top() > 0.8 * line


def test_a_class_of_points_has_its_colour_in_every_view(show):
    points = PointsData(np.zeros((2, 2)), np.array([0, 1]), ("no", "yes"))
    view = show(LINES, LinesData((Line("p(yes)", X, X),), points))
    assert view.colour_of("no").name() == theme.current().classes[0]
    assert view.colour_of("p(yes)").name() == theme.current().classes[2]


def test_captions_do_not_overlap(show):
    view = show(LINES, lines_data())
    metrics = QFontMetricsF(view.font())
    marked = [(100.0, "one long caption"), (110.0, "another long caption"), (120.0, "a third"), (590.0, "at the edge")]
    placed = place_captions(marked, [(300.0, "a span")], metrics, 30.0, 600.0, 60.0, 3)
    assert len(placed) == 5
    for row in range(3):
        ends = sorted((c.left, c.left + metrics.horizontalAdvance(c.text)) for c in placed if c.row == row)
        assert all(a[1] < b[0] for a, b in pairwise(ends))
        assert all(left >= 30 and right <= 600 for left, right in ends)
        for x in [c.x for c in placed if c.x is not None and c.row > row]:  # no mark runs through words
            assert all(not left <= x <= right for left, right in ends)


def test_thousands_of_samples_keep_their_extremes(show):
    x = np.linspace(0, 100, 50_000)
    y = np.random.default_rng(0).normal(size=50_000)
    y[12_345] = 99.0
    assert crowded(x)
    assert not crowded(x[::600])
    columns, low, high = envelope(x, y)
    assert len(columns) == 202
    assert (low.min(), high.max()) == (y.min(), 99.0)
    assert all(a <= b for a, b in zip(low[1:], high[:-1], strict=True))  # the columns hang together
    view = show(LINES, LinesData((Line("noise", x, y),)))
    assert inked(view, at(view, x[12_345], 98.0), theme.current().classes[0])


def test_values_between_samples():
    line = Line("f", np.array([0.0, 1.0, 2.0]), np.array([0.0, 10.0, NAN]))
    assert value_at(line, 0.25) == 2.5
    assert value_at(line, 1.0) == 10.0
    assert np.isnan(value_at(line, 1.5))
    assert np.isnan(value_at(line, -0.1))
    assert reading(0.123456, 2.0) == "0.12"
    assert reading(1234.5, 3000.0) == "1,234"
    assert reading(-0.001, 2.0) == "0.00"
    assert reading(NAN, 1.0) == "–"


def test_lines_over_the_same_x_share_a_table(show):
    band = Line("f", X[:2], X[:2], lower=X[:2] - 1, upper=X[:2] + 1)
    view = show(LINES, LinesData((band, Line("g", X[:2], -X[:2]), Line("h", X[:1], X[:1]))))
    rows = view.csv_rows()
    assert rows[0] == ["x", "f", "f lower", "f upper", "g"]
    assert rows[1] == ["-1", "-1", "-2", "0", "1"]
    assert rows[3:] == [[], ["x", "h"], ["-1", "-1"]]


def test_hovering_reads_off_without_a_cursor(show):
    view = show(LINES, LinesData((Line("f", X, X**2),)), probes=False)
    before = view.grab().toImage()
    hover(view, at(view, 0.5, 0.6))
    assert view._cross == pytest.approx(0.5, abs=0.01)
    assert view.grab().toImage() != before
    QTest.keyClick(view, KEY.Key_Escape)
    assert view._cross is None
    assert view.hit(QPointF(0, 0)) == -1


def test_runs_that_are_compared_share_scales_and_pointer(show):
    view, other = show(LINES, LinesData((Line("f", X, X),))), show(LINES, LinesData((Line("f", 2 * X, 9 * X),)))
    view.share_scales(common([view.scales(), other.scales()]))
    view.grab()
    assert (view._x.low, view._x.high) == (-2, 2)
    assert view._y.high > 9
    other.zoom(2.0)
    hover(other, at(other, 0.5, 0.0))
    view.follow(other.place())
    view.grab()
    assert view._cross == other._cross is not None
    assert (view._x.low, view._x.high) == (pytest.approx(-1), pytest.approx(1))
    view.share_scales({})
    view.point((None, None))
    view.grab()
    assert view._y.high < 2


def test_an_error_while_painting_is_told_and_survived(qtbot, show, monkeypatch):
    def fail(*_):
        raise ValueError("cannot be painted")

    view = show(LINES, lines_data())
    monkeypatch.setattr(lines_paint, "marks", fail)
    with qtbot.captureExceptions(), pytest.raises(ValueError, match="cannot be painted"):
        again(view, lines_data(marks=((0.0, "here"),)))
    monkeypatch.undo()
    again(view, lines_data())
    assert colours(view) > 5
