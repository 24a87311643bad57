"""Will I pass?: the lecture's numbers, what is written out by hand, and what the viewer can ask."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from engine.hyperparameters import make_params
from engine.lab import Lab, LabError, advance, start, views_of
from engine.labs.foundations.will_i_pass import EXTENT, SIDE, STUDENT, Params, WillIPass
from engine.payloads import PointPick, WeightEdit
from engine.watch import render


def built(seed: int = 0, **values: Any) -> WillIPass:
    lab = start(WillIPass, make_params(Params, values), seed=seed)
    assert isinstance(lab, WillIPass)
    return lab


def measured(lab: WillIPass) -> float:
    with torch.inference_mode():
        return lab.measure()


def numbers(lab: Lab) -> list[str]:
    return [line.numbers for line in render(lab, "answer").lines]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "ReLU"])
def test_untrained_it_says_a_tenth(seed: int, activation: str) -> None:
    assert measured(built(seed, activation=activation)) == pytest.approx(0.1, abs=1e-6)


def test_the_lecture_s_student_is_surprising_at_first() -> None:
    lines = render(built(), "answer").lines
    assert "= 0.100" in lines[1].numbers
    assert lines[2].numbers == f"= {-math.log(0.1):.3f}"
    assert "passed" in lines[2].note


def test_trained_it_knows_better() -> None:
    lab = built(learning_rate=1.0)
    for _ in range(2500):
        advance(lab)
    assert measured(lab) > 0.9
    with torch.inference_mode():
        assert float(((lab.chance(lab.x) > 0.5) == (lab.y > 0.5)).float().mean()) > 0.85


def test_the_sums_by_hand_are_what_the_network_answers() -> None:
    lab = built()
    x = torch.tensor([[7.0, 2.5]])
    z = (x - 5) / 2.5 @ lab.hidden.weight.T + lab.hidden.bias
    y = 1 / (1 + torch.exp(-(z.sigmoid() @ lab.output.weight.T + lab.output.bias)))
    assert lab.chance(x).detach().item() == pytest.approx(y.detach().item(), abs=1e-6)


def test_a_step_is_gradient_descent_on_the_cross_entropy() -> None:
    lab, twin = built(learning_rate=0.5), built(learning_rate=0.5)
    state = torch.get_rng_state()
    advance(lab)
    torch.set_rng_state(state)
    batch = torch.randint(len(twin.x), (32,))
    parameters = [*twin.hidden.parameters(), *twin.output.parameters()]
    p, y = twin.chance(twin.x[batch]), twin.y[batch]
    loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.data -= 0.5 * gradient
    for ours, theirs in zip([*lab.hidden.parameters(), *lab.output.parameters()], parameters, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_click_asks_for_another_student_and_the_sliders_too() -> None:
    lab = built()
    views_of(lab)["surface"].on_probe(lab, PointPick(9.0, 12.0))
    assert render(lab, "surface").points.cursor == (9.0, 10.0)
    assert numbers(lab)[1] != "= 0.100"
    lab.hp = make_params(Params, {"lectures": 1.0})
    lab.changed("lectures")
    assert render(lab, "surface").points.cursor == (1.0, STUDENT[1])


def test_the_surface_is_in_the_units_of_the_story() -> None:
    lab = built()
    shown = render(lab, "surface")
    assert shown.extent == EXTENT
    assert shown.values.shape == (SIDE, SIDE)
    with torch.inference_mode():
        corner = lab.chance(torch.tensor([[EXTENT[0], EXTENT[3]]])).item()  # few lectures, many hours: the top left
    assert shown.values[0, 0] == pytest.approx(corner, abs=1e-6)


def test_a_weight_can_be_edited() -> None:
    lab = built()
    edit = views_of(lab)["network"].on_edit
    edit(lab, WeightEdit(0, 1, 1, 2.5))
    edit(lab, WeightEdit(1, 0, -1, -0.5))
    assert lab.hidden.weight[1, 1].item() == 2.5
    assert lab.output.bias.item() == -0.5


def test_students_who_all_did_alike_teach_nothing() -> None:
    def any_class() -> None:
        for seed in range(60):
            built(seed, students=10)

    with pytest.raises(LabError, match="same result"):
        any_class()


def test_the_loss_shown_is_binary_cross_entropy() -> None:
    lab = built()
    state = torch.get_rng_state()
    told = advance(lab)
    torch.set_rng_state(state)
    batch = torch.randint(len(lab.x), (32,))
    before = built()
    expected = F.binary_cross_entropy(before.chance(before.x[batch]), before.y[batch])
    assert told is not None
    assert float(told["loss"]) == pytest.approx(expected.detach().item(), abs=1e-6)
