"""Names and numbers in views: legends, chips, axes. What is shown by colour alone cannot be read."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from view_examples import EXAMPLES, FIELD, KEY, POINTS, field_data, network_data, points_data, shower

from engine import views
from engine.payloads import HeatmapData, PointsData
from gui import theme
from gui.view_panel import ViewPanel
from gui.views import make_view, plane
from gui.views.curve_paint import legend_rows
from gui.views.network_paint import heights
from gui.views.parts import small
from gui.views.point_names import apart
from gui.views.scales import abbreviated

DIGITS = tuple("0123456789")
RGB = QImage.Format.Format_RGB32
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def scatter(classes):
    return PointsData(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % len(classes), classes)


def readable(chip):
    """How many letters of a chip's name are shown."""
    metrics = QFontMetricsF(small(chip.font()))
    return next(n for n in range(len(chip.text()), -1, -1) if metrics.horizontalAdvance(chip.text()[:n]) <= chip.room)


@pytest.mark.parametrize("width", [221, 260, 300, 600])
@pytest.mark.parametrize("classes", [DIGITS, CLOTHES, ("vowels", "consonants", "capitals", "all else"), ("a", "b")])
def test_every_class_is_named(show, classes, width):
    view = show(POINTS, scatter(classes), size=(width, 246))
    chips = view.legend.chips
    assert [chip.text() for chip in chips] == list(classes)
    for chip in chips:
        assert chip.isVisible()
        assert readable(chip) >= min(2, len(chip.text()))
        assert view.legend.rect().contains(chip.geometry())
        assert not any(chip.geometry().intersects(other.geometry()) for other in chips if other is not chip)
    assert view.legend.geometry().right() < width
    assert view.plot().top() >= view.legend.geometry().bottom()
    assert view.grab().height() == 246


def test_chips_that_do_not_fit_are_counted(show):
    view = show(POINTS, scatter(tuple(f"class {i}" for i in range(47))), size=(221, 246))
    shown = [chip for chip in view.legend.chips if chip.isVisible()]
    assert 5 < len(shown) < 47
    assert view.legend.left_out == 47 - len(shown)
    assert view.grab().width() == 221


def test_short_names_stand_within_their_dots_when_it_is_tight(show):
    wide, narrow = (show(POINTS, scatter(DIGITS), size=(width, 246)) for width in (600, 221))
    assert not any(chip.within for chip in wide.legend.chips)
    assert all(chip.within for chip in narrow.legend.chips)
    assert narrow.strip == wide.strip  # one line, not two
    picture = narrow.grab().toImage()
    for index, chip in enumerate(narrow.legend.chips):
        at = chip.mapTo(narrow, chip.rect().center())
        assert picture.pixelColor(at.x() - 6, at.y()).name() == theme.current().classes[index]


def test_brushes_are_those_of_the_data(show):
    def brushes(**more):
        view = show(FIELD, field_data(**more), edits=True)
        return [chip.text() for chip in view.legend.chips], view

    assert brushes()[0] == ["blue", "orange", "Clear"]  # as described, where the data do not say
    texts, view = brushes(points=points_data())
    assert texts == ["a", "b", "c", "Clear"]
    view.show_payload(FIELD.pack(field_data(points=PointsData(np.eye(2), np.array([0, 1]), ("a", "b")))), 2)
    assert [chip.text() for chip in view.legend.chips] == ["a", "b", "Clear"]
    view.choose_brush(1)
    assert view.draws[view.brush] == "b"
    assert brushes(points=PointsData(np.eye(2), values=np.array([-1.0, 1.0])))[0] == []  # values have no class


def test_names_of_points_do_not_lie_over_one_another(show):
    rng = np.random.default_rng(0)
    close = np.concatenate([rng.normal(size=(40, 2)) * 0.02, [[3.0, 3.0], [-3.0, 3.0]]])
    alone, many = close[-2:], close

    def inked(xy):
        names = tuple(f"n{i}" for i in range(len(xy)))
        view = show(POINTS, PointsData(xy, names=names, extent=(-4, 4, -4, 4)), size=(400, 400))
        unnamed = show(POINTS, PointsData(xy, extent=(-4, 4, -4, 4)), size=(400, 400))
        pictures = [np.array(each.grab().toImage().convertToFormat(RGB).constBits()) for each in (view, unnamed)]
        return int((pictures[0] != pictures[1]).sum())

    assert 0 < inked(alone) < inked(many) < 12 * inked(alone)  # 42 names, most of them left out


def test_legend_of_curves_names_all_in_little_room():
    metrics = QFontMetricsF(small(QApplication.font()))
    labels = ["train reconstruction", "validation reconstruction", "train KL", "validation KL"]
    assert legend_rows(labels, metrics, 2000, 2) == [labels]
    rows = legend_rows(labels, metrics, 299, 1)
    assert len(rows) == 1
    assert len(rows[0]) == 4
    assert len(set(rows[0])) == 4
    assert sum(map(len, legend_rows(labels, metrics, 221, 2))) == 4
    assert abbreviated("validation reconstruction", 3) == "val. rec."
    assert abbreviated("train KL", 4) == "train KL"


@pytest.mark.parametrize(("size", "extent"), [((300, 246), (-3, 3, -3, 3)), ((221, 246), (-8, 8, -8, 8))])
def test_three_numbers_at_every_axis(show, size, extent, monkeypatch):
    view = show(POINTS, points_data(extent=extent), size=size)
    texts = []

    class Watched:
        def __init__(self, painter):
            self.painter = painter

        def drawText(self, place, *rest):
            texts.append((place, rest[-1]))
            self.painter.drawText(place, *rest)

        def __getattr__(self, name):
            return getattr(self.painter, name)

    pixmap = QPixmap(*size)
    painter = QPainter(pixmap)
    monkeypatch.setattr(plane, "draw_lines", lambda *_: None)
    view.paint_axes(Watched(painter))
    painter.end()
    numbers = [(place, text) for place, text in texts if text.lstrip("-−").replace(".", "").isdigit()]
    below = [text for place, text in numbers if isinstance(place, QPointF)]
    beside = [text for place, text in numbers if not isinstance(place, QPointF)]
    assert len(below) >= 3
    assert len(beside) >= 3
    assert "z1" in [text for _, text in texts]


def test_every_neuron_has_its_own_scale(show):
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 0, :4], maps[0, 1, :4], maps[0, 2, :4] = 1.0, 0.02, 1e-9  # strong, weak, dead
    assert heights(maps[0]).tolist() == pytest.approx([1.0, 0.02, 1e-3])
    network = network_data((1, 3, 1), thumbnails=(np.ones((1, 8, 8)), maps[0], np.ones((1, 8, 8))))
    view = show(views.Network("Network", help="h"), network)
    picture = view.grab().toImage()

    def tint(unit):
        box = view.layout_.box(1, unit)
        return picture.pixelColor(int(box.center().x()), int(box.top() + 0.25 * box.height()))

    assert tint(0) == tint(1)
    assert tint(2).lightnessF() > 0.9  # blank
    assert tint(0).lightnessF() < 0.5
    assert view.range_of(1, 1) == "its map: 0 to 0.02"
    assert view.range_of(0, 0) == "its map: always 1"


def test_keys_reach_every_brush(show):
    view = show(*EXAMPLES["field"], edits=True)
    QTest.keyClick(view, KEY.Key_3)
    assert view.brush == 2
    QTest.keyClick(view, KEY.Key_4)
    assert view.brush == 2


@pytest.mark.parametrize(
    ("count", "width", "columns"), [(16, 466, 8), (16, 900, 16), (14, 466, 7), (12, 300, 6), (9, 220, 5)]
)
def test_rows_of_thumbnails_are_full(show, count, width, columns):
    heat = views.Heatmap("Attention", help="h")
    names = tuple(f"layer {i // 4 + 1} head {i % 4 + 1}" for i in range(count))
    view = show(heat, HeatmapData(np.random.default_rng(0).random((count, 20, 20)), names=names), size=(width, 348))
    assert view.grab().width() == width
    assert view._per_row == columns
    places = [view._thumb_area(i) for i in range(count)]
    assert all(place is not None and place.right() <= width for place in places)
    assert places[-1].bottom() < view._matrix.top()


def test_hints_keep_what_tells_most(qtbot):
    view = make_view(views.Points("Confusion", help="h", hint="hover a cell"), probes=False, edits=False)
    panel = ViewPanel("points", view)
    qtbot.addWidget(panel)
    panel.resize(220, 200)
    panel.show()
    hinted = Hinted(np.zeros((1, 2)), hint="validation · 98.7 %")
    view.payload = hinted
    view.say("first axis 0.25 · second axis 0.75 · value 0.5")
    assert panel.hint.keeps_end
    view.say("")
    assert panel.hint.text() == "validation · 98.7 %"
    panel.hint.resize(panel.hint.fontMetrics().horizontalAdvance("98.7 %") + 4, 20)
    narrow = panel.hint.grab().toImage()
    panel.hint.setText("98.7 %")
    assert narrow == panel.hint.grab().toImage()


class Hinted(PointsData):
    def __init__(self, xy, hint):
        super().__init__(xy)
        object.__setattr__(self, "hint", hint)


def test_a_hint_of_the_payload_goes_when_the_payload_has_none(show):
    field = views.Field("Surface", help="h", hint="discs train")
    view = show(field, field_data(hint="the map of neuron 3"))
    view.show_payload(field.pack(field_data()), 2)
    assert view.hints == ["the map of neuron 3", ""]


def test_points_that_are_letters_are_drawn_as_letters(show):
    xy = np.array([[-1.0, 0.0], [1.0, 0.0], [1.001, 0.001]])
    view = show(POINTS, PointsData(xy, np.array([0, 1, 1]), ("a", "b"), names=("x", "y", "z")), size=(400, 300))
    assert apart(view.to_pixels(xy), view.font()).tolist() == [True, True, False]  # the third stays a dot

    def ink(place, reach=7):
        image = view.grab().toImage()
        x, y = view.to_pixels(np.array(place)).round().astype(int).tolist()
        around = [image.pixelColor(x + i, y + j).name() for i in range(-reach, reach) for j in range(-reach, reach)]
        return around.count(theme.current().classes[0]) / len(around)

    letter = ink((-1.0, 0.0))
    assert 0.01 < letter < 0.2
    view.show_payload(POINTS.pack(PointsData(xy, np.array([0, 1, 1]), ("a", "b"))), 2)
    assert ink((-1.0, 0.0)) > 1.5 * letter  # a disc
    view.show_payload(POINTS.pack(PointsData(xy, np.array([0, 1, 1]), ("a", "b"), names=("x", "y", "z"))), 3)
    view.toggle_class(1)
    assert ink((-1.0, 0.0)) == 0  # dimmed
