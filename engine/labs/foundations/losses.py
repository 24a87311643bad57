"""Losses: how wrong is a prediction? One number a sample, its slope, and the mean of them all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.plane import EXTENT, grid, load_plane
from engine.diagrams import Formula, Lines
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, view
from engine.nn.losses import CROSS_ENTROPY, FOR_VALUES, LOSSES, SOFTMAX, SQUARED
from engine.payloads import (
    BarsData,
    FieldData,
    FormulaData,
    FormulaLine,
    Gesture,
    Line,
    LinesData,
    Pick,
    PointPick,
    PointsData,
)
from engine.views import Bars, Curves, Field

SIDE = 60  # places along each side of the plane
MOST_BARS = 24
START = (0.5, -0.6, 0.4)  # b, w1, w2: most samples are on the wrong side
STUBBORN = 4.0  # the sum z of two neurons that begin utterly wrong: σ(4) = 0.98 where 0 is right


@dataclass(frozen=True)
class Params:
    loss: str = choice(CROSS_ENTROPY, tuple(LOSSES), group="Task", help="How a wrong prediction is counted")
    learning_rate: float = real(0.05, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    over_sum: bool = flag(False, view=True, label="Over the sum z", help="Show the loss over z, not the prediction")
    samples: int = integer(24, 4, 200, log=True, group="Data", help="How many points there are")
    noise: float = real(0.25, 0, 1, group="Data", help="How far chance blurs the data")


class Losses(Lab):
    """One neuron, z = b + w·x, learns from a few samples: each has its loss, and their mean is the empirical risk.

    Beside it two neurons unlearn the same error, by cross-entropy and by squared error (Nielsen, 2015, chapter 3).
    """

    title, chapter, summary = "Losses", "Foundations", "What each sample costs, and where the slope is steep"
    order = 50
    Params = Params
    datasets, accepts = ("gaussians", "three-clouds", "moons", "plane"), ("table",)
    state = ("theta", "stubborn")
    weights = ("theta",)
    speed = 50  # squared error leaves its plateau after some 300 steps, and has learned after 1,000
    proof = Proof("largest difference of losses and slopes from their closed forms", 1e-6, higher=False, steps=100)
    layout = """
        plane   plane   cost    cost    samples
        plane   plane   cost    cost    samples
        formula formula formula risk    race
    """

    def build(self) -> None:
        data = load_plane(self.dataset, self.hp.noise, n=self.hp.samples)
        self.loss, classes = LOSSES[self.hp.loss], len(data.classes)
        if not classes and self.hp.loss not in FOR_VALUES:
            raise LabError(f"This data set has values, not classes. Choose one of: {', '.join(FOR_VALUES)}.")
        if classes > 2 and self.hp.loss != SOFTMAX:
            raise LabError(f"This data set has {classes} classes, and so needs the {SOFTMAX}.")
        self.xy, self.target, self.classes = data.xy.to(self.device), data.target.to(self.device), data.classes
        self.units = data.units  # of the axes, in a table of one's own
        self.y = F.one_hot(self.target, classes).float() if self.hp.loss == SOFTMAX else self.target[:, None].float()
        self.x = self.inputs(self.xy)
        k = self.y.shape[1]
        self.theta = torch.tensor([START], device=self.device) * (1 - 2 * (torch.arange(k)[:, None] % 2)).to(
            self.device
        )
        self.stubborn = torch.full((2, 1), STUBBORN, device=self.device)  # by cross-entropy, by squared error
        self.chosen = 0  # the sample looked at
        self.asked: float | None = None  # the sum that the cursor was dragged to

    @staticmethod
    def inputs(xy: Tensor) -> Tensor:
        """Places (N, 2) to a column of ones, which the bias multiplies, and both coordinates scaled (N, 3)."""
        return torch.cat([torch.ones_like(xy[:, :1]), xy / 3], 1)

    # ---------------------------------------------------------------------------------------------- training

    def step(self) -> Step:
        z = self.x @ self.theta.T  # (N, K)
        cost = self.loss.cost(z, self.y)  # (N,)
        yield "forward"
        slope = self.loss.slope(z, self.y)  # (N, K)
        gradient = slope.T @ self.x / len(self.x)  # (K, 3): of the mean over the samples
        yield "backward"
        self.theta -= self.hp.learning_rate * gradient
        self.unlearn()
        metrics: Metrics = {"risk": cost.mean()}
        metrics["cross-entropy"], metrics["squared error"] = self.stubborn[:, 0].sigmoid()
        return metrics

    def unlearn(self) -> None:
        """Two neurons z = w·1 + b, for which 0 is right, step against the slope; w and b move alike, so z twice."""
        zero = torch.zeros(1, 1, device=self.device)
        for z, name in zip(self.stubborn.split(1), (CROSS_ENTROPY, SQUARED), strict=True):  # (1, 1) each
            z -= 2 * self.hp.learning_rate * LOSSES[name].slope(z, zero)

    def measure(self) -> float:
        """How far the losses and slopes in use are from what a hand calculates, in double precision."""
        far = []
        for z, y in ((-math.log(9), 1.0), (2.0, 0.0), (-3.0, 0.0)):  # σ(-ln 9) = 0.1
            p, sums, truth = 1 / (1 + math.exp(-z)), *torch.tensor([[[z]], [[y]]], dtype=torch.float64)
            pair = torch.tensor([[z, 0.0]], dtype=torch.float64), torch.tensor([[y, 1 - y]], dtype=torch.float64)
            surprise = -y * math.log(p) - (1 - y) * math.log(1 - p)  # of two classes softmax is the sigmoid
            for name, cost, slope, at in (
                (CROSS_ENTROPY, surprise, p - y, (sums, truth)),
                (SOFTMAX, surprise, p - y, pair),
                (SQUARED, (p - y) ** 2, 2 * (p - y) * p * (1 - p), (sums, truth)),
                ("squared error", (z - y) ** 2, 2 * (z - y), (sums, truth)),
            ):
                loss = LOSSES[name]
                far += [abs(float(loss.cost(*at)) - cost), abs(float(loss.slope(*at)[0, 0]) - slope)]
        return max(far)

    def facts(self) -> dict[str, str]:
        return {"samples": f"{len(self.x):,}", "weights": str(self.theta.numel())}

    # ------------------------------------------------------------------------------------------------- views

    risk = Curves(
        "Empirical risk", metrics=("risk",), help="The mean of the losses of all samples: what training lowers."
    )
    race = Curves(
        "Two that begin wrong",
        metrics=("cross-entropy", "squared error"),
        help="The predictions of two neurons that begin at 0.98 where 0 is right, each trained by its own loss.",
    )

    @view(
        Field(
            "Samples",
            low=0,
            high=1,
            level=0.5,
            x_axis="x₁",
            y_axis="x₂",
            hint="click a sample",
            help="The prediction at each place, and the samples. The one with a ring is looked at elsewhere.",
        )
    )
    def plane(self) -> FieldData:
        predicted = self.loss.predict(self.inputs(grid(SIDE).to(self.device)) @ self.theta.T)  # (SIDE², K)
        low = -1.0 if not self.classes or self.hp.loss == "hinge" else 0.0  # the whole scale of colours is used
        values = (predicted[:, 0] - low) / (1 - low)
        shares = predicted.T.reshape(-1, SIDE, SIDE) if predicted.shape[1] > 1 else None
        ringed = torch.arange(len(self.xy)) == self.chosen
        points = PointsData(
            self.xy,
            self.target if self.classes else None,
            self.classes,
            ringed=ringed,
            values=None if self.classes else self.target,
        )
        return FieldData(values.view(SIDE, SIDE), EXTENT, points, shares=shares, axes=self.units)

    @plane.probe
    def plane(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            place = torch.tensor([gesture.x, gesture.y], device=self.device)
            self.chosen, self.asked = int((self.xy - place).square().sum(1).argmin()), None

    @view(Bars("Loss of each sample", help="How wrong the neuron is of each sample. Their mean is the empirical risk."))
    def samples(self) -> BarsData:
        cost = self.loss.cost(self.x @ self.theta.T, self.y)
        shown = tuple(str(i + 1) for i in range(min(len(cost), MOST_BARS)))
        more = f" · the first {MOST_BARS}" if len(cost) > MOST_BARS else ""
        chosen = self.chosen if self.chosen < len(shown) else None
        return BarsData(shown, cost[: len(shown)], chosen=chosen, hint=f"mean {float(cost.mean()):.3f}{more}")

    @samples.probe
    def samples(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick):
            self.chosen, self.asked = min(gesture.index, len(self.xy) - 1), None

    @view(
        Lines("Loss over the prediction", help="What a prediction costs, and how steep that is. Drag to try another.")
    )
    def cost(self) -> LinesData:
        z, y, right = self.at_hand()
        reach = 3 if self.hp.loss in (*FOR_VALUES, "hinge") else 6
        sums = torch.linspace(-reach, reach, 121, device=self.device)
        many = z.repeat(len(sums), 1)  # (121, K): all sums as they are, but for that of the right class
        many[:, right] = sums
        truth = y.expand_as(many)
        over = sums if self.hp.over_sum else self.loss.predict(many)[:, right]
        slope = self.loss.slope(many, truth)[:, right]
        lines = Line("loss J", over, self.loss.cost(many, truth)), Line("slope dJ/dz", over, slope, "dashed")
        here = float(z[right] if self.hp.over_sum else self.loss.predict(z[None])[0, right])
        axis = "the sum z" if self.hp.over_sum else "the prediction ŷ"
        return LinesData(lines, cursor=here, hint=f"over {axis} · {float(y[right]):.3g} is right · drag the line")

    @cost.probe
    def cost(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.asked = gesture.x

    def at_hand(self) -> tuple[Tensor, Tensor, int]:
        """The sums (K,) of the sample looked at, with the cursor where it was dragged to; what is right (K,); and which
        of the K sums is the one that the cursor moves."""
        y = self.y[self.chosen]
        z, right = (self.x[self.chosen] @ self.theta.T).clone(), int(y.argmax()) if len(y) > 1 else 0
        if self.asked is not None:
            asked = torch.tensor(self.asked, device=self.device)
            if not self.hp.over_sum and self.hp.loss in (CROSS_ENTROPY, SQUARED, SOFTMAX):  # of a share, its sum
                others = torch.cat([z[:right], z[right + 1 :]]).logsumexp(0) if len(y) > 1 else 0.0
                asked = asked.logit(1e-3) + others
            z[right] = asked
        return z, y, right

    @view(
        Formula("With numbers", help="The loss and its slope for the sample looked at, and the mean over all samples.")
    )
    def formula(self) -> FormulaData:
        z, y, right = self.at_hand()
        predicted, cost = self.loss.predict(z[None])[0, right], self.loss.cost(z[None], y[None])[0]
        slope, risk = self.loss.slope(z[None], y[None])[0, right], self.loss.cost(self.x @ self.theta.T, self.y).mean()
        asked = "" if self.asked is None else ", as dragged"
        lines = (
            FormulaLine(
                r"\hat{y}", f"= {predicted:.3f}", f"sample {self.chosen + 1}{asked}; {float(y[right]):.3g} is right"
            ),
            FormulaLine(self.loss.formula, f"= {cost:.3f}"),
            FormulaLine(self.loss.derivative, f"= {slope:.3f}", "the gradient that learning gets to see"),
            FormulaLine(r"R = \frac{1}{N} \sum_i J_i", f"= {risk:.3f}", f"the empirical risk, N = {len(self.y)}"),
        )
        return FormulaData(tuple(replace(line, numbers=line.numbers.replace("-", "−")) for line in lines))
