"""Curves that go into a file: rising steps, whatever was measured twice."""

from __future__ import annotations

import numpy as np

from engine.metrics import continued, rising


def test_points_that_were_measured_again_are_left_out() -> None:
    steps, values = rising(np.array([1, 2, 3, 4, 2, 3, 5]), np.array([1.0, 2.0, 3.0, 4.0, 20.0, 30.0, 50.0]))
    assert steps.tolist() == [1, 2, 3, 5]
    assert values.tolist() == [1.0, 20.0, 30.0, 50.0]


def test_later_points_continue_a_curve() -> None:
    first = {"loss": (np.array([1, 2, 2]), np.array([1.0, 2.0, 3.0]))}
    later = {"loss": (np.array([2, 3]), np.array([9.0, 4.0])), "accuracy": (np.array([3]), np.array([0.5]))}
    whole = continued(first, [later])
    assert whole["loss"][0].tolist() == [1, 2, 3]
    assert whole["loss"][1].tolist() == [1.0, 3.0, 4.0]
    assert whole["accuracy"][0].tolist() == [3]
