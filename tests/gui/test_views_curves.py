"""Curves: what they show, what they answer to mouse and keys, what they hand out."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from chart_examples import (
    a_history,
    as_csv,
    count_near,
    curves,
    picture,
    pixels_of,
    shown,
    wheel,
)
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QToolTip

from engine.recorder import MetricHistory
from engine.views import Curves
from gui import theme
from gui.views.curve_paint import finite_pieces, one_per_pixel, smoothed_over, steady_range
from gui.views.curves import CurvesView, Flag
from gui.views.scales import Axis, short_names, spread_apart


def test_curves_are_drawn_in_the_class_colours_where_the_data_is(qtbot):
    history = MetricHistory()
    history.append("train loss", np.arange(100), np.full(100, 1.0))
    history.append("validation loss", np.arange(100), np.full(100, 3.0))
    image = shown(qtbot, curves(history))
    rows = []
    for colour in theme.current().classes[:2]:
        wanted = np.array(QColor(colour).getRgb()[:3])
        found = np.abs(pixels_of(image)[:, 60:250].astype(int) - wanted).max(axis=2) <= 40
        assert found.any(axis=0).mean() > 0.95  # all along
        rows.append(np.flatnonzero(found.any(axis=1)).mean())
    assert rows[1] < rows[0] - 100  # 3 lies above 1
    assert count_near(image, theme.current().classes[2]) == 0


def test_only_the_metrics_that_have_come_are_shown(qtbot):
    view = curves(metrics=("train loss", "validation loss", "never"))
    empty = shown(qtbot, view)
    assert view.empty_text() == "Press Space to start training"
    assert view.csv_rows() == []
    history = MetricHistory()
    history.append("other", [1], [1.0])
    view.show_metrics(history, 1)
    assert view.empty_text() == "Not measured yet"
    view.show_metrics(a_history(), 1000)
    assert view.names() == ("train loss", "validation loss")
    assert count_near(picture(view), theme.current().classes[0]) > 100 > count_near(empty, theme.current().classes[0])
    rows = as_csv(view.csv_rows())
    assert [rows[0]["step"], rows[-1]["step"]] == ["1", "1000"]
    assert float(rows[0]["train loss"]) == pytest.approx(2 * math.exp(-0.004) + 0.1)
    assert (rows[1]["validation loss"], rows[10]["validation loss"] != "") == ("", True)
    view.clear()
    assert picture(view) == empty


def test_zooming_keeps_the_step_under_the_pointer_and_a_double_click_resets(qtbot):
    view = curves(a_history())
    shown(qtbot, view)
    at = QPointF(150, 120)
    before = view._x.value(at.x())
    wheel(view, at, 4)
    picture(view)
    assert view.window_of_steps is not None
    assert view.window_of_steps[1] - view.window_of_steps[0] < 500
    assert view._x.value(at.x()) == pytest.approx(before, abs=1)
    wheel(view, at, -9)
    assert view.window_of_steps is None
    # dragging selects
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(view, QPoint(200, 120))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 120))
    first, last = view.window_of_steps
    assert first == pytest.approx(view_steps(view, 100), abs=2)
    assert last == pytest.approx(view_steps(view, 200), abs=2)
    picture(view)
    assert {row["step"] for row in as_csv(view.csv_rows())} < {str(s) for s in range(1, 1001)}
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(150, 100))
    assert view.window_of_steps is None


def view_steps(view: CurvesView, x: float) -> float:
    """The step at a pixel of the whole, unzoomed axis."""
    return Axis(0, 1000, view._x.start, view._x.end).value(x)


def test_a_zoom_that_ends_at_the_newest_step_moves_along(qtbot):
    history = a_history()
    view = curves(history)
    shown(qtbot, view)
    view.zoom(4, view._x.end)
    assert view.window_of_steps == pytest.approx((750, 1000), abs=2)
    history.append("train loss", np.arange(1001, 1501), np.ones(500))
    view.show_metrics(history, 1500)
    assert view.window_of_steps == pytest.approx((1250, 1500), abs=2)
    picture(view)
    view.zoom(2, view._x.start)  # no longer at the end: it stays
    kept = view.window_of_steps
    history.append("train loss", [1501], [1.0])
    view.show_metrics(history, 1501)
    assert view.window_of_steps == kept
    view.show_metrics(a_history(), 1000)  # another run
    assert view.window_of_steps is None


def test_the_crosshair_reads_every_metric(qtbot):
    history = a_history()
    view = curves(history, unit="nats")
    shown(qtbot, view)
    still = picture(view)
    qtbot.mouseMove(view, QPoint(150, 150))
    step = round(view._x.value(150))
    assert picture(view) != still
    assert view._reading("train loss", step) == f"{history.at('train loss', step):.3g} nats"
    assert view._reading("validation loss", 0) == "–"
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view._cross is None
    qtbot.keyClick(view, Qt.Key.Key_Right)
    first = view._cross
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view._cross > first
    for _ in range(120):
        qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view._cross <= 1000


def test_keys_toggle_log_and_smoothing(qtbot):
    view = curves(a_history())
    linear = shown(qtbot, view)
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    qtbot.keyClick(view, Qt.Key.Key_L)
    assert view.log_y.isChecked()
    logarithmic = picture(view)
    assert logarithmic != linear
    qtbot.keyClick(view, Qt.Key.Key_X)
    assert view.log_x.isChecked()
    assert picture(view) != logarithmic
    name = view.smoother.text()
    qtbot.keyClick(view, Qt.Key.Key_M)
    assert view.smoother.text() != name
    wheel(view, QPointF(100, 100), -1, Qt.KeyboardModifier.ShiftModifier)
    assert view.smoother.text() == name


def test_a_flag_tells_what_was_turned(qtbot):
    view = curves(a_history())
    without = shown(qtbot, view)
    view.set_flags([Flag(500, "Learning rate 0.1 → 0.01")])
    with_flag = picture(view)
    assert count_near(with_flag, theme.current().warning) > count_near(without, theme.current().warning) + 10
    QToolTip.hideText()
    qtbot.mouseMove(view, QPoint(round(view._x.pixel(500)), 5))
    assert QToolTip.text() == "step 500: Learning rate 0.1 → 0.01"


def test_bad_values_leave_a_gap_and_a_cross(qtbot):
    history = MetricHistory()
    values = np.ones(100)
    values[40:60] = np.nan
    values[55] = np.inf
    history.append("train loss", np.arange(100), values)
    image = shown(qtbot, curves(history))
    assert count_near(image, theme.current().bad) > 10
    view = curves(history)
    shown(qtbot, view)
    (line,) = view._lines
    assert [(s.start, s.stop) for s in finite_pieces(line.y)] == [(0, 40), (60, 100)]


def test_a_first_value_out_of_all_proportion_does_not_flatten_the_rest(qtbot):
    history = MetricHistory()
    history.append("train loss", np.arange(1, 501), np.r_[1e6, 2 * np.exp(-np.arange(499) / 100)])
    view = curves(history)
    shown(qtbot, view)
    assert view._y.high < 50
    view.outliers.setChecked(True)
    picture(view)
    assert view._y.high > 1e6


def test_the_best_step_is_marked(qtbot):
    history = a_history()
    history.append("validation loss", np.arange(1001, 1301), np.linspace(0.5, 1.0, 300))
    plain, marked = curves(history), curves(history, best="low")
    assert marked._best() == (991, pytest.approx(history.at("validation loss", 991)))
    assert plain._best() is None
    assert shown(qtbot, plain) != shown(qtbot, marked)


def test_rewinding_veils_what_lies_ahead(qtbot):
    history = a_history()
    view = curves(history)
    full = count_near(shown(qtbot, view), theme.current().classes[0])
    view.show_metrics(history, 300)
    image = picture(view)
    assert count_near(image, theme.current().accent, 8) > 100
    assert count_near(image, theme.current().classes[0]) < 0.75 * full  # the readings at the cursor have its colour too


def test_an_unchanged_history_is_not_drawn_again(qtbot):
    class Counting(CurvesView):
        updates = 0

        def update(self) -> None:
            self.updates += 1

    history = a_history()
    view = Counting(Curves("Loss", metrics=("train loss",), help="Loss"))
    qtbot.addWidget(view)
    view.show_metrics(history, 1000)
    before = view.updates
    view.show_metrics(history, 1000)
    assert view.updates == before
    history.append("train loss", [1001], [1.0])
    view.show_metrics(history, 1001)
    assert view.updates == before + 1


@pytest.mark.parametrize("options", [{}, {"log_y": True}, {"percent": True}])
@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [-1.0, -2.0, -3.0], [math.nan], [1e-30, 1e30], [5.0] * 3])
def test_odd_curves_are_drawn(qtbot, options, values):
    history = MetricHistory()
    history.append("train loss", np.arange(len(values)), values)
    for log_x in (False, True):
        view = curves(history, **options)
        view.log_x.setChecked(log_x)
        shown(qtbot, view)


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)), min_size=1, max_size=20),
    st.booleans(),
)
def test_the_range_holds_the_data_and_does_not_jump(spans, share):
    now = None
    for low, height in spans:
        before, now = now, steady_range(now, low, low + height, log=False, share=share)
        assert now[0] <= low
        assert now[1] >= low + height
        assert now[0] < now[1]
        if low >= 0 and now != before:
            assert now[0] >= 0
        if (
            before is not None
            and before[0] <= low
            and low + height <= before[1]
            and height > 0.6 * (before[1] - before[0])
        ):
            assert now == before


def test_what_is_always_zero_stands_on_an_axis_that_can_be_read():
    assert steady_range(None, 0.0, 0.0, log=False, share=False) == (0, 1)
    assert steady_range(None, 0.0, 0.0, log=False, share=True) == (0, 1)


@given(st.floats(1e-9, 1e9), st.floats(1, 1e6))
def test_a_logarithmic_range_holds_the_data(low, factor):
    bottom, top = steady_range(None, low, low * factor, log=True, share=False)
    assert 0 < bottom <= low * (1 + 1e-9)
    assert top >= low * factor * (1 - 1e-9)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50), st.floats(0.1, 100))
def test_smoothing_is_the_exponential_mean(values, width):
    y = np.array(values)
    x = np.arange(len(y)) * 2.0
    found = smoothed_over(x, y, width)
    for i in range(len(y)):
        weights = np.exp(-(x[i] - x[: i + 1]) / width)
        assert found[i] == pytest.approx((weights * y[: i + 1]).sum() / weights.sum(), rel=1e-6, abs=1e-6)


def test_entries_of_one_pixel_are_merged():
    x, low, high, mean = one_per_pixel(
        np.array([0.1, 0.6, 1.2, 3.0]),
        np.array([9.0, 8.0, 7.0, 6.0]),
        np.array([1.0, 0.5, 2.0, 3.0]),
        np.array([5.0, np.nan, 4.0, 4.0]),
    )
    assert x.tolist() == [0.1, 1.2, 3.0]
    assert low.tolist() == [9, 7, 6]
    assert high.tolist() == [0.5, 2, 3]
    assert mean.tolist() == [5, 4, 4]


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e9), st.booleans(), st.integers(2, 12))
def test_axes_go_there_and_back_with_few_ticks(low, span, log, count):
    low = abs(low) + 1e-3 if log else low
    axis = Axis(low, low + span, 400, 20, log=log)
    middle = axis.value(200)
    assert axis.pixel(middle) == pytest.approx(200, abs=0.01)
    axis.choose_ticks(count)
    assert len(axis.ticks) <= 3 * count + 3
    assert all(low - 0.001 * span <= value <= low + span * 1.01 for value, _ in axis.ticks)


def test_ticks_are_numbers_a_person_would_write():
    def ticks(*arguments, **options):
        axis = Axis(*arguments, 0, 300, **options)
        axis.choose_ticks(4)
        return [text for _, text in axis.ticks]

    assert ticks(0, 1, percent=True) == ["0 %", "50 %", "100 %"] or ticks(0, 1, percent=True)[-1] == "100 %"
    assert ticks(0, 2000, whole=True) == ["0", "500", "1,000", "1,500", "2,000"]
    assert ticks(0, 3, whole=True) == ["0", "1", "2", "3"]
    assert ticks(1, 1e6, whole=True, log=True) == ["1", "100", "10,000", "1 M"]
    assert ticks(0.01, 1, log=True)[0] == "0.01"
    assert ticks(0, 10_000_000, whole=True)[1:] == ["5 M", "10 M"]


def test_names_are_shortened_and_labels_keep_apart():
    assert short_names(["train loss", "validation loss"]) == ["train", "validation"]
    assert short_names(["loss of D", "loss of G"]) == ["D", "G"]
    assert short_names(["loss"]) == ["loss"]
    assert short_names(["loss", "loss"]) == ["loss", "loss"]
    assert spread_apart([10, 11, 50], 12, 0, 60) == [10, 22, 50]
    assert spread_apart([58, 59], 12, 0, 60) == [48, 60]


def test_ten_million_points_are_drawn_as_fast_as_ten_thousand(qtbot):
    rng, views = np.random.default_rng(0), []
    for count in (10_000, 10_000_000):
        history = MetricHistory()
        for name in ("train loss", "validation loss"):
            for start in range(0, count, 1_000_000):
                steps = np.arange(start, min(count, start + 1_000_000))
                history.append(name, steps, np.exp(-steps * (5 / count)) + 0.05 * rng.standard_normal(len(steps)))
        views.append(curves(history))
        shown(qtbot, views[-1], 600, 350)
    ratios = []
    for _ in range(4):
        best = [math.inf, math.inf]
        for _ in range(25):
            for i, view in enumerate(views):
                begin = time.perf_counter()
                view.grab()
                best[i] = min(best[i], time.perf_counter() - begin)
        ratios.append(best[1] / best[0])
        if ratios[-1] <= 1.2:
            return
    raise AssertionError(f"drawing 10 million points takes {min(ratios):.2f} times as long as 10 thousand")


def test_a_drag_ends_where_the_run_is_replaced_under_it(qtbot):
    view = curves(a_history())
    shown(qtbot, view)
    for modifier in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier):
        wheel(view, QPointF(150, 120), 4)  # Shift and a drag move what is enlarged
        picture(view)
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, modifier, QPoint(120, 100))
        qtbot.mouseMove(view, QPoint(180, 100))
        view.show_metrics(MetricHistory(), 0)
        qtbot.mouseMove(view, QPoint(210, 100))
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, QPoint(220, 100))
        assert view.window_of_steps is None
        picture(view)
        view.show_metrics(a_history(), 1000)
        picture(view)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(120, 100))
    view.clear()
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(220, 100))
    assert view.window_of_steps is None


def test_a_drag_over_a_history_that_was_cut_to_nothing_zooms_nowhere(qtbot):
    history = a_history()
    view = curves(history)
    shown(qtbot, view)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(120, 100))
    qtbot.mouseMove(view, QPoint(180, 100))
    history.cut(0)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(220, 100))
    assert view.window_of_steps is None
    view.zoom(2)
    assert view.window_of_steps is None
