"""Gradient descent: gradients and rules by hand, who leaves and why, the landscape of a really trained network."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine import checkpoint, marks
from engine.hyperparameters import make_params, values_of
from engine.lab import LabError, actions_of, advance, start, views_of
from engine.labs.foundations.gradient_descent import NETWORK, RACES, RATES, GradientDescent, Params
from engine.messages import Mark
from engine.nn.landscape import Landscape
from engine.nn.optimizers import OPTIMIZERS, far_from_torch, stable_below, update
from engine.nn.surfaces import SURFACES
from engine.payloads import PointPick
from engine.watch import render, rng_state


def built(seed: int = 0, **values: Any) -> GradientDescent:
    lab = start(GradientDescent, make_params(Params, values), seed=seed)
    assert isinstance(lab, GradientDescent)
    return lab


def after(steps: int, lab: GradientDescent) -> dict[str, float]:
    """The heights that were told last."""
    told: dict[str, float] = {}
    for _ in range(steps):
        told |= {name: float(value) for name, value in (advance(lab) or {}).items()}
    return told


def where(lab: GradientDescent, name: str) -> list[float]:
    found: list[float] = lab.xy[OPTIMIZERS.index(name)].tolist()
    return found


# ---------------------------------------------------------------------------------------------- surfaces


@pytest.mark.parametrize("name", SURFACES)
def test_gradients_by_hand_are_those_of_autograd(name: str) -> None:
    ground = SURFACES[name]
    torch.manual_seed(0)
    x0, x1, y0, y1 = ground.extent
    w = torch.rand(50, 2, dtype=torch.float64) * torch.tensor([x1 - x0, y1 - y0]) + torch.tensor([x0, y0])
    w.requires_grad_()
    (expected,) = torch.autograd.grad(ground.height(w).sum(), w)
    assert torch.allclose(ground.slope(w.detach()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SURFACES)
def test_minima_are_minima_and_the_lowest_is_at_zero(name: str) -> None:
    ground = SURFACES[name]
    w = torch.tensor(ground.minima, dtype=torch.float64)
    assert ground.slope(w).abs().max() < 1e-4
    assert float(ground.height(w).min()) == pytest.approx(0, abs=1e-9)
    for place in w:
        hessian = torch.autograd.functional.hessian(lambda one: ground.height(one[None])[0], place)
        curvatures = torch.linalg.eigvalsh(hessian)
        assert curvatures.min() > 0
        if ground.curvature:
            assert float(curvatures.max()) == pytest.approx(ground.curvature)


# -------------------------------------------------------------------------------------------- optimisers


@pytest.mark.parametrize("ground", SURFACES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimiser_equals_torch_optims_step_by_step(name: str, ground: str) -> None:
    begin = SURFACES[ground].begin.double()[None]
    assert far_from_torch(name, 0.1 * RATES[name], SURFACES[ground].slope, begin) < 1e-12


def test_a_wrong_rule_would_be_noticed() -> None:
    ground = SURFACES["valley"]
    ours = ground.begin.double()[None].clone()
    theirs = ours.clone()
    optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    for t in range(1, 51):
        update("momentum", ours, ground.slope(ours), m := torch.zeros_like(ours), m, t, 0.1)  # forgets its motion
        theirs.grad = ground.slope(theirs)
        optimizer.step()
    assert (ours - theirs).abs().max() > 0.1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Nesterov"])
def test_the_limit_of_the_learning_rate_is_the_limit(name: str, momentum: float) -> None:
    curvature = 4.0
    for share, grows in ((0.98, False), (1.02, True)):
        w, m = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        rate = share * stable_below(name, curvature, momentum)
        for t in range(1, 2000):
            update(name, w, curvature * w, m, m, t, rate, momentum)
        assert (not bool(w.isfinite()) or abs(float(w)) > 1e3) == grows


# --------------------------------------------------------------------------------------------- the story


def test_with_the_right_rate_a_bowl_is_done_in_a_step() -> None:
    lab = built(surface="bowl", race="SGD", learning_rate=0.5)  # 1 / 2: the curvature of w1
    after(1, lab)
    assert where(lab, "SGD")[1] == pytest.approx(0, abs=1e-6)


def test_too_small_hardly_moves() -> None:
    lab = built(surface="bowl", race="SGD", learning_rate=0.001)
    begun = float(lab.ground.height(lab.theta)[0])
    assert after(100, lab)["SGD"] > 0.6 * begun


def test_too_large_leaves_the_picture_and_is_named() -> None:
    lab = built(surface="bowl", race="all", learning_rate=1.1)
    told = after(30, lab)
    assert not lab.left[OPTIMIZERS.index("Adam")]
    assert "above 2/λ = 1" in lab.left[0]
    assert lab.left[0].startswith("left at step ")
    assert all(math.isfinite(value) for value in told.values())
    assert "SGD left at step" in render(lab, "surface").hint
    assert any("left at step" in line.numbers for line in render(lab, "rule").lines)
    end = render(lab, "surface").paths[0][-1]
    x0, x1, y0, y1 = lab.ground.extent
    assert not (x0 <= end[0] <= x1 and y0 <= end[1] <= y1)
    frozen = where(lab, "SGD"), lab.theta[0].tolist()
    told = after(5, lab)
    assert (where(lab, "SGD"), lab.theta[0].tolist()) == frozen
    assert "SGD" not in told
    assert "Adam" in told


@pytest.mark.parametrize("surface", [*SURFACES, NETWORK])
@pytest.mark.parametrize("rate", [1e-4, 10.0, 1e6])
def test_no_rate_breaks_anything(surface: str, rate: float) -> None:
    lab = built(surface=surface, learning_rate=rate, momentum=0.99)
    told = after(40, lab)
    assert all(math.isfinite(value) for value in told.values())
    assert lab.theta.isfinite().all()
    for name in views_of(lab):
        render(lab, name)


def test_in_a_valley_momentum_is_faster() -> None:
    told = after(60, built(surface="valley", race="first three"))
    assert told["momentum"] < 0.1 * told["SGD"]


def test_a_ridge_deceives_those_with_one_rate_for_all() -> None:
    told = after(30, built(surface="saddle"))
    assert told["SGD"] > 0.9  # the saddle is at 1
    assert told["RMSProp"] < 0.1
    assert told["Adagrad"] < 0.1


def test_one_start_but_not_one_end() -> None:
    lab = built(surface="Himmelblau")
    after(150, lab)
    assert where(lab, "SGD") == pytest.approx([3.584428, -1.848127], abs=0.2)
    assert where(lab, "Adam") == pytest.approx([3, 2], abs=0.2)


def test_only_the_ball_with_mass_rolls_through_small_pits() -> None:
    told = after(150, built(surface="many minima"))
    assert told["momentum"] < 1e-3
    assert all(height > 0.4 for name, height in told.items() if name != "momentum")


def test_decay_and_noise() -> None:
    calm, decayed = built(surface="bowl", race="SGD"), built(surface="bowl", race="SGD", decay=0.2)
    noisy = built(surface="bowl", race="SGD", noise=2.0)
    assert after(60, calm)["SGD"] < after(60, decayed)["SGD"]
    after(200, noisy)
    assert float(noisy.ground.height(noisy.theta)[0]) > 1e-4  # it never comes to rest
    assert decayed.rate("SGD") == pytest.approx(0.1 / (1 + 0.2 * 59))


# ------------------------------------------------------------------------------------------- what one does


@pytest.mark.parametrize("name", ["surface", "contour"])
def test_a_click_drops_all_balls_there(name: str) -> None:
    lab = built(surface="bowl")
    after(5, lab)
    marks.apply(lab, Mark(5, "edit", name, "", gesture=PointPick(1.5, -99.0)))
    assert lab.xy.tolist() == [[1.5, -3.0]] * len(OPTIMIZERS)  # at the edge
    assert not lab.m.any()
    assert render(lab, "surface").cursor == (1.5, -3.0)
    after(5, lab)
    actions_of(lab)["again"].method(lab)
    assert lab.xy.tolist() == [[1.5, -3.0]] * len(OPTIMIZERS)
    actions_of(lab)["elsewhere"].method(lab)
    assert lab.xy.tolist() != [[1.5, -3.0]] * len(OPTIMIZERS)
    assert lab.xy.abs().max() <= 3


def test_a_place_that_is_none_is_refused() -> None:
    lab = built()
    after(3, lab)
    before = lab.theta.clone()
    with pytest.raises(LabError, match="needs a place"):
        views_of(lab)["surface"].on_edit(lab, PointPick(math.nan, 0.0))
    assert torch.equal(lab.theta, before)


@pytest.mark.parametrize("race", RACES)
def test_who_does_not_race_stays_and_is_not_seen(race: str) -> None:
    lab = built(surface="bowl", race=race, watched="Adam")
    told = after(10, lab)
    assert tuple(told) == RACES[race]
    shown = render(lab, "surface")
    assert [bool(len(path)) for path in shown.paths] == [name in RACES[race] for name in OPTIMIZERS]
    assert render(lab, "rule").lines[0].note.split(",")[0] == ("Adam" if "Adam" in RACES[race] else RACES[race][0])


def test_another_race_begins_anew() -> None:
    lab = built(surface="bowl")
    after(10, lab)
    lab.hp = dataclasses.replace(lab.hp, race="Adam")
    lab.changed("race")
    assert torch.equal(lab.theta, lab.origin.expand_as(lab.theta))


def test_trails_are_bounded_and_end_where_the_balls_are() -> None:
    lab = built(surface="bowl", learning_rate=0.001)
    after(1000, lab)
    for path, place in zip(render(lab, "surface").paths, lab.xy.tolist(), strict=True):
        assert len(path) < 410
        assert path[0].tolist() == pytest.approx(lab.origin.tolist())
        assert path[-1].tolist() == pytest.approx(place)


def test_the_line_goes_through_both_ends_of_the_step() -> None:
    lab = built(surface="bowl", race="SGD", learning_rate=0.05)
    after(3, lab)
    shown = render(lab, "line")
    for share, place in ((0.0, lab.before[0]), (1.0, lab.theta[0])):
        row = shown.points.xy[int(share)]
        assert row.tolist() == pytest.approx([share, float(lab.ground.height(place[None])[0])], rel=1e-4)


def test_heights_are_shown_from_the_top_left() -> None:
    for name, ground in SURFACES.items():
        shown, (x0, x1, y0, y1) = render(built(surface=name), "surface"), ground.extent
        corners = ground.height(torch.tensor([[x0, y1], [x1, y1], [x0, y0], [x1, y0]], dtype=torch.float32))
        expected = (corners / ground.unit).log1p() if ground.unit else corners
        found = torch.from_numpy(shown.values[[0, 0, -1, -1], [0, -1, 0, -1]])
        assert torch.allclose(found, expected, rtol=1e-4)


# --------------------------------------------------------------------------------------------- a network


@pytest.fixture(scope="module")
def landscapes() -> tuple[Landscape, Landscape]:
    """Along the path, and random."""
    found = []
    for principal in (True, False):
        torch.manual_seed(0)
        found.append(Landscape(principal, torch.device("cpu")))
    return found[0], found[1]


def as_network(ground: Landscape, theta: torch.Tensor) -> nn.Sequential:
    """The same network of torch's own layers."""
    made: list[nn.Module] = []
    for W in ground.layers(theta[None]):
        layer = nn.Linear(W.shape[2] - 1, W.shape[1])
        layer.bias.data, layer.weight.data = W[0, :, 0].clone(), W[0, :, 1:].clone()
        made += [layer, nn.Tanh()]
    return nn.Sequential(*made[:-1])


def test_many_networks_at_once_are_each_a_network(landscapes: tuple[Landscape, Landscape]) -> None:
    ground = landscapes[0]
    theta = torch.stack([ground.begin, ground.centre, ground.centre + 0.3])
    slopes, heights = ground.slope(theta), ground.height(theta)
    for one, slope, height in zip(theta, slopes, heights, strict=True):
        network = as_network(ground, one)
        loss = F.binary_cross_entropy_with_logits(network(ground.x)[:, 0], ground.y)
        loss.backward()
        assert float(height) == pytest.approx(loss.item(), abs=1e-6)
        expected = []
        for layer in network:
            if isinstance(layer, nn.Linear):
                assert layer.bias.grad is not None
                assert layer.weight.grad is not None
                expected.append(torch.cat([layer.bias.grad[:, None], layer.weight.grad], 1).flatten())
        assert torch.allclose(slope, torch.cat(expected), atol=1e-6)


def test_it_is_really_trained(landscapes: tuple[Landscape, Landscape]) -> None:
    ground = landscapes[0]
    begun, ended = ground.height(torch.stack([ground.begin, ground.centre])).tolist()
    assert begun > 0.6
    assert ended < 0.1
    right = (as_network(ground, ground.centre)(ground.x)[:, 0] > 0) == (ground.y > 0.5)
    assert float(right.float().mean()) > 0.95


def test_random_directions_are_filter_normalised(landscapes: tuple[Landscape, Landscape]) -> None:
    ground = landscapes[1]
    for direction in ground.directions:
        for d, W in zip(ground.layers(direction[None]), ground.layers(ground.centre[None]), strict=True):
            assert torch.allclose(d.norm(dim=2), W.norm(dim=2), rtol=1e-4)


def test_the_plane_along_the_path_holds_it(landscapes: tuple[Landscape, Landscape]) -> None:
    along, random = landscapes
    assert along.held > 0.95
    assert random.held < 0.2
    assert torch.allclose(along.directions @ along.directions.T, torch.eye(2), atol=1e-5)


@pytest.mark.parametrize("which", [0, 1])
def test_places_of_the_plane_are_found_again(landscapes: tuple[Landscape, Landscape], which: int) -> None:
    ground = landscapes[which]
    xy = torch.tensor([[0.0, 0.0], [0.5, -0.7], [-0.9, 0.3]])
    assert torch.allclose(ground.project(ground.place(xy)), xy, atol=1e-4)
    assert torch.allclose(ground.height(ground.place(xy))[0], ground.height(ground.centre[None])[0], atol=1e-6)


def test_balls_race_on_all_weights_of_the_network() -> None:
    lab = built(surface=NETWORK)
    assert lab.theta.shape == (len(OPTIMIZERS), 337)
    told = after(100, lab)
    assert told["Adam"] < 0.05
    assert told["SGD"] > told["momentum"]
    assert not any(lab.left)
    views_of(lab)["surface"].on_edit(lab, PointPick(1.0, -1.0))
    assert torch.allclose(lab.xy, torch.tensor([1.0, -1.0]).expand_as(lab.xy), atol=1e-4)


@pytest.mark.parametrize("surface", ["Himmelblau", NETWORK])
def test_saved_loaded_and_continued_is_never_having_stopped(surface: str) -> None:
    whole = built(surface=surface, noise=0.5, learning_rate=0.3)
    after(30, whole)
    snapshot = checkpoint.take(whole, values_of(whole.hp), rng_state(whole.device))
    expected = after(20, whole)
    other = built(surface=surface, noise=0.5, learning_rate=0.3)
    after(3, other)
    checkpoint.put(other, snapshot)
    torch.set_rng_state(snapshot.rng[0])
    assert after(20, other) == expected
    assert torch.equal(other.trail, whole.trail)
