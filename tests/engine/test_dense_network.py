"""The playground: gradients by hand against autograd, optimisers against torch.optim, and what the viewer can do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine import checkpoint
from engine.benchmarks.dense import epochs_per_second, numpy_epoch
from engine.data.errors import DataError
from engine.hyperparameters import make_params, parse_settings, values_of
from engine.lab import LabError, advance, descriptions_of, start, views_of
from engine.labs.foundations.dense_network import DenseNetwork
from engine.nn.dense import ACTIVATIONS, Room
from engine.nn.optimizers import OPTIMIZERS, of_torch, update
from engine.payloads import FieldData, NetworkData, PointPick, Stroke, UnitPick, WeightEdit
from engine.watch import render, rng_state, set_rng_state


def make(dataset: str = "circle", *, seed: int = 0, **values: Any) -> DenseNetwork:
    lab = start(DenseNetwork, make_params(DenseNetwork.Params, values), dataset=dataset, seed=seed)
    assert isinstance(lab, DenseNetwork)
    return lab


def turn(lab: DenseNetwork, name: str, value: Any) -> None:
    """Change a live hyperparameter as the session does."""
    lab.hp = dataclasses.replace(lab.hp, **{name: value})
    lab.changed(name)


def edit(lab: DenseNetwork, name: str, gesture: Any) -> None:
    handler = views_of(lab)[name].on_edit
    assert handler is not None
    handler(lab, gesture)


def probe(lab: DenseNetwork, name: str, gesture: Any) -> None:
    handler = views_of(lab)[name].on_probe
    assert handler is not None
    handler(lab, gesture)


def epoch(lab: DenseNetwork) -> dict[str, float]:
    while (metrics := advance(lab)) is None:
        pass
    return {name: float(value) for name, value in metrics.items()}


@pytest.fixture
def double() -> Iterator[None]:
    """Numbers of double precision, so that a wrong formula cannot hide behind rounding."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ------------------------------------------------------------------------------------ mathematics by hand

OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "ReLU": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda z: z,
    "leaky ReLU": lambda z: F.leaky_relu(z, 0.01),
    "ELU": F.elu,
    "softplus": F.softplus,
}


def by_autograd(lab: DenseNetwork, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and gradient of the same network, written the other way: separate biases, torch's losses, autograd."""
    W = [W[:, 1:].clone().requires_grad_() for W in lab.W]
    b = [W[:, 0].clone().requires_grad_() for W in lab.W]
    a = x[:, 1:]
    for layer in range(len(W) - 1):
        a = OTHERS[lab.hp.activation](F.linear(a, W[layer], b[layer]))
    z = F.linear(a, W[-1], b[-1])
    if not lab.data.classes:
        loss = F.mse_loss(z, y) / 2
    elif len(lab.data.classes) == 2:
        loss = F.binary_cross_entropy_with_logits(z, y.to(z.dtype))
    else:
        loss = F.cross_entropy(z, y.argmax(1))
    priced = loss
    if lab.hp.regulariser == "L1":
        priced = loss + lab.hp.price * sum(w.abs().sum() for w in W)
    elif lab.hp.regulariser == "L2":
        priced = loss + lab.hp.price / 2 * sum(w.square().sum() for w in W)
    priced.backward()
    parts = [torch.cat([b.grad[:, None], w.grad], 1).flatten() for w, b in zip(W, b, strict=True)]  # type: ignore[index]
    return loss.detach(), torch.cat(parts)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("regulariser", ["none", "L1", "L2"])
@pytest.mark.parametrize("dataset", ["spiral", "plane", "drawn"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_the_gradient_equals_autograds(activation: str, dataset: str, regulariser: str) -> None:
    lab = make(dataset, activation=activation, regulariser=regulariser, price=0.03, width_1=5, width_2=4, layers=2)
    for label in range(3 if dataset == "drawn" else 0):
        edit(lab, "surface", Stroke(tuple((torch.randn(2) * 3).tolist() for _ in range(6)), label))
    lab.theta.add_(0.1 * torch.randn_like(lab.theta))  # biases too are no longer zero
    x, y = lab.samples.next(9)
    room = Room(len(x), lab.sizes, lab.device)
    lab.backward(lab.forward(x, room), y, room)
    loss, gradient = by_autograd(lab, x, y)
    assert torch.allclose(lab.grad, gradient, rtol=0, atol=1e-6)
    assert torch.allclose(lab.loss_of.cost(lab.forward(x, room), y).mean(), loss, rtol=0, atol=1e-6)
    assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize("layers", [0, 1, 8])
def test_the_gradient_is_right_at_any_depth(layers: int) -> None:
    lab = make("spiral", layers=layers, activation="tanh", x1_squared=True)
    x, y = lab.samples.next(10)
    room = lab.rooms[10]
    lab.backward(lab.forward(x, room), y, room)
    assert torch.allclose(lab.grad, by_autograd(lab, x, y)[1], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimiser_equals_torch_optims_step_by_step(name: str) -> None:
    theta = torch.randn(7)
    other = theta.clone().requires_grad_()
    theirs = of_torch(name, other, 0.02)
    m, v = torch.zeros(7), torch.zeros(7)
    for t in range(1, 60):
        gradient = (theta * torch.linspace(0.1, 3, 7)).sin() + 0.1 * torch.randn(7)
        update(name, theta, gradient, m, v, t, 0.02)
        other.grad = gradient
        theirs.step()
        assert torch.allclose(theta, other, rtol=0, atol=1e-12)


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match=r"SGD, momentum, .*RMSProp, Adam"):
        update("Newton", *(torch.zeros(1) for _ in range(4)), t=1, rate=0.1)


# --------------------------------------------------------------------------------------------- training


def test_it_learns() -> None:
    circle = make("circle", layers=2, width_1=4, width_2=2, activation="tanh")
    before = float(circle.judge(circle.rooms[500])["test loss"])
    for _ in range(100):
        after = epoch(circle)
    assert after["test accuracy"] >= 0.97
    assert after["test loss"] < before / 5
    straight = make("circle", activation="linear")
    for _ in range(30):
        flat = epoch(straight)
    assert flat["test accuracy"] < 0.75
    slope = make("plane")
    for _ in range(50):
        fitted = epoch(slope)
    assert fitted["test loss"] < 1e-3


def test_metrics_come_once_an_epoch() -> None:
    lab = make(batch_size=25, training_share=0.6)
    assert lab.steps_per_epoch == 12
    assert [advance(lab) is not None for _ in range(24)] == ([False] * 11 + [True]) * 2


def test_the_step_stops_at_each_phase() -> None:
    lab = make()
    step, before = lab.step(), lab.theta.clone()
    assert next(step) == "forward"
    assert not lab.grad.any()
    assert next(step) == "backward"
    assert lab.grad.any()
    assert torch.equal(lab.theta, before)
    with pytest.raises(StopIteration):
        next(step)
    assert not torch.equal(lab.theta, before)


def test_another_optimiser_starts_afresh_and_keeps_the_weights() -> None:
    lab = make(optimizer="Adam")
    for _ in range(10):
        advance(lab)
    weights = lab.theta.clone()
    turn(lab, "optimizer", "momentum")
    assert torch.equal(lab.theta, weights)
    assert (lab.t, bool(lab.m.any()), bool(lab.v.any())) == (0, False, False)


def test_live_hyperparameters_act_at_the_next_step() -> None:
    lab = make()
    advance(lab)
    turn(lab, "learning_rate", 10.0)
    before = lab.theta.clone()
    advance(lab)
    assert torch.allclose(lab.theta, before - 10 * lab.grad)
    turn(lab, "batch_size", 100)
    assert lab.steps_per_epoch == 3
    assert len(lab.samples.next(100)[0]) in (100, 30)  # 230 points are left of the epoch
    turn(lab, "activation", "sigmoid")
    z = lab.forward(lab.samples.x, room := lab.rooms[500])
    assert len(z) == 500
    assert 0 < float(room.z[0].min()) < float(room.z[0].max()) < 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_saved_loaded_and_continued_is_never_having_stopped(optimizer: str, tmp_path: Path) -> None:
    whole = make("drawn", optimizer=optimizer, batch_size=4, regulariser="L2")
    for label in range(3):
        edit(whole, "surface", Stroke(tuple((float(label), 0.3 * i) for i in range(7)), label))
    for _ in range(8):  # into the second epoch of six steps
        advance(whole)
    snapshot = checkpoint.take(whole, values_of(whole.hp), rng_state(whole.device))
    path = tmp_path / "one.deepscope"
    checkpoint.save(path, checkpoint.RunSpec("dense_network"), snapshot)
    expected = [advance(whole) for _ in range(20)]
    other = make("drawn", seed=5, **checkpoint.load(path)[1].hyperparameters)
    kept = checkpoint.load(path)[1]
    checkpoint.put(other, kept)
    set_rng_state(kept.rng, other.device)
    assert other.steps_per_epoch == 6
    for metrics in expected:
        assert checkpoint.same(metrics, advance(other))
    assert torch.equal(whole.theta, other.theta)
    assert other.W[0].data_ptr() == other.theta.data_ptr()  # still views of it


def test_the_proof_is_measured_on_the_test_points() -> None:
    lab = make("circle", layers=0, x1_squared=True, x2_squared=True)
    for _ in range(30):
        last = epoch(lab)
    with torch.inference_mode():
        assert lab.measure() == last["test accuracy"]
    epoch(lab)  # measuring left nothing behind that training cannot use


def test_without_inputs_it_says_what_to_do() -> None:
    with pytest.raises(LabError, match="at least one input"):
        make(x1=False, x2=False)


def test_own_table(tmp_path: Path) -> None:
    rows = [f"{i},{j},{'in' if i + j < 9 else 'out'}" for i in range(10) for j in range(10)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["left,right,side", *rows]), encoding="utf-8")
    lab = make(str(path))
    assert lab.facts()["x₁"] == "left, 0 to 9"
    for _ in range(60):
        last = epoch(lab)
    assert last["train accuracy"] > 0.9
    path.write_text("a,b,c\n" + "1,2,dog\n2,3,dog\n" * 4, encoding="utf-8")
    with pytest.raises(DataError, match="only the class dog"):
        make(str(path))


# ------------------------------------------------------------------------------------------------- views


def test_the_surface_is_what_the_network_predicts() -> None:
    lab = make("circle", layers=1)
    epoch(lab)
    field = render(lab, "surface")
    assert isinstance(field, FieldData)
    side = len(field.values)
    z = lab.W[1][0, 0] + lab.W[1][0, 1:] @ (lab.W[0] @ torch.tensor([1.0, 6.0, 6.0])).relu()  # the top right corner
    assert field.values[0, side - 1] == pytest.approx(float(2 * z.sigmoid() - 1), abs=1e-5)
    turn(lab, "discretise", True)
    assert set(render(lab, "surface").values.flatten().tolist()) <= {-1, 0, 1}  # type: ignore[union-attr]
    turn(lab, "show_test", False)
    points = render(lab, "surface").points  # type: ignore[union-attr]
    assert (len(points.xy), points.hollow.sum()) == (250, 0)


def test_three_classes_share_every_place() -> None:
    lab = make("drawn")
    for discretise in (False, True):
        turn(lab, "discretise", discretise)
        shares = render(lab, "surface").shares  # type: ignore[union-attr]
        assert shares.shape[0] == 3
        assert shares.sum(0) == pytest.approx(1, abs=1e-5)
    assert set(shares.flatten().tolist()) == {0, 1}


def test_every_neuron_shows_its_map_and_the_probed_values() -> None:
    lab = make("spiral", layers=2, width_1=3, width_2=2, sin_x1=True, activation="tanh")
    before = checkpoint.take(lab, {}, rng_state(lab.device)).state
    probe(lab, "surface", PointPick(1.0, -2.0))
    data = render(lab, "network")
    assert isinstance(data, NetworkData)
    assert [len(layer) for layer in data.units] == [3, 3, 2, 1]
    assert data.units[0] == ("x₁", "x₂", "sin x₁")
    assert data.thumbnails is not None
    assert data.values is not None
    assert [maps.shape for maps in data.thumbnails] == [(n, 32, 32) for n in (3, 3, 2, 1)]
    assert data.values[0].tolist() == pytest.approx([1, -2, float(torch.tensor(1.0).sin())])
    z = data.weights[0] @ data.values[0] + data.biases[0]
    assert data.values[1].tolist() == pytest.approx(torch.tensor(z).tanh().tolist(), abs=1e-6)
    assert render(lab, "surface").points.cursor == (1.0, -2.0)  # type: ignore[union-attr]
    assert checkpoint.same(before, checkpoint.take(lab, {}, rng_state(lab.device)).state)


def test_a_picked_neuron_is_shown_large_and_picked_again_it_goes() -> None:
    lab = make("spiral")
    plain = render(lab, "surface")
    probe(lab, "network", UnitPick(1, 3))
    chosen = render(lab, "surface")
    assert chosen.hint == "the map of neuron 4 in layer 1"  # type: ignore[union-attr]
    assert (chosen.values != plain.values).any()  # type: ignore[union-attr]
    probe(lab, "network", UnitPick(1, 3))
    assert (render(lab, "surface").values == plain.values).all()  # type: ignore[union-attr]


def test_an_edited_weight_is_the_real_one() -> None:
    lab = make("circle")
    edit(lab, "network", WeightEdit(1, 2, 4, 1.5))
    edit(lab, "network", WeightEdit(1, 2, -1, -0.5))
    data = render(lab, "network")
    assert isinstance(data, NetworkData)
    assert (data.weights[1][2, 4], data.biases[1][2]) == (1.5, -0.5)
    assert float((lab.theta == 1.5).sum()) == 1


def test_drawing_gives_a_task() -> None:
    lab = make("drawn", batch_size=2)
    with pytest.raises(DataError, match="draw points of two or three classes"):
        advance(lab)
    edit(lab, "surface", Stroke(((-3.0, 0.0), (-4.0, 1.0)), 0))
    with pytest.raises(DataError, match="only one class"):
        advance(lab)
    edit(lab, "surface", Stroke(((3.0, 0.0), (4.0, 1.0), (3.0, 2.0)), 1))
    assert lab.steps_per_epoch == 3
    for _ in range(60):
        last = epoch(lab)
    assert last["train accuracy"] == 1
    assert "test accuracy" not in last


# ----------------------------------------------------------------------------------- guide and benchmark


def test_the_guides_links_can_be_followed() -> None:
    guide = (Path(__file__).parents[2] / "assets" / "guides" / "dense_network.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((set|view):([^)]*)\)", guide)
    assert len(links) > 15
    for kind, target in links:
        if kind == "view":
            assert target in descriptions_of(DenseNetwork)
            continue
        settings = dict(pair.split("=") for pair in target.split("&"))
        assert settings.pop("dataset", "circle") in DenseNetwork.datasets
        parse_settings(DenseNetwork.Params, [f"{name}={value}" for name, value in settings.items()])
    for description in descriptions_of(DenseNetwork).values():
        assert f"**{description.title}**" in guide


def test_the_benchmark_drives_the_lab_and_numpy() -> None:
    assert epochs_per_second((4, 2), 10, 0.05) > 1
    numpy_epoch((4, 2), 10)()
