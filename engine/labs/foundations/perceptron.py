"""The perceptron: a weighted sum, a threshold, and a line through the plane that learns from its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.plane import CLASSES, EXTENT, grid, load_plane
from engine.diagrams import Formula, Graph
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, action, view
from engine.nn.wiring import factors, told
from engine.payloads import (
    FieldData,
    FormulaData,
    FormulaLine,
    Gesture,
    GraphData,
    GraphEdge,
    GraphNode,
    PointPick,
    PointsData,
    Stroke,
    ValueEdit,
)
from engine.views import Curves, Field

SIDE, POINTS = 60, 200  # places along each side of the plane; points generated
LECTURE = (1.0, 3.0, -2.0), (-1.0, 2.0)  # w0, w1, w2, and the point asked about: g(1 - 3 - 4) = g(-6) = 0.002
WEIGHTS, INPUTS = ("w₀", "w₁", "w₂"), ("1", "x₁", "x₂")


@dataclass(frozen=True)
class Params:
    learning_rate: float = real(0.1, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    rule: str = choice(
        "perceptron rule",
        ("perceptron rule", "gradient descent"),
        live=True,
        help="Learn from mistakes alone (Rosenblatt), or from the slope of the cross-entropy at every point",
    )
    batch_size: int = integer(
        10, 1, 100, live=True, unit="points", help="Averaged over in one step", when=("rule", ("gradient descent",))
    )
    start: str = choice("the lecture's", ("the lecture's", "random"), help="The weights before the first step")
    noise: float = real(0, 0, 0.5, group="Data", help="How far chance blurs the data")


class Perceptron(Lab):
    """One neuron: inputs times weights, plus a bias; the answer is on which side of a line a point lies.

    Rosenblatt's rule (1958) moves the line at every mistake, and ends where a line can divide the classes.
    """

    title, chapter, summary = "Perceptron", "Foundations", "Three weights are a line: drag them, or let it learn"
    order, speed = 10, 10.0  # every point is right after some 100 steps
    Params = Params
    datasets, accepts = ("gaussians", "xor", "circle", "moons", "drawn"), ("table",)
    state = ("w", "gradient", "xy", "y", "queue", "probed", "latest")
    grows = ("xy", "y", "queue", "latest")
    weights = ("w",)
    proof = Proof("accuracy on separable clouds", 1.0, dataset="gaussians", steps=2000)
    layout = """
        graph   graph   graph    plane plane
        graph   graph   graph    plane plane
        formula formula accuracy loss  loss
    """

    def build(self) -> None:
        data = load_plane(self.dataset, self.hp.noise, POINTS)
        self.classes = CLASSES[:2] if self.dataset == "drawn" else data.classes
        if len(self.classes) != 2:
            found = f"{len(self.classes)} classes" if self.classes else "values instead of classes"
            raise LabError(f"A perceptron tells two classes apart; this data has {found}.")
        self.xy, self.y = data.xy.to(self.device), data.target.float().to(self.device)  # (N, 2), (N,) 0 or 1
        self.units = data.units  # of the axes, in a table of one's own
        self.given = len(self.xy)  # all but what is drawn
        start, probed = LECTURE
        self.w = (torch.tensor(start) if self.hp.start == "the lecture's" else torch.randn(3)).to(self.device)
        self.gradient = torch.zeros_like(self.w)
        self.probed = torch.tensor(probed, device=self.device)
        self.latest = torch.zeros(0, device=self.device)  # x1, x2, y and answer of the point learnt from last
        self.queue = torch.zeros(0, dtype=torch.long)  # what is left of this epoch
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        size = 1 if self.hp.rule == "perceptron rule" else self.hp.batch_size
        self.steps_per_epoch = len(self.xy) / size

    def sums(self, xy: Tensor) -> Tensor:
        """z = w0 + w1 x1 + w2 x2 of points (N, 2): (N,)."""
        return self.w[0] + xy @ self.w[1:]

    def step(self) -> Step:
        by_mistakes = self.hp.rule == "perceptron rule"
        x, y = self.next(1 if by_mistakes else self.hp.batch_size)  # (B, 2), (B,)
        z = self.sums(x)
        answer = (z > 0).float() if by_mistakes else z.sigmoid()
        self.latest = torch.stack([*x[-1], y[-1], answer[-1]])
        yield "forward"
        inputs = torch.cat([torch.ones_like(x[:, :1]), x], 1)  # (B, 3): the bias multiplies a 1
        # of cross-entropy this is the slope; with a threshold in place of the sigmoid, Rosenblatt's rule
        self.gradient = (answer - y) @ inputs / len(x)
        yield "backward"
        self.w = self.w - self.hp.learning_rate * self.gradient
        return self.judge()

    def next(self, size: int) -> tuple[Tensor, Tensor]:
        """The next points and their classes; every epoch goes through them in another order."""
        if len(self.y) == 0 or self.y.min() == self.y.max():
            found = "there are none yet" if len(self.y) == 0 else "all are of one class"
            raise LabError(f"Points of two classes are needed, and {found}: draw some into the plane, then press Play.")
        if not len(self.queue):
            self.queue = torch.randperm(len(self.xy))
        chosen, self.queue = self.queue[:size].to(self.device), self.queue[size:]
        return self.xy[chosen], self.y[chosen]

    def judge(self) -> Metrics:
        z = self.sums(self.xy)
        right = ((z > 0) == (self.y > 0.5)).float().mean()
        if self.hp.rule == "perceptron rule":  # how far on the wrong side mistakes lie, on average over all points
            return {"accuracy": right, "loss": ((1 - 2 * self.y) * z).clamp(min=0).mean()}
        return {"accuracy": right, "loss": F.binary_cross_entropy_with_logits(z, self.y)}

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        if not len(state["xy"]) == len(state["y"]) >= self.given or len(state["latest"]) not in (0, 4):
            raise LabError("“xy” and “y” tell of different points, or “latest” of none")
        return {"y": (0, 1), "queue": (0, len(state["xy"]) - 1)}

    def measure(self) -> float:
        return float(self.judge()["accuracy"])

    def facts(self) -> dict[str, str]:
        counts = [int((self.y == label).sum()) for label in (0, 1)]
        points = " and ".join(f"{n:,} {name}" for n, name in zip(counts, self.classes, strict=True))
        return {"weights": "3, one of them the bias", "points": points}

    @action("The lecture's example", help="Weights 1, 3 and −2, asked about (−1, 2): g(−6) = 0.002")
    def lecture(self) -> None:
        weights, probed = LECTURE
        self.w = torch.tensor(weights, device=self.device)
        self.probed = torch.tensor(probed, device=self.device)

    accuracy = Curves("Accuracy", metrics=("accuracy",), percent=True, help="Share of all points on the right side")
    loss = Curves(
        "Loss",
        metrics=("loss",),
        help="Perceptron rule: how far mistakes lie beyond the line. Gradient descent: the cross-entropy.",
    )

    @view(
        Graph(
            "Perceptron",
            hint="drag a number or an edge up and down",
            help="Inputs times weights, their sum, its sigmoid. Drag a weight, or double-click to type it.",
        )
    )
    def graph(self) -> GraphData:
        x, w, z = [1.0, *self.probed.tolist()], self.w.tolist(), float(self.sums(self.probed))
        y = told(torch.tensor(z).sigmoid())
        inputs = [
            GraphNode(name, name, "input", "" if name == "1" else told(value), number=None if name == "1" else value)
            for name, value in zip(INPUTS, x, strict=True)
        ]
        weighted = []
        for source, name, a, b in zip(INPUTS, WEIGHTS, w, x, strict=True):
            flow = f"{name} = {told(a)}" + (f"\n{name}{source} = {told(a * b)}" if source != "1" else "")
            weighted.append(GraphEdge(source, "Σ", flow, name=name, number=a))
        nodes = (
            *inputs,
            GraphNode("Σ", "Σ", "operation", f"z = {told(z)}"),
            GraphNode("g", "g", "operation", "σ(z)"),
            GraphNode("ŷ", "ŷ", "loss", y, self.classes[int(z > 0)]),
        )
        edges = (*weighted, GraphEdge("Σ", "g", told(z), name="z"), GraphEdge("g", "ŷ", y, name="g(z)"))
        return GraphData(nodes, edges, (INPUTS, ("Σ",), ("g",), ("ŷ",)))

    @graph.edit
    def graph(self, gesture: Gesture) -> None:
        if not isinstance(gesture, ValueEdit):
            return
        if not torch.tensor(gesture.value).isfinite():
            raise LabError(f"{gesture.name} needs a number, not {gesture.value}.")
        if gesture.name in WEIGHTS:
            self.w = self.w.clone()
            self.w[WEIGHTS.index(gesture.name)] = gesture.value
        elif gesture.name in INPUTS[1:]:
            self.probed = self.probed.clone()
            self.probed[INPUTS.index(gesture.name) - 1] = gesture.value

    @view(
        Field(
            "Line",
            low=0,
            high=1,
            level=0.5,
            x_axis="x₁",
            y_axis="x₂",
            draws=CLASSES[:2],
            hint="rings: mistakes",
            help="The answer at each place, the line z = 0, and the weights as an arrow. Click to ask; draw points.",
        )
    )
    def plane(self) -> FieldData:
        values = self.sums(grid(SIDE).to(self.device)).sigmoid()  # (SIDE², ) from the top left
        wrong = (self.sums(self.xy) > 0) != (self.y > 0.5)
        cursor = (float(self.probed[0]), float(self.probed[1]))
        points = PointsData(self.xy, self.y.long(), self.classes, ringed=wrong, cursor=cursor)
        normal, length = self.w[1:], self.w[1:].norm()
        foot = -self.w[0] * normal / length**2  # the line's place nearest to the origin
        arrow = torch.cat([foot, 2 * normal / length])[None] if 1e-6 < length < torch.inf else None  # (1, 4)
        hint = f"{int(wrong.sum())} of {len(wrong)} on the wrong side" if len(wrong) else ""
        return FieldData(values.view(SIDE, SIDE), EXTENT, points, arrow, hint=hint, axes=self.units)

    @plane.probe
    def plane(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.probed = torch.tensor([round(gesture.x, 2), round(gesture.y, 2)], device=self.device)

    @plane.edit
    def plane(self, gesture: Gesture) -> None:
        if isinstance(gesture, Stroke):
            kept = self.given if gesture.clear else len(self.xy)
            xy = torch.tensor([] if gesture.clear else gesture.xy, device=self.device).view(-1, 2)
            self.xy = torch.cat([self.xy[:kept], xy])
            self.y = torch.cat([self.y[:kept], torch.full((len(xy),), float(gesture.label), device=self.device)])
            self.queue = self.queue[:0]
            self.changed("batch_size")

    @view(Formula("In numbers", help="The answer for the point asked about, and what the latest point changed."))
    def formula(self) -> FormulaData:
        z, x, w = self.sums(self.probed), self.probed.tolist(), self.w.tolist()
        terms = told(w[0])
        for a, b in zip(w[1:], x, strict=True):
            terms += f" {'−' if a < 0 else '+'} {factors([told(abs(a)), told(b)])}"
        lines = [
            FormulaLine("z = w_0 + w_1 x_1 + w_2 x_2", f"= {terms} = {told(z)}"),
            FormulaLine(r"\hat{y} = g(z) = \frac{1}{1 + e^{-z}}", f"= g({told(z)}) = {told(z.sigmoid())}"),
        ]
        numbers, note = "", ""
        if len(self.latest):
            point, y, answer = told(self.latest[:2]), told(self.latest[2]), told(self.latest[3])
            numbers = f"{told(self.hp.learning_rate)} · ({y} − {answer})"
            note = f"the latest point, {point}" + (": right, nothing changes" if y == answer else "")
        rule = r"w \leftarrow w + \eta\,(y - \hat{y})\,x"
        lines.append(FormulaLine(rule, numbers, note, lit=True))
        return FormulaData(tuple(lines))
