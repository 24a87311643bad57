"""Views over the plane, networks, canvas, filmstrip and text: all at once, and the plane."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtTest import QTest
from view_examples import (
    EXAMPLES,
    FIELD,
    INF,
    KEY,
    LEFT,
    NAN,
    ODD,
    POINTS,
    as_point,
    click,
    colours,
    drag,
    field_data,
    hover,
    shower,
)

from engine import views
from engine.payloads import (
    FieldData,
    PointPick,
    PointsData,
    Stroke,
)
from gui import theme
from gui.views.field import contour
from gui.views.parts import image_of
from gui.views.plane import spread, ticks

SIZES = [(600, 400), (320, 240), (200, 140), (120, 80)]


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*EXAMPLES, *ODD])
def test_paints_without_complaint(show, name, size):
    description, value = (EXAMPLES | ODD)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = show(description, value, edits=True, size=size)
        for look in (theme.LIGHT, theme.DARK):
            theme.holder.set(look)
            view.repaint()
        for x in range(5, size[0], 37):
            hover(view, (x, size[1] // 2))
        for key in (KEY.Key_Left, KEY.Key_Right, KEY.Key_Up, KEY.Key_Down, KEY.Key_Home, KEY.Key_Plus):
            QTest.keyClick(view, key)
        view.repaint()
        rows = view.csv_rows()
        view.reset_view()
        view.clear()
        view.repaint()
    if name in EXAMPLES:
        assert len(rows) > 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_draws_something_and_says_what_to_do_before(show, name):
    description, value = EXAMPLES[name]
    view = show(description)
    assert view.csv_rows() == [] or name == "canvas"
    before = colours(view)
    view.show_payload(description.pack(value), 1)
    assert before > 1
    assert colours(view) > 5


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("canvas", "film")])
def test_vector_drawing(show, name, tmp_path):
    from PySide6.QtSvg import QSvgGenerator

    view = show(*EXAMPLES[name])
    assert view.vector()
    generator = QSvgGenerator()
    generator.setFileName(str(tmp_path / "view.svg"))
    generator.setSize(view.size())
    painter = QPainter(generator)
    view.render(painter, QPoint())
    painter.end()
    assert (tmp_path / "view.svg").stat().st_size > 1000


@pytest.mark.parametrize("name", EXAMPLES)
def test_silent_without_handlers(show, name):
    view = show(*EXAMPLES[name], probes=False)
    for x in range(10, 590, 40):
        click(view, (x, 200))
    drag(view, (300, 200), (320, 220))
    for key in (KEY.Key_Left, KEY.Key_Return, KEY.Key_Delete, KEY.Key_1):
        QTest.keyClick(view, key)
    assert view.sent == []


# --------------------------------------------------------------------------------------------------- the plane


def test_ticks_are_round_and_few():
    assert [text for _, text in ticks(-1, 1, 4)] == ["-1.0", "-0.5", "0.0", "0.5", "1.0"]
    assert [text for _, text in ticks(0, 100, 5)] == ["0", "20", "40", "60", "80", "100"]
    assert [text for _, text in ticks(-2.9, 2.9, 1)] == ["0"]
    assert [text for _, text in ticks(-2.9, 2.9, 1, most=6)] == ["-2", "0", "2"]  # three where there is room
    assert len(ticks(-2.9, 2.9, 1, most=2)) < 3
    assert ticks(0, 0, 5) == []
    assert ticks(0, INF, 5) == []


def test_spread_leaves_out_what_is_not_finite():
    assert spread(np.array([[NAN, 0], [INF, 1]])) is None
    x0, x1, y0, y1 = spread(np.array([[0.0, 0.0], [1.0, 2.0], [NAN, 9.0]]))
    assert x0 < 0 < 1 < x1
    assert y0 < 0 < 2 < y1 < 3


def test_pixels_and_places_are_inverse(show):
    view = show(*EXAMPLES["points"])
    place = np.array([0.3, -0.7])
    assert view.to_plane(QPointF(*view.to_pixels(place))) == pytest.approx(tuple(place))
    # one unit is as long on both axes
    x, y = view.to_pixels(np.array([1.0, 1.0])) - view.to_pixels(np.zeros(2))
    assert x == pytest.approx(-y)


def test_range_grows_at_once_and_shrinks_slowly(show):
    view = show(POINTS, PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]])))
    view.show_payload(POINTS.pack(PointsData(np.array([[-10.0, -1.0], [1.0, 1.0]]))), 2)
    assert view.home[0] < -10
    view.show_payload(POINTS.pack(PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]))), 3)
    assert -10.5 < view.home[0] < -8
    for step in range(100):
        view.show_payload(POINTS.pack(PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]))), step)
    assert view.home[0] == pytest.approx(-1.12, abs=0.02)


def test_pan_zoom_and_reset(show):
    view = show(*EXAMPLES["backdrop"])
    before = view.bounds()
    view.zoom(0.5, QPointF(300, 200))
    place = view.to_plane(QPointF(300, 200))
    after = view.bounds()
    assert after[1] - after[0] == pytest.approx((before[1] - before[0]) / 2)
    drag(view, (300, 300), (340, 300), (380, 320))
    assert view.to_plane(QPointF(380, 220)) == pytest.approx(place)
    QTest.mouseDClick(view, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(300, 380))
    assert view.bounds() == pytest.approx(before)


def test_hover_tells_coordinates_and_leaving_restores(show):
    view = show(*EXAMPLES["points"])
    hover(view, (300, 200))
    assert view.hints[-1].startswith("z1 ")
    assert " · z2 " in view.hints[-1]
    view.leaveEvent(None)
    assert view.hints[-1] == ""


# --------------------------------------------------------------------------------------------- points and field


def test_click_picks_the_point_hit(show):
    view = show(POINTS, PointsData(np.array([[0.0, 0.0], [1.0, 1.0]])))
    click(view, QPointF(*view.to_pixels(np.array([1.0, 1.0]))))
    assert view.sent[0][0].index == 1
    assert view.sent[0][1] is False
    click(view, QPointF(*view.to_pixels(np.array([0.5, 0.5]))))
    pick = view.sent[1][0]
    assert (pick.index, pick.x, pick.y) == (-1, pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02))


def test_handle_drags_throttled_to_the_latest_place(show):
    view = show(POINTS, PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]), cursor=(0.0, 0.0)))
    start = QPointF(*view.to_pixels(np.zeros(2)))
    drag(view, start, *[start + QPointF(i, 0) for i in range(5, 50, 3)], start + QPointF(60, 0))
    picks = [gesture for gesture, _ in view.sent]
    assert 2 <= len(picks) <= 17
    assert picks[-1] == PointPick(*view.handle)
    assert view.to_pixels(np.array(view.handle))[0] == pytest.approx(start.x() + 60, abs=1)


def test_payload_does_not_move_a_handle_that_is_held(show):
    data = PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]), cursor=(0.0, 0.0))
    view = show(POINTS, data)
    start = view.to_pixels(np.zeros(2))
    QTest.mousePress(view, LEFT, Qt.KeyboardModifier.NoModifier, as_point(start))
    QTest.mouseMove(view, as_point((start[0] + 40, start[1])))
    held = view.handle
    view.show_payload(POINTS.pack(data), 2)
    assert view.handle == held != (0.0, 0.0)
    QTest.mouseRelease(view, LEFT, Qt.KeyboardModifier.NoModifier, as_point((start[0] + 40, start[1])))
    view.show_payload(POINTS.pack(data), 3)
    assert view.handle == (0.0, 0.0)


def test_keys_move_the_handle_and_choose_points(show):
    view = show(POINTS, PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]), cursor=(0.0, 0.0)))
    QTest.keyClick(view, KEY.Key_Right)
    assert view.sent[0][0].x > 0
    assert view.sent[0][0].y == 0
    view = show(POINTS, PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]])))
    QTest.keyClick(view, KEY.Key_Right)
    QTest.keyClick(view, KEY.Key_Right)
    QTest.keyClick(view, KEY.Key_Return)
    assert view.sent == [(PointPick(1.0, 1.0, 1), False)]


def test_legend_shows_a_class_alone(show):
    view = show(*EXAMPLES["points"])
    assert [chip.text() for chip in view.legend.chips] == ["a", "b", "c"]
    QTest.mouseClick(view.legend.chips[1], LEFT)
    assert view.lit == {1}
    assert [chip.dimmed for chip in view.legend.chips] == [True, False, True]
    QTest.keyClick(view, KEY.Key_2)
    assert view.lit == set()


def test_points_are_drawn_where_they_are(show):
    view = show(POINTS, PointsData(np.array([[-1.0, -1.0], [1.0, 1.0]]), labels=np.array([0, 1])))
    image = view.grab().toImage()
    for place, label in (((-1.0, -1.0), 0), ((1.0, 1.0), 1)):
        at = view.to_pixels(np.array(place)) * image.devicePixelRatio()
        assert image.pixelColor(round(at[0]), round(at[1])) == QColor(theme.DARK.classes[label])


def test_contours_of_numbers_next_to_nothing():
    values = np.array([[0, 1e-45], [1, 1]], np.float32)  # their quotient is beyond what a float32 holds
    assert np.isfinite(contour(values, 0.5)).all()


def test_contours_lie_on_their_level():
    x, y = np.meshgrid(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50))
    segments = contour(np.hypot(x, y), 0.6)
    ends = segments.reshape(-1, 2) / 49 * 2 - 1
    assert np.hypot(*ends.T) == pytest.approx(0.6, abs=2e-3)
    length = np.hypot(*(segments[:, 2:] - segments[:, :2]).T).sum() / 49 * 2
    assert length == pytest.approx(2 * np.pi * 0.6, rel=0.01)


@pytest.mark.parametrize("case", range(16))
def test_contour_of_every_kind_of_cell(case):
    corners = [1.0 if case >> bit & 1 else 0.0 for bit in range(4)]  # clockwise from the top left
    cell = np.array([[corners[0], corners[1]], [corners[3], corners[2]]])
    segments = contour(cell, 0.5)
    assert len(segments) == (0 if case in (0, 15) else 2 if case in (5, 10) else 1)
    assert len(contour(np.where(cell == cell[0, 0], NAN, cell), 0.5)) == 0


def test_field_lies_the_right_way_up(show):
    values = np.zeros((20, 20))
    values[:3] = -1  # row 0 is the largest y
    view = show(views.Field("F", help="h", low=-1, high=1), FieldData(values, (-1, 1, -1, 1)))
    image = view.grab().toImage()
    top, bottom = view.to_pixels(np.array([[0.0, 0.95], [0.0, -0.95]])) * image.devicePixelRatio()
    assert image.pixelColor(*map(round, top)).blue() > image.pixelColor(*map(round, bottom)).blue() + 40
    assert view.value_at(0.0, 1.0) == -1
    assert view.value_at(0.0, -1.0) == 0
    assert view.value_at(2.0, 0.0) is None


def test_field_hover_tells_the_value(show):
    view = show(FIELD, field_data())
    hover(view, QPointF(*view.to_pixels(np.array([0.5, 0.5]))))
    assert "value 0.7" in view.hints[-1]


def test_field_tells_the_value_under_a_pointer_that_rests(show):
    view = show(FIELD, field_data())
    hover(view, QPointF(*view.to_pixels(np.array([0.25, -0.5]))))
    view.show_payload(FIELD.pack(FieldData(np.full((40, 40), 3.0), (-1, 1, -1, 1))), 2)
    assert view.hints[-1].endswith("value 3")


def test_field_reads_its_axes_in_the_units_of_the_payload(show):
    axes = (("bill_length_mm", 45.0, 2.75), ("body_mass_g", 4500.0, 360.0))
    view = show(FIELD, field_data(axes=axes))
    hover(view, QPointF(*view.to_pixels(np.array([0.5, -0.5]))))
    assert view.hints[-1].startswith("bill_length_mm 46.38 · body_mass_g 4320 · value")
    assert view.units_shown() == pytest.approx((42.25, 47.75, 4140.0, 4860.0), rel=0.3)
    plain = show(FIELD, field_data())
    assert view.grab().toImage() != plain.grab().toImage()
    with pytest.raises(views.ViewError):
        FIELD.pack(field_data(axes=axes[:1]))


def test_field_probes_until_a_brush_is_chosen(show):
    view = show(FIELD, field_data(), edits=True)
    middle = QPointF(*view.to_pixels(np.zeros(2)))
    click(view, middle)
    assert isinstance(view.sent[-1][0], PointPick)
    assert view.sent[-1][1] is False
    QTest.keyClick(view, KEY.Key_2)
    assert view.legend.chips[1].isChecked()
    drag(view, middle, *[middle + QPointF(12 * i, 0) for i in range(1, 6)])
    strokes = [(gesture, edit) for gesture, edit in view.sent if isinstance(gesture, Stroke)]
    assert all(edit and gesture.label == 1 for gesture, edit in strokes)
    xy = np.array([place for gesture, _ in strokes for place in gesture.xy])
    assert len(xy) == 6
    assert (np.diff(xy[:, 0]) > 0).all()
    assert xy[0] == pytest.approx([0, 0], abs=0.02)
    QTest.keyClick(view, KEY.Key_Delete)
    assert view.sent[-1] == (Stroke((), clear=True), True)
    QTest.keyClick(view, KEY.Key_Escape)
    click(view, middle)
    assert isinstance(view.sent[-1][0], PointPick)


# ----------------------------------------------------------------------------------------------------- pictures


def test_image_of_maps_ends_and_what_is_missing():
    image = image_of(np.array([[0.0, 1.0, NAN, INF, -INF]]), "grey", 0.0, 1.0)
    assert [image.pixelColor(x, 0).red() for x in range(5)] == [0, 255, 128, 255, 0]
    image = image_of(np.array([[[1.0, 0.0, NAN]]]), "rgb", 0.0, 1.0)
    assert image.pixelColor(0, 0).getRgb()[:2] == (255, 0)
