"""Losses: every value and slope against torch and autograd, and what the viewer can ask."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.errors import DataError
from engine.hyperparameters import make_params
from engine.lab import LabError, advance, start, views_of
from engine.labs.foundations.losses import STUBBORN, Losses, Params
from engine.nn.losses import CROSS_ENTROPY, FOR_VALUES, LOSSES, SOFTMAX, SQUARED
from engine.payloads import Pick, PointPick
from engine.watch import render

THEIRS = {
    CROSS_ENTROPY: lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1),
    SQUARED: lambda z, y: F.mse_loss(torch.sigmoid(z), y, reduction="none").sum(1),
    SOFTMAX: lambda z, y: F.cross_entropy(z, y, reduction="none"),
    "squared error": lambda z, y: F.mse_loss(z, y, reduction="none").sum(1),
    "absolute error": lambda z, y: F.l1_loss(z, y, reduction="none").sum(1),
    "Huber": lambda z, y: F.huber_loss(z, y, reduction="none").sum(1),
    "hinge": lambda z, y: F.margin_ranking_loss(z, 0 * z, 2 * y - 1, margin=1, reduction="none").sum(1),
}


def built(dataset: str = "", **values: Any) -> Losses:
    lab = start(Losses, make_params(Params, values), dataset=dataset)
    assert isinstance(lab, Losses)
    return lab


def sums() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    z = 5 * torch.randn(200, 3, dtype=torch.float64)
    return z.requires_grad_(), F.one_hot(torch.randint(3, (200,)), 3).double()


@pytest.mark.parametrize("name", LOSSES)
def test_values_and_slopes_are_torch_s(name: str) -> None:
    (z, y), loss = sums(), LOSSES[name]
    expected = THEIRS[name](z, y)
    assert torch.allclose(loss.cost(z, y), expected, atol=1e-6, rtol=0)
    (slope,) = torch.autograd.grad(expected.sum(), z)
    assert torch.allclose(loss.slope(z, y), slope, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_absurd_sums_still_have_finite_losses(name: str) -> None:
    z, y = torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    assert LOSSES[name].cost(z, y).isfinite().all()
    assert LOSSES[name].slope(z, y).isfinite().all()


def test_a_tenth_where_one_is_right_costs_2_303() -> None:
    z, y = torch.tensor([[math.log(0.1 / 0.9)]]), torch.ones(1, 1)
    assert LOSSES[CROSS_ENTROPY].cost(z, y).item() == pytest.approx(2.302585, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_is_gradient_descent_on_the_mean(name: str) -> None:
    lab = built(loss=name, learning_rate=0.3)
    theta = lab.theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(THEIRS[name](lab.x @ theta.T, lab.y).mean(), theta)
    told = advance(lab)
    assert torch.allclose(lab.theta, theta.detach() - 0.3 * gradient, atol=1e-6)
    assert told is not None
    assert float(told["risk"]) == pytest.approx(THEIRS[name](lab.x @ theta.T, lab.y).mean().item(), abs=1e-6)


def test_the_bars_are_the_samples_and_their_mean_is_the_risk() -> None:
    lab = built()
    bars = render(lab, "samples")
    assert len(bars.values) == len(lab.x) == 24
    told = advance(lab)
    assert told is not None
    assert bars.values.mean() == pytest.approx(float(told["risk"]), abs=1e-6)


def test_squared_error_unlearns_slowly_behind_a_sigmoid() -> None:
    lab = built()
    for _ in range(150):
        told = advance(lab)
    assert told is not None
    assert float(told["cross-entropy"]) < 0.2
    assert float(told["squared error"]) > 0.9


def test_the_two_neurons_have_torch_s_gradients() -> None:
    lab = built(learning_rate=0.7)
    for row, cost in ((0, F.binary_cross_entropy_with_logits), (1, lambda z, y: F.mse_loss(z.sigmoid(), y))):
        w = torch.tensor([STUBBORN / 2, STUBBORN / 2], requires_grad=True)  # w and b
        (gradient,) = torch.autograd.grad(cost(w.sum(), torch.zeros(())), w)
        lab.stubborn.fill_(STUBBORN)
        lab.unlearn()
        assert lab.stubborn[row, 0].item() == pytest.approx((w - 0.7 * gradient).sum().item(), abs=1e-6)


@pytest.mark.parametrize(("name", "over_sum"), [(name, over) for name in LOSSES for over in (False, True)])
def test_the_cursor_can_be_dragged(name: str, over_sum: bool) -> None:
    lab = built(loss=name, over_sum=over_sum)
    views_of(lab)["samples"].on_probe(lab, Pick(3))
    views_of(lab)["cost"].on_probe(lab, PointPick(0.3, 0.0))
    shown = render(lab, "cost")
    assert shown.cursor == pytest.approx(0.3, abs=1e-5)
    z, y, _ = lab.at_hand()
    assert f"= {float(LOSSES[name].cost(z[None], y[None])):.3f}" == render(lab, "formula").lines[1].numbers
    views_of(lab)["plane"].on_probe(lab, PointPick(*lab.xy[5].tolist()))
    assert lab.chosen == 5
    assert lab.asked is None


def test_the_cost_curve_passes_through_the_sample() -> None:
    lab = built()
    cost, slope = render(lab, "cost").lines
    z, y, _ = lab.at_hand()
    nearest = int(abs(cost.x - float(z.sigmoid())).argmin())
    assert cost.y[nearest] == pytest.approx(LOSSES[CROSS_ENTROPY].cost(z[None], y[None]).item(), abs=0.05)
    assert slope.y[nearest] == pytest.approx(float(z.sigmoid() - y), abs=0.05)


def test_a_loss_that_does_not_fit_the_data_says_which_does() -> None:
    with pytest.raises(LabError, match=r"values, not classes.*squared error"):
        built("plane")
    for name in FOR_VALUES:
        assert advance(built("plane", loss=name)) is not None


def test_three_classes_share_the_probability_out() -> None:
    with pytest.raises(LabError, match="3 classes, and so needs the softmax"):
        built("three-clouds")
    lab = built("three-clouds", loss=SOFTMAX, learning_rate=1.0)
    for _ in range(200):
        told = advance(lab)
    assert told is not None
    assert float(told["risk"]) < 0.1
    shares = render(lab, "plane").shares
    assert shares.shape[0] == 3
    assert shares.sum(0) == pytest.approx(1.0, abs=1e-5)


def test_tables_with_one_class_or_with_three(tmp_path: Path) -> None:
    three, one = tmp_path / "three.csv", tmp_path / "one.csv"
    three.write_text("a,b,kind\n" + "".join(f"{i},{i % 5},{'xyz'[i % 3]}\n" for i in range(30)))
    one.write_text("a,b,kind\n" + "".join(f"{i},{i % 5},x\n" for i in range(30)))
    with pytest.raises(LabError, match="softmax"):
        built(str(three))
    lab = built(str(three), loss=SOFTMAX)
    assert advance(lab) is not None
    assert render(lab, "plane").shares.shape[0] == 3
    with pytest.raises(DataError, match="only the class x"):
        built(str(one))
