"""Batches: gradients by hand, noise that falls as 1/B, and paths that are kept whatever their length."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.hyperparameters import make_params
from engine.lab import advance, start
from engine.labs.foundations.batches import KEPT, NAMES, START, Batches, Params
from engine.watch import render


def built(**values: Any) -> Batches:
    lab = start(Batches, make_params(Params, {"samples": 2000, **values}))
    assert isinstance(lab, Batches)
    return lab


def half_mean_squared_error(lab: Batches, w: torch.Tensor) -> torch.Tensor:
    return (lab.x @ w - lab.y).square().mean() / 2


def test_the_gradient_by_hand_is_autograd_s() -> None:
    lab = built()
    w = torch.tensor(START, requires_grad=True)
    (gradient,) = torch.autograd.grad(half_mean_squared_error(lab, w), w)
    assert torch.allclose(lab.gradient(w.detach(), slice(None)), gradient, atol=1e-6)
    few = torch.arange(7)
    loss = (lab.x[few] @ w - lab.y[few]).square().mean() / 2
    (gradient,) = torch.autograd.grad(loss, w)
    assert torch.allclose(lab.gradient(w.detach(), few), gradient, atol=1e-6)


def test_the_height_is_the_loss_over_its_minimum() -> None:
    lab = built()
    lowest = half_mean_squared_error(lab, lab.best)
    for w in (torch.tensor(START), torch.tensor([0.3, 2.0])):
        assert float(lab.height(w)) == pytest.approx(float(half_mean_squared_error(lab, w) - lowest), rel=1e-4)
    assert float(lab.gradient(lab.best, slice(None)).abs().max()) < 1e-5


def test_a_step_moves_all_three_against_their_gradients() -> None:
    lab = built(batch_size=16, learning_rate=0.1)
    state = torch.get_rng_state()
    advance(lab)
    torch.set_rng_state(state)
    few, one = torch.randint(2000, (16,)), torch.randint(2000, (1,))
    begin = torch.tensor(START)
    for w, batch in zip(lab.w, (slice(None), few, one), strict=True):
        assert torch.allclose(w, begin - 0.1 * lab.gradient(begin, batch), atol=1e-6)
    assert lab.seen_now.tolist() == [2000, 16, 1]


@pytest.mark.parametrize("seed", range(3))
def test_the_variance_falls_as_one_over_the_batch(seed: int) -> None:
    lab = built()
    torch.manual_seed(seed)
    assert lab.measure() < 0.05
    measured, expected = render(lab, "noise").lines
    assert measured.y == pytest.approx(expected.y, rel=0.5)


def test_in_the_end_one_sample_still_wanders() -> None:
    lab = built(batch_size=64)
    for _ in range(800):
        advance(lab)
    heights = []
    for _ in range(50):
        told = advance(lab)
        assert told is not None
        heights.append([float(told[name]) for name in NAMES])
    whole, batch, single = torch.tensor(heights).mean(0).tolist()
    assert whole < batch < single


def test_of_a_long_path_every_second_place_is_kept() -> None:
    lab = built(samples=100, batch_size=1)
    for _ in range(2 * KEPT + 10):
        advance(lab)
    assert lab.stride == 4
    assert KEPT // 2 <= lab.kept < KEPT
    assert lab.trail[0, 0].tolist() == list(START)
    seen = lab.seen[: lab.kept, 2].tolist()  # one a step
    assert seen == [4.0 * place for place in range(lab.kept)]


@pytest.mark.parametrize(("axis", "last"), [("steps", 20.0), ("samples seen", 20 * 32.0)])
def test_the_race_is_over_what_is_chosen(axis: str, last: float) -> None:
    lab = built(axis=axis)
    for _ in range(20):
        advance(lab)
    lines = {line.name: line for line in render(lab, "race").lines}
    assert lines["a batch"].x[-1] == last
    assert lines["a batch"].y[-1] == pytest.approx(float(lab.height(lab.w[1])), rel=1e-5)


def test_the_cost_of_a_step_is_measured() -> None:
    lab = start(Batches, make_params(Params, {"samples": 200_000, "batch_size": 8}))
    whole, batch, single = render(lab, "cost").values
    assert min(batch, single) > 0
    assert whole > 2 * max(batch, single)
