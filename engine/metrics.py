"""What steps return, turned into numbers many steps at a time: each conversion waits for the device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.lab import LabError, Metrics
from engine.messages import Series

Columns = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def columns_of(entries: Iterable[tuple[int, Metrics]]) -> Columns:
    """Steps and values of every metric, from (step, metrics) of consecutive steps. Raises LabError where a step
    returned something else."""
    steps: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    for step, metrics in entries:
        if not isinstance(metrics, Mapping):
            raise LabError(f"step() returned a {type(metrics).__name__}; it returns metrics by name, or None")
        for name, value in metrics.items():
            steps.setdefault(name, []).append(step)
            values.setdefault(name, []).append(value)
    return {name: (np.array(steps[name], np.int64), _numbers(name, values[name])) for name in values}


def first_not_finite(columns: Series) -> tuple[int, str, float] | None:
    """The step, name and value of the first metric that is NaN or infinite."""
    found = []
    for name, (steps, values) in columns.items():
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            found.append((int(steps[wrong[0]]), name, float(values[wrong[0]])))
    return min(found, default=None)


def rising(
    steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The points without those that were measured again later, after the run went back to an earlier step."""
    if len(steps) < 2:
        return steps, values
    lowest_later = np.minimum.accumulate(steps[::-1])[::-1][1:]
    kept = np.append(steps[:-1] < lowest_later, True)
    return steps[kept], values[kept]


def continued(series: Series, later: Iterable[Series]) -> Series:
    """Each metric, in rising steps, with those of its later points that come after its last one."""
    whole = {name: rising(*columns) for name, columns in series.items()}
    for batch in later:
        for name, (steps, values) in batch.items():
            had_steps, had_values = whole.get(name, (steps[:0], values[:0]))
            fresh = steps > (had_steps[-1] if len(had_steps) else -1)
            whole[name] = np.append(had_steps, steps[fresh]), np.append(had_values, values[fresh])
    return whole


def _numbers(name: str, values: list[Any]) -> npt.NDArray[np.float64]:
    """Floats and 0-d tensors as one array, with one copy from the device for all tensors."""
    tensors = [(i, v) for i, v in enumerate(values) if isinstance(v, torch.Tensor)]
    numbers = np.array([math.nan if isinstance(v, torch.Tensor) else _number(name, v) for v in values], np.float64)
    if tensors:
        if wrong := next((tuple(v.shape) for _, v in tensors if v.numel() != 1), None):
            raise LabError(f"step() returned numbers of shape {wrong} for {name!r:.60}; a metric is one number")
        stacked = torch.stack([v.detach().reshape(()).float() for _, v in tensors]).cpu().numpy()
        numbers[[i for i, _ in tensors]] = stacked
    return numbers


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, str):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise LabError(f"step() returned {value!r:.60} for the metric {name!r:.60}; a metric is a number")
