"""Bars and tables: what they show, what they answer to mouse and keys, what they hand out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chart_examples import (
    TABLE,
    a_table,
    as_csv,
    bars,
    count_near,
    pixels_of,
    shown,
    wheel,
)
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip

from engine.payloads import BarsData, Pick, TableData
from gui import theme
from gui.views.bars import logs_as_text, values_as_text
from gui.views.table import as_number


def accent_run(image: QImage, y: int) -> int:
    """How many pixels of a row have the accent colour."""
    wanted = np.array(QColor(theme.current().accent).getRgb()[:3])
    return int((np.abs(pixels_of(image)[y].astype(int) - wanted).max(axis=1) < 6).sum())


def test_bars_are_as_long_as_their_values(qtbot):
    view = bars([0.2, 0.8, 0.4], chosen=None, high=1)
    image = shown(qtbot, view, 400, 90)
    lengths = [accent_run(image, 13 + 27 * i) for i in range(3)]
    assert lengths[1] == pytest.approx(4 * lengths[0], rel=0.08)
    assert lengths[2] == pytest.approx(2 * lengths[0], rel=0.08)
    chosen = shown(qtbot, bars([0.2, 0.8, 0.4], chosen=1, high=1), 400, 90)
    assert [accent_run(chosen, 13 + 27 * i) > 0 for i in range(3)] == [False, True, False]


def test_the_right_answer_is_framed(qtbot):
    frame = QColor(theme.current().link).name()
    without, framed = (shown(qtbot, bars([0.5, 0.2], target, 0, high=1)) for target in (None, 1))
    assert count_near(framed, frame, 10) > 200 > count_near(without, frame, 10)


def test_negative_values_stand_left_of_zero(qtbot):
    view = bars([-1.0, 1.0], low=None)
    assert view.range() == (-1, 1)
    image = shown(qtbot, view, 400, 60)
    wanted = np.array(QColor(theme.current().accent).getRgb()[:3])
    middles = []
    for i in range(2):
        row = np.abs(pixels_of(image)[13 + 27 * i].astype(int) - wanted).max(axis=1) < 6
        middles.append(np.flatnonzero(row).mean())
    assert middles[0] < middles[1] - 50


def test_the_track_is_declared_or_round():
    assert bars([0.1, 0.3], high=1).range() == (0, 1)
    assert bars([12.5, 300.0]).range() == (0, 500)
    assert bars([0.1, 1.4], high=1).range() == (0, 2)
    assert bars([-3.0, 1.0]).range() == (-5, 1)
    assert bars([math.nan, 2.0]).range() == (0, 2)
    assert bars([0.0, 0.0]).range() == (0, 1)


def test_logarithmic_bars_are_as_long_as_their_powers_of_ten(qtbot):
    view = bars([1e-3, 1e-6, 1e-9, 0.0], chosen=None, low=1e-9, high=1, log=True)
    assert view.range() == (1e-9, 1)
    image = shown(qtbot, view, 400, 110)
    lengths = [accent_run(image, 13 + 27 * i) for i in range(4)]
    assert lengths[0] == pytest.approx(2 * lengths[1], rel=0.08)
    assert 0 < lengths[2] <= 2  # what is least is still there, what is zero is not
    assert lengths[3] == 0
    assert bars([3e-5, 20.0], low=None, log=True).range() == (1e-5, 100)
    assert bars([1e-12, 20.0], low=1e-8, high=1, log=True).range() == (1e-8, 100)
    assert bars([0.0, math.nan], log=True).range() == (1, 10)
    assert logs_as_text(np.array([0.3333, 1.234e-7, 0.0]), "J") == ["0.33 J", "1.2e-7 J", "0 J"]


def test_values_are_written_briefly():
    assert values_as_text(np.array([0.012, 0.871])) == ["0.01", "0.87"]
    assert values_as_text(np.array([1.0, 0.0])) == ["1.00", "0.00"]
    assert values_as_text(np.array([12.0, 3.0])) == ["12", "3"]
    assert values_as_text(np.array([123.45, 3.0]), "ms") == ["123.5 ms", "3.0 ms"]
    assert values_as_text(np.array([-0.001, 0.5])) == ["0.00", "0.50"]
    assert values_as_text(np.array([math.nan, 0.5])) == ["NaN", "0.50"]
    assert values_as_text(np.array([2e6, 1.0])) == ["2 M", "1"]


def test_bars_tell_and_pick(qtbot):
    view = bars([0.1, 0.9, 0.3], 2, 1, probes=True, unit="J")
    shown(qtbot, view)
    picks: list[tuple[Pick, bool]] = []
    view.gesture.connect(lambda gesture, edit: picks.append((gesture, edit)))
    QToolTip.hideText()
    qtbot.mouseMove(view, QPoint(100, 27 + 13))
    assert QToolTip.text() == "class 1: 0.9 J\nchosen"
    assert view.told(2) == "class 2: 0.3 J\nthe right answer"
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 13))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 290))  # below the last
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert picks == [(Pick(0), False), (Pick(2), False)]
    assert as_csv(view.csv_rows())[1] == {"label": "class 1", "value": "0.9", "mark": "chosen"}


def test_many_bars_scroll(qtbot):
    view = bars(np.linspace(0, 1, 100))
    shown(qtbot, view, 240, 130)
    assert view.bar_at(QPointF(50, 5)) == 0
    wheel(view, QPointF(50, 50), -3)
    assert view.bar_at(QPointF(50, 5)) == 9
    wheel(view, QPointF(50, 50), -500)
    assert view.bar_at(QPointF(50, 125)) == 99
    qtbot.keyClick(view, Qt.Key.Key_Down)
    view.selected = 99
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert view.selected == 98
    view.show_payload(BarsData(("a",), np.array([1.0])), 2)
    assert view.bar_at(QPointF(50, 5)) == 0


# --------------------------------------------------------------------------------------------------- tables


def test_tables_sort_numbers_as_numbers(qtbot):
    view = a_table()
    shown(qtbot, view)
    assert [row[0] for row in view.shown_rows()] == ["LeNet", "ResNet", "MLP"]
    head = view.table.horizontalHeader()
    for expected in (["LeNet", "MLP", "ResNet"], ["ResNet", "MLP", "LeNet"], ["LeNet", "ResNet", "MLP"]):
        at = QPoint(head.sectionViewportPosition(2) + 20, head.height() // 2)
        qtbot.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert [row[0] for row in view.shown_rows()] == expected
    assert view.csv_rows()[1] == ["LeNet", "98.7 %", "61,706"]


def test_tables_are_copied_as_a_spreadsheet_takes_them(qtbot):
    view = a_table()
    shown(qtbot, view)
    view.table.selectRow(1)
    view.table.setFocus()
    view.copy()
    assert QGuiApplication.clipboard().text() == "Model\tAccuracy\tParameters\nResNet\t99.4 %\t1.2 M"
    view.reset_view()
    view.copy()
    assert QGuiApplication.clipboard().text().count("\n") == 3


def test_new_rows_keep_the_selection_and_enter_picks(qtbot):
    view = a_table(probes=True)
    shown(qtbot, view)
    view.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    view.table.selectRow(0)
    changed = TableData(TABLE.columns, (TABLE.rows[0], ("ResNet", "99.5 %", "1.2 M"), TABLE.rows[2]))
    view.show_payload(changed, 2)
    assert [i.row() for i in view.table.selectionModel().selectedRows()] == [0]
    with qtbot.waitSignal(view.gesture) as caught:
        view.table.activated.emit(view.table.model().index(0, 0))
    assert caught.args == [Pick(1), False]
    view.clear()
    assert view.csv_rows() == []
    assert not view.table.isVisible()


def test_columns_give_up_the_room_for_their_arrows_before_they_are_cut(qtbot):
    view = a_table()
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    view.show_payload(TABLE, 1)
    head = view.table.horizontalHeader()
    wanted = [head.sectionSizeHint(column) for column in range(len(TABLE.columns))]
    assert all(head.sectionSize(column) >= wide for column, wide in enumerate(wanted))
    view.resize(sum(wanted) - 12, 200)
    qtbot.waitUntil(lambda: head.sectionSize(0) < wanted[0] or head.sectionSize(1) < wanted[1])
    assert view.table.horizontalScrollBar().maximum() == 0
    assert all(head.sectionSize(at) >= view.table.sizeHintForColumn(at) for at in range(len(wanted)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,204", 1204.0),
        ("98.7 %", 98.7),
        ("1.2 M", 1.2e6),
        ("-3e-4", -3e-4),
        ("5 ms", 5.0),
        ("cat", None),
        ("", None),
        ("3 cats sat", None),
        (".", None),
        (",", None),
    ],
)
def test_what_a_cell_is_worth(text, value):
    assert as_number(text) == value


def test_columns_widen_as_their_numbers_grow_and_stay_so(qtbot):
    def rows(value):
        return TableData(("name", "loss", "step"), tuple((f"run {n}", f"{value:.2f}", f"{n}") for n in range(4)))

    view = a_table()
    view.show_payload(rows(1.11), 1)
    shown(qtbot, view, 420, 200)
    before = view.table.columnWidth(1)
    view.show_payload(rows(-10_000_000), 2)
    assert view.table.columnWidth(1) >= view.table.sizeHintForColumn(1) > before
    wide = view.table.columnWidth(1)
    view.show_payload(rows(-88_888_888), 3)  # as many digits: nothing moves, nothing is cut
    assert view.table.columnWidth(1) == wide >= view.table.sizeHintForColumn(1)
    view.show_payload(rows(0), 4)
    view.show_payload(TableData(("name", "loss", "step"), ()), 5)
    view.show_payload(rows(-123_456_789_123), 6)
    assert view.table.columnWidth(1) >= view.table.sizeHintForColumn(1)


def test_the_width_that_the_viewer_gave_a_column_stays(qtbot):
    view = a_table()
    shown(qtbot, view, 420, 200)
    head, handle = view.table.horizontalHeader(), view.window().windowHandle()
    edge = head.viewport().mapTo(view.window(), QPoint(head.sectionSize(0) - 1, head.height() // 2))
    QTest.mouseMove(handle, edge)
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, edge)
    for moved in (10, 20, 40):
        QTest.mouseMove(handle, edge + QPoint(moved, 0))
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, edge + QPoint(40, 0))
    chosen = view.table.columnWidth(0)
    view.show_payload(TableData(TABLE.columns, tuple((a, b, f"{c},000,000") for a, b, c in TABLE.rows)), 2)
    assert view.table.columnWidth(2) >= view.table.sizeHintForColumn(2)
    assert view.table.columnWidth(0) == chosen


def test_the_copy_key_copies_rows_where_the_window_has_one_of_its_own(qtbot):
    view = a_table()
    pressed = []
    other = QAction("Copy picture", view)
    other.setShortcut(QKeySequence.StandardKey.Copy)
    other.triggered.connect(lambda: pressed.append(1))
    view.addAction(other)
    shown(qtbot, view)
    view.table.setFocus()
    view.table.selectRow(1)
    QGuiApplication.clipboard().clear()
    qtbot.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().splitlines()[1].startswith("ResNet\t")
    assert not pressed
