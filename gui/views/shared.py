"""What the views of runs that are compared have in common: their scales, and which events may move their pointers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent

Scales = dict[str, tuple[Any, Any]]  # by name from and to: numbers, or arrays with a range for each of many pictures

POINTING = {
    QEvent.Type.MouseMove,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonRelease,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.Wheel,
    QEvent.Type.KeyPress,
    QEvent.Type.Leave,
}


def common(all_scales: Iterable[Scales]) -> Scales:
    """The ranges that hold those of all."""
    found: Scales = {}
    for scales in all_scales:
        for name, (low, high) in scales.items():
            if name in found:
                low, high = _of_both(np.fmin, found[name][0], low), _of_both(np.fmax, found[name][1], high)
            found[name] = (low, high)
    return found


def _of_both(choose: Callable[[Any, Any], Any], first: Any, second: Any) -> Any:
    if not np.ndim(first) and not np.ndim(second):
        return float(choose(first, second))
    if np.ndim(first) and np.ndim(second):  # of more pictures in one run than in the other: the rest has its own
        length = max(len(first), len(second))
        first, second = _longer(first, length), _longer(second, length)
    return choose(first, second)


def _longer(values: Any, length: int) -> Any:
    gap = [(0, length - len(values)), *[(0, 0)] * (np.ndim(values) - 1)]
    return np.pad(np.asarray(values, np.float64), gap, constant_values=np.nan)


def alike(first: Scales, second: Scales) -> bool:
    """Whether two are the same."""
    return first.keys() == second.keys() and all(
        np.array_equal(a, b, equal_nan=True) for name in first for a, b in zip(first[name], second[name], strict=True)
    )
