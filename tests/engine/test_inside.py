"""The inside of a step: what is shown is what autograd and the optimiser made, and looking changes nothing."""

from __future__ import annotations

import pickle
from dataclasses import make_dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tiny_lab import Reader
from torch import Tensor, nn

import engine.inside
import engine.run
from engine import messages as m
from engine.checkpoint import same
from engine.discovery import catalogue
from engine.inside import Inside, activation_data, weight_data
from engine.lab import Lab, Layers, advance, start
from engine.labs.foundations.dense_network import DenseNetwork
from engine.run import Run
from engine.session import Session

every_lab = pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])


class Small(Lab):
    """Two layers, one of them called twice, and a check of them at the end of the step."""

    title, chapter, summary = "Small", "Foundations", "For tests"
    Params = make_dataclass("Params", (), frozen=True)
    layout = "."
    state = ("net",)

    def build(self) -> None:
        relu = nn.ReLU(inplace=True)
        self.net = nn.Sequential(nn.Linear(3, 4), relu, nn.Dropout(0.0), nn.Linear(4, 4), relu, nn.Linear(4, 1))
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.clipped = False

    def step(self) -> Any:
        self.x = torch.randn(5, 3)
        loss = self.net(self.x).square().mean()
        yield "there"
        self.optimizer.zero_grad()
        loss.backward()
        yield "back"
        if self.clipped:
            nn.utils.clip_grad_norm_(self.net.parameters(), 1e-3)
        self.optimizer.step()
        yield "moved"
        with torch.no_grad():
            self.net(self.x + 1)
        return {"loss": loss.detach()}


def made(lab: type[Lab]) -> Any:
    return start(lab)


def same_data(one: Any, other: Any) -> bool:
    return type(one) is type(other) and pickle.dumps(one) == pickle.dumps(other)


def gone_through(lab: Lab) -> list[tuple[str, Inside, tuple[Any, ...], tuple[tuple[str, float], ...]]]:
    """One step: after each phase what is lit, and the layers and numbers at that time."""
    told: list[tuple[str, Inside, tuple[Any, ...], tuple[tuple[str, float], ...]]] = []
    inside, stepping = Inside(lab), lab.step()
    while True:
        metrics, over = None, False
        with inside:
            try:
                next(stepping)  # type: ignore[arg-type]
            except StopIteration as stop:
                metrics, over = stop.value, True
        inside.look(None if over else stepping, metrics)  # type: ignore[arg-type]
        told.append((inside.lit, inside, inside.layers(), inside.numbers))
        if over:
            return told


def test_every_value_is_the_one_that_autograd_and_the_optimiser_made() -> None:
    lab, twin = made(Small), made(Small)
    torch.manual_seed(1)
    forward, backward, update, end = gone_through(lab)
    assert [lit for lit, *_ in (forward, backward, update, end)] == ["activation", "gradient", "change", "change"]

    outputs: list[Tensor] = []
    x = lab.x
    for layer in twin.net:
        x = layer(x)
        outputs.append(x.detach().clone())  # the ReLU writes over what the layer before it returned
    assert [layer.kind for layer in forward[2]] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    shown = {"0": 0, "1": 1, "3": 3, "1 (2)": 4, "5": 5}  # dropout of nothing has nothing to show
    assert [layer.name for layer in forward[2]] == list(shown)
    for layer in (*forward[2], *end[2]):  # the check at the end, without gradients, is no part of the forward pass
        assert same_data(layer.activation, activation_data(outputs[shown[layer.name]], 48))

    loss = twin.net(lab.x).square().mean()
    assert forward[3] == (("loss", float(loss.detach())),) == end[3]
    gradients = torch.autograd.grad(loss, list(twin.net.parameters()))
    known = dict(zip([name for name, _ in twin.net.named_parameters()], gradients, strict=True))
    moved = {name: -0.1 * gradient for name, gradient in known.items()}
    now = dict(lab.net.named_parameters())
    for layer in end[2]:
        for parameter in layer.parameters:
            name = f"{layer.name}.{parameter.name}"
            weight = twin.net.get_parameter(name).detach()
            length = float(torch.linalg.vector_norm(weight))
            assert same_data(parameter.gradient, weight_data(known[name], 48, length))
            assert parameter.gradient.share == pytest.approx(float(known[name].norm()) / length)
            change = now[name].detach() - weight
            assert same_data(parameter.change, weight_data(change, 48, length))
            assert change == pytest.approx(moved[name], abs=1e-6)
    assert sum(len(layer.parameters) for layer in end[2]) == 6
    for _, _, layers, _ in (forward, backward):
        assert all(parameter.change is None for layer in layers for parameter in layer.parameters)
    assert all(parameter.gradient is None for layer in forward[2] for parameter in layer.parameters)


def test_gradients_are_those_that_came_back_though_the_update_clips_them() -> None:
    lab = made(Small)
    lab.clipped = True
    _, backward, _, end = gone_through(lab)
    for one, other in zip(backward[2], end[2], strict=True):
        for before, after in zip(one.parameters, other.parameters, strict=True):
            assert before.gradient is not None
            assert same_data(before.gradient, after.gradient)


def test_what_a_former_step_left_is_not_shown() -> None:
    lab = made(Small)
    gone_through(lab)
    forward, *_ = gone_through(lab)  # gradients of the step before are still there
    assert forward[0] == "activation"
    assert all(parameter.gradient is None for layer in forward[2] for parameter in layer.parameters)


def test_hooks_are_gone_after_each_phase_and_after_an_error() -> None:
    lab = made(Small)
    inside = Inside(lab)
    with inside:
        assert any(module._forward_hooks for module in lab.net.modules())
    assert not any(module._forward_hooks for module in lab.net.modules())
    with pytest.raises(RuntimeError), inside:
        lab.net(torch.zeros(2, 7))
    assert not any(module._forward_hooks for module in lab.net.modules())


def test_pictures() -> None:
    maps = torch.zeros(2, 3, 4, 4)
    maps[0, 0], maps[0, 1], maps[0, 2] = 1, -1, 0.5
    maps[1] = 100  # another sample
    data = activation_data(maps, 48)
    assert data.shape == (2, 3, 4, 4)
    assert data.picture.shape == (9, 9)  # two by two, a gap between them
    assert np.all(data.picture[:4, :4] == 127)
    assert np.all(data.picture[:4, 5:] == -127)
    assert np.all(data.picture[5:, :4] == 64)
    assert np.all(data.picture[4] == engine.inside.GAP)
    assert np.all(data.picture[5:, 5:] == engine.inside.GAP)
    assert (data.low, data.high) == (-1, 100)
    assert data.mean == pytest.approx(float(maps.mean()))

    filters = torch.randn(70, 30, 3, 3)
    data = weight_data(filters, 48, 2.0)
    assert data.picture.shape == (48, 48)
    whole = filters[:16, :16].transpose(1, 2).reshape(48, 48)
    assert np.array_equal(np.sign(data.picture[data.picture != 0]), np.sign(whole.numpy()[data.picture != 0]))
    assert data.share == pytest.approx(float(filters.norm()) / 2)
    assert weight_data(filters, 48, 0.0).share is None

    values = torch.tensor([0.0, 0.0, 1.0, 3.0])
    data = weight_data(values, 48, 1.0)
    assert data.picture.shape == (1, 4)
    assert data.zeros == 0.5
    assert data.histogram.sum() == pytest.approx(1)
    assert data.histogram[0] == 0.5
    assert data.histogram[-1] == 0.25
    assert data.deviation == pytest.approx(float(values.std(correction=0)))


@pytest.mark.parametrize(
    "values",
    [
        torch.tensor(2.0),
        torch.full((3, 2), float("nan")),
        torch.arange(4),
        torch.tensor([1.0, float("inf")]),
        torch.ones(1, 40, 5),
        torch.ones(2, 300, 1, 1),
        torch.full((4,), 1e-42),
        torch.ones(2, 3, 4, 5, 6),
    ],
)
def test_any_tensor_can_be_shown(values: Tensor) -> None:
    for data in (activation_data(values, 24), weight_data(values, 24, 1.0)):
        assert data.shape == tuple(values.shape)
        assert max(data.picture.shape) <= 24
        assert np.isfinite(data.histogram).all()


def test_gradients_by_hand() -> None:
    lab = made(DenseNetwork)
    for _ in range(3):
        advance(lab)
    before = [W.clone() for W in lab.W]
    forward, backward, end = gone_through(lab)
    assert [each[0] for each in (forward, backward, end)] == ["activation", "gradient", "change"]
    assert all(parameter.gradient is None for layer in forward[2] for parameter in layer.parameters)
    for i, layer in enumerate(end[2]):
        (weights,) = layer.parameters
        length = float(torch.linalg.vector_norm(before[i]))
        assert layer.name == f"layer {i + 1}"
        assert same_data(layer.activation, activation_data(lab.room.z[i], 48))
        assert same_data(weights.gradient, weight_data(lab.G[i], 48, length))
        assert same_data(weights.change, weight_data(lab.W[i] - before[i], 48, length))


class ByName(Lab):
    """No nn.Module, no hook: only named weights, and a step without phases."""

    title, chapter, summary = "By name", "Foundations", "For tests"
    Params = type("Params", (), {})
    layout = "."
    state = ("w", "parts")
    weights: ClassVar[tuple[str, ...]] = ("w", "parts")

    def build(self) -> None:
        self.w: Any = torch.zeros(2, requires_grad=True)
        self.parts: Any = [torch.ones(3), "no tensor"]

    def step(self) -> dict[str, float | Tensor]:
        (self.w - 1).square().sum().backward()
        with torch.no_grad():
            self.w -= 0.1 * self.w.grad
            self.parts[0] += 1
        return {"loss": 2.0}


def test_weights_by_name_and_a_step_without_phases() -> None:
    lab = made(ByName)
    inside = Inside(lab)
    with inside:
        metrics: Any = lab.step()
    inside.look(None, metrics)
    assert inside.lit == "change"
    assert inside.numbers == (("loss", 2.0),)
    assert [layer.name for layer in inside.layers()] == ["w", "parts.0"]
    w, part = (layer.parameters[0] for layer in inside.layers())
    assert w.gradient is not None
    assert w.change is not None
    assert part.change is not None
    assert w.gradient.low == -2
    assert w.change.high == pytest.approx(0.2)
    assert w.change.share is None  # it stood at zero
    assert part.gradient is None
    assert part.change.mean == 1


class Nothing(ByName):
    """It has no weights at all."""

    weights = ()

    def inside(self) -> Layers:
        return {}


def test_a_lab_without_a_network_has_no_layers() -> None:
    lab = made(Nothing)
    inside = Inside(lab)
    with inside:
        lab.step()
    inside.look(None, None)
    assert inside.layers() == ()


# ------------------------------------------------------------------------------------------------ in a run


def told(run: Run) -> list[m.InsideSeen]:
    """One step, phase by phase."""
    events: list[m.InsideSeen] = []
    while not events or events[-1].phase:
        run.micro_step()
        (event,) = run.take_inside()
        assert isinstance(event, m.InsideSeen)
        events.append(event)
    return events


@pytest.mark.parametrize("lab_id", ["dense_network", "lenet", "vae", "diffusion", "gpt"])
def test_each_phase_of_a_network_brings_its_tensors(lab_id: str) -> None:
    run = Run(1, m.RunSpec(lab_id), threads=1)
    for step in (1, 2):
        events = told(run)
        lit = [event.lit for event in events]
        assert lit[:3] == ["activation", "gradient", "change"]
        assert set(lit[3:]) <= {"change"}
        assert [event.step for event in events] == [step - 1] * (len(events) - 1) + [step]
        assert sum(layer.activation is not None for layer in events[0].layers) >= 4
        assert not any(p.gradient or p.change for layer in events[0].layers for p in layer.parameters)
        assert all(p.gradient and not p.change for layer in events[1].layers for p in layer.parameters)
        assert all(p.gradient and p.change for layer in events[2].layers for p in layer.parameters)
        assert events[0].layers[0].activation is events[-1].layers[0].activation  # validation shows nothing new
        assert len(pickle.dumps(events[-1])) < 200_000


@every_lab
def test_every_lab_has_the_bits_of_one_that_is_played(lab_id: str) -> None:
    plain, seen = Run(1, m.RunSpec(lab_id), threads=1), Run(2, m.RunSpec(lab_id), threads=1)
    for _ in range(2):
        assert len(pickle.dumps(told(seen)[-1])) < 200_000
        nets = [value for value in vars(seen.lab).values() if isinstance(value, nn.Module)]
        assert not any(module._forward_hooks for net in nets for module in net.modules())
    plain.reach(2)
    assert same(dict(plain.snapshot().state), dict(seen.snapshot().state))
    assert same(plain.rng, seen.rng)


def test_training_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Lab] = []

    class Counted(Inside):
        def __init__(self, lab: Lab) -> None:
            made.append(lab)
            super().__init__(lab)

    monkeypatch.setattr(engine.run, "Inside", Counted)
    run = Run(1, m.RunSpec("dense_network"), threads=1)
    run.reach(5)
    run.step_once()
    run.work(0.001, lambda: True)
    run.finish_step()
    assert made == []
    assert run.take_inside() == []
    run.micro_step()
    assert len(made) == 1
    run.step_once()  # the rest of the step belongs to it
    (event,) = run.take_inside()
    assert isinstance(event, m.InsideSeen)
    assert (event.phase, event.lit) == ("", "change")
    run.step_once()
    assert run.take_inside() == []


def test_a_step_that_training_began_is_shown_from_there_on() -> None:
    run = Run(1, m.RunSpec("lenet"), threads=1)
    run._finish_step(lambda: True)
    assert run.phase == "forward"
    run.micro_step()
    run.micro_step()
    (event,) = run.take_inside()
    assert isinstance(event, m.InsideSeen)
    assert all(layer.activation is None for layer in event.layers)
    assert [layer.name for layer in event.layers] == ["conv1", "conv2", "dense1", "dense2", "dense3"]
    assert all(p.gradient and p.change for layer in event.layers for p in layer.parameters)


def test_an_error_in_a_layer_leaves_the_run_as_errors_do(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(1, m.RunSpec("lenet"), threads=1)
    run.micro_step()
    run.take_inside()
    with monkeypatch.context() as broken:
        broken.setattr(run.lab, "optimizer", None)
        with pytest.raises(AttributeError):
            run.micro_step()
    assert run.take_inside() == []
    assert [event.lit for event in told(run)] == ["activation", "gradient", "change"]


def test_the_session_tells_it_before_it_pauses() -> None:
    session = Session(threads=1)
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("dense_network")))
    session.send(m.MicroStep(1))
    session.send(m.StepOnce(1))
    session.send(m.StepOnce(1))
    reader.event(m.Paused, step=2)
    session.quit()
    events = [event for event in reader.events if isinstance(event, m.InsideSeen | m.Paused)]
    kinds = [(type(event).__name__, event.phase, event.step) for event in events]
    assert [kind for kind in kinds if kind[0] == "InsideSeen"] == [("InsideSeen", "forward", 0), ("InsideSeen", "", 1)]
    for i, kind in enumerate(kinds):
        if kind[0] == "InsideSeen":
            assert kinds[i + 1] == ("Paused", *kind[1:])


def test_what_was_seen_of_a_step_is_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Small)
    run = Run(1, m.RunSpec("small"), threads=1)
    start_of_it = run.snapshot()
    run.micro_step()
    run.restore(start_of_it)
    assert run.take_inside() == []
    run.work(0.0, lambda: True)  # interrupted within a step, at its first phase
    assert run.phase == "there"
    run.micro_step()
    (seen,) = run.take_inside()
    assert isinstance(seen, m.InsideSeen)
    assert seen.phase == "back"
    assert not any(layer.activation for layer in seen.layers)  # those of the step that was left are not its own
    run.micro_step()
    run.step_once()
    run.step_once()
    assert run.take_inside() == []


def test_a_step_that_raises_leaves_no_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.run, "load_lab", lambda _: Small)
    run = Run(1, m.RunSpec("small"), threads=1)
    run.micro_step()
    del run.lab.optimizer  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        run.micro_step()
    assert run.phase == ""
    assert run.take_inside() == []
