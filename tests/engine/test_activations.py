"""Activations: the formulas against autograd, the twins in lock-step, and what becomes of units and gradients."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.errors import DataError
from engine.hyperparameters import make_params
from engine.lab import Metrics, advance, start, views_of
from engine.labs.foundations.activations import REACH, SCALE, Activations, Params
from engine.nn.activations import ACTIVATIONS, asleep, flat_spans
from engine.nn.layers import backward, collapsed, forward, initial
from engine.payloads import PointPick, Stroke
from engine.watch import render

LIBRARY = {
    "linear": lambda z: 1 * z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "ReLU": torch.relu,
    "leaky ReLU": lambda z: F.leaky_relu(z, 0.01),
    "ELU": F.elu,
    "softplus": F.softplus,
    "GELU": F.gelu,
    "SiLU": F.silu,
}
every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def built(dataset: str = "", seed: int = 0, **values: Any) -> Activations:
    lab = start(Activations, make_params(Params, values), dataset=dataset, seed=seed)
    assert isinstance(lab, Activations)
    return lab


def trained(steps: int, dataset: str = "", seed: int = 0, **values: Any) -> Activations:
    lab = built(dataset, seed, **values)
    for _ in range(steps):
        advance(lab)
    return lab


def gradients(lab: Activations) -> list[float]:
    return render(lab, "gradients").values.tolist()  # type: ignore[no-any-return]


def counts(lab: Activations) -> tuple[int, int]:
    return tuple(int(which.sum()) for which in asleep(lab.slopes("deep")))  # type: ignore[return-value]


# ----------------------------------------------------------------------------------------------------- formulas


@every_activation
def test_function_and_slope_are_those_of_the_library(name: str) -> None:
    z = torch.linspace(-20, 20, 4000, dtype=torch.float64, requires_grad=True)  # 0, a corner of some, is not among them
    a = LIBRARY[name](z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    ours = ACTIVATIONS[name]
    assert torch.allclose(ours.g(z), a, atol=1e-6)
    assert torch.allclose(ours.slope(z.detach()).double(), slope, atol=1e-6)
    assert slope.abs().max().item() == pytest.approx(ours.steepest, abs=1e-4)


@every_activation
def test_backward_is_what_autograd_finds(name: str) -> None:
    torch.manual_seed(1)
    layers = [W.double() for W in initial([2, 7, 5, 3], "He", torch.device("cpu"))]
    x, y = torch.randn(9, 2, dtype=torch.float64), torch.randint(3, (9,))
    a, z = forward(layers, ACTIVATIONS[name], x)
    found = backward(layers, ACTIVATIONS[name], a, z, (z[-1].softmax(1) - F.one_hot(y, 3)) / 9)
    leaves = [W.clone().requires_grad_() for W in layers]
    out: Tensor = x
    for i, W in enumerate(leaves):
        out = F.linear(out, W[:, 1:], W[:, 0])
        out = LIBRARY[name](out) if i < 2 else out
    for ours, theirs in zip(found, torch.autograd.grad(F.cross_entropy(out, y), leaves), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(("name", "reference"), [("Xavier", nn.init.xavier_normal_), ("He", nn.init.kaiming_normal_)])
def test_first_weights_have_the_deviation_of_the_library(name: str, reference: Any) -> None:
    torch.manual_seed(0)
    W = initial([300, 200], name, torch.device("cpu"))[0]
    assert W[:, 1:].std().item() == pytest.approx(reference(torch.empty(200, 300)).std().item(), rel=0.02)
    assert not W[:, 0].any()


def test_flat_is_where_the_slope_is_under_a_twentieth() -> None:
    z = torch.linspace(-6, 6, 1201)
    (low, left, _), (right, high, _) = flat_spans(z, ACTIVATIONS["tanh"])
    edge = math.atanh(math.sqrt(0.95))
    assert (low, high) == (-6, 6)
    assert (left, right) == pytest.approx((-edge, edge), abs=0.02)
    assert flat_spans(z, ACTIVATIONS["linear"]) == ()


def test_linear_layers_collapse_into_one() -> None:
    lab = trained(20, layers=4)
    w, b = collapsed(lab.W["linear"])
    x = torch.randn(50, 2)
    assert torch.allclose(lab.through("linear", x)[1][-1], x @ w.T + b, atol=1e-5)


# ------------------------------------------------------------------------------------------------ the two twins


def test_on_circles_a_line_stays_near_chance_and_tanh_learns() -> None:
    for seed in range(2):
        lab, seen = built(seed=seed), []
        for _ in range(600):
            told: Metrics | None = advance(lab)
            seen += [float(told["linear"])] if told else []
        assert np.mean(seen) < 0.65
        assert max(seen) < 0.75
        assert float(lab.score("linear")[1]) == pytest.approx(math.log(2), abs=0.03)
        assert float(lab.score("bent")[0]) > 0.99


def test_twins_begin_alike_and_without_a_bend_stay_alike() -> None:
    lab = trained(30, activation="linear")
    assert all(torch.equal(one, other) for one, other in zip(lab.W["linear"], lab.W["bent"], strict=True))
    lab = built()
    assert all(torch.equal(one, other) for one, other in zip(lab.W["linear"], lab.W["bent"], strict=True))
    advance(lab)
    assert not torch.equal(lab.W["linear"][0], lab.W["bent"][0])


def test_the_linear_twin_is_the_same_whatever_the_other_does() -> None:
    one, other = trained(30, activation="tanh"), trained(30, activation="ReLU")
    assert all(torch.equal(a, b) for a, b in zip(one.W["linear"], other.W["linear"], strict=True))


def test_where_a_line_is_enough_both_learn() -> None:
    lab = trained(300, "gaussians")
    assert float(lab.score("linear")[0]) > 0.98
    assert float(lab.score("bent")[0]) > 0.98


# --------------------------------------------------------------------------------------- gradients and units


def test_gradients_vanish_through_ten_layers_of_sigmoids() -> None:
    sigmoid = gradients(built(activation="sigmoid"))
    assert len(sigmoid) == 11
    assert sigmoid[0] < 1e-5 * sigmoid[-1]
    assert all(lower < upper for lower, upper in pairwise(sigmoid))
    for name, first in (("tanh", "Xavier"), ("ReLU", "He")):
        values = gradients(built(activation=name, initialisation=first))
        assert values[0] > 1e-2 * values[-1]


def test_the_bars_are_the_gradients_of_the_loss() -> None:
    lab = built(depth=3)
    leaves = [W.clone().requires_grad_() for W in lab.W["deep"]]
    a = lab.samples.xy / SCALE
    for i, W in enumerate(leaves):
        z = F.linear(a, W[:, 1:], W[:, 0])
        a = torch.tanh(z) if i < 3 else z
    loss = F.binary_cross_entropy_with_logits(a, lab.samples.y)
    wanted = [float(G.norm()) for G in torch.autograd.grad(loss, leaves)]
    assert gradients(lab) == pytest.approx(wanted, rel=1e-4)
    assert float(lab.score("deep")[1]) == pytest.approx(loss.item(), abs=1e-6)


def test_from_zeros_nothing_but_the_last_bias_ever_moves() -> None:
    lab = trained(20, initialisation="zeros")
    assert not any(W.any() for W in lab.W["bent"][:-1])
    assert not lab.W["bent"][-1][:, 1:].any()
    assert gradients(built(initialisation="zeros"))[:-1] == [0] * 10


def test_units_are_counted_dead_or_saturated() -> None:
    slopes = torch.ones(1, 100, 4)
    slopes[0, :, 0] = 0  # dead
    slopes[0, :96, 1] = 0.04  # saturated
    slopes[0, :95, 2] = 0.04  # awake at five points of a hundred
    dead, saturated = asleep(slopes)
    assert dead.tolist() == [[True, False, False, False]]
    assert saturated.tolist() == [[False, True, False, False]]


def test_initialisation_and_learning_rate_change_the_counts() -> None:
    assert counts(built(activation="tanh")) == (0, 0)
    assert counts(built(activation="tanh", initialisation="large"))[1] > 20
    before = counts(built(activation="ReLU", initialisation="He"))[0]
    assert counts(trained(60, activation="ReLU", initialisation="He", learning_rate=3.0))[0] > before + 20
    assert counts(trained(60, activation="leaky ReLU", initialisation="He", learning_rate=3.0))[0] == 0


def test_dead_units_are_those_that_are_never_active() -> None:
    lab = trained(60, activation="ReLU", learning_rate=1.0)
    never = torch.stack([(a == 0).all(0) for a in lab.through("deep", lab.inputs())[0][1:]])
    assert torch.equal(asleep(lab.slopes("deep"))[0], never)
    assert never.any()
    told = advance(trained(60, activation="ReLU", learning_rate=1.0))
    assert told is not None
    assert float(told["dead"]) >= int(never.sum()) - 5


# --------------------------------------------------------------------------------------- what the viewer does


def test_the_cursor_reads_both() -> None:
    lab = built(activation="sigmoid")
    views_of(lab)["functions"].on_probe(lab, PointPick(2.0, 0.0))
    assert render(lab, "functions").cursor == 2
    g, slope, ten, line = (each.numbers for each in render(lab, "formula").lines)
    value = 1 / (1 + math.exp(-2))
    assert (g, slope) == (f"= {value:.3f}", f"= {value * (1 - value):.3f}")
    assert ten == f"= {(value * (1 - value)) ** 10:.2g}".replace("e-0", "e-").replace("-", "−")
    assert "x₁" in line
    views_of(lab)["functions"].on_probe(lab, PointPick(99.0, 0.0))
    assert render(lab, "functions").cursor == REACH


def test_the_dots_are_the_sums_at_the_place_asked_about() -> None:
    lab = built()
    views_of(lab)["straight"].on_probe(lab, PointPick(-2.0, 3.0))
    assert render(lab, "bent").points.cursor == (-2.0, 3.0)
    sums = torch.cat(lab.through("bent", torch.tensor([[-2.0, 3.0]]) / SCALE)[1][:-1], 1)[0]
    dots = torch.from_numpy(render(lab, "functions").points.xy)
    assert torch.allclose(dots, torch.stack([sums, sums.tanh()], 1), atol=1e-6)


@pytest.mark.parametrize("rate", [1e6, 1e3])
def test_what_has_burst_can_still_be_looked_at(rate: float) -> None:
    lab = trained(30, activation="ReLU", initialisation="large", learning_rate=rate)
    for name in views_of(lab):
        render(lab, name)


def test_drawn_points_are_a_task_once_two_classes_are_there() -> None:
    lab = built("drawn")
    for name in views_of(lab):
        render(lab, name)
    with pytest.raises(DataError, match="nothing is drawn yet"):
        advance(lab)
    edit = views_of(lab)["bent"].on_edit
    edit(lab, Stroke(((-3.0, -3.0), (-2.0, -3.0)), 0))
    with pytest.raises(DataError, match="only one class"):
        advance(lab)
    edit(lab, Stroke(((3.0, 3.0), (2.0, 3.0)), 2))
    for _ in range(150):
        advance(lab)
    assert float(lab.score("bent")[0]) == 1
    assert render(lab, "straight").shares.shape == (3, 60, 60)


def test_a_table_of_the_viewer_s_own(tmp_path: Path) -> None:
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    rows = "\n".join(f"{i % 7},{i % 5},{'yes' if i % 2 else 'no'}" for i in range(40))
    assert built(written("good.csv", "a,b,c\n" + rows)).facts()["points"] == "40"
    assert built(written("values.csv", "a,b,c\n" + "\n".join(f"{i},{i % 3},{i / 7}" for i in range(40)))).loss_of.name
    with pytest.raises(DataError, match="at least two rows"):
        built(written("words.csv", "a,b,c\nred,green,blue\n"))
    with pytest.raises(DataError, match="empty"):
        built(written("empty.csv", ""))
    with pytest.raises(DataError, match="only the class yes"):
        built(written("single.csv", "a,b,c\n" + "\n".join(f"{i},{i % 3},yes" for i in range(40))))
