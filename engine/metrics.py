"""What steps return, turned into numbers many steps at a time: each conversion waits for the device."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.lab import Metrics

Columns = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def columns_of(entries: Iterable[tuple[int, Metrics]]) -> Columns:
    """Steps and values of every metric, from (step, metrics) of consecutive steps."""
    steps: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    for step, metrics in entries:
        for name, value in metrics.items():
            steps.setdefault(name, []).append(step)
            values.setdefault(name, []).append(value)
    return {name: (np.array(steps[name], np.int64), _numbers(values[name])) for name in values}


def _numbers(values: list[Any]) -> npt.NDArray[np.float64]:
    """Floats and 0-d tensors as one array, with one copy from the device for all tensors."""
    tensors = [(i, v) for i, v in enumerate(values) if isinstance(v, torch.Tensor)]
    numbers = np.array([math.nan if isinstance(v, torch.Tensor) else float(v) for v in values], np.float64)
    if tensors:
        stacked = torch.stack([v.detach().reshape(()).float() for _, v in tensors]).cpu().numpy()
        numbers[[i for i, _ in tensors]] = stacked
    return numbers
