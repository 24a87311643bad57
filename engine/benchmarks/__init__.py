"""The benchmarks of ``python -m engine bench``: each prints a ratio of two measurements from one run.

Absolute times differ between machines and from minute to minute; the two sides of a ratio are measured in turns, so
that what slows one slows the other.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING

from engine.benchmarks.result import Result

if TYPE_CHECKING:
    import torch

Benchmark = Callable[["torch.device"], Iterator[Result]]


def _lazy(module: str, function: str) -> Benchmark:
    def run(device: torch.device) -> Iterator[Result]:
        benchmark: Benchmark = getattr(importlib.import_module(f"engine.benchmarks.{module}"), function)
        yield from benchmark(device)

    return run


def in_turns(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each side's figure, measured in turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return {name: median(values) for name, values in found.items()}


def rate(step: Callable[[], object], seconds: float) -> float:
    """How often `step` is done in a second."""
    count, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds:
        step()
        count += 1
    return count / spent


__all__ = ["BENCHMARKS", "Result", "in_turns", "rate"]

BENCHMARKS: dict[str, Benchmark] = {
    "overhead": _lazy("session", "overhead"),
    "watching": _lazy("session", "watching"),
    "pause": _lazy("session", "pause"),
    "growth": _lazy("session", "growth"),
    "recording": _lazy("recording", "recording"),
    "memory": _lazy("recording", "memory"),
    "open": _lazy("opening", "benchmark"),
    "dense": _lazy("dense", "benchmark"),
    "lenet": _lazy("peers", "lenet"),
    "gpt": _lazy("peers", "gpt"),
}
