"""Limits: what a network says where it has seen nothing, whether it knows that, and what a skewed sample does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.plane import CLASSES, EXTENT, grid
from engine.diagrams import Lines
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import Lab, Metrics, Proof, Step, view
from engine.payloads import FieldData, Line, LinesData, PointsData
from engine.views import Curves, Field

REACH = 3.0  # what is looked at: -3 .. 3; what is learnt from: -1 .. 1
MEMBERS, PASSES, WIDTH = 8, 30, 32  # networks of the ensemble; passes with dropout; units in each hidden layer
SIDE, PEOPLE = 60, 240  # places along each side of the plane; points in the sample
TRUTHS: dict[str, Callable[[Tensor], Tensor]] = {
    "wave": lambda x: (3 * x).sin(),
    "parabola": lambda x: x.square() - 0.5,
    "line": lambda x: 0.5 * x,
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"ReLU": torch.relu, "tanh": torch.tanh}
THRESHOLDS = (-2.0, 2.0)  # group A is orange right of the first, group B right of the second


@dataclass(frozen=True)
class Params:
    method: str = choice(
        "ensemble",
        ("ensemble", "dropout", "one network"),
        view=True,
        label="Uncertainty by",
        help="Eight networks that may disagree, one that forgets units at random, or no such thing",
    )
    learning_rate: float = real(0.005, 1e-5, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    dropout: float = real(0.1, 0, 0.8, live=True, help="Share of units silenced at random, in training and when asked")
    share: float = real(0.05, 0, 0.5, live=True, label="Share of group B", help="How much of the sample is group B")
    left_out: str = choice("nobody", ("nobody", *CLASSES[:2]), live=True, help="A class that the sample does not have")
    truth: str = choice("wave", tuple(TRUTHS), group="The curve", help="What the points come from, here and beyond")
    points: int = integer(40, 4, 200, log=True, group="The curve", help="How many points there are to learn from")
    noise: float = real(0.1, 0, 1, group="The curve", help="How far chance moves the points up or down")
    gap: bool = flag(False, group="The curve", help="Take away the points in the middle")
    activation: str = choice("ReLU", tuple(ACTIVATIONS), group="Network", help="What bends a unit's sum")


class Networks(nn.Module):
    """M networks of two hidden layers, side by side: from (N, inputs) to (M, N)."""

    def __init__(self, members: int, inputs: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        sizes = ((inputs, WIDTH), (WIDTH, WIDTH), (WIDTH, 1))
        self.weights = nn.ParameterList(torch.randn(members, a, b) * (2 / a) ** 0.5 for a, b in sizes)
        self.biases = nn.ParameterList(torch.randn(members, 1, b) * 0.5 for _, b in sizes)
        self.activation = activation

    def forward(self, x: Tensor, dropout: float = 0.0) -> Tensor:
        a = x.expand(len(self.weights[0]), *x.shape)  # (M, N, inputs)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            a = torch.baddbmm(bias, a, weight)
            if layer < 2:
                a = F.dropout(self.activation(a), dropout, training=dropout > 0)
        return a[..., 0]


class Limits(Lab):
    """Networks answer anything, also where they have never been. An ensemble (Lakshminarayanan et al., 2017) or dropout
    at test time (Gal and Ghahramani, 2016) can tell; and who is missing from a sample bears its errors.
    """

    title, chapter, summary = "Limits", "Foundations", "Outside what was seen: wrong, and does it know?"
    order = 130
    Params = Params
    state = ("ensemble", "forgetful", "judge", "optimizer")
    speed = 100  # doubt beyond the data has grown after some 1,500 steps
    proof = Proof("error and uncertainty outside over inside, the smaller", 5.0, steps=1500)
    layout = """
        beyond beyond beyond beyond sample sample
        beyond beyond beyond beyond sample sample
        doubt  doubt  error  error  groups groups
    """

    def build(self) -> None:
        x = 2 * torch.rand(self.hp.points) - 1  # (N,) in -1 .. 1
        if self.hp.gap:
            x = x.sign() * (0.45 + 0.55 * x.abs())  # nothing between -0.45 and 0.45
        y = TRUTHS[self.hp.truth](x) + self.hp.noise * torch.randn(len(x))
        self.x, self.y = x[:, None].to(self.device), y.to(self.device)  # (N, 1), (N,)
        self.axis = torch.linspace(-REACH, REACH, 181, device=self.device)
        activation = ACTIVATIONS[self.hp.activation]
        self.ensemble = Networks(MEMBERS, 1, activation).to(self.device)
        self.forgetful = Networks(1, 1, activation).to(self.device)
        self.judge = Networks(1, 2, activation).to(self.device)
        nets = (self.ensemble, self.forgetful, self.judge)
        self.optimizer = torch.optim.Adam([p for net in nets for p in net.parameters()], self.hp.learning_rate)
        self.people = torch.rand(2, PEOPLE, 2) * 10 - 5  # of group A and of group B
        self.people[..., 1] = (self.people[..., 1].abs() * 0.9 + 0.5) * torch.tensor([[-1], [1]])  # A below, B above
        self.orange = self.people[:, :, 0] > torch.tensor(THRESHOLDS)[:, None]  # (2, PEOPLE)
        self.changed("share")

    def changed(self, name: str) -> None:
        if name in ("share", "left_out"):
            from_b = round(PEOPLE * self.hp.share)
            place = torch.arange(PEOPLE)
            taken = torch.stack([place < PEOPLE - from_b, place < from_b])  # (2, PEOPLE)
            if self.hp.left_out != "nobody":
                taken &= self.orange != (self.hp.left_out == "orange")
            self.xy, self.target = self.people[taken].to(self.device), self.orange[taken].float().to(self.device)
            self.of_b = torch.arange(2)[:, None].expand(2, PEOPLE)[taken] == 1

    # ---------------------------------------------------------------------------------------------- training

    def step(self) -> Step:
        loss = (self.ensemble(self.x) - self.y).square().mean(1).sum()  # each of the eight has a loss of its own
        loss = loss + (self.forgetful(self.x, self.hp.dropout) - self.y).square().mean()
        loss = loss + F.binary_cross_entropy_with_logits(self.judge(self.xy / 3)[0], self.target)
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.learning_rate
        self.optimizer.step()
        if self.step_count % 10:
            return None
        with torch.no_grad():
            inside, outside = self.errors()
            metrics: Metrics = {"inside": inside, "outside": outside}
            metrics["group A"], metrics["group B"] = self.mistakes().float().mean(1)
        return metrics

    def asked(self) -> Tensor:
        """The answers of the chosen method along the axis (M, 181): of eight networks, thirty passes, or one."""
        x = self.axis[:, None]
        if self.hp.method == "dropout":
            return torch.cat([self.forgetful(x, self.hp.dropout) for _ in range(PASSES)])
        answers: Tensor = self.ensemble(x)
        return answers if self.hp.method == "ensemble" else answers[:1]

    def errors(self) -> tuple[Tensor, Tensor]:
        """The squared error of the ensemble's mean against the truth, inside -1 .. 1 and outside."""
        squared = (self.ensemble(self.axis[:, None]).mean(0) - TRUTHS[self.hp.truth](self.axis)).square()
        inside = self.axis.abs() <= 1
        return squared[inside].mean(), squared[~inside].mean()

    def mistakes(self) -> Tensor:
        """Who is judged wrongly: (2, PEOPLE), as many of both groups, whoever was in the sample."""
        people, orange = self.people.to(self.device), self.orange.to(self.device)
        wrong: Tensor = (self.judge(people.view(-1, 2) / 3)[0] > 0).view(2, -1) != orange
        return wrong

    def measure(self) -> float:
        inside, outside = self.errors()
        spread, near = self.ensemble(self.axis[:, None]).std(0), self.axis.abs() <= 1
        return min(float(outside / inside), float(spread[~near].mean() / spread[near].mean()))

    def facts(self) -> dict[str, str]:
        return super().facts() | {"ensemble": f"{MEMBERS} networks, 2 × {WIDTH} units each"}

    # ------------------------------------------------------------------------------------------------- views

    error = Curves(
        "Error",
        metrics=("inside", "outside"),
        log_y=True,
        hint="of the ensemble",
        help="Mean squared error against the truth, within the range of the points and outside it.",
    )
    groups = Curves(
        "Judged wrongly",
        metrics=("group A", "group B"),
        percent=True,
        help="The share of each group that is judged wrongly, counted over as many of both.",
    )

    @view(
        Lines("Beyond the points", low=-3.0, high=3.0, help="What is learnt from the points, within and beyond them.")
    )
    def beyond(self) -> LinesData:
        answers, x = self.asked(), self.axis
        mean, spread = answers.mean(0), 2 * answers.std(0, correction=0)
        lines = [Line("one network each", x, each, "faint") for each in answers[:MEMBERS] if len(answers) > 1]
        lines.append(Line("prediction ± 2 deviations", x, mean, "solid", mean - spread, mean + spread))
        lines.append(Line("truth", x, TRUTHS[self.hp.truth](x), "dashed"))
        points = PointsData(torch.stack([self.x[:, 0], self.y], 1))
        return LinesData(tuple(lines), points, spans=((-1.0, 1.0, "learnt from"),))

    @view(Lines("Does it know?", low=0.0, help="The deviation of its answers, small where it is sure; and its error."))
    def doubt(self) -> LinesData:
        answers, truth = self.asked(), TRUTHS[self.hp.truth](self.axis)
        lines = (
            Line("deviation", self.axis, answers.std(0, correction=0)),
            Line("error", self.axis, (answers.mean(0) - truth).abs(), "dashed"),
        )
        return LinesData(lines, spans=((-1.0, 1.0, "learnt from"),))

    @view(
        Field(
            "The sample, and the rule",
            low=0,
            high=1,
            level=0.5,
            hint="rings: group B",
            help="What a network makes of a sample of two groups, for whom different thresholds hold.",
        )
    )
    def sample(self) -> FieldData:
        chance = self.judge(grid(SIDE).to(self.device) / 3)[0].sigmoid()
        points = PointsData(self.xy, self.target.long(), CLASSES[:2], hollow=self.of_b)
        return FieldData(chance.view(SIDE, SIDE), EXTENT, points)
