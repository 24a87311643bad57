"""The metric history against brute force."""

from __future__ import annotations

import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recorder import Decimated, MetricHistory

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
CHUNKS = st.lists(st.lists(st.tuples(st.integers(1, 5), VALUES), max_size=40), min_size=1, max_size=8)


def filled(chunks: list[list[tuple[int, float]]], keep: int) -> tuple[MetricHistory, np.ndarray, np.ndarray]:
    """A history, and all that was put into it."""
    history, step, steps, values = MetricHistory(keep), 0, [], []
    for chunk in chunks:
        first = len(steps)
        for gap, value in chunk:
            step += gap
            steps.append(step)
            values.append(value)
        history.append("loss", steps[first:], values[first:])
    return history, np.array(steps, np.int64), np.array(values, np.float64)


def check_against_brute_force(found: Decimated, steps: np.ndarray, values: np.ndarray) -> None:
    """Each entry stands for the points from its step up to the next entry's; the last one may end anywhere."""
    assert (np.diff(found.steps) > 0).all()
    ends = [*found.steps[1:].tolist(), None]
    for i, (start, end) in enumerate(zip(found.steps.tolist(), ends, strict=True)):
        if end is None:
            continue
        inside = values[(steps >= start) & (steps < end)]
        finite = inside[np.isfinite(inside)]
        assert found.bad[i] == len(inside) - len(finite)
        if len(finite):
            assert (found.low[i], found.high[i]) == (finite.min(), finite.max())
            assert found.mean[i] == pytest.approx(finite.mean(), rel=1e-9, abs=1e-6)
        else:
            assert np.isnan([found.low[i], found.high[i], found.mean[i]]).all()


@settings(deadline=None, max_examples=200)
@given(CHUNKS, st.integers(2, 64), st.integers(1, 50), st.data())
def test_decimated_agrees_with_brute_force(chunks, keep, buckets, data):
    history, steps, values = filled(chunks, keep)
    if not len(steps):
        assert history.names() == ()
        assert len(history.decimated("loss", 0, 100, 10).steps) == 0
        return
    end = int(steps[-1])
    first = data.draw(st.integers(0, end))
    last = data.draw(st.integers(first, end + 3))
    found = history.decimated("loss", first, last, buckets)
    assert len(found.steps) <= buckets + 3
    check_against_brute_force(found, steps, values)
    # nothing in the window is left out
    assert found.steps[0] <= max(first, int(steps[0]))
    whole = history.decimated("loss", 0, end, buckets)
    assert whole.steps[0] == steps[0]
    assert whole.bad.sum() == (~np.isfinite(values)).sum()
    if np.isfinite(values).any():
        assert np.nanmin(whole.low) == values[np.isfinite(values)].min()
        assert np.nanmax(whole.high) == values[np.isfinite(values)].max()


@settings(deadline=None, max_examples=200)
@given(CHUNKS, st.data())
def test_what_is_kept_whole_is_exact(chunks, data):
    history, steps, values = filled(chunks, 1000)
    if not len(steps):
        return
    found = history.decimated("loss", 0, int(steps[-1]), 1000)
    np.testing.assert_array_equal(found.steps, steps)
    np.testing.assert_array_equal(found.mean, np.where(np.isfinite(values), values, np.nan))
    step = data.draw(st.integers(0, int(steps[-1]) + 2))
    before = np.flatnonzero(steps <= step)
    if len(before):
        np.testing.assert_array_equal(history.at("loss", step), values[before[-1]])
    else:
        assert history.at("loss", step) is None
    finite = np.isfinite(values)
    if finite.any():
        lowest = int(np.where(finite, values, np.inf).argmin())
        highest = int(np.where(finite, values, -np.inf).argmax())
        assert history.best("loss") == (steps[lowest], values[lowest])
        assert history.best("loss", lowest=False) == (steps[highest], values[highest])
    else:
        assert history.best("loss") is None


@settings(deadline=None, max_examples=200)
@given(CHUNKS, st.integers(2, 64), st.data())
def test_cut_is_as_if_it_had_never_been(chunks, keep, data):
    history, steps, values = filled(chunks, keep)
    if not len(steps):
        return
    step = data.draw(st.integers(0, int(steps[-1]) + 2))
    history.cut(step)
    left = steps <= step
    last = history.last("loss")
    if last is None:
        assert history.names() == ()
        kept = 0
    else:
        kept = int(np.searchsorted(steps, history.decimated("loss", 0, step, 10**6).steps[-1], side="right"))
        assert kept <= left.sum()
    if step >= steps[-min(keep, len(steps))]:  # among the points kept whole nothing earlier is lost
        assert last is None or last[0] == steps[left][-1]
    # and it goes on from there
    more = np.arange(step + 1, step + 100)
    history.append("loss", more, np.sin(more))
    whole = history.decimated("loss", 0, int(more[-1]), 16)
    assert history.last("loss") == (more[-1], np.sin(more[-1]))
    assert whole.steps[0] <= step + 1
    best = history.best("loss")
    assert best is not None
    everything = np.concatenate((values[left & np.isfinite(values)], np.sin(more)))
    assert everything.min() <= best[1] <= np.nanmin(whole.low)


def test_a_step_that_falls_back_cuts_what_came_after_it():
    history = MetricHistory()
    history.append("loss", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    history.append("loss", [3, 4], [30, 40])
    assert history.last("loss") == (4, 40)
    assert history.at("loss", 2) == 4
    assert history.at("loss", 3) == 30
    assert history.best("loss") == (2, 4.0)
    history.append("loss", [5, 6, 5, 6], [1, 1, 9, 8])  # and so within one batch
    assert history.decimated("loss", 0, 6, 10).mean.tolist() == [5, 4, 30, 40, 9, 8]


def test_memory_is_bounded_and_old_points_stay_visible():
    history = MetricHistory(keep=1024)
    rng = np.random.default_rng(0)
    for start in range(0, 200_000, 1000):
        values = rng.normal(size=1000)
        values[0] = 50 + start  # a spike that merging must not lose
        history.append("loss", np.arange(start, start + 1000), values)
    series = history._series["loss"]
    assert all(len(columns) <= 2 * 1024 for columns in series.levels)
    found = history.decimated("loss", 0, 200_000, 800)
    assert 400 <= len(found.steps) <= 803
    assert (found.high >= 50).sum() >= 190
    assert found.steps[0] == 0
    assert history.decimated("loss", 199_000, 200_000, 2000).steps.tolist() == list(range(199_000, 200_000))


def test_several_metrics_and_span():
    history = MetricHistory()
    assert history.span() is None
    assert history.last("loss") is None
    assert history.at("loss", 3) is None
    assert history.best("loss") is None
    history.append("loss", [2, 3], [1, 1])
    history.append("accuracy", [9], [0.5])
    history.append("nothing", [], [])
    assert history.names() == ("loss", "accuracy")
    assert history.span() == (2, 9)
    assert history.span(("loss",)) == (2, 3)
    version = history.version
    history.cut(2)
    assert history.names() == ("loss",)
    assert history.version > version
    with pytest.raises(ValueError, match="2 steps, 1 values"):
        history.append("loss", [5, 6], [1])


def time_of_decimation(points: int, repeats: int = 200) -> float:
    """Seconds that one look at a run of so many points takes, the best of several."""
    history = MetricHistory()
    for start in range(0, points, 1 << 20):
        steps = np.arange(start, min(points, start + (1 << 20)))
        history.append("loss", steps, np.exp(-steps / points) + 0.1 * np.sin(steps))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        history.decimated("loss", 0, points, 1200)
        times.append(time.perf_counter() - begin)
    return min(times)


def test_ten_million_points_are_looked_at_as_fast_as_ten_thousand():
    # some ten microseconds either way: the bar leaves room for noise, brute force would take a hundred times as long
    assert time_of_decimation(10_000_000) < 3 * time_of_decimation(10_000) + 2e-4


def test_ten_million_points_fit_into_little_memory():
    tracemalloc.start()
    try:
        history = MetricHistory()
        steps, values = np.arange(1 << 16), np.ones(1 << 16)
        for start in range(0, 10_000_000, 1 << 16):
            history.append("loss", steps + start, values)
        assert tracemalloc.get_traced_memory()[0] < 40e6
    finally:
        tracemalloc.stop()
