"""Batches: the gradient over all samples, over one, or over a few: three paths down the same hill."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.diagrams import Lines
from engine.hyperparameters import choice, integer, real
from engine.lab import COUNT, Lab, Proof, Step, view
from engine.payloads import BarsData, FieldData, Line, LinesData, PointsData
from engine.views import Bars, Curves, Field, Points

NAMES = ("all samples", "a batch", "one sample")
START, TRUTH = (-2.0, 2.5), (1.0, -0.5)  # where all three begin; the line that the samples come from
EXTENT, SIDE = (-3.0, 3.0, -2.5, 3.5), 60  # of the plane of weights, and places along each of its sides
KEPT = 1024  # places of each path that are kept; of a longer one every second, then every fourth …
DRAWS, MOST = 256, 1024  # batches whose gradients are compared; the largest of them
TIMED = 20  # gradients by which the cost of a step is measured


@dataclass(frozen=True)
class Params:
    batch_size: int = integer(
        32, 1, 4096, log=True, live=True, unit="samples", help="Samples in the batch of the second"
    )
    learning_rate: float = real(0.05, 1e-4, 2, log=True, live=True, typed_high=1e6, help="How far each step goes")
    axis: str = choice(
        "samples seen",
        ("steps", "samples seen", "seconds"),
        view=True,
        label="Race over",
        help="What the three are compared by: steps, samples they had to look at, or time they took",
    )
    samples: int = integer(20_000, 100, 200_000, log=True, group="Data", help="How many samples there are")
    noise: float = real(1.5, 0, 5, group="Data", help="How far chance moves them from the line")


class Batches(Lab):
    """A line y = w₀ + w₁ x is fitted to many samples. Full-batch descent looks at all of them before each step,
    stochastic descent (Robbins and Monro, 1951) at one, and mini-batch descent at a few.
    """

    title, chapter, summary = "Batches", "Foundations", "All samples, one, or a few: three paths down one hill"
    order = 70
    Params = Params
    state = ("w", "trail", "stride", "kept", "seen", "seen_now")
    weights = ("w",)
    speed = 10  # all are near the minimum after some 100 steps
    proof = Proof("slope of gradient variance over batch size on log axes, less -1", 0.05, higher=False, steps=50)
    layout = """
        path  path  path  race  race  race
        path  path  path  race  race  race
        path  path  path  noise noise noise
        cloud cloud loss  noise noise noise
        cloud cloud loss  cost  cost  cost
    """

    def build(self) -> None:
        x = 0.5 + torch.randn(self.hp.samples)
        y = TRUTH[0] + TRUTH[1] * x + self.hp.noise * torch.randn(len(x))
        self.x = torch.stack([torch.ones_like(x), x], 1).to(self.device)  # (N, 2)
        self.y = y.to(self.device)
        # the mean of (w·x - y)² / 2 is a bowl: half w·H w - b·w + c
        self.H = self.x.T @ self.x / len(x)
        self.b, self.c = self.x.T @ self.y / len(x), self.y.square().mean() / 2
        self.best = torch.linalg.solve(self.H, self.b)
        self.w = torch.tensor([START] * 3, device=self.device)  # (3, 2)
        self.trail = torch.zeros(3, KEPT, 2, device=self.device)
        self.trail[:, 0], self.kept, self.stride = self.w, 1, 1
        self.seen = torch.zeros(KEPT, 3, dtype=torch.float64)  # samples looked at, by then
        self.seen_now = torch.zeros(3, dtype=torch.float64)

    # ---------------------------------------------------------------------------------------------- training

    def gradient(self, w: Tensor, batch: Tensor | slice) -> Tensor:
        """Of half the mean squared error over a batch (B,): X^T (X w - y) / B, in weights (2,)."""
        x, y = self.x[batch], self.y[batch]
        gradient: Tensor = x.T @ (x @ w - y) / len(y)
        return gradient

    def step(self) -> Step:
        few = torch.randint(len(self.y), (self.hp.batch_size,)).to(self.device)
        one = torch.randint(len(self.y), (1,)).to(self.device)
        batches: tuple[Tensor | slice, ...] = (slice(None), few, one)
        gradients = [self.gradient(w, batch) for w, batch in zip(self.w, batches, strict=True)]
        yield "gradients"
        self.w -= self.hp.learning_rate * torch.stack(gradients)
        self.seen_now += torch.tensor([len(self.y), len(few), 1])
        self.remember()
        return dict(zip(NAMES, self.height(self.w), strict=True))

    def height(self, w: Tensor) -> Tensor:
        """J over all samples, less its minimum: w (..., 2) -> (...)."""
        away = w - self.best
        height: Tensor = ((away @ self.H) * away).sum(-1) / 2
        return height

    def remember(self) -> None:
        """Keep where the three are now; where there is no more room, only every second place is kept."""
        if (self.step_count + 1) % self.stride:
            return
        if self.kept == KEPT:
            self.trail[:, : KEPT // 2], self.seen[: KEPT // 2] = self.trail[:, ::2].clone(), self.seen[::2].clone()
            self.kept, self.stride = KEPT // 2, 2 * self.stride
        self.trail[:, self.kept], self.seen[self.kept] = self.w, self.seen_now
        self.kept += 1

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        return {"stride": (1, COUNT[1]), "kept": (1, KEPT)}

    def variance(self, w: Tensor, size: int) -> Tensor:
        """How far the gradients of batches of this size lie from the true one: mean squared distance."""
        few = torch.randint(len(self.y), (DRAWS, size)).to(self.device)
        x, y = self.x[few], self.y[few]  # (DRAWS, size, 2), (DRAWS, size)
        gradients = (x * (x @ w - y)[..., None]).mean(1)
        away: Tensor = gradients - self.gradient(w, slice(None))
        return away.square().sum(1).mean()

    def sizes(self) -> list[int]:
        """1, 2, 4 … of batches to be compared."""
        return [2**k for k in range(MOST.bit_length()) if 2**k <= len(self.y)]

    def measure(self) -> float:
        sizes = self.sizes()
        spread = torch.stack([torch.stack([self.variance(self.w[1], size) for _ in range(8)]).mean() for size in sizes])
        logs = torch.tensor(sizes, dtype=torch.float64).log()
        away = logs - logs.mean()
        return abs(float((away * spread.double().log().cpu()).sum() / away.square().sum()) + 1)

    def facts(self) -> dict[str, str]:
        w0, w1 = self.best.tolist()
        line = f"y = {w0:.2f} {'−' if w1 < 0 else '+'} {abs(w1):.2f} x"
        return {"weights": "2", "samples": f"{len(self.y):,}", "best line": line}

    # ------------------------------------------------------------------------------------------------- views

    loss = Curves(
        "Loss", metrics=NAMES, log_y=True, help="Over all samples, less its minimum, after each step of the three."
    )

    @view(
        Field(
            "Three paths from one start",
            colour="viridis",
            x_axis="w₀",
            y_axis="w₁",
            help="The loss over all samples, for each line y = w₀ + w₁ x, and the way each of the three takes.",
        )
    )
    def path(self) -> FieldData:
        x = torch.linspace(*EXTENT[:2], SIDE, device=self.device)
        y = torch.linspace(EXTENT[3], EXTENT[2], SIDE, device=self.device)
        height = self.height(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1))  # (SIDE, SIDE)
        trails = tuple(
            torch.cat([trail[: self.kept], now[None]]) for trail, now in zip(self.trail, self.w, strict=True)
        )
        points = PointsData(self.w, torch.arange(3), NAMES, paths=trails, path_names=NAMES)
        return FieldData(height.log1p(), EXTENT, points)

    @view(Lines("The race", log_x=True, log_y=True, help="The loss over its minimum: by steps, samples or seconds."))
    def race(self) -> LinesData:
        height = self.height(self.trail[:, : self.kept]).double()  # (3, K)
        steps = torch.arange(self.kept, dtype=torch.float64) * self.stride
        cost = self.costs() if self.hp.axis == "seconds" else (1.0, 1.0, 1.0)
        lines = []
        for which, name in enumerate(NAMES):
            over = self.seen[: self.kept, which] if self.hp.axis == "samples seen" else steps * cost[which]
            lines.append(Line(name, over[1:], height[which, 1:]))
        return LinesData(tuple(lines), hint=f"over {self.hp.axis}")

    @view(
        Points(
            "Gradients at the batch's place",
            x_axis="∂J/∂w₀",
            y_axis="∂J/∂w₁",
            help="What single samples and batches take for the gradient, scattered around the true one.",
        )
    )
    def cloud(self) -> PointsData:
        w, clouds = self.w[1], []
        for size in (1, self.hp.batch_size):
            few = torch.randint(len(self.y), (100, size)).to(self.device)
            x, y = self.x[few], self.y[few]
            clouds.append((x * (x @ w - y)[..., None]).mean(1))  # (100, 2)
        xy = torch.cat([*clouds, self.gradient(w, slice(None))[None]])
        labels = torch.tensor([2] * 100 + [1] * 100 + [0])
        return PointsData(xy, labels, NAMES, ringed=labels == 0)

    @view(
        Lines(
            "Noise of the gradient",
            x_axis="batch size B",
            log_x=True,
            log_y=True,
            help="Mean squared distance of a batch's gradient from the true one: that of one sample, divided by B.",
        )
    )
    def noise(self) -> LinesData:
        sizes, w = self.sizes(), self.w[1]
        measured = torch.stack([self.variance(w, size) for size in sizes])
        each = self.x * (self.x @ w - self.y)[:, None]  # (N, 2): the gradient of each sample
        single = each.var(0, correction=0).sum()
        b = torch.tensor(sizes, dtype=torch.float64)
        return LinesData(
            (Line("measured", b, measured), Line("σ² / B", b, single.cpu() / b, "dashed")),
            marks=((float(self.hp.batch_size), "B"),),
        )

    def costs(self) -> tuple[float, ...]:
        """Seconds that a step of each of the three takes on this machine: measured now."""
        seconds = []
        for size in (len(self.y), self.hp.batch_size, 1):
            batch = slice(None) if size == len(self.y) else torch.randint(len(self.y), (size,)).to(self.device)
            times = []
            for _ in range(TIMED):
                begin = time.perf_counter()
                self.gradient(self.w[1], batch).sum().item()  # the sum waits until a GPU is done
                times.append(time.perf_counter() - begin)
            seconds.append(sorted(times)[TIMED // 2])
        return tuple(seconds)

    @view(Bars("Cost of a step", unit="µs", help="What the gradient of one step takes on this machine, measured now."))
    def cost(self) -> BarsData:
        return BarsData(NAMES, torch.tensor(self.costs()) * 1e6)
