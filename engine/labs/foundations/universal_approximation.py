"""Universal approximation: enough bent lines, added up, come as near to any curve as one likes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.diagrams import Lines
from engine.hyperparameters import choice, integer, real
from engine.lab import Lab, LabError, Proof, Step, view
from engine.payloads import Gesture, HeatmapData, Line, LinesData, Stroke
from engine.views import Curves, Heatmap

POINTS = 200  # places on the axis, from -1 to 1, at which the target is known
TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": lambda x: (2 * math.pi * x).sin(),
    "wave that quickens": lambda x: (5 * (x + 1).square()).sin() * 0.8,
    "step": lambda x: torch.where((x > -0.4) & (x < 0.3), 0.8, -0.6),
    "corner": lambda x: 1.6 * x.abs() - 0.8,
    "sawtooth": lambda x: 2 * (1.5 * x - (1.5 * x).floor()) - 1,
    "parabola": lambda x: 2 * x.square() - 1,
}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "ReLU": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "GELU": nn.GELU,
    "none": nn.Identity,
}
WIDTHS, DEPTHS = (2, 4, 8, 16, 32), (1, 2, 3)  # of the networks in the map


@dataclass(frozen=True)
class Params:
    target: str = choice("sine", tuple(TARGETS), live=True, help="The curve to come near to; or draw your own over it")
    units_summed: int = integer(128, 0, 128, view=True, help="How many of the largest parts are added up in The parts")
    learning_rate: float = real(0.005, 1e-5, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    width: int = integer(16, 1, 128, log=True, unit="units", group="Network", help="Units in each hidden layer")
    depth: int = integer(1, 1, 4, label="Hidden layers", group="Network", help="Hidden layers one after the other")
    activation: str = choice("tanh", tuple(ACTIVATIONS), group="Network", help="What bends each unit's line")


class Net(nn.Module):
    """From x (N, 1) through hidden layers of equal width to y (N, 1)."""

    def __init__(self, width: int, depth: int, activation: str) -> None:
        super().__init__()
        sizes = [1] + depth * [width]
        self.hidden = nn.Sequential(
            *(m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), ACTIVATIONS[activation]()))
        )
        self.output = nn.Linear(width, 1)
        with torch.no_grad():  # the bends of the first layer lie all over the axis, and not only near 0
            first = self.hidden[0]
            assert isinstance(first, nn.Linear)
            first.weight.copy_(3 * torch.randn(width, 1))
            first.bias.copy_(first.weight[:, 0] * (2 * torch.rand(width) - 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.output(self.hidden(x))
        return y

    def parts(self, x: Tensor) -> Tensor:
        """What each unit of the last hidden layer adds to the output: (N, 1) -> (N, width)."""
        parts: Tensor = self.hidden(x) * self.output.weight
        return parts


class UniversalApproximation(Lab):
    """A network of one hidden layer can come as near as one likes to any continuous curve, if it is wide enough
    (Cybenko, 1989; Hornik, Stinchcombe and White, 1989). Draw a curve and watch its parts add up to it.
    """

    title, chapter, summary = "Universal approximation", "Foundations", "Draw a curve; bent lines add up to it"
    order = 90
    Params = Params
    state = ("net", "optimizer", "nets", "nets_optimizer", "y")
    weights = ("net",)
    speed = 20  # the sine fits after some 300 steps
    proof = Proof("mean squared error on the sine", 1e-3, higher=False, steps=3000)
    layout = """
        fit   fit   fit   parts parts parts
        loss  loss  error error map   map
    """

    def build(self) -> None:
        self.x = torch.linspace(-1, 1, POINTS, device=self.device)[:, None]  # (N, 1)
        self.changed("target")
        self.net = Net(self.hp.width, self.hp.depth, self.hp.activation).to(self.device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), self.hp.learning_rate)
        shapes = product(DEPTHS, WIDTHS)
        self.nets = nn.ModuleList(Net(width, depth, self.hp.activation) for depth, width in shapes).to(self.device)
        self.nets_optimizer = torch.optim.Adam(self.nets.parameters(), self.hp.learning_rate)

    def changed(self, name: str) -> None:
        if name == "target":
            self.y = TARGETS[self.hp.target](self.x)  # (N, 1)

    def replaced(self) -> dict[str, str]:
        return {} if torch.equal(self.y, TARGETS[self.hp.target](self.x)) else {"target": "drawn"}

    # ---------------------------------------------------------------------------------------------- training

    def step(self) -> Step:
        loss = F.mse_loss(self.net(self.x), self.y)
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        self.move(self.optimizer)
        # of the map's networks one learns at a time: those without a gradient are left as they are
        self.nets_optimizer.zero_grad()
        F.mse_loss(self.nets[self.step_count % len(self.nets)](self.x), self.y).backward()
        self.move(self.nets_optimizer)
        return {"mean squared error": loss.detach()}

    def move(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.hp.learning_rate
        optimizer.step()

    def measure(self) -> float:
        return float(F.mse_loss(self.net(self.x), self.y))

    def facts(self) -> dict[str, str]:
        count = sum(p.numel() for p in self.net.parameters())
        return {"parameters": f"{count:,}", "points": f"{POINTS} from −1 to 1", "optimiser": "Adam"}

    # ------------------------------------------------------------------------------------------------- views

    loss = Curves(
        "Mean squared error", metrics=("mean squared error",), log_y=True, help="Over all points of the axis."
    )

    @view(
        Lines(
            "Target and network",
            low=-1.5,
            high=1.5,
            draws=True,
            hint="draw a curve here",
            help="The curve wanted, dashed, and what the network makes of x. Draw over it with the mouse.",
        )
    )
    def fit(self) -> tuple[Line, ...]:
        x = self.x[:, 0]
        return Line("network", x, self.net(self.x)[:, 0]), Line("target", x, self.y[:, 0], "dashed")

    @fit.edit
    def fit(self, gesture: Gesture) -> None:
        if isinstance(gesture, Stroke):
            drawn = np.array([place for place in sorted(gesture.xy) if all(map(math.isfinite, place))]).reshape(-1, 2)
            if len(drawn) < 2 or drawn[-1, 0] <= max(drawn[0, 0], -1) or drawn[0, 0] >= 1:
                raise LabError("Draw a line from left to right between −1 and 1.")
            x = self.x[:, 0].cpu().numpy()
            new = np.interp(x, drawn[:, 0], drawn[:, 1].clip(-1.5, 1.5))
            over = (x >= drawn[0, 0]) & (x <= drawn[-1, 0])  # what is not drawn over stays
            y = np.where(over, new, self.y[:, 0].cpu().numpy())
            self.y = torch.from_numpy(y).float()[:, None].to(self.device)

    @view(
        Lines(
            "The parts, and their sum", help="What each unit of the last hidden layer adds, and the sum of the largest."
        )
    )
    def parts(self) -> LinesData:
        x, parts, bias = self.x[:, 0], self.net.parts(self.x), self.net.output.bias
        largest = parts.std(0).argsort(descending=True)[: self.hp.units_summed]
        count, width = len(largest), parts.shape[1]
        lines = [Line("a unit each", x, parts[:, unit], "faint") for unit in largest]
        lines.append(Line("their sum", x, parts[:, largest].sum(1) + bias))
        lines.append(Line("target", x, self.y[:, 0], "dashed"))
        return LinesData(tuple(lines), hint=f"{count} of {width} units" if count < width else f"all {width} units")

    @view(Lines("Error along the axis", low=0.0, help="The squared error at each place: what is hard to follow."))
    def error(self) -> tuple[Line, ...]:
        squared = (self.net(self.x) - self.y).square()[:, 0]
        return (Line("squared error", self.x[:, 0], squared, lower=torch.zeros(POINTS), upper=squared),)

    @view(
        Heatmap(
            "Width against depth",
            numbers=True,
            row_axis="hidden layers",
            column_axis="units in each",
            low=-5,
            high=0,
            help="The power of ten of the error that networks of other shapes have reached: −3 is an error of 0.001.",
        )
    )
    def map(self) -> HeatmapData:
        errors = torch.stack([F.mse_loss(net(self.x), self.y) for net in self.nets]).view(len(DEPTHS), len(WIDTHS))
        return HeatmapData(errors.clamp(min=1e-9).log10(), tuple(map(str, DEPTHS)), tuple(map(str, WIDTHS)))
