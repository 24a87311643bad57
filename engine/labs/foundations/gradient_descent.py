"""Gradient descent: balls roll down a surface, each by the rule of another optimiser, all from one start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.diagrams import Formula, Lines, Surface
from engine.hyperparameters import choice, real
from engine.lab import COUNT, Lab, LabError, Metrics, Proof, Step, action, view
from engine.nn.landscape import Landscape
from engine.nn.optimizers import LIMITS, OPTIMIZERS, RULES, far_from_torch, stable_below, too_large, update
from engine.nn.surfaces import SURFACES, Ground, relief
from engine.payloads import FieldData, FormulaLine, Gesture, Line, LinesData, PointPick, PointsData, SurfaceData
from engine.views import Curves, Field

NETWORK = "a network"
SIDE = 61  # places along each side of the surface
LONGEST = 400  # places of a trail: when there are more, every other one is forgotten
LOWEST, HIGHEST = 1e-8, 1e8  # heights beyond are not told apart: on a logarithmic axis a curve would fall for ever
# what suits one optimiser is far too much or too little for another: multiples of the learning rate
RATES = dict(zip(OPTIMIZERS, (1.0, 1.0, 1.0, 5.0, 50.0, 0.5, 1.0), strict=True))
RACES = {
    "all": OPTIMIZERS,
    "first three": ("SGD", "momentum", "Nesterov"),
    "per weight": ("SGD", "Adagrad", "Adadelta", "RMSProp", "Adam"),
    **{name: (name,) for name in OPTIMIZERS},
}


def said(value: float | list[float]) -> str:
    """A number or a vector, to three digits."""
    if isinstance(value, list):
        return f"({', '.join(map(said, value))})" if len(value) == 2 else f"length {said(math.hypot(*value))}"
    return f"{value:.3g}".replace("-", "−")


@dataclass(frozen=True)
class Params:
    surface: str = choice("Himmelblau", (*SURFACES, NETWORK), group="Landscape", help="What the balls roll on")
    learning_rate: float = real(0.1, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    race: str = choice("all", tuple(RACES), live=True, help="Whose balls roll; another choice drops them again")
    watched: str = choice("SGD", OPTIMIZERS, view=True, help="Whose numbers and whose line are shown, if it races")
    momentum: float = real(0.9, 0, 0.99, live=True, help="The share of its motion that a rolling ball keeps: μ")
    decay: float = real(0, 0, 0.2, live=True, help="After t steps the learning rate is divided by 1 + decay · t")
    noise: float = real(0, 0, 2, live=True, help="Chance added to every gradient, as from batches of few samples")
    directions: str = choice(
        "of the path",
        ("of the path", "random"),
        group="Landscape",
        when=("surface", (NETWORK,)),
        help="The plane through all weights: along the path of training, or random, filter-normalised",
    )


class GradientDescent(Lab):
    """Seven optimisers race from one start, on a surface J(w0, w1) or on the loss of a really trained network.

    A ball that diverges stays where it left, and why is told. The network's plane is that of Li et al. (2018).
    """

    title, chapter, summary = "Gradient descent", "Foundations", "Drop a ball: seven optimisers race to the valley"
    order = 60
    Params = Params
    state = ("theta", "before", "move", "g", "m", "v", "t", "origin", "left", "xy", "trail", "stride")
    grows = ("trail",)
    weights = ("theta",)
    speed = 10  # the slowest optimiser is there after some 150 steps
    proof = Proof("largest difference from torch.optim in 50 steps on every surface", 1e-9, higher=False, steps=50)
    layout = """
        surface surface surface surface contour contour contour
        surface surface surface surface contour contour contour
        loss    loss    loss    line    line    rule    rule
    """

    def build(self) -> None:
        self.ground: Landscape | Ground
        if self.hp.surface == NETWORK:
            self.ground = Landscape(self.hp.directions == "of the path", self.device)
        else:
            self.ground = SURFACES[self.hp.surface]
        sides = torch.tensor(self.ground.extent, device=self.device).float().view(2, 2)  # x from, to; y from, to
        self.middle, self.half = sides.mean(1), (sides[:, 1] - sides[:, 0]) / 2
        self.heights = relief(self.ground, SIDE, self.device)  # (SIDE, SIDE)
        self.drop(self.ground.begin.to(self.device))

    def drop(self, weights: Tensor) -> None:
        """All balls begin at these weights (D,), at rest."""
        self.origin = weights.clone()
        self.theta = weights.repeat(len(OPTIMIZERS), 1)  # (K, D): one row an optimiser
        self.before, self.move = self.theta.clone(), torch.zeros_like(self.theta)
        self.m, self.v, self.t = torch.zeros_like(self.theta), torch.zeros_like(self.theta), 0
        self.g = self.ground.slope(self.theta)
        self.left = [""] * len(OPTIMIZERS)  # when and why a ball left the picture; nothing: it rolls
        self.xy = self.ground.project(self.theta).clone()  # (K, 2): where they are seen
        self.trail, self.stride = self.xy[None].clone(), 1  # (T, K, 2)

    # ---------------------------------------------------------------------------------------------- training

    def rate(self, name: str) -> float:
        """The learning rate of an optimiser in the latest step."""
        rate: float = self.hp.learning_rate * RATES[name] / (1 + self.hp.decay * max(self.t - 1, 0))
        return rate

    def step(self) -> Step:
        self.g = self.ground.slope(self.theta)  # (K, D)
        if self.hp.noise > 0:  # the same for all
            self.g = self.g + self.hp.noise * torch.randn(self.g.shape[1]).to(self.device)
        yield "gradient"
        rolling = [k for k in self.racing() if not self.left[k]]
        self.before.copy_(self.theta)
        self.t += 1
        for k in rolling:
            name = OPTIMIZERS[k]
            update(name, self.theta[k], self.g[k], self.m[k], self.v[k], self.t, self.rate(name), self.hp.momentum)
            self.move[k] = self.theta[k] - self.before[k]
        return self.follow(rolling)

    def follow(self, rolling: list[int]) -> Metrics:
        """Where the balls are now, and how high. One that is lost keeps the last weights that it had in the picture."""
        heights = self.ground.height(self.theta)  # (K,)
        self.xy[rolling] = self.ground.project(self.theta[rolling]).nan_to_num(1e6).clamp(-1e6, 1e6)
        lost = ((self.xy - self.middle).abs() > 2 * self.half).any(1) | ~heights.isfinite()
        for k in rolling:
            if lost[k]:
                why = too_large(OPTIMIZERS[k], self.rate(OPTIMIZERS[k]), self.ground.curvature, self.hp.momentum)
                self.left[k] = f"left at step {self.t}: {why}"
                self.theta[k] = self.before[k]
        if self.t % self.stride == 0:
            self.trail = torch.cat([self.trail, self.xy[None]])
            if len(self.trail) > LONGEST:
                self.trail, self.stride = self.trail[::2].clone(), 2 * self.stride
        told = [k for k in rolling if not self.left[k]] or self.racing()  # when all have left, steps go on
        return {OPTIMIZERS[k]: heights[k].clamp(LOWEST, HIGHEST) for k in told}

    def racing(self) -> list[int]:
        return [OPTIMIZERS.index(name) for name in RACES[self.hp.race]]

    def changed(self, name: str) -> None:
        if name == "race":  # all have the same start
            self.drop(self.origin)

    @action("Drop again", help="All balls begin once more where they were dropped last")
    def again(self) -> None:
        self.drop(self.origin)

    @action("Elsewhere", help="All balls begin at a place drawn by chance")
    def elsewhere(self) -> None:
        self.drop_at((self.middle + self.half * (2 * torch.rand(2) - 1).to(self.device)).tolist())

    def drop_at(self, place: list[float]) -> None:
        if not all(map(math.isfinite, place)):
            raise LabError("A ball needs a place in the picture.")
        share = ((torch.tensor(place, device=self.device) - self.middle) / self.half).clamp(-1, 1)
        self.drop(self.ground.place((self.middle + share * self.half)[None])[0])

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        return {"t": COUNT, "stride": (1, COUNT[1])}

    def measure(self) -> float:
        """How far a ball is from one that torch.optim moves; in double precision."""
        return max(
            far_from_torch(name, 0.1 * RATES[name], ground.slope, ground.begin.double()[None])
            for ground in SURFACES.values()
            for name in OPTIMIZERS
        )

    def facts(self) -> dict[str, str]:
        if isinstance(self.ground, Landscape):
            return {"weights": f"{len(self.origin):,}", "of the path, in this plane": f"{self.ground.held:.1%}"}
        return {"weights": "2", "lowest places": str(len(self.ground.minima))}

    # ------------------------------------------------------------------------------------------------- views

    loss = Curves(
        "Height",
        metrics=OPTIMIZERS,
        log_y=True,
        help="J of every ball, step by step, above the lowest place of all. A curve that ends has left the picture.",
    )

    def looked_at(self) -> int:
        """The optimiser whose numbers are shown: the one that was asked for, if it races."""
        racing, asked = self.racing(), OPTIMIZERS.index(self.hp.watched)
        return asked if asked in racing else racing[0]

    def paths(self) -> tuple[Tensor, ...]:
        """Where each ball has been (T, 2): none where it does not race, so that colours stay."""
        whole, racing = torch.cat([self.trail, self.xy[None]]), self.racing()
        return tuple(whole[:, k] if k in racing else whole[:0, k] for k in range(len(OPTIMIZERS)))

    @view(
        Surface(
            "Surface",
            x_axis="w₀ or α",
            y_axis="w₁ or β",
            z_axis="height",
            hint="click to drop all balls there",
            help="J over both weights. Click: all balls roll from there. Crosses are minima, the ring is the start.",
        )
    )
    def surface(self) -> SurfaceData:
        racing = self.racing()
        names = tuple(name if k in racing else "" for k, name in enumerate(OPTIMIZERS))
        marks = tuple((x, y, "trained" if self.hp.surface == NETWORK else "") for x, y in self.ground.minima)
        start = self.ground.project(self.origin[None])[0].tolist()
        gone = [f"{OPTIMIZERS[k]} {self.left[k]}" for k in racing if self.left[k]]
        hint = gone[0] if gone else f"heights are ln(1 + J / {self.ground.unit:g})" if self.ground.unit else ""
        return SurfaceData(self.heights, self.ground.extent, self.paths(), names, marks, start, hint)

    @surface.edit
    def surface(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.drop_at([gesture.x, gesture.y])

    @view(
        Field(
            "From above",
            colour="viridis",
            x_axis="w₀ or α",
            y_axis="w₁ or β",
            hint="lines of equal height",
            help="Seen from above, with lines of equal height: steps against the gradient cross them at right angles.",
        )
    )
    def contour(self) -> FieldData:
        points = PointsData(self.ground.minima, [-1] * len(self.ground.minima), paths=self.paths())
        return FieldData(self.heights, self.ground.extent, points)

    @contour.edit
    def contour(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.drop_at([gesture.x, gesture.y])

    @view(
        Lines(
            "Along the step",
            x_axis="steps",
            y_axis="J",
            help="J along the line of the latest step. A minimum before 1: the step was too long; after 1: short.",
        )
    )
    def line(self) -> LinesData:
        k = self.looked_at()
        name, begin = OPTIMIZERS[k], self.before[k]
        move = self.move[k] if self.t else -self.rate(name) * self.g[k]  # at rest: what plain descent would do
        far = torch.tensor([0.0, 1.0, 1.25, 2.5, 5.0, 10.0, 20.0, 40.0], device=self.device)
        ends = self.ground.height(begin + far[:, None] * move)  # looked ahead until it rises again
        reach = next((float(far[i]) for i in range(3, 8) if ends[i] > ends[i - 1]), 40.0)
        share = torch.linspace(-0.2 * reach, reach, 61, device=self.device)  # 0 before the step, 1 after it
        heights = self.ground.height(begin + share[:, None] * move)  # (61,)
        points = PointsData([[0, float(ends[0])], [1, float(ends[1])]], [0, 0], names=("before", "after"))
        lowest, rest = int(heights.argmin()), float(heights.max() - heights.min()) < LOWEST + 1e-6 * float(ends[0])
        found = "at rest" if rest else f"lowest at {said(float(share[lowest]))}" if lowest < 60 else "lowest beyond"
        return LinesData((Line(name, share, heights),), points, hint=f"{name}: {found}")

    @view(Formula("The rule", help="The rule of the optimiser that is watched, with its present numbers."))
    def rule(self) -> tuple[FormulaLine, ...]:
        k = self.looked_at()
        name, rate = OPTIMIZERS[k], self.rate(OPTIMIZERS[k])
        height = self.ground.height(self.theta[k : k + 1]).item()
        times = f" = {said(self.hp.learning_rate)} × {said(RATES[name])}" if RATES[name] != 1 else ""
        lines = [
            FormulaLine(self.ground.latex, f"= {said(height)}", f"{name}, step {self.t}"),
            FormulaLine(r"g = \nabla J(w)", f"= {said(self.g[k].tolist())}"),
            FormulaLine(RULES[name], f"moved {said(self.move[k].tolist())}", f"η = {said(rate)}{times}"),
        ]
        if self.left[k]:
            lines.append(FormulaLine(rf"\mathrm{{{name}}}", self.left[k], lit=True))
        elif limit := stable_below(name, self.ground.curvature, self.hp.momentum):
            sign, word = (">", "too large: it diverges") if rate > limit else ("<", "small enough")
            lines.append(FormulaLine(LIMITS[name], f"{said(rate)} {sign} {said(limit)}", word, lit=rate > limit))
        return tuple(lines)
