"""Pictures and heatmaps: what they show, what they answer to mouse and keys, what they hand out."""

from __future__ import annotations

import numpy as np
import pytest
from chart_examples import (
    as_csv,
    heatmap,
    images,
    picture,
    pixels_of,
    shown,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QToolTip

from engine.payloads import CellPick, HeatmapData, ImageGroup, ImagesData, Pick
from gui.colour import lookup_table
from gui.views.pixels import coloured, enlarged, reduced, tiled


def test_pictures_are_as_large_as_fit_and_show_their_pixels(qtbot):
    chess = np.indices((5, 5)).sum(axis=0) % 2
    view = images(np.stack([chess, 1 - chess]).astype(np.float32))
    seen = pixels_of(shown(qtbot, view, 360, 180))
    first, second = view.area_of(0, 0), view.area_of(0, 1)
    assert first.width() == second.width() >= 170
    assert not first.intersects(second)
    for index, area in enumerate((first, second)):
        for row in range(5):
            for column in range(5):
                x, y = (area.left() + (column + 0.5) * area.width() / 5, area.top() + (row + 0.5) * area.height() / 5)
                assert seen[int(y), int(x)].tolist() == [255 * ((row + column + index) % 2)] * 3
                assert view.picture_at(QPointF(x, y)) == (0, index, row, column)
    assert view.picture_at(QPointF(first.right() + 1, first.center().y())) is None


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 70), st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4),
    st.integers(120, 900),
    st.integers(80, 700),
    st.integers(0, 9),
)
def test_no_picture_is_clipped_nor_lies_on_another(groups, width, height, columns):
    payload = {f"group {i}": np.zeros(shape, np.float32) for i, shape in enumerate(groups)}
    view = images(payload, columns=columns)
    view.resize(width, height)
    view._lay_out()
    areas = [
        area for i, (count, _, _) in enumerate(groups) for n in range(count) if (area := view.area_of(i, n)) is not None
    ]
    assert areas
    tall = any(h > 3 * w for _, h, w in groups)  # a picture much taller than wide may not fit even at the least width
    for i, area in enumerate(areas):
        assert area.left() >= 0
        assert area.right() <= width + 0.01
        assert tall or area.bottom() <= height
        assert not any(area.intersects(other) for other in areas[i + 1 :])
    assert len(areas) + view._left_out == sum(count for count, _, _ in groups)
    view.deleteLater()


def test_too_many_pictures_are_counted(qtbot):
    view = images(np.zeros((2000, 8, 8), np.float32))
    shown(qtbot, view, 200, 120)
    on_view = sum(view.area_of(0, n) is not None for n in range(2000))
    assert 0 < on_view < 2000
    assert view._left_out == 2000 - on_view


def test_colour_scales(qtbot):
    signed = np.array([[[-1.0, 0.0], [0.5, 2.0]]], np.float32)
    view = images({"w": signed}, colour="diverging")
    shown(qtbot, view)
    name, low, high = view._range(view.payload.groups[0])
    assert (name, float(low), float(high)) == ("diverging", -2, 2)
    two = images(np.stack([np.full((2, 2), 0.2), np.array([[0, 0.5], [0.5, 0.4]])]).astype(np.float32))
    assert two._range(two.payload.groups[0]) == ("grey", 0.0, 1.0)
    before = shown(qtbot, two)
    two.shared.trigger()
    _, low, high = two._range(two.payload.groups[0])
    np.testing.assert_allclose(np.ravel(high), [0.7, 0.5])  # a flat picture gets a range around its value
    assert picture(two) != before
    two.reset_view()
    assert picture(two) == before
    raw = images(np.stack([np.full((2, 2), 30.0), np.full((2, 2), 90.0)]))
    _, low, high = raw._range(raw.payload.groups[0])
    assert (float(low), float(high)) == (30, 90)
    rgb = images(np.ones((1, 4, 4, 3)) * np.array([1.0, 0.0, 0.5]))
    seen = pixels_of(shown(qtbot, rgb))
    assert seen[150, 180].tolist() == [255, 0, 127]
    missing = images(np.full((1, 2, 2), np.nan))
    assert pixels_of(shown(qtbot, missing))[150, 180].tolist() == [128, 128, 128]


def test_hovering_enlarges_and_reads_the_pixel(qtbot):
    values = np.arange(32, dtype=np.float32).reshape(2, 4, 4) / 32
    view = images(ImagesData((ImageGroup("maps", values, ("a cat", "a dog")),)))
    still = shown(qtbot, view)
    area = view.area_of(0, 1)
    qtbot.mouseMove(view, QPointF(area.left() + area.width() * 0.6, area.top() + area.height() * 0.3).toPoint())
    assert view._hovered == (0, 1, 1, 2)
    assert view.lines_about(0, 1, 1, 2) == ["0.688", "a dog", "row 1, column 2"]
    assert view.lines_about(0, 1, -1, -1)[0] == "0.5 to 0.969"
    assert picture(view) != still
    assert view.loupe(0, 1, 1, 2).width() == 112
    qtbot.mouseMove(view, QPoint(1, 1))
    assert view._hovered is None


def test_clicks_and_keys_pick_pictures(qtbot):
    payload = {"a": np.zeros((3, 4, 4)), "b": np.zeros((2, 4, 4))}
    view = images(payload, probes=True)
    shown(qtbot, view)
    picks: list[tuple[Pick, bool]] = []
    view.gesture.connect(lambda gesture, edit: picks.append((gesture, edit)))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.area_of(1, 1).center().toPoint())
    assert picks == [(Pick(1, "b"), False)]
    assert view.selected == (1, 1)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert view.selected == (0, 2)  # on into the group before
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert picks[-1] == (Pick(2, "a"), False)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.selected is None
    quiet = images(payload)
    shown(qtbot, quiet)
    quiet.gesture.connect(lambda *_: picks.append(()))
    qtbot.mouseClick(quiet, Qt.MouseButton.LeftButton, pos=quiet.area_of(0, 0).center().toPoint())
    assert len(picks) == 2


def test_tabs_show_one_group_at_a_time(qtbot):
    view = images({"filters": np.zeros((2, 3, 3)), "maps": np.zeros((5, 6, 6))}, tabs=True)
    shown(qtbot, view)
    assert (view.area_of(0, 0) is None, view.area_of(1, 0) is None) == (False, True)
    qtbot.mouseClick(view._tabs.chips[1], Qt.MouseButton.LeftButton)
    assert (view.area_of(0, 0) is None, view.area_of(1, 0) is None) == (True, False)
    assert view._tabs.chips[1].isChecked()
    view.show_payload(view.payload, 2)  # the next frame keeps the tab
    assert view.area_of(1, 4) is not None
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    assert view.area_of(0, 0) is not None


def test_no_picture_no_group(qtbot):
    view = images(np.zeros((0, 4, 4)))
    shown(qtbot, view)
    assert view.csv_rows() == []
    view.show_payload(ImagesData(()), 2)
    picture(view)
    view.show_payload(ImagesData((ImageGroup("a", np.zeros((1, 2, 2), np.float32)),)), 3)
    assert len(view.csv_rows()) == 3
    assert as_csv(view.csv_rows())[1]["row"] == "1"


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60))
def test_enlarging_repeats_pixels_and_reducing_averages_them(rows, columns, height, width):
    values = np.random.default_rng(0).random((2, rows, columns)).astype(np.float32)
    less = reduced(values, height, width)
    assert less.shape == (2, min(rows, height), min(columns, width))
    assert less.min() >= values.min() - 1e-6
    assert less.max() <= values.max() + 1e-6
    if rows % height == 0 and columns % width == 0:
        exact = values.reshape(2, height, rows // height, width, columns // width).mean(axis=(2, 4))
        np.testing.assert_allclose(less, exact, rtol=1e-5)
    words = coloured(less, "viridis", 0.0, 1.0)
    large = enlarged(words, height, width)
    assert large.shape == (2, height, width)
    assert set(large[0].ravel().tolist()) == set(words[0].ravel().tolist())


def test_tiles_are_transparent_between():
    image = tiled(np.full((3, 4, 4), 0xFFFFFFFF, np.uint32), 2, (6, 6))
    assert (image.width(), image.height()) == (12, 12)
    assert QColor(image.pixelColor(1, 1)).alpha() == 255
    assert QColor(image.pixelColor(5, 1)).alpha() == 0
    assert QColor(image.pixelColor(7, 7)).alpha() == 0  # there is no fourth


# --------------------------------------------------------------------------------------------------- heatmaps


def test_cells_have_the_colours_of_their_values(qtbot):
    values = np.arange(12, dtype=np.float32).reshape(3, 4) / 11
    view = heatmap(values, low=0, high=1)
    seen = pixels_of(shown(qtbot, view, 400, 300))
    table = lookup_table("viridis")
    for row in range(3):
        for column in range(4):
            centre = view.cell_area(row, column).center()
            wanted = table[int(values[row, column] * 255)]
            assert np.abs(seen[int(centre.y()), int(centre.x())].astype(int) - wanted).max() <= 3
            assert view.cell_at(centre) == (row, column)
    assert view.cell_at(QPointF(1, 300.5)) is None


def test_square_matrices_have_square_cells_in_the_middle(qtbot):
    view = heatmap(np.eye(10))
    shown(qtbot, view, 600, 240)
    cell = view.cell_area(0, 0)
    assert cell.width() == pytest.approx(cell.height())
    last = view.cell_area(9, 9)
    assert cell.top() >= 0
    assert last.bottom() <= 240
    assert cell.left() - 0 == pytest.approx(600 - last.right(), abs=60)  # the scale stands at the right


def test_hover_reads_a_cell_and_lights_its_row(qtbot):
    data = HeatmapData(np.array([[0.25, 0.5], [0.75, 1.0]]), ("cat", "dog"), ("is cat", "is dog"))
    view = heatmap(data, row_axis="true class", column_axis="predicted")
    still = shown(qtbot, view)
    QToolTip.hideText()
    qtbot.mouseMove(view, view.cell_area(1, 0).center().toPoint())
    assert QToolTip.text() == "0.75\ntrue class: dog\npredicted: is cat"
    assert picture(view) != still
    plain = heatmap(np.array([[0.25, 0.5], [0.75, 1.0]]))
    assert plain.told(0, 1) == "0.5\nrow: 0\ncolumn: 1"


def test_thumbnails_choose_the_matrix(qtbot):
    values = np.stack([np.full((4, 4), k / 3, np.float32) for k in range(4)])
    view = heatmap(HeatmapData(values, names=tuple("abcd")), low=0, high=1)
    shown(qtbot, view)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view._thumb_area(2).center().toPoint())
    assert view.chosen == 2
    assert view.values()[0, 0] == pytest.approx(2 / 3)
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    assert view.chosen == 0
    QToolTip.hideText()
    qtbot.mouseMove(view, view._thumb_area(3).center().toPoint())
    assert QToolTip.text() == "d"
    view.average.trigger()
    assert view.values()[0, 0] == pytest.approx(0.5)
    view.choose(1)
    assert not view.average.isChecked()
    view.show_payload(HeatmapData(values[:1]), 2)  # fewer than before
    assert view.chosen == 0
    picture(view)


def test_hundreds_of_thumbnails_leave_room_for_the_matrix(qtbot):
    view = heatmap(np.random.default_rng(0).random((144, 12, 12)))
    shown(qtbot, view, 240, 200)
    assert view.cell_area(11, 11).bottom() <= 200
    assert view.cell_area(0, 0).height() >= 6
    view.choose(143)
    picture(view)
    assert view._thumb_area(143) is not None
    assert view._thumb_area(0) is None


def test_clicks_and_keys_pick_cells(qtbot):
    view = heatmap(np.eye(3), probes=True)
    shown(qtbot, view)
    picks: list[tuple[CellPick, bool]] = []
    view.gesture.connect(lambda gesture, edit: picks.append((gesture, edit)))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.cell_area(2, 1).center().toPoint())
    assert picks == [(CellPick(0, 2, 1), False)]
    for _ in range(5):
        qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.selected == (0, 2)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert picks[-1] == (CellPick(0, 0, 2), False)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.selected is None
    view.selected = (2, 2)
    view.show_payload(HeatmapData(np.eye(2)[None]), 2)  # smaller than before
    assert view.selected is None


def test_numbers_are_written_where_there_is_room(qtbot):
    plain, written = (heatmap(np.eye(4), numbers=on) for on in (False, True))
    assert shown(qtbot, plain) != shown(qtbot, written)
    small = (heatmap(np.full((200, 200), 0.5), numbers=on) for on in (False, True))
    assert shown(qtbot, next(small)) == shown(qtbot, next(small))


def test_a_large_matrix_is_averaged_not_thinned(qtbot):
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (512, 256))
    view = heatmap(stripes, low=0, high=1, colour="grey")
    seen = pixels_of(shown(qtbot, view, 220, 220))
    assert abs(int(seen[110, 110, 0]) - 127) < 70


def test_names_that_are_left_out_leave_ticks_at_those_that_stand(qtbot):
    """Which column a name belongs to is seen, and no names vanish without a word."""
    names = tuple(f"word {letter}" for letter in "abcdefghijklmnopqrst")
    values = np.zeros((len(names), len(names)))
    view = heatmap(HeatmapData(values, names, names))
    crowded = shown(qtbot, view, 240, 200)

    def ticked(image, column):
        cell, seen = view.cell_area(len(names) - 1, column), pixels_of(image).astype(int)
        below = seen[int(cell.bottom()) + 2, int(cell.center().x()) - 1 : int(cell.center().x()) + 2]
        return bool((np.abs(below - seen[0, 0]).max(axis=1) > 30).any())

    assert [ticked(crowded, column) for column in range(4)] == [True, False, True, False]
    wide = shown(qtbot, view, 900, 700)
    assert not any(ticked(wide, column) for column in range(4))  # every column is named


def test_a_matrix_too_small_for_names_says_where_they_are(qtbot):
    names = ("cat", "dog")
    view = heatmap(HeatmapData(np.eye(2), names, names), hint="choose one")
    hints = []
    view.hint.connect(hints.append)
    shown(qtbot, view, 130, 90)
    assert hints[-1] == "names on hover"
    QToolTip.hideText()
    qtbot.mouseMove(view, view.cell_area(1, 0).center().toPoint())
    assert QToolTip.text().endswith("column: cat")
    shown(qtbot, view, 400, 300)
    assert hints[-1] == ""  # the description's own is back
    plain = heatmap(np.eye(2))
    plain.hint.connect(hints.append)
    shown(qtbot, plain, 130, 90)
    assert hints[-1] == ""
