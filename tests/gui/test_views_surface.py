"""The surface in perspective: what is drawn where, turning and picking, trails that leave, what hides what."""

from __future__ import annotations

import csv
import io
import warnings

import numpy as np
import pytest
from chart_examples import count_near, picture, wheel
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtTest import QTest
from view_examples import INF, KEY, NAN, click, colours, drag, hover, shower

from engine.diagrams import Surface
from engine.payloads import PointPick, SurfaceData
from gui import export, style, theme
from gui.views.surface import KEYS
from gui.views.surface_paint import QUADS, Camera, Ground, resampled, span_of
from gui.views.surface_trails import inside, laid

SURFACE = Surface("Loss", help="h", x_axis="weight 1", y_axis="weight 2", z_axis="loss")
LOG = Surface("Loss", help="h", log=True)
SHIFT = Qt.KeyboardModifier.ShiftModifier
EXTENT = (-2.0, 2.0, -1.0, 3.0)


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def heights(function, extent=EXTENT, shape=(41, 41)):
    x, y = np.meshgrid(np.linspace(*extent[:2], shape[1]), np.linspace(extent[3], extent[2], shape[0]))
    return function(x, y)


def ground_of(values, log=False):
    return Ground(values, EXTENT, log, span_of(values))


def bowl(**more):
    return SurfaceData(heights(lambda x, y: x**2 + (y - 1) ** 2), EXTENT, **more)


def hill(**more):
    return SurfaceData(heights(lambda x, y: np.exp(-4 * (x**2 + (y - 1) ** 2))), EXTENT, **more)


def raced(**more):
    way = np.linspace(0, 1, 30)[:, None]
    paths = tuple((1 - way) * start + way * (0.0, 1.0) for start in ((-1.8, 2.5), (1.5, -0.5), (1.8, 2.8)))
    return bowl(paths=paths, path_names=("SGD", "momentum", "Adam"), marks=((0, 1, "minimum"),), cursor=(1, 2), **more)


EXAMPLES = {
    "bowl": (SURFACE, bowl()),
    "race": (SURFACE, raced()),
    "log": (LOG, SurfaceData(heights(lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2), EXTENT)),
    "flat": (SURFACE, SurfaceData(np.zeros((2, 2)), (0, 1, 0, 1))),
    "large": (SURFACE, SurfaceData(np.random.default_rng(0).random((300, 7)), (0, 1e6, -1e-6, 1e-6))),
    "holes": (
        SURFACE,
        SurfaceData(
            np.where(np.arange(100).reshape(10, 10) % 7 == 0, NAN, 1e30),
            (0, 1, 0, 1),
            (np.array([[NAN, NAN]]), np.zeros((0, 2)), np.array([[0.5, 0.5], [INF, 1e30]]), np.full((3, 2), 9.0)),
            ("a", "b", "c", "d"),
            ((NAN, INF, "nowhere"), (0.5, 0.5, "somewhere")),
            (NAN, 0.0),
        ),
    ),
    "nothing finite": (LOG, SurfaceData(np.full((3, 3), INF), (NAN, INF, 0, 0), (np.zeros((4, 2)),), (), (), (0, 0))),
}


@pytest.mark.parametrize("size", [(600, 400), (320, 240), (200, 140), (120, 80), (900, 200)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_paints_without_complaint(show, application, name, size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = show(*EXAMPLES[name], size=size)
        assert colours(view) > 10 or name == "nothing finite"
        for look in ("light", "dark"):
            style.apply(application, look)
            view.grab()
        for x in range(5, size[0], 61):
            hover(view, (x, size[1] // 2))
            click(view, (x, size[1] // 2))
        for key in (KEY.Key_Left, KEY.Key_Up, KEY.Key_Plus, KEY.Key_Minus, KEY.Key_Home):
            QTest.keyClick(view, key, SHIFT if key in (KEY.Key_Left, KEY.Key_Up) else Qt.KeyboardModifier.NoModifier)
        view.grab()
        assert len(view.csv_rows()) > 4
        view.reset_view()
        view.clear()
        assert view.csv_rows() == []
        assert colours(view) > 1  # says what to do


def test_the_lowest_place_is_drawn_dark_and_the_highest_bright(show):
    view = show(SURFACE, bowl(), size=(700, 500))
    ground, image = view.aim(), picture(view)

    def colour_at(u, v):
        x, y = ground.pixels(ground.on(np.array([[u, v]])))[0][0]
        return image.pixelColor(round(x), round(y))

    assert colour_at(0.5, 0.5).green() < 90 < 140 < colour_at(0.03, 0.97).green()


def test_drag_turns_wheel_zooms_double_click_resets(show):
    view = show(SURFACE, bowl())
    home = view.camera
    drag(view, (300, 200), (340, 200), (340, 240))
    assert view.camera.azimuth != home.azimuth
    assert view.camera.elevation > home.elevation
    assert view.sent == []  # to turn is not to pick
    wheel(view, QPointF(300, 200), 3)
    assert view.camera.zoom > 1.2
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(300, 200))
    assert view.camera == home == Camera()
    for _ in range(30):
        drag(view, (300, 100), (300, 390))
    assert view.camera.elevation == 88
    for _ in range(60):
        drag(view, (300, 390), (300, 10))
    assert view.camera.elevation == 6


def test_the_place_under_the_pointer_stays_when_zoomed(show):
    view = show(SURFACE, bowl())
    at = QPointF(330, 210)
    before = view.place_at(at)
    wheel(view, at, 4)
    assert view.place_at(at) == pytest.approx(before, abs=0.05)


def test_keys_turn_with_shift_and_leave_the_plain_arrows_to_the_window(show):
    view = show(SURFACE, bowl())
    home = view.camera
    plain = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Right, Qt.KeyboardModifier.NoModifier)
    view.keyPressEvent(plain)
    assert not plain.isAccepted()
    assert view.camera == home
    QTest.keyClick(view, KEY.Key_Right, SHIFT)
    QTest.keyClick(view, KEY.Key_Up, SHIFT)
    assert view.camera.azimuth < home.azimuth
    assert view.camera.elevation > home.elevation
    QTest.keyClick(view, KEY.Key_Plus)
    assert view.camera.zoom > 1
    QTest.keyClick(view, KEY.Key_Home)
    assert view.camera == home
    assert KEYS in view.accessibleDescription()


@pytest.mark.parametrize("azimuth", [-32, 60, 150, -120])
def test_a_click_picks_the_place_under_the_pointer(show, azimuth):
    view = show(SURFACE, bowl(), size=(700, 500))
    view.turn(azimuth - view.camera.azimuth, 0)
    ground = view.aim()
    for u, v in ((0.5, 0.5), (0.4, 0.55)):
        place = ground.on(np.array([[u, v]]))
        assert not ground.hidden(place)[0]
        x, y = ground.pixels(place)[0][0]
        click(view, (x, y))
        gesture, edit = view.sent.pop()
        assert not edit
        assert isinstance(gesture, PointPick)
        assert (gesture.x, gesture.y) == pytest.approx(ground.to_plane(u, v), abs=0.06)
    click(view, (2, 2))
    assert view.sent == []  # beside the surface


def test_of_two_places_under_the_pointer_the_nearer_is_picked(show):
    view = show(SURFACE, hill(), size=(700, 500))
    view.turn(0, -40)
    ground = view.aim()
    behind = ground.on(0.5 - 0.12 * ground.toward[None, :2] / np.hypot(*ground.toward[:2]))  # (1, 3)
    assert ground.hidden(behind)[0]
    x, y = ground.pixels(behind)[0][0]
    found = ground.at(x, y)
    assert found is not None
    near = ground.pixels(ground.on(np.array([found[:2]])))[1][0]
    assert near > ground.pixels(behind)[1][0] + 0.1


def test_what_lies_behind_a_hill_is_hidden():
    ground = ground_of(hill().values)
    ground.look_from(Camera(azimuth=0, elevation=15), QRectF(0, 0, 600, 400))
    before, top, behind = (ground.on(np.array([[0.5, v]])) for v in (0.3, 0.5, 0.68))
    assert [bool(ground.hidden(place)[0]) for place in (before, top, behind)] == [False, False, True]
    ground.look_from(Camera(azimuth=0, elevation=88), QRectF(0, 0, 600, 400))
    assert not ground.hidden(behind)[0]


def test_the_box_stays_within_its_pixels_from_all_sides():
    ground = ground_of(bowl().values)
    area = QRectF(10, 20, 500, 300)
    for azimuth in range(-180, 180, 30):
        for elevation in (6, 41, 88):
            ground.look_from(Camera(azimuth, elevation), area)
            pixels = ground.mesh()[1]
            assert pixels[..., 0].min() >= area.left() - 1
            assert pixels[..., 0].max() <= area.right() + 1
            assert pixels[..., 1].min() >= area.top() - 1
            assert pixels[..., 1].max() <= area.bottom() + 1


def test_heights_between_samples_and_in_logs():
    values = heights(lambda x, y: 10 * x + y)
    ground = ground_of(values)
    u, v = np.array([0.3]), np.array([0.7])
    x, y = ground.to_plane(0.3, 0.7)
    assert ground.height(ground.share_at(u, v)[0]) == pytest.approx(10 * x + y)
    logged = ground_of(values, True)
    assert logged.height(1.0) == pytest.approx(values.max())
    assert logged.height(0.0) == pytest.approx(values.min())
    assert logged.shares.max() == 1
    assert logged.share_at(np.array([0.5]), np.array([0.5]))[0] > 0.7  # what is low has more room
    assert ground_of(np.full((3, 3), 1e308), True).height(1.0) > 0


def test_large_arrays_are_resampled():
    values = heights(lambda x, y: x + y, shape=(500, 3))
    small = resampled(values, QUADS + 1)
    assert small.shape == (QUADS + 1, 3)
    assert small[0, 0] == values[0, 0]
    assert small[-1, -1] == values[-1, -1]
    assert np.allclose(np.diff(small[:, 0]), np.diff(small[:, 0])[0])


def test_paths_are_cut_where_they_leave():
    path = np.array([[0.5, 0.5], [1.5, 0.5], [1.5, 2.0], [0.25, 2.0], [0.25, 0.75]])
    begin, end, steps = inside(path)
    assert begin.tolist() == [[0.5, 0.5], [0.25, 1.0]]
    assert end.tolist() == [[1.0, 0.5], [0.25, 0.75]]
    assert steps.tolist() == [0, 3]
    assert len(inside(np.array([[0.5, 0.5]]))[0]) == 0
    still = inside(np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert still[0].tolist() == still[1].tolist() == [[0.5, 0.5]]


def test_a_path_that_leaves_ends_in_an_arrow_at_the_wall(show):
    left = np.array([[0.0, 1.0], [1.0, 1.0], [9.0, 1.0]])
    exploded = np.array([[0.0, 1.0], [-1.0, 1.0], [NAN, INF]])
    view = show(SURFACE, bowl(paths=(left, exploded, left[:2]), path_names=("away", "exploded", "still here")))
    away, burst, here = view.trails()
    assert away.end.tolist() == pytest.approx([1.0, 0.5])
    assert away.way[0] > 0
    assert burst.way is not None
    assert burst.way[0] < 0
    assert here.way is None
    assert here.end.tolist() == pytest.approx([0.75, 0.5])
    assert np.isfinite(away.pieces).all()
    assert np.abs(away.pieces[..., 0]).max() <= view.ground.half[0] + 1e-9


def test_a_path_that_explodes_at_once_has_its_arrow_too(show):
    (trail,) = show(SURFACE, bowl(paths=(np.array([[0.0, 1.0], [NAN, NAN]]),), path_names=("gone",))).trails()
    assert trail.end.tolist() == [0.5, 0.5]
    assert trail.way is not None
    (outside,) = show(SURFACE, bowl(paths=(np.full((2, 2), 9.0),))).trails()
    assert outside.end is None


def test_long_paths_keep_their_ends(show):
    turn = np.linspace(0, 6, 20_001)
    path = np.stack([np.cos(turn), 1 + np.sin(turn)], axis=1)
    (trail,) = show(SURFACE, bowl(paths=(path,))).trails()
    assert len(trail.pieces) < 2000
    assert trail.end.tolist() == pytest.approx([(np.cos(6) + 2) / 4, (np.sin(6) + 2) / 4])


def test_trails_follow_the_surface_between_their_steps(show):
    view = show(SURFACE, hill(paths=(np.array([[-1.9, 1.0], [1.9, 1.0]]),), path_names=("over",)))
    (trail,) = view.trails()
    assert len(trail.pieces) > 20
    assert trail.pieces[..., 2].max() > 0.8  # over the hill, not through it
    assert np.allclose(trail.pieces[:-1, 1], trail.pieces[1:, 0])


def test_trails_have_colours_of_their_own_and_can_be_put_away(show):
    view = show(SURFACE, raced(), size=(700, 500))
    classes = theme.current().classes
    shown = [count_near(picture(view), tint, 40) for tint in classes[:3]]
    assert min(shown) > 30
    assert [chip.text() for chip in view.legend.chips] == ["SGD", "momentum", "Adam"]
    view.legend.chips[1].click()
    assert count_near(picture(view), classes[1], 12) < 0.5 * shown[1]
    view.legend.chips[1].click()
    assert count_near(picture(view), classes[1], 40) == shown[1]


def test_names_do_not_lie_over_one_another(show, monkeypatch):
    ends = tuple(np.array([[0.0, 1.0], [0.02 * k, 1.0]]) for k in range(5))
    view = show(SURFACE, bowl(paths=ends, path_names=tuple(f"optimiser {k}" for k in range(5))), size=(700, 500))
    boxes = []
    whole = QPainter.drawRoundedRect
    monkeypatch.setattr(
        QPainter, "drawRoundedRect", lambda self, box, *rest: (boxes.append(box), whole(self, box, *rest))
    )
    view.legend.hide()
    view.grab()
    boxes = [box for box in boxes if isinstance(box, QRectF) and 30 < box.width() < 200]
    assert len(boxes) >= 4
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_cursor_is_a_ring(show):
    accent = theme.current().accent
    with_ring = count_near(picture(show(SURFACE, bowl(cursor=(0.0, 1.0)))), accent, 30)
    assert with_ring > 10 + count_near(picture(show(SURFACE, bowl())), accent, 30)


def test_the_surface_is_drawn_anew_only_when_it_changes(show, monkeypatch):
    view = show(SURFACE, raced())
    view.grab()
    drawn = []
    monkeypatch.setattr(Ground, "_paint_mesh", lambda self, _: drawn.append(self))
    view.grab()
    view.show_payload(SURFACE.pack(raced(hint="another")), 2)
    view.grab()
    assert drawn == []
    view.turn(5, 0)
    view.grab()
    assert len(drawn) == 1
    view.show_payload(SURFACE.pack(hill()), 3)
    view.grab()
    assert len(drawn) == 2


def test_hints_tell_the_place_and_the_keys(show):
    view = show(SURFACE, bowl(), size=(700, 500))
    x, y = view.aim().pixels(view.ground.on(np.array([[0.5, 0.5]])))[0][0]
    hover(view, (x, y))
    assert view.said.startswith("weight 1 ")
    assert " · loss " in view.said
    hover(view, (3, 497))
    assert view.said == KEYS


def test_numbers_as_csv(show):
    values = heights(lambda x, y: x + 10 * y, shape=(2, 3))
    view = show(SURFACE, SurfaceData(values, EXTENT, (np.array([[0.5, 0.25]]),), ("SGD",), ((0, 1, "minimum"),)))
    text = io.StringIO()
    csv.writer(text).writerows(view.csv_rows())
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert len(rows) == 6 + 1 + 1
    assert rows[0] == {"what": "surface", "step": "", "weight 1": "-2", "weight 2": "3", "loss": "28"}
    assert rows[6] == {"what": "SGD", "step": "0", "weight 1": "0.5", "weight 2": "0.25", "loss": ""}


def test_saved_as_vectors(show, tmp_path):
    view = show(SURFACE, raced())
    assert view.vector()
    export.save_svg(view, tmp_path / "surface.svg")
    assert (tmp_path / "surface.svg").read_text().count("<polygon") > 500


def test_compared_runs_have_one_scale_one_camera_and_one_pointer(show):
    first, second = show(SURFACE, bowl()), show(SURFACE, SurfaceData(10 * bowl().values, EXTENT))
    assert first.scales()["heights"] == (0, 8)
    first.share_scales(second.scales())
    assert first.aim().shares.max() == pytest.approx(0.1)
    assert second.aim().shares.max() == pytest.approx(1.0)
    first.share_scales({})
    assert first.aim().shares.max() == pytest.approx(1.0)
    first.pointed.connect(second.follow)
    second.move(900, 0)  # away from the pointer
    QTest.keyClick(first, KEY.Key_Up, SHIFT)
    assert second.camera == first.camera != Camera()
    x, y = first.aim().pixels(first.ground.on(np.array([[0.75, 0.5]])))[0][0]
    before = picture(second)
    hover(first, (x, y))
    assert float(second.said.removeprefix("loss ")) == pytest.approx(10, abs=1.5)
    assert picture(second) != before


def test_a_ball_at_rest_costs_nothing_more() -> None:
    ground = Ground(np.zeros((5, 5)), (0, 1, 0, 1), False, (0.0, 1.0))
    rolled = np.stack([np.linspace(0.1, 0.8, 30), np.full(30, 0.5)], axis=1)
    rested = np.concatenate([rolled, rolled[-1] + 1e-5 * np.sin(np.arange(300.0))[:, None]])
    short, long = (laid(ground, "", QColor("red"), path) for path in (rolled, rested))
    assert len(short.pieces) >= 29
    assert len(long.pieces) <= len(short.pieces) + 2
    assert long.end is not None
    assert np.allclose(long.end, rested[-1])
