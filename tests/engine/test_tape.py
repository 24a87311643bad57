"""Recorded frames and snapshots: bounded, in order, dense where it matters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Frame
from engine.payloads import HeatmapData
from engine.tape import Reel, Tape, fit, size_of


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(100, 5000), st.integers(0, 12_000))
def test_a_reel_stays_within_its_capacity_and_finds_what_a_search_finds(
    gaps: list[int], capacity: int, asked: int
) -> None:
    reel: Reel[int] = Reel(capacity)
    for step in np.cumsum(gaps).tolist():
        reel.add(step, step, 100)
        assert reel.bytes == 100 * len(reel)
        assert reel.bytes <= capacity or len(reel) <= 2
    steps = reel.steps
    assert list(steps) == sorted(set(steps))
    assert steps[-1] == sum(gaps)
    assert steps[0] == gaps[0]
    assert reel.at(asked) == max((step for step in steps if step <= asked), default=None)
    reel.cut(asked)
    assert all(step <= asked for step in reel.steps)
    assert reel.bytes == 100 * len(reel)


def test_early_and_recent_steps_stay_dense() -> None:
    reel: Reel[int] = Reel(20_000)
    for step in range(20_000):
        reel.add(step, step, 100)
    steps = np.array(reel.steps)
    assert len(steps) <= 200
    first, middle, last = (((steps >= a) & (steps < a + 1000)).sum() for a in (0, 9_500, 19_000))
    assert first > 4 * middle
    assert last > 4 * middle
    assert np.diff(steps).max() < 4000


def test_a_tape_gives_back_what_each_view_showed() -> None:
    tape = Tape(1 << 20)
    for step in range(0, 100, 5):
        for view in ("a", "b"):
            tape.record(Frame(1, view, step, "", HeatmapData(np.full((1, 2, 2), step, np.float32)), 0.0))
    tape.record(Frame(1, "a", 97, "forward", HeatmapData(np.zeros((1, 2, 2))), 0.0))
    assert tape.span() == (0, 95)
    frame = tape.at("a", 52)
    assert frame is not None
    assert frame.step == 50
    assert frame.payload.values[0, 0, 0] == 50
    assert tape.at("c", 52) is None
    tape.cut(30)
    assert tape.span() == (0, 30)
    assert 0 < tape.bytes < 20_000


def test_sizes_count_the_arrays() -> None:
    assert size_of(HeatmapData(np.zeros((1, 100, 100), np.float32))) >= 40_000
    assert size_of({"a": [np.zeros(10), "word"]}) >= 80


def filled(count: int) -> Reel[int]:
    reel: Reel[int] = Reel(1 << 30)
    for step in range(count):
        reel.add(step, step, 100)
    return reel


@given(st.lists(st.integers(0, 300), min_size=1, max_size=8), st.integers(0, 60_000))
def test_reels_that_share_a_capacity_fit_into_it_and_keep_their_ends(counts: list[int], capacity: int) -> None:
    reels = [filled(count) for count in counts]
    fit([[reel] for reel in reels], capacity)
    total = sum(reel.bytes for reel in reels)
    assert total <= capacity or all(len(reel) <= 2 for reel in reels)
    for reel, count in zip(reels, counts, strict=True):
        if count:
            assert (reel.steps[0], reel.steps[-1]) == (0, count - 1)


def test_the_first_group_thins_first_and_keeps_a_reserve() -> None:
    old, newer, one, two = filled(200), filled(200), filled(200), filled(100)
    fit([[old], [newer], [one, two]], 55_000)
    assert [len(reel) for reel in (newer, one, two)] == [200, 200, 100]
    assert 30 < len(old) <= 50
    fit([[old], [newer], [one, two]], 20_000)
    assert abs(len(one) - len(two)) < 25  # of those on screen the largest gives way
    assert 100 * sum(map(len, (old, newer, one, two))) <= 20_000
    assert len(old) >= 8  # a sixteenth of it is nobody else's
