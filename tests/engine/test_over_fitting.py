"""Over-fitting: the gap is there, every remedy shrinks it, and the networks side by side are as if each were alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine.data import DataError
from engine.hyperparameters import make_params, values_of
from engine.lab import LabError, actions_of, advance, start, views_of
from engine.labs.foundations.over_fitting import EVERY, HELD_BACK, MEMBERS, SWEEP, WIDTH, OverFitting, Params
from engine.nn.side_by_side import Networks
from engine.payloads import Stroke
from engine.watch import render


def built(dataset: str = "", seed: int = 0, **values: Any) -> OverFitting:
    lab = start(OverFitting, make_params(Params, values), dataset=dataset, seed=seed)
    assert isinstance(lab, OverFitting)
    return lab


def learn(lab: OverFitting, steps: int) -> dict[str, float]:
    """The metrics of the last judgement."""
    told: dict[str, float] = {}
    for _ in range(steps):
        told.update({name: float(value) for name, value in (advance(lab) or {}).items()})
    return told


def turn(lab: OverFitting, **values: Any) -> None:
    for name, value in values.items():
        lab.hp = make_params(Params, {**values_of(lab.hp), name: value})
        lab.changed(name)


def draw(lab: OverFitting, *places: tuple[float, float], label: int = 0, clear: bool = False) -> None:
    edit = views_of(lab)["now"].on_edit
    assert edit is not None
    edit(lab, Stroke(places, label, clear))


def gap(told: dict[str, float]) -> float:
    return told["validation loss"] - told["train loss"]


# ------------------------------------------------------------------------------------- the gap, and remedies

STEPS = 350


@pytest.fixture(scope="module")
def over_fitted() -> tuple[OverFitting, dict[str, float]]:
    lab = built()
    return lab, learn(lab, STEPS)


def test_the_gap_is_there(over_fitted: tuple[OverFitting, dict[str, float]]) -> None:
    lab, told = over_fitted
    assert told["train accuracy"] > 0.95
    assert told["validation accuracy"] < 0.8
    assert gap(told) > 1
    with torch.inference_mode():
        lab.nets.eval()
        assert lab.measure() > 1.5
    lab.nets.train()


REMEDIES: dict[str, dict[str, Any]] = {
    "fewer units": {"units": 4},
    "more points": {"points": 300},
    "weight decay": {"weight_decay": 1.0},
    "dropout": {"dropout": 0.5},
    "augmentation": {"jitter": 0.7},
    "label smoothing": {"smoothing": 0.3},
    "batch norm": {"batch_norm": True},
    "small batches": {"batch_size": 4},
    "early stopping": {"early_stopping": True, "patience": 100},
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_each_remedy_shrinks_the_gap(remedy: str, over_fitted: tuple[OverFitting, dict[str, float]]) -> None:
    assert gap(learn(built(**REMEDIES[remedy]), STEPS)) < 0.7 * gap(over_fitted[1])


def test_large_initial_weights_widen_it(over_fitted: tuple[OverFitting, dict[str, float]]) -> None:
    lab = built(scale=5.0)
    assert gap(learn(lab, STEPS)) > 1.5 * gap(over_fitted[1])
    assert lab.best_loss[0] > over_fitted[0].best_loss[0]


def test_the_sweep_is_a_valley(over_fitted: tuple[OverFitting, dict[str, float]]) -> None:
    lab, _ = over_fitted
    train, held, best = render(lab, "sweep").lines
    assert train.x.tolist() == held.x.tolist() == [lab.parameters(width) for width in SWEEP]
    lowest = int(np.argmin(held.y))
    assert 0 < train.x[lowest] < 100
    assert held.y[-1] > 3 * held.y[lowest]
    assert train.y[-1] < 0.2 * train.y[0]
    assert (best.y <= held.y + 1e-6).all()


@pytest.fixture(scope="module", params=(1, 2))
def untreated(request: pytest.FixtureRequest) -> tuple[OverFitting, float]:
    """A network whose gap is wide open, and the gap it has at the end of as many steps again."""
    lab = built(seed=request.param)
    learn(lab, STEPS)
    later = copy.deepcopy(lab)
    torch.manual_seed(0)
    return lab, gap(learn(later, STEPS))


@pytest.mark.slow
@pytest.mark.parametrize("remedy", [name for name in REMEDIES if name != "small batches"])
def test_each_remedy_shrinks_a_gap_that_is_there(remedy: str, untreated: tuple[OverFitting, float]) -> None:
    lab = copy.deepcopy(untreated[0])
    turn(lab, **REMEDIES[remedy])
    torch.manual_seed(0)
    assert gap(learn(lab, STEPS)) < 0.7 * untreated[1]


# ------------------------------------------------------------------------------------------ the best step


def test_the_best_step_is_kept_and_brought_back() -> None:
    lab = built()
    seen: dict[int, float] = {}
    for step in range(150):
        told = advance(lab)
        if told:
            seen[step] = float(told["validation loss"])
    best = min(seen, key=seen.__getitem__)
    assert int(lab.best_step[0]) == best
    assert float(lab.best_loss[0]) == pytest.approx(seen[best])
    assert f"step {best}" in render(lab, "then").hint
    others = [weight[1:].clone() for weight in lab.nets.weights]
    actions_of(lab)["go_back"].method(lab)
    with torch.no_grad():
        lab.nets.eval()
        assert float(lab.judged(lab.nets, lab.held_back)[0][0]) == pytest.approx(seen[best])
    assert all(torch.equal(a, b[1:]) for a, b in zip(others, lab.nets.weights, strict=True))
    assert (render(lab, "now").values == render(lab, "then").values).all()


def test_early_stopping_holds_what_it_restores_until_something_changes() -> None:
    lab = built(early_stopping=True, patience=20)
    learn(lab, 120)
    assert int(lab.since[0]) >= 20
    assert "stopped" in render(lab, "now").hint
    held = lab.nets.weights[0][0].detach().clone()
    told = learn(lab, 10)
    assert torch.equal(held, lab.nets.weights[0][0])
    assert told["validation loss"] == pytest.approx(float(lab.best_loss[0]), abs=1e-6)
    turn(lab, dropout=0.5)
    learn(lab, 5)
    assert not torch.equal(held, lab.nets.weights[0][0])


def test_a_network_of_another_capacity_has_a_best_step_of_its_own() -> None:
    lab = built()
    learn(lab, 20)
    turn(lab, units=2)
    assert not lab.best_loss[0].isfinite()
    assert lab.best_loss[1:].isfinite().all()
    actions_of(lab)["go_back"].method(lab)
    assert int(lab.nets.mask[0, 0].sum()) == 2
    turn(lab, batch_norm=True)
    assert not lab.best_loss.isfinite().any()


def test_the_best_step_survives_a_learning_rate_that_breaks_everything() -> None:
    lab = built()
    learn(lab, 20)
    turn(lab, learning_rate=1e6)
    learn(lab, 30)
    turn(lab, learning_rate=0.01)
    assert lab.best_loss[0] < 0.7
    actions_of(lab)["go_back"].method(lab)
    assert np.isfinite(learn(lab, 10)["validation loss"])


# ------------------------------------------------------------------------------------ networks side by side


def test_a_network_is_as_if_it_were_alone() -> None:
    lab, x = built(), 4 * torch.randn(20, 2)
    logits = lab.nets(x)
    for member, width in enumerate((WIDTH, *SWEEP)):
        parts = [(w[member], b[member, 0]) for w, b in zip(lab.nets.weights, lab.nets.biases, strict=True)]
        a = x
        for w, b in parts[:2]:
            a = F.relu(a @ w[: a.shape[1], :width] + b[:width])
        assert torch.allclose(logits[member], a @ parts[2][0][:width] + parts[2][1], atol=1e-5)
        counted = sum(
            p.numel()
            for p in nn.Sequential(nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 2)).parameters()
        )
        assert lab.parameters(width) == counted


def test_batch_norm_by_hand_is_torch_s() -> None:
    nets, twin = Networks((5, 3), 8, 2), nn.BatchNorm1d(8, affine=False)
    for _ in range(3):
        z = 3 * torch.randn(2, 16, 8) + 1
        assert torch.allclose(nets.normalised(z, 1, slice(None))[0], twin(z[0]), atol=1e-6)
    # torch's running variance is the unbiased one
    assert torch.allclose(nets.mean[1, 0, 0], twin.running_mean, atol=1e-6)
    assert torch.allclose((nets.var[1, 0, 0] - 0.9**3) * 16 / 15 + 0.9**3, twin.running_var, atol=1e-6)
    nets.eval(), twin.eval()
    twin.running_var = nets.var[1, 0, 0]
    assert torch.allclose(nets.normalised(z, 1, slice(None))[0], twin(z[0]), atol=1e-6)


def test_a_step_is_adamw_of_each_network_s_own_loss() -> None:
    settings: dict[str, Any] = {"weight_decay": 0.5, "smoothing": 0.2, "batch_size": 8}
    lab, alone = built(**settings), built(**settings)
    state = torch.get_rng_state()
    advance(lab)
    torch.set_rng_state(state)
    rows = alone.learnt_from().nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows))[:8]]
    wanted = F.one_hot(alone.y[rows], 2) * 0.8 + 0.1
    loss = -(wanted * alone.nets(alone.xy[rows] / 3)[4].log_softmax(1)).sum(1).mean()
    for weight, ours, decay in (
        (alone.nets.weights[1], lab.nets.weights[1], 0.5),
        (alone.nets.biases[1], lab.nets.biases[1], 0.0),
    ):
        (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
        # at the first step Adam moves by the learning rate, whichever size the gradient has
        expected = weight * (1 - 0.01 * decay) - 0.01 * gradient / (gradient.abs() + 1e-8)
        assert torch.allclose(expected[4], ours[4], atol=1e-6)


def test_what_is_told_is_cross_entropy_and_accuracy() -> None:
    lab = built(dropout=0.5, jitter=1.0, smoothing=0.3)
    told = learn(lab, 1)
    with torch.no_grad():
        lab.nets.eval()
        for name, rows in (("train", lab.learnt_from()), ("validation", lab.held_back)):
            logits = lab.nets(lab.xy[rows] / 3)[0]
            assert told[f"{name} loss"] == pytest.approx(float(F.cross_entropy(logits, lab.y[rows])), abs=1e-5)
            assert told[f"{name} accuracy"] == pytest.approx(float((logits.argmax(1) == lab.y[rows]).float().mean()))


# --------------------------------------------------------------------------------------------------- data


def test_points_held_back_are_never_learnt_from() -> None:
    lab = built(points=100)
    assert int(lab.held_back.sum()) == HELD_BACK
    assert int(lab.learnt_from().sum()) == 100
    assert not (lab.learnt_from() & lab.held_back).any()
    turn(lab, points=500)
    assert int(lab.learnt_from().sum()) == 500


def test_every_other_drawn_point_is_held_back_and_all_can_be_cleared() -> None:
    lab = built(points=10)
    draw(lab, (0.0, 0.0), label=1)
    draw(lab, (1.0, 1.0), label=1)
    draw(lab, (2.0, 2.0), (3.0, 3.0))
    assert lab.held_back[-4:].tolist() == [False, True, False, True]
    assert int(lab.learnt_from().sum()) == 12
    learn(lab, 2)
    draw(lab, clear=True)
    assert len(lab.xy) == lab.given == len(lab.y) == len(lab.held_back)


def test_three_classes_can_be_drawn() -> None:
    lab = built("drawn")
    for label in range(3):
        draw(lab, *[(2.0 * label, float(i)) for i in range(4)], label=label)
    assert np.isfinite(learn(lab, 2 * EVERY)["validation loss"])
    shown = render(lab, "now")
    assert shown.shares.shape[0] == 3
    assert np.allclose(shown.shares.sum(0), 1, atol=1e-5)


def test_an_empty_drawing_is_told_and_changes_nothing() -> None:
    lab = built("drawn")
    for name in views_of(lab):
        render(lab, name)
    before = copy.deepcopy(lab.nets.state_dict())
    with pytest.raises(LabError, match="nothing to learn from"):
        advance(lab)
    draw(lab, (0.0, 0.0), (1.0, 0.0))
    with pytest.raises(LabError, match="one class to learn from"):
        advance(lab)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), lab.nets.state_dict().values(), strict=True))


def test_a_class_that_is_not_there_cannot_be_drawn() -> None:
    lab = built()
    with pytest.raises(LabError, match="2 classes"):
        draw(lab, (0.0, 0.0), label=2)
    assert len(lab.xy) == lab.given


BAD_TABLES = {
    "x,y,kind\n1,2,a\n2,3,a\n3,1,a\n4,4,a\n5,5,a\n": "only the class a",
    "x,y,kind\none,2,a\ntwo,3,b\nthree,1,a\nfour,4,b\n": "two columns of numbers",
    "x,y,kind\n1,nan,a\n2,nan,b\nnan,1,a\n4,nan,b\nnan,3,a\n": "at least 4 are needed",
    "x,y,value\n" + "".join(f"{i},{i * i % 7},{i / 3}\n" for i in range(30)): "predicts values",
}


@pytest.mark.parametrize("text", BAD_TABLES, ids=BAD_TABLES.values())
def test_tables_that_do_not_fit_are_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((DataError, LabError), match=BAD_TABLES[text]):
        built(str(path))


def test_a_table_of_three_kinds_is_learnt(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("x,y,kind\n" + "".join(f"{i % 9},{i % 7},{'abc'[i % 3]}\n" for i in range(90)), encoding="utf-8")
    lab = built(str(path))
    assert (int(lab.held_back.sum()), int(lab.learnt_from().sum())) == (45, 40)
    assert learn(lab, EVERY + 1).keys() >= {"train loss", "validation loss"}
    assert len(lab.best_loss) == MEMBERS


def test_of_a_long_table_a_part_is_learnt_and_told(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(
        "x,y,kind\n" + "".join(f"{i % 91},{i % 71},{'ab'[i % 2]}\n" for i in range(25_000)), encoding="utf-8"
    )
    lab = built(str(path))
    assert int(lab.held_back.sum()) == HELD_BACK
    assert lab.facts()["shown to the lab"].startswith("5,000 of these rows")
