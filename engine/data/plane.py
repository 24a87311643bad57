"""Data in the plane: generated sets for classification and regression, and the input features made from them.

The formulas are those of TensorFlow Playground (Smilkov et al., 2017), so that what is known of it can be tried here.
All draw from torch's default generator, on the CPU: one seed gives one set on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from engine.data.columns import split_name, task_of
from engine.data.errors import DataError
from engine.data.tables import load_table
from engine.forms import CheckpointError, compare, misfit
from engine.payloads import AxisOf, PointsData, Stroke

REACH = 6.0  # the plane shown: -6 .. 6 on both axes
EXTENT = (-REACH, REACH, -REACH, REACH)
CLASSES = ("blue", "orange", "green")  # the first three class colours of the window


@dataclass(frozen=True)
class PlaneSet:
    """Points of the plane with what is to be predicted for them."""

    xy: Tensor  # (N, 2) float32
    target: Tensor  # (N,): int64 classes, or float32 values in -1..1
    classes: tuple[str, ...] = ()  # none: regression
    axes: Mapping[str, str] = field(default_factory=dict)  # of the viewer's own table: what the axes are
    units: tuple[AxisOf, ...] = ()  # and how they read in the units of its columns


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def circle(n: int, noise: float) -> PlaneSet:
    """A disc inside a ring. Noise moves the place that decides the class, not the point."""
    inner = torch.arange(n) < n // 2
    radius = torch.where(inner, _uniform(n, 0.0, 2.5), _uniform(n, 3.5, 5.0))
    angle = _uniform(n, 0.0, 2 * math.pi)
    xy = torch.stack([radius * angle.sin(), radius * angle.cos()], 1)
    judged = xy + torch.stack([_uniform(n, -5, 5), _uniform(n, -5, 5)], 1) * noise
    return PlaneSet(xy, (judged.norm(dim=1) < 2.5).long(), CLASSES[:2])


def xor(n: int, noise: float) -> PlaneSet:
    """Four squares; those at opposite corners belong together."""
    xy = torch.stack([_uniform(n, -5, 5), _uniform(n, -5, 5)], 1)
    xy += 0.3 * torch.where(xy > 0, 1.0, -1.0)  # a gap along the axes
    judged = xy + torch.stack([_uniform(n, -5, 5), _uniform(n, -5, 5)], 1) * noise
    return PlaneSet(xy, (judged.prod(dim=1) >= 0).long(), CLASSES[:2])


def gaussians(n: int, noise: float) -> PlaneSet:
    """Two round clouds; noise widens them until they overlap."""
    target = (torch.arange(n) < n // 2).long()
    centre = 4.0 * target[:, None] - 2.0
    deviation = math.sqrt(0.5 + 7.0 * noise)
    return PlaneSet(centre + deviation * torch.randn(n, 2), target, CLASSES[:2])


def three_clouds(n: int, noise: float) -> PlaneSet:
    """Three round clouds at the corners of a triangle; noise widens them until they overlap."""
    target = torch.arange(n) % 3
    centres = torch.tensor([[-3.0, -1.7], [3.0, -1.7], [0.0, 3.4]])
    return PlaneSet(centres[target] + math.sqrt(0.5 + 7.0 * noise) * torch.randn(n, 2), target, CLASSES)


def spiral(n: int, noise: float) -> PlaneSet:
    """Two arms wound into one another; noise moves the points."""
    arms = []
    for size, turn in ((n - n // 2, math.pi), (n // 2, 0.0)):
        along = torch.arange(size) / max(1, size)  # 0..1 from the middle outwards
        angle = 1.75 * along * 2 * math.pi + turn
        arms.append(torch.stack([5 * along * angle.sin(), 5 * along * angle.cos()], 1))
    xy = torch.cat(arms) + torch.stack([_uniform(n, -1, 1), _uniform(n, -1, 1)], 1) * noise
    return PlaneSet(xy, (torch.arange(n) >= n - n // 2).long(), CLASSES[:2])


def moons(n: int, noise: float) -> PlaneSet:
    """scikit-learn's two half-moons, enlarged to the plane."""
    from sklearn.datasets import make_moons

    seed = int(torch.randint(2**31 - 1, ()))
    xy, target = make_moons(n, noise=0.6 * noise, random_state=seed)
    xy = (torch.from_numpy(xy).float() - torch.tensor([0.5, 0.25])) * 3.2
    return PlaneSet(xy, torch.from_numpy(target).long(), CLASSES[:2])


def plane(n: int, noise: float) -> PlaneSet:
    """Regression: a value that rises evenly from one corner to the other."""
    xy = torch.stack([_uniform(n, -REACH, REACH), _uniform(n, -REACH, REACH)], 1)
    judged = xy + torch.stack([_uniform(n, -REACH, REACH), _uniform(n, -REACH, REACH)], 1) * noise
    return PlaneSet(xy, (judged.sum(dim=1) / 10).clamp(-1, 1))


def multi_gaussian(n: int, noise: float) -> PlaneSet:
    """Regression: six cones, in turn above and below zero."""
    xy = torch.stack([_uniform(n, -REACH, REACH), _uniform(n, -REACH, REACH)], 1)
    judged = xy + torch.stack([_uniform(n, -REACH, REACH), _uniform(n, -REACH, REACH)], 1) * noise
    centres = torch.tensor([[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]])
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    heights = signs * (1 - torch.cdist(judged, centres) / 2).clamp(min=0)  # (N, 6)
    return PlaneSet(xy, heights.gather(1, heights.abs().argmax(1, keepdim=True))[:, 0])


def drawn(_n: int, _noise: float) -> PlaneSet:
    """Nothing yet: the viewer draws it."""
    return PlaneSet(torch.empty(0, 2), torch.empty(0, dtype=torch.long), CLASSES)


SETS: dict[str, Callable[[int, float], PlaneSet]] = {
    "spiral": spiral,
    "circle": circle,
    "xor": xor,
    "gaussians": gaussians,
    "three-clouds": three_clouds,
    "moons": moons,
    "plane": plane,
    "multi-gaussian": multi_gaussian,
    "drawn": drawn,
}


# ------------------------------------------------------------------------------------------- features

FEATURES: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "x1": ("x₁", lambda x1, _: x1),
    "x2": ("x₂", lambda _, x2: x2),
    "x1_squared": ("x₁²", lambda x1, _: x1 * x1),
    "x2_squared": ("x₂²", lambda _, x2: x2 * x2),
    "x1_x2": ("x₁x₂", lambda x1, x2: x1 * x2),
    "sin_x1": ("sin x₁", lambda x1, _: x1.sin()),
    "sin_x2": ("sin x₂", lambda _, x2: x2.sin()),
}


def with_features(xy: Tensor, names: Sequence[str]) -> Tensor:
    """The inputs of a network: a column of ones, which its biases multiply, then the features. (N, 2) -> (N, 1 + F)"""
    x1, x2 = xy[:, 0], xy[:, 1]
    return torch.stack([torch.ones_like(x1), *(FEATURES[name][1](x1, x2) for name in names)], 1)


def grid(side: int) -> Tensor:
    """Places evenly over the plane, edges included, row by row from the top left: (side * side, 2)."""
    places = torch.linspace(-REACH, REACH, side)
    y, x = torch.meshgrid(-places, places, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


# --------------------------------------------------------------------------------- the viewer's own table

MOST_ROWS = 5000  # of a longer table, so many rows are taken at random


def from_table(name: str | Path) -> PlaneSet:
    """The columns of a table that are named behind its path, else the first two columns of numbers as x₁ and x₂ and
    the last column as the class or value to predict.

    Words, and at most ten different whole numbers, are classes; other numbers are values. Each axis is stretched to
    -5..5, values to -1..1. Rows that lack one of the cells are left out. Raises DataError where the table does not fit.
    """
    path, wanted = split_name(str(name))
    table = load_table(Path(path))
    task = task_of(table, wanted)
    order = torch.randperm(len(task.rows))[:MOST_ROWS].tolist()
    kept = task.rows[order]
    axes, units = {}, []
    xy = torch.empty(len(kept), 2)
    for axis, column in enumerate((task.x, task.y)):
        xy[:, axis], low, high = _stretched(table.numbers[column][kept], 5)
        axes[f"x{'₁₂'[axis]}"] = f"{column}, {low:g} to {high:g}"
        scale = (high - low or 1.0) / 10
        units.append((column, low + 5 * scale, scale))
    left_out = {"left out": f"{task.lacking:,} of {table.rows:,} rows lack a value"} if task.lacking else {}
    if len(kept) < len(task.rows):
        left_out["shown to the lab"] = f"{len(kept):,} of these rows, randomly sampled"
    if not task.classes:
        value, low, high = _stretched(table.numbers[task.target][kept], 1)
        shown = {"predicted": f"{task.target}, {low:g} to {high:g} shown as -1 to 1"}
        return PlaneSet(xy, value, (), {**axes, **shown, **left_out}, tuple(units))
    target = torch.tensor([task.classes.index(task.names[row]) for row in order])
    return PlaneSet(xy, target, task.classes, {**axes, "predicted": task.target, **left_out}, tuple(units))


def _stretched(numbers: npt.NDArray[np.float64], reach: float) -> tuple[Tensor, float, float]:
    """Numbers moved and stretched to -reach..reach, with what was their range."""
    low, high = float(numbers.min()), float(numbers.max())
    return torch.from_numpy((numbers - low) / (high - low or 1.0) * 2 * reach - reach).float(), low, high


# -------------------------------------------------------------------------------------------- loading

POINTS = 500  # as many as the Playground has


def load_plane(name: str, noise: float = 0.0, n: int = POINTS) -> PlaneSet:
    """The generated set of that name, or the viewer's own table at that path, its points in random order.

    Raises DataError, with a message for the viewer, where a table cannot be used.
    """
    data = SETS[name](n, noise) if name in SETS else from_table(name)
    order = torch.randperm(len(data.xy))
    return replace(data, xy=data.xy[order], target=data.target[order])


class Samples:
    """A set on its device: its points with their features, split into training and test data, dealt into batches.

    The rows of xy, x and y are first those held back for testing, then those to learn from, then what is drawn.
    """

    def __init__(self, data: PlaneSet, share: float, features: Sequence[str], device: torch.device) -> None:
        self.classes, self.features, self.device = data.classes, features, device
        self.given = len(data.xy)  # all but what is drawn
        self.held_back = self.given - round(self.given * share)
        self.xy = data.xy.to(device)  # (N, 2)
        self.y = self.targets(data.target)  # (N, K)
        self.x = with_features(self.xy, features)  # (N, 1 + F)
        self.batches: list[tuple[Tensor, Tensor]] = []  # what is left of this epoch

    def targets(self, target: Tensor) -> Tensor:
        """What the last layer is to give, (N, K): 0 or 1 for two classes, one-hot rows for more, else the value."""
        if len(self.classes) > 2:
            return one_hot(target, len(self.classes)).float().to(self.device)
        return target[:, None].float().to(self.device)

    @property
    def learnt(self) -> int:
        """How many points there are to learn from."""
        return len(self.xy) - self.held_back

    def next(self, size: int) -> tuple[Tensor, Tensor]:
        """The next batch, x (B, 1 + F) and y (B, K). Raises DataError where what is drawn is no task."""
        if not self.batches:
            x, y = self.x[self.held_back :], self.y[self.held_back :]
            if self.given == 0 and int((y.sum(0) > 0).sum()) < 2:
                found = "only one class is drawn" if len(y) else "nothing is drawn yet"
                raise DataError(f"There is no task, as {found}: draw points of two or three classes, then press Play.")
            order = torch.randperm(len(x)).to(self.device)  # every epoch in another order
            self.deal(x[order], y[order], size)
        return self.batches.pop()

    def deal(self, x: Tensor, y: Tensor, size: int) -> None:
        self.batches = list(zip(x.split(size), y.split(size), strict=True))

    def redeal(self, size: int) -> None:
        """Deal what is left of the epoch into batches of another size."""
        if self.batches:
            xs, ys = zip(*self.batches, strict=True)
            self.deal(torch.cat(xs), torch.cat(ys), size)

    def draw(self, stroke: Stroke) -> None:
        """Add drawn points to those to learn from, or take them all away. Raises DataError for a class not there."""
        if stroke.clear:
            self.replace(self.xy[: self.given], self.y[: self.given])
        elif stroke.label >= len(self.classes):
            has = f"the classes {' and '.join(self.classes)}" if self.classes else "values instead of classes"
            raise DataError(f"This data set has {has}. Choose the data set “drawn” to draw three classes.")
        else:
            xy = torch.tensor(stroke.xy, device=self.device).view(-1, 2)
            y = self.targets(torch.full((len(xy),), stroke.label))
            self.replace(torch.cat([self.xy, xy]), torch.cat([self.y, y]))

    def replace(self, xy: Tensor, y: Tensor) -> None:
        self.xy, self.y, self.x = xy, y, with_features(xy, self.features)
        self.batches = []  # the next step begins an epoch with the new points

    def shown(self, test: bool, cursor: tuple[float, float] | None = None) -> PointsData:
        """The points for a view: discs to learn from and, where `test` is wanted, rings to test."""
        rows = slice(0 if test else self.held_back, None)
        y = self.y[rows]
        return PointsData(
            self.xy[rows],
            labels=(y.argmax(1) if y.shape[1] > 1 else y[:, 0]) if self.classes else None,
            classes=self.classes,
            values=None if self.classes else y[:, 0],
            hollow=(torch.arange(len(self.xy)) < self.held_back)[rows],
            cursor=cursor,
        )

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint needs: drawn points, and where in the epoch the training is."""
        return {"xy": self.xy, "y": self.y, "batches": self.batches}

    def check_state(self, name: str, state: Any) -> None:
        """Raises CheckpointError where a saved state does not fit."""
        like = self.state_dict()
        if not isinstance(state, Mapping) or state.keys() != like.keys():
            raise misfit(name, state, like)
        for part in ("xy", "y"):
            compare(f"{name}.{part}", state[part], like[part], grows=True)
        if not len(state["xy"]) == len(state["y"]) >= self.given:
            raise CheckpointError(f"{name}.xy and {name}.y tell of different points")
        compare(f"{name}.batches", state["batches"], [(self.x, self.y)], grows=True)
        if any(len(x) != len(y) or not len(x) for x, y in state["batches"]):
            raise CheckpointError(f"{name}.batches has one without a point, or with more points than answers")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.replace(state["xy"].to(self.device).clone(), state["y"].to(self.device).clone())
        self.batches = [(x.to(self.device).clone(), y.to(self.device).clone()) for x, y in state["batches"]]
