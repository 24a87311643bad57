"""A dense network learns a function of the plane; every neuron shows what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from engine.data.plane import CLASSES, EXTENT, FEATURES, SETS, Samples, grid, load_plane, with_features
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import COUNT, Lab, LabError, Layers, Metrics, Proof, Step, view
from engine.nn.dense import ACTIVATIONS, MORE_CLASSES, REGRESSION, TWO_CLASSES, Room, Rooms, flat_layers
from engine.nn.optimizers import OPTIMIZERS, update
from engine.payloads import FieldData, Gesture, NetworkData, PointPick, Stroke, UnitPick, WeightEdit
from engine.views import Curves, Field, Network

SIDE, THUMB = 80, 32  # places along each side of the decision surface, and of a neuron's map


def feature(name: str, on: bool, text: str) -> bool:
    field: bool = flag(on, label=FEATURES[name][0], help=text, group="Inputs")
    return field


def width(layer: int) -> int:
    """How many neurons a hidden layer has; asked for only where there is such a layer."""
    text, when = f"Neurons in hidden layer {layer}", ("layers", tuple(range(layer, 9)))
    field: int = integer(8, 1, 64, label=f"Layer {layer}", unit="neurons", help=text, group="Network", when=when)
    return field


@dataclass(frozen=True)
class Params:
    learning_rate: float = real(0.03, 1e-5, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    batch_size: int = integer(10, 1, 500, log=True, live=True, unit="points", help="Points averaged over in one step")
    activation: str = choice("ReLU", tuple(ACTIVATIONS), live=True, help="What a hidden neuron makes of its sum z")
    optimizer: str = choice("SGD", OPTIMIZERS, live=True, label="Optimiser", help="How gradients become steps")
    regulariser: str = choice("none", ("none", "L1", "L2"), live=True, help="A price on weights: their size, or square")
    price: float = real(1e-3, 1e-5, 10, log=True, live=True, help="How high it is", when=("regulariser", ("L1", "L2")))
    discretise: bool = flag(False, view=True, help="Show only on which side of the boundary a place lies")
    show_test: bool = flag(True, view=True, label="Show test data", help="Show the points held back, as rings")
    noise: float = real(0, 0, 0.5, group="Data", help="How far chance blurs the data")
    training_share: float = real(0.5, 0.1, 0.9, group="Data", help="Share of the points to learn from; the rest test")
    x1: bool = feature("x1", True, "How far right")
    x2: bool = feature("x2", True, "How far up")
    x1_squared: bool = feature("x1_squared", False, "The square of how far right")
    x2_squared: bool = feature("x2_squared", False, "The square of how far up")
    x1_x2: bool = feature("x1_x2", False, "The product of both")
    sin_x1: bool = feature("sin_x1", False, "A wave from left to right")
    sin_x2: bool = feature("sin_x2", False, "A wave from bottom to top")
    layers: int = integer(3, 0, 8, label="Hidden layers", help="Layers between inputs and output", group="Network")
    width_1: int = width(1)
    width_2: int = width(2)
    width_3: int = width(3)
    width_4: int = width(4)
    width_5: int = width(5)
    width_6: int = width(6)
    width_7: int = width(7)
    width_8: int = width(8)


class DenseNetwork(Lab):
    """A network of fully connected layers learns to tell points of the plane apart, or to predict a value there.

    All that TensorFlow Playground (Smilkov et al., 2017) shows, with your own data, and with gradients by hand.
    """

    title, chapter, summary = "Dense network", "Foundations", "A playground: every neuron shows its own map as it bends"
    order, speed = 30, 400  # the spiral takes some 8,000 steps
    Params = Params
    datasets, accepts = tuple(SETS), ("table",)
    state = ("theta", "grad", "m", "v", "t", "samples", "steps_per_epoch")
    weights = ("W",)
    proof = Proof(
        "spiral test accuracy",
        0.98,
        dataset="spiral",
        seconds=60,
        steps=10_000,
        settings=(("optimizer", "Adam"), ("learning_rate", 0.003), ("width_1", 16), ("width_2", 16), ("width_3", 16)),
    )
    layout = """
        network network network  network  surface  surface
        network network network  network  surface  surface
        loss    loss    loss     accuracy accuracy accuracy
    """

    def build(self) -> None:
        self.data = load_plane(self.dataset, self.hp.noise)
        features = [name for name in FEATURES if getattr(self.hp, name)]
        if not features:
            raise LabError("Choose at least one input, such as x₁.")
        self.samples = Samples(self.data, self.hp.training_share, features, self.device)
        self.loss_of = {0: REGRESSION, 2: TWO_CLASSES}.get(len(self.data.classes), MORE_CLASSES)
        hidden = [getattr(self.hp, f"width_{layer + 1}") for layer in range(self.hp.layers)]
        self.sizes = [len(features), *hidden, self.samples.y.shape[1]]
        shapes = [(units, 1 + inputs) for inputs, units in pairwise(self.sizes)]  # column 0 is the bias
        # all weights lie in one vector theta, so that an optimiser moves them all at once
        self.theta, self.W = flat_layers(shapes, self.device)
        self.grad, self.G = flat_layers(shapes, self.device)
        self.priced, masks = flat_layers(shapes, self.device)
        for W, mask in zip(self.W, masks, strict=True):
            W[:, 1:] = torch.randn(W.shape[0], W.shape[1] - 1) / math.sqrt(W.shape[1] - 1)
            mask[:, 1:] = 1  # there is no price on biases
        self.W_T, self.W_in = [W.T for W in self.W], [W[:, 1:] for W in self.W]
        self.m, self.v, self.t = torch.zeros_like(self.grad), torch.zeros_like(self.grad), 0
        self.probed: tuple[float, float] | None = None
        self.chosen: UnitPick | None = None
        self.changed("batch_size")

    def step(self) -> Step:
        x, y = self.samples.next(self.hp.batch_size)  # (B, 1 + F), (B, K)
        room = self.room = self.rooms[len(x)]
        z = self.forward(x, room)
        yield "forward"
        self.backward(z, y, room)
        yield "backward"
        self.t += 1
        update(self.hp.optimizer, self.theta, self.grad, self.m, self.v, self.t, self.hp.learning_rate)
        return None if self.samples.batches else self.judge(self.rooms[len(self.samples.x)])

    def forward(self, x: Tensor, room: Room) -> Tensor:
        """Layer by layer z = a W^T, where a has a leading 1 for the bias, then a = g(z). Returns the last z (N, K)."""
        activate, last = ACTIVATIONS[self.hp.activation].apply, len(self.W) - 1
        room.a[0] = x
        for layer, W_T in enumerate(self.W_T):
            z = torch.mm(room.a[layer], W_T, out=room.z[layer])
            if layer < last:
                activate(z)  # in place: room.z[layer] is room.a[layer + 1] without its leading 1
        return z

    def backward(self, z: Tensor, y: Tensor, room: Room) -> None:
        """The gradient of the mean loss over the batch (Rumelhart et al., 1986), from the last layer to the first."""
        chain, delta = ACTIVATIONS[self.hp.activation].chain, room.delta
        torch.sub(self.loss_of.predict(z), y, out=delta[-1]).mul_(room.share)  # dJ/dz = (prediction - y) / B
        for layer in range(len(self.W) - 1, -1, -1):
            torch.mm(room.delta_T[layer], room.a[layer], out=self.G[layer])  # dJ/dW = (dJ/dz)^T a
            if layer > 0:
                torch.mm(delta[layer], self.W_in[layer], out=delta[layer - 1])  # dJ/da = dJ/dz W
                chain(delta[layer - 1], room.z[layer - 1])  # dJ/dz = dJ/da g'(z), one layer further down
        if self.hp.regulariser == "L2":  # J + price |w|² / 2
            self.grad.addcmul_(self.priced, self.theta, value=self.hp.price)
        elif self.hp.regulariser == "L1":  # J + price |w|
            self.grad.addcmul_(self.priced, self.theta.sign(), value=self.hp.price)

    def judge(self, room: Room) -> Metrics:
        """Loss and accuracy over all training and all test points, without the price of weights."""
        x, y, n = self.samples.x, self.samples.y, self.samples.held_back
        z = self.forward(x, room)
        both = torch.stack([self.loss_of.cost(z, y), self.loss_of.right(z, y).float()])  # (2, N)
        train: Metrics = dict(zip(("train loss", "train accuracy"), both[:, n:].mean(1), strict=True))
        test = zip(("test loss", "test accuracy"), both[:, :n].mean(1), strict=True) if n else ()
        return train | dict(test)

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        return {"t": COUNT, "steps_per_epoch": COUNT}

    def measure(self) -> float:
        return float(self.judge(Room(len(self.samples.x), self.sizes, self.device))["test accuracy"])

    def changed(self, name: str) -> None:
        if name == "optimizer":
            self.m.zero_(), self.v.zero_()
            self.t = 0
        elif name == "batch_size":
            self.samples.redeal(self.hp.batch_size)
            self.rooms = Rooms(self.sizes, self.device)
            self.room = self.rooms[self.hp.batch_size]  # the one used last
            self.steps_per_epoch = math.ceil(self.samples.learnt / self.hp.batch_size)

    def inside(self) -> Layers:
        return {f"layer {i}": layer for i, layer in enumerate(zip(self.room.z, self.W, self.G, strict=True), 1)}

    def facts(self) -> dict[str, str]:
        points = f"{self.samples.learnt:,} to learn from, {self.samples.held_back:,} to test"
        return {"parameters": f"{self.theta.numel():,}", "points": points, "loss": self.loss_of.name, **self.data.axes}

    loss = Curves(
        "Loss",
        metrics=("train loss", "test loss"),
        hint="train · test",
        help="Mean over the points: how surprised the network is by their classes, or half its squared error.",
    )
    accuracy = Curves(
        "Accuracy",
        metrics=("train accuracy", "test accuracy"),
        percent=True,
        hint="train · test",
        help="Share of the points that are classified rightly; in regression, predicted to within 0.1.",
    )

    def maps(self, xy: Tensor, discretise: bool) -> list[Tensor]:
        """What every neuron makes of the places xy, layer by layer: inputs (N, F), hidden (N, units), output (N, K)."""
        x = with_features(xy.to(self.device), self.samples.features)
        room = Room(len(x), self.sizes, self.device)
        output = self.loss_of.predict(self.forward(x, room))
        if self.loss_of is not REGRESSION:
            output = 2 * output - 1  # probabilities from -1, surely not (or blue), to 1, surely (or orange)
        if discretise and output.shape[1] > 1:
            output = torch.where(output == output.amax(1, keepdim=True), 1.0, -1.0)
        layers = [x[:, 1:], *room.z[:-1], output]
        return [layer.sign() for layer in layers] if discretise else layers

    @view(
        Network(
            "Network",
            hint="click a neuron to see its map large",
            help="Each neuron's own map of the plane; each weight's size and sign. Click a weight to change it.",
        )
    )
    def network(self) -> NetworkData:
        maps = self.maps(grid(THUMB), self.hp.discretise)
        maps[0] /= maps[0].abs().amax(0)  # inputs of different size are seen equally well
        probed = None if self.probed is None else self.maps(torch.tensor([self.probed]), False)
        inputs = tuple(FEATURES[name][0] for name in self.samples.features)
        hidden = [tuple(f"{layer}.{unit + 1}" for unit in range(n)) for layer, n in enumerate(self.sizes[1:-1], 1)]
        return NetworkData(
            units=(inputs, *hidden, self.data.classes if self.loss_of is MORE_CLASSES else ("ŷ",)),
            weights=tuple(self.W_in),
            biases=tuple(W[:, 0] for W in self.W),
            activation=self.hp.activation,
            thumbnails=tuple(layer.T.reshape(-1, THUMB, THUMB) for layer in maps),
            values=None if probed is None else tuple(layer[0] for layer in probed),
            gradients=tuple(G[:, 1:] for G in self.G),
            layer_names=("inputs", *(f"layer {i + 1}" for i in range(self.hp.layers)), "output"),
        )

    @network.probe
    def network(self, gesture: Gesture) -> None:
        self.chosen = gesture if isinstance(gesture, UnitPick) and gesture != self.chosen else None

    @network.edit
    def network(self, gesture: Gesture) -> None:
        if isinstance(gesture, WeightEdit):
            self.W[gesture.layer][gesture.row, 1 + gesture.column] = gesture.value  # the bias: their -1 is our 0

    @view(
        Field(
            "Decision surface",
            low=-1,
            high=1,
            level=0,
            x_axis="x₁",
            y_axis="x₂",
            hint="discs train · rings test",
            draws=CLASSES,
            help="The prediction at each place. Click to send a place through; draw points of your own.",
        )
    )
    def surface(self) -> FieldData:
        maps = self.maps(grid(SIDE), self.hp.discretise)
        values, shares, hint = maps[-1].amax(1), None, ""
        if self.chosen is not None:
            values = maps[self.chosen.layer][:, self.chosen.unit]
            values = values / values.abs().max().clamp(min=1)
            hint = f"the map of neuron {self.chosen.unit + 1} in layer {self.chosen.layer}"
        elif self.loss_of is MORE_CLASSES:
            shares = (maps[-1].T.reshape(-1, SIDE, SIDE) + 1) / 2  # (K, SIDE, SIDE)
        points = self.samples.shown(self.hp.show_test, cursor=self.probed)
        return FieldData(values.view(SIDE, SIDE), EXTENT, points, shares=shares, hint=hint, axes=self.data.units)

    @surface.probe
    def surface(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.probed = (gesture.x, gesture.y)

    @surface.edit
    def surface(self, gesture: Gesture) -> None:
        if isinstance(gesture, Stroke):
            self.samples.draw(gesture)
            self.changed("batch_size")
