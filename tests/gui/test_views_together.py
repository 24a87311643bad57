"""The same view of several runs: one scale that holds all of them, one pointer, each as large as the others."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from chart_examples import wheel
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from view_examples import (
    FIELD,
    FILM,
    NETWORK,
    POINTS,
    TEXT,
    field_data,
    film_data,
    network_data,
    points_data,
    text_data,
)

from engine import views
from engine.payloads import BarsData, FieldData, HeatmapData, ImageGroup, ImagesData, PointsData, TableData
from gui.side_by_side import SideBySide
from gui.views import make_view
from gui.views.base import ViewWidget
from gui.views.shared import common

HEAT = views.Heatmap("Matrices", help="h", colour="viridis")
BARS = views.Bars("Bars", help="h")
PICTURES = views.Images("Pictures", help="h", colour="viridis")
TABLE = views.Table("Table", help="h")


@pytest.fixture
def beside(qtbot: QtBot):
    """``beside(description, a, b, …)``: views of one kind with these values, together."""

    def make(description, *values, size=(900, 300)) -> tuple[SideBySide, list[ViewWidget]]:
        made = {letter: make_view(description, probes=True) for letter, _ in zip("ABCD", values, strict=False)}
        panel = SideBySide(made)
        qtbot.addWidget(panel)
        panel.resize(*size)
        panel.show()
        for view, value in zip(made.values(), values, strict=True):
            view.show_payload(description.pack(value), 1)
            panel.shown(view)
        panel.grab()
        return panel, list(made.values())

    return make


def matrices(*levels: float) -> HeatmapData:
    return HeatmapData(np.stack([np.linspace(0, level, 12).reshape(3, 4) for level in levels]))


def pictures(level: float, count: int = 3) -> ImagesData:
    ramp = np.linspace(-level, level, 16).reshape(4, 4)
    return ImagesData((ImageGroup("maps", np.stack([ramp * (i + 1) for i in range(count)])),))


# ------------------------------------------------------------------ one scale


def test_common_ranges_hold_all_and_know_which_pictures_both_have():
    many = np.array([-1.0, -5.0, -2.0]), np.array([1.0, 1.0, 1.0])
    few = np.array([-2.0, -3.0]), np.array([4.0, 0.5])
    found = common([{"x": (0.0, 1.0), "maps": many}, {"x": (-2.0, 0.5), "maps": few}, {"y": (3.0, 4.0)}])
    assert found["x"] == (-2.0, 1.0)
    assert found["y"] == (3.0, 4.0)
    assert found["maps"][0].tolist() == [-2.0, -5.0, -2.0]
    assert found["maps"][1].tolist() == [4.0, 1.0, 1.0]


def test_colours_of_a_heatmap(beside):
    _, (a, b, c) = beside(HEAT, matrices(1.0), matrices(5.0), matrices(0.2))
    assert a.limits() == b.limits() == c.limits() == (0.0, 5.0)
    same = matrices(1.0).values[0]
    assert a.grab().toImage() != make_alone(HEAT, same, a.size()).grab().toImage()


def test_a_fixed_scale_stays(beside):
    fixed = views.Heatmap("Matrices", help="h", low=0.0, high=1.0)
    _, (a, b) = beside(fixed, matrices(0.5), matrices(0.9))
    assert a.limits() == b.limits() == (0.0, 1.0)


def make_alone(description, value, size: QSize) -> ViewWidget:
    view = make_view(description, probes=True)
    view.resize(size)
    view.show_payload(description.pack(value), 1)
    return view


def test_pictures_each_on_the_scale_of_all_runs_and_back_alone(beside):
    panel, (a, b) = beside(PICTURES, pictures(1.0), pictures(4.0, count=2))
    shared = a._range(a.payload.groups[0])
    assert shared[1:] == b._range(b.payload.groups[0])[1:] == (-8.0, 8.0)
    a.shared.setChecked(False)  # each picture by itself: those that both have alike, in both runs
    QTest.mouseMove(a, QPoint(30, 40))
    assert not b.shared.isChecked()
    low = [view._range(view.payload.groups[0])[1].ravel().tolist() for view in (a, b)]
    assert low == [[-4.0, -8.0, -3.0], [-4.0, -8.0]]
    panel.part()
    assert a._range(a.payload.groups[0])[1].ravel().tolist() == [-1.0, -2.0, -3.0]


def test_bars_reach_as_far_in_all(beside):
    _, (a, b) = beside(BARS, BarsData(("x", "y"), np.array([0.2, 1.5])), BarsData(("x", "y"), np.array([7.0, 40.0])))
    assert a.range() == b.range() == (0.0, 50.0)


def test_planes_show_the_same_of_the_plane(beside):
    near = PointsData(np.array([[0.0, 0.0], [1.0, 1.0]]))
    far = PointsData(np.array([[-5.0, 2.0], [3.0, 9.0]]))
    panel, (a, b) = beside(POINTS, near, far)
    assert a.bounds() == pytest.approx(b.bounds())
    assert a.bounds()[0] < -5
    panel.part()
    assert a.bounds()[0] > -2


def test_surfaces_have_one_range_of_colours(beside):
    x = np.linspace(-1, 1, 20)[None].repeat(20, axis=0)
    values = [FieldData(x * level, (-1, 1, -1, 1)) for level in (1, 10)]
    _, (a, b) = beside(FIELD, *values)
    assert a._limits == b._limits == (-10.0, 10.0)
    b.show_payload(FIELD.pack(FieldData(x * 20, (-1, 1, -1, 1))), 2)
    b.parent().shown(b)
    a.grab()
    assert a._limits == (-20.0, 20.0)


def test_edges_and_frames(beside):
    small, large = network_data(), network_data()
    large.weights[0][0, 0] = 40.0
    _, (a, b) = beside(NETWORK, small, large)
    assert a.scale == b.scale == 40.0
    cloud, wide = film_data(), film_data()
    wide.rows[1].points[:] *= 9
    _, (a, b) = beside(FILM, cloud, wide)
    assert a.joint["x 1"] == b.joint["x 1"] == (min(a._extents[1][0], b._extents[1][0]), b._extents[1][1])


# ------------------------------------------------------------------ one pointer


def test_the_cell_and_the_map_under_the_pointer(beside):
    _, (a, b, c) = beside(HEAT, matrices(1.0, 2.0), matrices(3.0, 4.0), matrices(5.0, 6.0))
    plain = c.grab().toImage()
    QTest.mouseMove(b, b.cell_area(1, 2).center().toPoint())
    assert {view._hovered for view in (a, b, c)} == {(1, 2)}
    assert c.grab().toImage() != plain
    QTest.mouseClick(a, Qt.MouseButton.LeftButton, pos=a._thumb_area(1).center().toPoint())
    assert [view.chosen for view in (a, b, c)] == [1, 1, 1]
    b.setFocus()
    QTest.keyClick(b, Qt.Key.Key_PageDown)
    assert [view.chosen for view in (a, b, c)] == [0, 0, 0]


def test_a_pixel_is_read_in_all_runs(beside):
    _, (a, b) = beside(PICTURES, pictures(1.0), pictures(4.0))
    plain = b.grab().toImage()
    QTest.mouseMove(a, a.area_of(0, 1).center().toPoint())
    assert a._hovered == b._hovered is not None
    assert b.grab().toImage() != plain
    assert b._card is None  # the card stands where the pointer is
    QTest.mouseMove(a, QPoint(a.width() - 1, a.height() - 1))
    assert b._hovered is None
    assert b.grab().toImage() == plain


def test_a_picture_that_another_run_has_not(beside):
    _, (a, b) = beside(PICTURES, pictures(1.0, count=5), pictures(4.0, count=2))
    QTest.mouseMove(a, a.area_of(0, 4).center().toPoint())
    assert a._hovered[:2] == (0, 4)
    assert b._hovered is None


def test_cross_hairs_zoom_and_value_in_a_surface(beside):
    _, (a, b) = beside(FIELD, field_data(), FieldData(np.full((20, 20), 7.0), (-1, 1, -1, 1)))
    said = []
    b.hint.connect(said.append)
    QTest.mouseMove(a, a.plot().center().toPoint())
    assert b.there == pytest.approx((0.0, 0.0), abs=0.1)
    assert said[-1] == "value 7"
    wheel(a, a.plot().center(), 3)
    assert a.zoomed == b.zoomed is not None
    QTest.mouseDClick(b, Qt.MouseButton.LeftButton, pos=b.plot().center().toPoint())
    assert a.zoomed is b.zoomed is None


def test_the_point_under_the_pointer_and_the_class_that_is_lit(beside):
    _, (a, b) = beside(POINTS, points_data(), points_data(40))
    at = a.to_pixels(a.payload.xy[7])
    QTest.mouseMove(a, QPointF(*at.tolist()).toPoint())
    assert a.selected == b.selected >= 0
    assert b._card is None
    b.legend.chips[1].click()
    assert a.lit == b.lit == {1}


def test_bars_neurons_frames_tokens_and_rows(beside):
    values = BarsData(("x", "y", "z"), np.array([0.2, 0.5, 0.3]))
    _, (a, b) = beside(BARS, values, values)
    QTest.mouseMove(a, QPoint(40, 30))
    assert a._hovered == b._hovered == 1

    _, (a, b) = beside(NETWORK, network_data(), network_data((2, 2, 1)))
    QTest.mouseMove(a, a.layout_.box(1, 1).center().toPoint())
    assert a.unit == b.unit == (1, 1)
    QTest.mouseMove(a, a.layout_.box(1, 2).center().toPoint())
    assert (a.unit, b.unit) == ((1, 2), None)  # the other network has no such neuron

    _, (a, b) = beside(FILM, film_data(), film_data(8))
    QTest.mouseClick(a, Qt.MouseButton.LeftButton, pos=QPoint(round(a.x_of(5)), round(a.strip().center().y())))
    assert a.frame == b.frame == 5
    b.setFocus()
    QTest.keyClick(b, Qt.Key.Key_Left)
    assert a.frame == b.frame == 4

    _, (a, b) = beside(TEXT, text_data(), text_data("Another."))
    QTest.mouseMove(a, a.box(a.pieces[3]).center().toPoint())
    assert a.token == b.token == 3

    rows = TableData(("name", "value"), tuple((f"row {i}", str(i)) for i in range(5)))
    _, (a, b) = beside(TABLE, rows, rows)
    a.table.selectRow(2)
    assert a.place() == b.place()
    assert a.place()[1] == (2,)


def test_frames_that_play_in_one_run_play_in_all(beside, qtbot: QtBot):
    _, (a, b) = beside(FILM, film_data(), film_data())
    begin = a.frame
    QTest.mouseClick(b, Qt.MouseButton.LeftButton, pos=b.button().center().toPoint())
    qtbot.waitUntil(lambda: a.frame != begin)
    assert a.frame == b.frame
    QTest.mouseClick(a, Qt.MouseButton.LeftButton, pos=QPoint(round(a.x_of(2)), round(a.strip().center().y())))
    assert not b._playing.isActive()
    assert a.frame == b.frame == 2


# ------------------------------------------------------------------ side by side


@pytest.mark.parametrize(
    ("count", "size", "columns"),
    [
        (2, (800, 300), 2),
        (2, (200, 500), 1),
        (3, (900, 300), 3),
        (3, (400, 400), 2),
        (4, (1200, 250), 4),
        (4, (500, 400), 2),
        (4, (150, 900), 1),
    ],
)
def test_all_are_as_large_as_each_other(beside, count: int, size: tuple[int, int], columns: int):
    panel, made = beside(HEAT, *[matrices(1.0)] * count, size=size)
    assert panel.columns == columns
    assert len({(view.width(), view.height()) for view in made}) == 1
    areas = [view.geometry() for view in made]
    assert all(panel.rect().contains(area) for area in areas)
    assert not any(a.intersects(b) for i, a in enumerate(areas) for b in areas[:i])
    assert [label.text() for label in panel._letters] == list("ABCD"[:count])
    assert len({view.accessibleName() for view in made}) == count


def test_one_that_is_alone_follows_nobody(beside):
    panel, (a, b) = beside(HEAT, matrices(1.0), matrices(3.0))
    panel.part()
    QTest.mouseMove(a, a.cell_area(1, 2).center().toPoint())
    assert a._hovered == (1, 2)
    assert b._hovered is None
    assert a.limits() == (0.0, 1.0)


# ------------------------------------------------------------------ what all can


def test_an_error_while_painting_leaves_no_painter_open(qtbot: QtBot) -> None:
    painters: list[weakref.ref[QPainter]] = []

    class Broken(ViewWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            painter = QPainter(self)
            painters.append(weakref.ref(painter))
            raise ValueError("cannot be painted")

    view = Broken(TABLE)
    qtbot.addWidget(view)
    with qtbot.captureExceptions(), pytest.raises(ValueError, match="cannot be painted") as caught:
        view.grab()
    assert [painter() for painter in painters] == [None]  # though the error is kept, and with it the frames it left
    assert caught.value.args
