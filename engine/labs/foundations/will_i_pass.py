"""Will I pass this class? Two numbers about a student go in, a probability comes out: once guessed, then learnt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.diagrams import Formula
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, LabError, Metrics, Proof, Step, view
from engine.payloads import FieldData, FormulaData, FormulaLine, Gesture, NetworkData, PointPick, PointsData, WeightEdit
from engine.views import Curves, Field, Network

MOST = 10.0  # lectures, and hours on the project
EXTENT = (-0.5, MOST + 0.5, -0.5, MOST + 0.5)  # dots at the edges are seen whole
SIDE = 60  # places along each side of the decision surface
STUDENT = (4.0, 5.0)  # the student of the lecture, who did pass
UNTRAINED = 0.1  # what the lecture's network says of that student before it has learnt anything
ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "ReLU": torch.relu}


@dataclass(frozen=True)
class Params:
    lectures: float = real(STUDENT[0], 0, MOST, view=True, help="How many lectures you attended")
    hours: float = real(STUDENT[1], 0, MOST, view=True, unit="h", help="How many hours you spent on the final project")
    learning_rate: float = real(0.1, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    batch_size: int = integer(32, 1, 400, log=True, live=True, unit="students", help="Students averaged over in a step")
    activation: str = choice("sigmoid", tuple(ACTIVATIONS), live=True, help="What a hidden neuron makes of its sum z")
    neurons: int = integer(3, 1, 12, label="Hidden neurons", help="Neurons between the two inputs and the answer")
    students: int = integer(200, 10, 2000, log=True, group="Class", help="Former students whose results are known")
    luck: float = real(0.5, 0, 3, group="Class", help="How much of the result is chance")


class WillIPass(Lab):
    """The network of a first lecture: lectures attended and hours on the project go in; will I pass?

    Its output starts so that the student with 4 lectures and 5 hours, who passed, is given 0.1. Then it learns.
    """

    title, chapter, summary = "Will I pass?", "Foundations", "Two inputs, one answer: wrong at first, then learnt"
    order, speed = 40, 400  # the student of the lecture has 0.9 after some 10,000 steps
    Params = Params
    state = ("hidden", "output", "optimizer")
    proof = Proof("probability that (4 lectures, 5 hours) passes", 0.9, steps=12_000)
    layout = """
        surface surface network network
        surface surface network network
        answer  answer  student loss
    """

    def build(self) -> None:
        n = self.hp.students
        self.x = torch.rand(n, 2) * MOST  # (N, 2): lectures, hours
        self.x[:, 0] = self.x[:, 0].round()
        self.x[:, 1] = (2 * self.x[:, 1]).round() / 2
        # who does a little of both passes more easily than who does all of one: no straight line tells them apart
        merit = self.x.prod(1).sqrt() + self.hp.luck * torch.randn(n)
        self.y = (merit > 3.2).float()  # (N,): 1 passed
        if self.y.min() == self.y.max():
            raise LabError("All of these students had the same result: there is nothing to tell apart. Add students.")
        self.x, self.y = self.x.to(self.device), self.y.to(self.device)
        self.hidden = nn.Linear(2, self.hp.neurons).to(self.device)
        self.output = nn.Linear(self.hp.neurons, 1).to(self.device)
        with torch.no_grad():  # σ(bias + rest) = 0.1 for the student of the lecture
            rest = self.forward(torch.tensor([STUDENT], device=self.device))[-1] - self.output.bias
            self.output.bias.copy_(math.log(UNTRAINED / (1 - UNTRAINED)) - rest[0])
        self.optimizer = torch.optim.SGD([*self.hidden.parameters(), *self.output.parameters()], self.hp.learning_rate)
        self.steps_per_epoch = n / self.hp.batch_size
        self.asked = (self.hp.lectures, self.hp.hours)

    # ---------------------------------------------------------------------------------------------- training

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Students (B, 2) to the sums z and activations g(z) of the hidden neurons (B, H), and to the logit (B,)."""
        z = self.hidden((x - MOST / 2) / (MOST / 4))  # inputs of size 1 around zero are learnt from more easily
        a = ACTIVATIONS[self.hp.activation](z)
        return z, a, self.output(a)[:, 0]

    def step(self) -> Step:
        batch = torch.randint(len(self.x), (self.hp.batch_size,)).to(self.device)
        *_, logit = self.forward(self.x[batch])
        loss = F.binary_cross_entropy_with_logits(logit, self.y[batch])
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.learning_rate
        self.optimizer.step()
        metrics: Metrics = {"loss": loss.detach()}
        with torch.no_grad():
            metrics["predicted"] = self.chance(torch.tensor([STUDENT], device=self.device))[0]
            if self.step_count % 10 == 0:
                metrics["accuracy"] = ((self.chance(self.x) > 0.5) == (self.y > 0.5)).float().mean()
        return metrics

    def chance(self, x: Tensor) -> Tensor:
        """The probability that students (B, 2) pass (B,)."""
        return self.forward(x)[-1].sigmoid()

    def measure(self) -> float:
        return float(self.chance(torch.tensor([STUDENT], device=self.device))[0])

    def changed(self, name: str) -> None:
        if name in ("lectures", "hours"):
            self.asked = (self.hp.lectures, self.hp.hours)
        elif name == "batch_size":
            self.steps_per_epoch = len(self.x) / self.hp.batch_size

    def facts(self) -> dict[str, str]:
        passed = int(self.y.sum())
        return super().facts() | {"passed": f"{passed:,} of {len(self.y):,} students", "loss": "binary cross-entropy"}

    # ------------------------------------------------------------------------------------------------- views

    student = Curves(
        "The lecture's student",
        metrics=("predicted",),
        hint="4 lectures, 5 hours: passed",
        help="The probability that the network gives to the student with 4 lectures and 5 hours, who did pass.",
    )
    loss = Curves("Loss", metrics=("loss",), help="Binary cross-entropy, mean over the batch: how surprised it is.")

    @view(
        Field(
            "Will they pass?",
            low=0,
            high=1,
            level=0.5,
            x_axis="lectures attended",
            y_axis="hours on the project",
            hint="click anywhere to ask",
            help="The probability of passing at each place. Dots are former students.",
        )
    )
    def surface(self) -> FieldData:
        side = torch.linspace(*EXTENT[:2], SIDE)
        hours, lectures = torch.meshgrid(side.flip(0), side, indexing="ij")
        places = torch.stack([lectures, hours], -1).view(-1, 2).to(self.device)  # (SIDE², 2), from the top left
        shown = slice(0, 400)  # dots more than these only cover the surface
        wrong = (self.chance(self.x[shown]) > 0.5) != (self.y[shown] > 0.5)
        points = PointsData(self.x[shown], self.y[shown].long(), ("failed", "passed"), ringed=wrong, cursor=self.asked)
        chance = float(self.chance(torch.tensor([self.asked], device=self.device))[0])
        hint = f"{self.asked[0]:.3g} lectures, {self.asked[1]:.3g} hours: passes with {100 * chance:.0f} %"
        return FieldData(self.chance(places).view(SIDE, SIDE), EXTENT, points, hint=hint)

    @surface.probe
    def surface(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.asked = (min(max(gesture.x, 0.0), MOST), min(max(gesture.y, 0.0), MOST))

    @view(
        Network(
            "Network",
            hint="answer: blue 0, white 0.5, red 1",
            help="The numbers of the student you ask about, and every weight. Click one to change it.",
        )
    )
    def network(self) -> NetworkData:
        x = torch.tensor([self.asked], device=self.device)
        _, a, logit = self.forward(x)
        gradients = self.hidden.weight.grad, self.output.weight.grad
        return NetworkData(
            units=(("lectures", "hours"), tuple(f"z{i + 1}" for i in range(self.hp.neurons)), ("pass",)),
            weights=(self.hidden.weight, self.output.weight),
            biases=(self.hidden.bias, self.output.bias),
            activation=self.hp.activation,
            values=(x[0], a[0], logit.sigmoid()),
            gradients=None if gradients[0] is None or gradients[1] is None else gradients,
            layer_names=("inputs", "hidden", "answer"),
            answers=(0.0, 1.0),
        )

    @network.edit
    def network(self, gesture: Gesture) -> None:
        if isinstance(gesture, WeightEdit):
            layer = (self.hidden, self.output)[gesture.layer]
            row = layer.bias if gesture.column < 0 else layer.weight[gesture.row]
            with torch.no_grad():
                row[gesture.row if gesture.column < 0 else gesture.column] = gesture.value

    @view(Formula("The answer, by hand", help="The last neuron's sum and probability for the student you ask about."))
    def answer(self) -> FormulaData:
        _, a, logit = self.forward(torch.tensor([self.asked], device=self.device))
        w, b, z, p = self.output.weight[0], self.output.bias.item(), logit.item(), logit.sigmoid().item()
        terms = " + ".join(f"{w_i:.2f}·{a_i:.2f}" for w_i, a_i in zip(w[:4].tolist(), a[0].tolist(), strict=False))
        more = " + …" if len(w) > 4 else ""
        lines = [
            FormulaLine(r"z = b + \sum_i w_i a_i", f"= {b:.2f} + {terms}{more} = {z:.2f}".replace("-", "−")),
            FormulaLine(r"\hat{y} = \sigma(z) = \frac{1}{1 + e^{-z}}", f"= {p:.3f}", "the probability of passing"),
        ]
        known = (self.x == torch.tensor(self.asked, device=self.device)).all(1).nonzero()
        if self.asked == STUDENT or len(known):
            y = 1.0 if self.asked == STUDENT else self.y[known[0, 0]].item()
            right = "passed" if y else "failed"
            loss = F.binary_cross_entropy_with_logits(logit, torch.tensor([y], device=self.device)).item()
            lines.append(FormulaLine(r"J = -\ln p(\mathrm{actual})", f"= {loss:.3f}", f"actually {right}: {y:.0f}"))
        return FormulaData(tuple(lines))
