"""Activations: what bends a network, what that lets it do, and what becomes of the gradient on its way back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.data.plane import CLASSES, EXTENT, Samples, grid, load_plane
from engine.diagrams import Formula, Lines
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, Layers, Metrics, Proof, Step, view
from engine.nn.activations import ACTIVATIONS, Activation, asleep, flat_spans
from engine.nn.dense import MORE_CLASSES, REGRESSION, TWO_CLASSES, as_field
from engine.nn.layers import INITIALISATIONS, backward, collapsed, forward, initial
from engine.payloads import (
    BarsData,
    FieldData,
    FormulaLine,
    Gesture,
    HeatmapData,
    Line,
    LinesData,
    PointPick,
    PointsData,
    Stroke,
)
from engine.views import Bars, Curves, Field, Heatmap

SCALE = 3.0  # places are divided by it: inputs of size one
REACH = 6.0  # the functions are shown from -6 to 6
SIDE = 60  # places along each side of a decision surface
DEEP_WIDTH = 12  # units in each layer of the deep network


@dataclass(frozen=True)
class Params:
    activation: str = choice("tanh", tuple(ACTIVATIONS), live=True, help="What a hidden unit makes of its sum z")
    learning_rate: float = real(0.1, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    batch_size: int = integer(20, 1, 500, log=True, live=True, unit="points", help="Points averaged over in one step")
    initialisation: str = choice("Xavier", tuple(INITIALISATIONS), help="How large the first, random weights are")
    layers: int = integer(2, 1, 6, label="Hidden layers", group="Twins", help="Hidden layers of both twins")
    units: int = integer(8, 1, 32, group="Twins", help="Units in each hidden layer of both twins")
    depth: int = integer(10, 1, 20, label="Deep layers", group="Deep network", help="Hidden layers of the deep network")
    noise: float = real(0, 0, 0.5, group="Data", help="How far chance blurs the data")


class Activations(Lab):
    """The same network twice, from the same weights, on the same batches: once without an activation, once with.

    Without one all layers together are a single one, and draw a line. With one they bend. A third network, ten layers
    deep, shows what the chosen activation lets through of the gradient on its way back.
    """

    title, chapter, summary = "Activations", "Foundations", "One network with and without a bend, side by side"
    order = 20
    Params = Params
    datasets, accepts = ("circle", "xor", "moons", "spiral", "gaussians", "drawn"), ("table",)
    state = ("W", "samples")
    weights = ("W",)
    speed = 20  # with a bend it is learned after some 300 steps
    proof = Proof("accuracy with tanh on circles, where the linear twin only guesses", 0.99, steps=2000)
    layout = """
        functions functions functions straight straight straight bent      bent      bent
        functions functions functions straight straight straight bent      bent      bent
        formula   formula   formula   accuracy accuracy loss     loss      gradients gradients
        formula   formula   formula   idle     idle     units    units     gradients gradients
    """

    def build(self) -> None:
        self.data = load_plane(self.dataset, self.hp.noise, n=300)
        self.samples = Samples(self.data, 1.0, ("x1", "x2"), self.device)
        outputs = self.samples.y.shape[1]
        self.loss_of = {0: REGRESSION, 2: TWO_CLASSES}.get(len(self.data.classes), MORE_CLASSES)
        bent = initial([2, *[self.hp.units] * self.hp.layers, outputs], self.hp.initialisation, self.device)
        deep = initial([2, *[DEEP_WIDTH] * self.hp.depth, outputs], self.hp.initialisation, self.device)
        self.W = {"linear": [W.clone() for W in bent], "bent": bent, "deep": deep}
        self.G = {name: [torch.zeros_like(W) for W in layers] for name, layers in self.W.items()}
        self.passed = {name: self.through(name, self.inputs()) for name in self.W}  # a and z of each layer, latest step
        self.at = 1.0  # the sum z at which the functions are read off
        self.asked = (1.0, 1.0)  # the place whose sums are shown on them
        self.changed("batch_size")

    def activation(self, name: str) -> Activation:
        return ACTIVATIONS["linear" if name == "linear" else self.hp.activation]

    def inputs(self) -> Tensor:
        """All points (N, 2), as the networks get them; where none is drawn yet, places all over the plane."""
        return (self.samples.xy if len(self.samples.xy) else grid(9).to(self.device)) / SCALE

    def through(self, name: str, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """All activations a and sums z of a network for x (N, 2)."""
        return forward(self.W[name], self.activation(name), x)

    def back(self, name: str, a: list[Tensor], z: list[Tensor], y: Tensor) -> list[Tensor]:
        """dJ/dW of each layer of a network, where y (N, K) is right."""
        delta = (self.loss_of.predict(z[-1]) - y) / len(y)  # dJ/dz of the last layer: alike for all losses used here
        return backward(self.W[name], self.activation(name), a, z, delta)

    # ---------------------------------------------------------------------------------------------- training

    def step(self) -> Step:
        x, y = self.samples.next(self.hp.batch_size)  # (B, 1 + 2), (B, K)
        self.passed = {name: self.through(name, x[:, 1:] / SCALE) for name in self.W}
        yield "forward"
        self.G = {name: self.back(name, a, z, y) for name, (a, z) in self.passed.items()}
        yield "backward"
        for name in self.W:
            for W, G in zip(self.W[name], self.G[name], strict=True):
                W -= self.hp.learning_rate * G
        return self.judge() if self.step_count % 10 == 0 else None

    def judge(self) -> Metrics:
        """Accuracy and loss of each network over all points; how many units of the deep one hardly learn."""
        dead, saturated = asleep(self.slopes("deep"))
        metrics: Metrics = {"dead": dead.sum(), "saturated": saturated.sum()}
        for name in self.W:
            metrics[name], metrics[f"{name} loss"] = self.score(name)
        return metrics

    def score(self, name: str) -> tuple[Tensor, Tensor]:
        """Accuracy and mean loss of a network over all points."""
        z, y = self.through(name, self.inputs())[1][-1], self.samples.y  # (N, K) both
        return self.loss_of.right(z, y).float().mean(), self.loss_of.cost(z, y).mean()

    def measure(self) -> float:
        return float(self.score("bent")[0]) if self.score("linear")[1] > 0.95 * math.log(2) else 0.0

    def slopes(self, name: str) -> Tensor:
        """|g'(z)| of every hidden unit for every point, as a share of the steepest: (L, N, units)."""
        g = self.activation(name)
        return torch.stack([g.slope(z).abs() for z in self.through(name, self.inputs())[1][:-1]]) / g.steepest

    def changed(self, name: str) -> None:
        if name == "batch_size":
            self.samples.redeal(self.hp.batch_size)
            self.steps_per_epoch = math.ceil(self.samples.learnt / self.hp.batch_size)

    def inside(self) -> Layers:
        after = {name: [*a[1:], z[-1]] for name, (a, z) in self.passed.items()}
        layers = {name: zip(after[name], W, self.G[name], strict=True) for name, W in self.W.items()}
        return {f"{name} {i}": layer for name in layers for i, layer in enumerate(layers[name], 1)}

    def facts(self) -> dict[str, str]:
        count = " · ".join(f"{name} {sum(W.numel() for W in layers):,}" for name, layers in self.W.items())
        return {"parameters": count, "points": f"{len(self.samples.xy):,}", "loss": self.loss_of.name, **self.data.axes}

    # ------------------------------------------------------------------------------------------------- views

    accuracy = Curves(
        "Accuracy",
        metrics=("linear", "bent", "deep"),
        percent=True,
        help="Share of all points that each network gets right; of values, predicts to within 0.1.",
    )
    loss = Curves(
        "Loss", metrics=("linear loss", "bent loss", "deep loss"), help="Mean over points; guessing costs ln 2 = 0.69."
    )
    idle = Curves(
        "Deep: dead, saturated units",
        metrics=("dead", "saturated"),
        help="Dead: no slope at any point. Saturated: under 5 % of the steepest slope at more than 95 % of points.",
    )

    @view(
        Lines(
            "The activation and its slope",
            x_axis="z",
            hint="drag the line",
            help="g(z) and its derivative g'(z), dashed. Dots: the bent twin's units at the place asked about.",
        )
    )
    def functions(self) -> LinesData:
        g, z = ACTIVATIONS[self.hp.activation], torch.linspace(-REACH, REACH, 601)
        lines = Line("g", z, g.g(z)), Line("g'", z, g.slope(z), "dashed")
        z_of = self.through("bent", torch.tensor([self.asked], device=self.device) / SCALE)[1][:-1]
        sums = torch.cat(z_of, 1)[0].cpu().clamp(-REACH, REACH)  # (layers · units,)
        return LinesData(lines, PointsData(torch.stack([sums, g.g(sums)], 1)), self.at, flat_spans(z, g))

    @functions.probe
    def functions(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.at = min(max(gesture.x, -REACH), REACH)

    @view(Formula("With numbers", help="g and g' where the line stands, and what all layers of the linear twin are."))
    def formula(self) -> tuple[FormulaLine, ...]:
        g, z = ACTIVATIONS[self.hp.activation], torch.tensor(self.at)
        slope, depth = float(g.slope(z)), self.hp.depth
        (w1, w2), b = (tensor[0] for tensor in collapsed(self.W["linear"]))
        product = "".join(f"W_{layer}" for layer in range(self.hp.layers + 1, 0, -1))
        sums = f"= {w1 / SCALE:.2f} x₁ {w2 / SCALE:+.2f} x₂ {b:+.2f}"
        left = f"= {slope**depth:.2g}".replace("e-0", "e-")
        lines = (
            FormulaLine(g.formula, f"= {float(g.g(z)):.3f}", f"at z = {self.at:.2f}".replace("-", "−")),
            FormulaLine(g.derivative, f"= {slope:.3f}"),
            FormulaLine(rf"g'(z)^{{{depth}}}", left, "left of a gradient that many layers down"),
            FormulaLine(rf"z_1 = {product}\,x + b", sums, "all that the linear twin is"),
        )
        return tuple(replace(line, numbers=line.numbers.replace("-", "−").replace("nan", "NaN")) for line in lines)

    def surface(self, name: str) -> FieldData:
        """What a network makes of each place, and of how many points it is right."""
        values, shares = as_field(self.loss_of, self.through(name, grid(SIDE).to(self.device) / SCALE)[1][-1])
        points, hint = self.samples.shown(True, cursor=self.asked), "draw points here"
        if len(self.samples.y):
            hint = f"{100 * float(self.score(name)[0]):.0f} % right"
            dead = asleep(self.slopes(name))[0]
            hint += f" · {int(dead.sum())} of {dead.numel()} units dead" if name == "bent" else ""
        return FieldData(values, EXTENT, points, shares=shares, hint=hint, axes=self.data.units)

    def point_at(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.asked = (gesture.x, gesture.y)

    def draw(self, gesture: Gesture) -> None:
        if isinstance(gesture, Stroke):
            self.samples.draw(gesture)
            self.changed("batch_size")

    @view(
        Field(
            "Without an activation",
            low=-1,
            high=1,
            level=0,
            x_axis="x₁",
            y_axis="x₂",
            draws=CLASSES,
            help="The linear twin's prediction at each place. Click to send a place through; draw points of your own.",
        )
    )
    def straight(self) -> FieldData:
        return self.surface("linear")

    straight.probe(point_at).edit(draw)

    @view(
        Field(
            "With the activation",
            low=-1,
            high=1,
            level=0,
            x_axis="x₁",
            y_axis="x₂",
            draws=CLASSES,
            help="The prediction of the twin with the activation: same first weights, same batches, same rate.",
        )
    )
    def bent(self) -> FieldData:
        return self.surface("bent")

    bent.probe(point_at).edit(draw)

    @view(
        Bars(
            "Deep: gradients",
            low=1e-8,
            high=1,
            log=True,
            hint="powers of ten",
            help="Norm of dJ/dW in each layer of the deep network, over all points. The error enters at the output.",
        )
    )
    def gradients(self) -> BarsData:
        labels = (*(f"layer {layer + 1}" for layer in range(self.hp.depth)), "output")
        if not len(self.samples.y):
            return BarsData(labels, torch.zeros(len(labels)), hint="no points yet")
        G = self.back("deep", *self.through("deep", self.inputs()), self.samples.y)
        return BarsData(labels, torch.stack([G_l.norm() for G_l in G]))

    @view(
        Heatmap(
            "Deep: slopes of units",
            low=0,
            high=1,
            row_axis="layer",
            column_axis="unit",
            help="How steep g is at each unit's sums, on average, as a share of its steepest. Dark: it learns no more.",
        )
    )
    def units(self) -> HeatmapData:
        rows, columns = (tuple(str(i + 1) for i in range(n)) for n in (self.hp.depth, DEEP_WIDTH))
        return HeatmapData(self.slopes("deep").mean(1), rows, columns)
