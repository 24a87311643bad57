"""Limits: wrong and unsure outside, biased by its sample, and eight networks that are eight networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from engine.hyperparameters import make_params
from engine.lab import advance, start
from engine.labs.foundations.limits import PEOPLE, TRUTHS, Limits, Networks, Params
from engine.watch import render


def built(**values: Any) -> Limits:
    lab = start(Limits, make_params(Params, values))
    assert isinstance(lab, Limits)
    return lab


def trained(steps: int, **values: Any) -> Limits:
    lab = built(**values)
    for _ in range(steps):
        advance(lab)
    return lab


def wrong(lab: Limits) -> list[float]:
    with torch.inference_mode():
        shares: list[float] = lab.mistakes().float().mean(1).tolist()
    return shares


def test_networks_side_by_side_are_single_networks() -> None:
    torch.manual_seed(0)
    nets, x = Networks(3, 2, torch.relu), torch.randn(5, 2)
    for member in range(3):
        a = x
        for layer in range(3):
            a = a @ nets.weights[layer][member] + nets.biases[layer][member]
            a = F.relu(a) if layer < 2 else a
        assert torch.allclose(nets(x)[member], a[:, 0], atol=1e-6)


def test_each_network_s_gradient_is_its_own() -> None:
    lab = built()
    advance(lab)
    together = [weight.grad.clone() for weight in lab.ensemble.weights if weight.grad is not None]
    fresh = built()
    alone = (fresh.ensemble(fresh.x)[2] - fresh.y).square().mean()
    gradients = torch.autograd.grad(alone, list(fresh.ensemble.weights))
    for ours, theirs in zip(together, gradients, strict=True):
        assert torch.allclose(ours[2], theirs[2], atol=1e-6)
        assert not theirs[:2].any()


@pytest.mark.parametrize("method", ["ensemble", "dropout"])
def test_error_and_doubt_are_larger_outside(method: str) -> None:
    shown = render(trained(500, method=method), "doubt")
    deviation, error = shown.lines
    inside = abs(deviation.x) <= 1
    assert deviation.y[~inside].mean() > 3 * deviation.y[inside].mean()
    assert error.y[~inside].mean() > 3 * error.y[inside].mean()


def test_one_network_has_no_doubt() -> None:
    shown = render(trained(5, method="one network"), "doubt")
    assert not shown.lines[0].y.any()


def test_the_band_is_two_deviations_about_the_mean() -> None:
    lab = trained(20)
    lines = {line.name: line for line in render(lab, "beyond").lines}
    with torch.inference_mode():
        answers = lab.ensemble(lab.axis[:, None]).double()
    mean, deviation = answers.mean(0), answers.std(0, correction=0)
    band = lines["prediction ± 2 deviations"]
    assert band.y == pytest.approx(mean.numpy(), abs=1e-5)
    assert band.upper == pytest.approx((mean + 2 * deviation).numpy(), abs=1e-5)
    assert lines["truth"].y == pytest.approx(TRUTHS["wave"](lab.axis).numpy())


def test_a_gap_has_no_points() -> None:
    assert float(built(gap=True, noise=0.0).x.abs().min()) >= 0.45


def test_the_error_falls_on_the_group_that_is_not_in_the_sample() -> None:
    fair, skewed = wrong(trained(300, share=0.5)), wrong(trained(300, share=0.0))
    assert skewed[0] < 0.05
    assert skewed[1] > 0.25
    assert max(fair) < 0.08


def test_a_class_left_out_is_never_answered() -> None:
    lab = trained(150, share=0.5, left_out="orange")
    assert not lab.target.any()
    with torch.inference_mode():
        assert wrong(lab) == pytest.approx(lab.orange.float().mean(1).tolist(), abs=0.03)


def test_the_sample_changes_while_it_runs() -> None:
    lab = built()
    assert int(lab.of_b.sum()) == round(0.05 * PEOPLE)
    lab.hp = make_params(Params, {"share": 0.25, "left_out": "blue"})
    lab.changed("share")
    assert bool(lab.target.all())
    assert 0 < int(lab.of_b.sum()) <= round(0.25 * PEOPLE)
    assert len(render(lab, "sample").points.xy) == len(lab.target)
