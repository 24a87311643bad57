"""Where pictures lie: groups in line, equally large, captions only where they tell something, no jumps."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from view_examples import hover, shower

from engine import views
from engine.payloads import ImageGroup, ImagesData, PointsData
from gui.views import make_view
from gui.views.card import HoverCard, placed
from gui.views.picture_layout import captioned, counts


@pytest.fixture
def show(qtbot):
    return shower(qtbot)


def group(name, count, side, captions=()):
    return ImageGroup(name, np.random.default_rng(0).random((count, side, side)).astype(np.float32), captions)


def areas(view, place, count):
    return [view.area_of(place, index) for index in range(count)]


NUMBERED = tuple(f"filter {i + 1}" for i in range(6))
IMAGES = views.Images("Layer 1", help="h")


@pytest.mark.parametrize("size", [(471, 348), (551, 468), (900, 200), (220, 500)])
def test_groups_alike_are_equally_large_and_in_line(show, size):
    filters, maps = group("filters", 6, 5, NUMBERED), group("maps", 6, 28, NUMBERED)
    view = show(IMAGES, ImagesData((filters, maps)), size=size)
    first, second = areas(view, 0, 6), areas(view, 1, 6)
    assert {(a.width(), a.height()) for a in first + second} == {(first[0].width(), first[0].height())}
    across, down = second[0].left() - first[0].left(), second[0].top() - first[0].top()
    assert not across or not down  # beside or below
    moved = [(b.left() - a.left(), b.top() - a.top()) for a, b in zip(first, second, strict=True)]
    assert set(moved) == {(across, down)}
    assert all(view.rect().contains(a.toAlignedRect()) for a in first + second)
    used = sum(a.width() * a.height() for a in first + second) / (size[0] * size[1])
    assert used > 0.45


def test_groups_stand_beside_one_another_where_that_shows_them_larger(show):
    data = ImagesData((group("filters", 6, 5), group("maps", 6, 28)))
    beside, below = show(IMAGES, data, size=(471, 348)), show(IMAGES, data, size=(220, 500))
    assert beside.area_of(0, 0).top() == beside.area_of(1, 0).top()
    assert below.area_of(0, 0).left() == below.area_of(1, 0).left()


def test_captions_that_count_or_repeat_are_not_written_everywhere():
    assert counts(NUMBERED)
    assert counts(("map 0", "map 1"))
    assert not counts(("4 → 1", "0 → 6"))
    assert not counts(tuple("0123"))  # these are names of classes
    assert captioned(NUMBERED, 3) == ""
    assert captioned(("a", "b", "a", "b"), 2) == "foot"
    assert captioned(("a", "b", "c", "d"), 2) == "each"
    assert captioned(("a", "b"), 2) == "each"
    assert captioned((), 2) == ""


def test_captions_make_way_for_pictures(show):
    names = tuple("0123456789")
    data = ImagesData((group("in", 10, 28, names), group("out", 10, 28, names)))
    pairs = views.Images("In and out", help="h", columns=10)
    low, high = show(pairs, data, size=(299, 94)), show(pairs, data, size=(420, 150))
    assert not any(grid.caption for grid in low._grids)
    assert all(grid.caption for grid in high._grids)
    assert low._left_out == high._left_out == 0


def test_sizes_stay_while_the_number_of_pictures_changes(show):
    view = show(IMAGES, ImagesData((group("", 24, 28),)), size=(218, 144))
    side = view.area_of(0, 0)
    for count in (20, 9, 24):
        view.show_payload(IMAGES.pack(ImagesData((group("", count, 28),))), 2)
        assert view.area_of(0, 0) == side
        assert view.area_of(0, count) is None
        assert view.grab().width() == 218
    view.show_payload(IMAGES.pack(ImagesData((group("", 2, 28),))), 3)
    assert view.area_of(0, 0).width() > 2 * side.width()  # of so few each can be larger


def test_no_picture_is_told_apart_from_not_begun(show):
    view = show(IMAGES, size=(218, 144))
    assert "Space" in view.empty_text()
    view.show_payload(IMAGES.pack(ImagesData((group("", 0, 28),))), 1)
    assert "Space" not in view.empty_text()


# ------------------------------------------------------------------------------------- the card beside a picture


@pytest.mark.parametrize(
    "about", [QRect(2, 2, 20, 20), QRect(290, 2, 9, 9), QRect(2, 180, 296, 15), QRect(140, 90, 9, 9)]
)
def test_the_card_lies_within_the_window_beside_what_it_tells_of(about):
    box = placed(QSize(120, 90), about, QRect(0, 0, 300, 200))
    assert QRect(0, 0, 300, 200).contains(box)
    assert not box.intersects(about)


def test_a_card_without_room_covers_as_little_as_can_be():
    box = placed(QSize(120, 90), QRect(0, 0, 300, 100), QRect(0, 0, 300, 150))
    assert box.bottom() >= 140


@pytest.fixture
def window(qtbot):
    """A window with a small view at its lower right corner."""
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(640, 400)
    made.show()

    def put(description, value):
        view = make_view(description, probes=False, edits=False)
        view.setParent(made)
        view.setGeometry(400, 300, 240, 100)
        view.show_payload(description.pack(value), 1)
        view.show()
        return view

    return put


def test_a_picture_in_a_small_view_is_enlarged_over_the_view_s_border(window):
    view = window(IMAGES, ImagesData((group("in", 10, 28, tuple("abcdefghij")),)))
    hover(view, view.area_of(0, 9).center())
    card = HoverCard.of(view)
    assert card.isVisible()
    assert card.lines[1] == "j"
    assert card.picture.width() == 112
    assert view.window().rect().contains(card.geometry())
    assert not card.geometry().contains(view.mapTo(view.window(), view.area_of(0, 9).center().toPoint()))
    view.show_payload(IMAGES.pack(ImagesData((group("in", 3, 28),))), 2)  # what was pointed at is gone
    assert not card.isVisible()


def test_a_point_is_told_beside_it_and_the_card_goes_with_its_view(window):
    points = views.Points("Codes", help="h")
    view = window(points, PointsData(np.eye(2), np.array([0, 1]), ("a", "b"), pictures=np.ones((2, 4, 4))))
    card = HoverCard.of(view)
    assert not card.isVisible()
    hover(view, view.to_pixels(np.array([0.0, 1.0])).tolist())
    assert card.isVisible()
    assert card.lines == ("b", "0, 1")
    assert card.swatch == view.class_colour(1)
    view.hide()
    assert not card.isVisible()
    view.show()
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert card.isVisible()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not card.isVisible()


def test_a_large_picture_needs_no_loupe(window):
    view = window(IMAGES, ImagesData((group("", 1, 28),)))
    view.resize(240, 150)
    hover(view, view.area_of(0, 0).center())
    assert HoverCard.of(view).isVisible()
    assert HoverCard.of(view).picture is None


def test_captions_use_the_room_beside_pictures_that_cannot_be_larger(show):
    long = tuple(f"{i}→{i + 1} · {i}.5" for i in range(5))
    wide, narrow = (show(IMAGES, ImagesData((group("", 5, 28, long),)), size=(width, 66)) for width in (400, 260))
    apart = [view.area_of(0, 1).left() - view.area_of(0, 0).left() for view in (wide, narrow)]
    assert wide.area_of(0, 0).width() == narrow.area_of(0, 0).width()
    assert apart[0] > apart[1]
    assert all(view.rect().contains(area.toAlignedRect()) for view in (wide, narrow) for area in areas(view, 0, 5))
