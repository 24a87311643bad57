"""The benchmarks themselves: that each measures what it says, and times of single steps and pictures for comparison.

Whether a bar is met is for ``python -m engine bench`` and ``python -m gui bench`` to say: a test that fails when the
machine is busy tells nothing. ``python -m pytest -m slow tests/benchmarks`` runs these.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from engine import benchmarks
from engine.benchmarks import BENCHMARKS, peers, recording, session
from engine.discovery import built_in, load_lab
from engine.lab import advance, start, views_of
from engine.watch import render

LABS = [card.id for card in built_in()]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "growth"])  # which takes 200,000 steps
def test_each_benchmark_gives_ratios(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (session, peers, recording):
        monkeypatch.setattr(module, "SECONDS", 0.2)
        monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(recording, "STEPS", 2_000)
    results = list(BENCHMARKS[name](torch.device("cpu")))
    assert results
    for result in results:
        assert math.isfinite(result.ratio)
        assert result.ratio > 0
        assert result.detail
        assert result.line().startswith("ok" if result.holds else "MISSED")


def test_a_rate_counts_and_turns_take_the_median() -> None:
    done: list[int] = []
    assert benchmarks.rate(lambda: done.append(1), 0.05) == pytest.approx(len(done) / 0.05, rel=0.2)
    figures = iter((1.0, 10.0, 3.0, 30.0, 2.0, 20.0))
    assert benchmarks.in_turns({"a": lambda: next(figures), "b": lambda: next(figures)}, 3) == {"a": 2.0, "b": 20.0}


@pytest.mark.parametrize("lab_id", LABS)
def test_a_step(lab_id: str, benchmark: Any) -> None:
    torch.set_num_threads(1)
    lab = start(load_lab(lab_id))
    benchmark(advance, lab)


@pytest.mark.parametrize("lab_id", LABS)
def test_all_views_once(lab_id: str, benchmark: Any) -> None:
    torch.set_num_threads(1)
    lab = start(load_lab(lab_id))
    for _ in range(5):
        advance(lab)
    benchmark(lambda: [render(lab, name) for name in views_of(lab)])
