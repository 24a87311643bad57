"""Universal approximation: the parts add up, any drawn curve is learnt, one straight line is not enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.hyperparameters import make_params
from engine.lab import LabError, advance, start, views_of
from engine.labs.foundations.universal_approximation import DEPTHS, TARGETS, WIDTHS, Params, UniversalApproximation
from engine.payloads import Stroke
from engine.watch import render


def built(**values: Any) -> UniversalApproximation:
    lab = start(UniversalApproximation, make_params(Params, values))
    assert isinstance(lab, UniversalApproximation)
    return lab


def error(lab: UniversalApproximation) -> float:
    with torch.inference_mode():
        return lab.measure()


def draw(lab: UniversalApproximation, *places: tuple[float, float]) -> None:
    views_of(lab)["fit"].on_edit(lab, Stroke(places))


@pytest.mark.parametrize("depth", [1, 3])
def test_the_parts_of_all_units_and_the_bias_are_the_network(depth: int) -> None:
    lab = built(depth=depth, width=7)
    shown = render(lab, "parts")
    network = render(lab, "fit").lines[0].y
    assert shown.lines[-2].y == pytest.approx(network, abs=1e-6)
    faint = [line.y for line in shown.lines if line.style == "faint"]
    assert len(faint) == 7
    assert sum(faint) + lab.net.output.bias.item() == pytest.approx(network, abs=1e-6)


def test_the_largest_parts_come_first() -> None:
    lab = built(width=5)
    lab.hp = make_params(Params, {"width": 5, "units_summed": 2})
    shown = [line.y for line in render(lab, "parts").lines if line.style == "faint"]
    with torch.inference_mode():
        sizes = sorted(lab.net.parts(lab.x).std(0).tolist(), reverse=True)
    assert [np.std(part, ddof=1) for part in shown] == pytest.approx(sizes[:2], rel=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_enough_units_follow_any_curve(target: str) -> None:
    lab = built(target=target, width=48, depth=2, learning_rate=0.01)
    untrained = error(lab)
    for _ in range(800):
        advance(lab)
    assert error(lab) < 0.3 * untrained


def test_without_a_bend_there_is_only_a_straight_line() -> None:
    lab = built(activation="none", width=32, depth=2)
    for _ in range(300):
        advance(lab)
    assert error(lab) > 0.1
    y = render(lab, "fit").lines[0].y
    assert np.diff(y, 2) == pytest.approx(0, abs=1e-5)


def test_what_is_drawn_is_learnt_and_the_rest_stays() -> None:
    lab = built()
    before = lab.y.clone()
    draw(lab, (0.0, 0.5), (0.5, 9.0))
    right = (lab.x[:, 0] >= 0) & (lab.x[:, 0] <= 0.5)
    assert torch.equal(lab.y[~right], before[~right])
    drawn = np.interp(lab.x[right, 0].numpy(), [0.0, 0.5], [0.5, 1.5])  # what leaves the picture is held at its edge
    assert lab.y[right, 0].numpy() == pytest.approx(drawn, abs=1e-6)
    assert render(lab, "fit").lines[1].y == pytest.approx(lab.y[:, 0].numpy())


NO_LINES = (
    (),
    ((0.1, 0.2),),
    ((0.3, 0.1), (0.3, 0.9)),
    ((2.0, 0.0), (3.0, 0.0)),
    ((-3.0, 0.0), (-2.0, 0.0)),
    ((float("nan"), 0.0), (0.2, float("inf"))),
)


@pytest.mark.parametrize("places", NO_LINES)
def test_no_line_is_told_and_changes_nothing(places: tuple[tuple[float, float], ...]) -> None:
    lab = built()
    before = lab.y.clone()
    with pytest.raises(LabError, match="from left to right"):
        draw(lab, *places)
    assert torch.equal(lab.y, before)


def test_the_map_s_networks_learn_in_turn() -> None:
    lab = built()
    first = [[p.clone() for p in net.parameters()] for net in lab.nets]
    advance(lab)
    moved = [
        any(not torch.equal(a, b) for a, b in zip(net.parameters(), old, strict=True))
        for net, old in zip(lab.nets, first, strict=True)
    ]
    assert moved == [True] + [False] * (len(DEPTHS) * len(WIDTHS) - 1)
    assert render(lab, "map").values.shape == (1, len(DEPTHS), len(WIDTHS))


def test_the_target_changes_while_it_runs() -> None:
    lab = built()
    advance(lab)
    lab.hp = make_params(Params, {"target": "corner"})
    lab.changed("target")
    assert lab.y[:, 0].tolist() == pytest.approx((1.6 * lab.x[:, 0].abs() - 0.8).tolist())
