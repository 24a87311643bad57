"""Functions of two weights to roll balls on: heights and gradients by hand, where their minima lie, how steep they are.

All are scaled so that a learning rate of about 0.1 suits them, and their lowest places are at height 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

COS, SIN = math.cos(math.pi / 6), -math.sin(math.pi / 6)  # the valley lies askew: no weight is alone responsible for it
FLAT, STEEP = 0.1, 4.0  # its curvatures


@dataclass(frozen=True)
class Ground:
    """J(w0, w1), for many places (N, 2) at once."""

    latex: str
    height: Callable[[Tensor], Tensor]  # (N,)
    slope: Callable[[Tensor], Tensor]  # (N, 2): the gradient
    extent: tuple[float, float, float, float]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    curvature: float = 0.0  # the largest eigenvalue of the Hessian, where it is the same everywhere
    unit: float = 0.0  # where heights differ much, ln(1 + J / unit) is shown

    @property
    def begin(self) -> Tensor:
        """The weights (2,) to begin with."""
        return torch.tensor(self.start)

    def project(self, w: Tensor) -> Tensor:
        """Where weights (N, 2) lie in the picture."""
        return w

    def place(self, xy: Tensor) -> Tensor:
        """The weights at places (N, 2) of the picture."""
        return xy


class Shown(Protocol):
    """What can be shown as a surface: weights have a height, and places of the picture have weights."""

    @property
    def extent(self) -> tuple[float, float, float, float]: ...
    @property
    def unit(self) -> float: ...
    def height(self, w: Tensor, /) -> Tensor: ...
    def place(self, xy: Tensor, /) -> Tensor: ...


def relief(ground: Shown, side: int, device: torch.device) -> Tensor:
    """Heights as they are shown (side, side), over the extent and at its edges, the largest y at the top."""
    x0, x1, y0, y1 = ground.extent
    across, down = torch.linspace(x0, x1, side, device=device), torch.linspace(y1, y0, side, device=device)
    xy = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1).view(-1, 2)  # (side², 2), row by row
    heights = torch.cat([ground.height(ground.place(some)) for some in xy.split(200)])
    return (heights if ground.unit == 0 else (heights / ground.unit).log1p()).view(side, side)


def valley(w: Tensor) -> Tensor:
    along, across = COS * w[:, 0] + SIN * w[:, 1], COS * w[:, 1] - SIN * w[:, 0]
    return (FLAT * along.square() + STEEP * across.square()) / 2


def valley_slope(w: Tensor) -> Tensor:
    along, across = FLAT * (COS * w[:, 0] + SIN * w[:, 1]), STEEP * (COS * w[:, 1] - SIN * w[:, 0])
    return torch.stack([COS * along - SIN * across, SIN * along + COS * across], 1)


def rosenbrock_slope(w: Tensor) -> Tensor:
    off = w[:, 1] - w[:, 0].square()
    return torch.stack([2 * (w[:, 0] - 1) - 400 * w[:, 0] * off, 200 * off], 1) / 400


def himmelblau_slope(w: Tensor) -> Tensor:
    one, two = w[:, 0].square() + w[:, 1] - 11, w[:, 0] + w[:, 1].square() - 7
    return torch.stack([4 * w[:, 0] * one + 2 * two, 2 * one + 4 * w[:, 1] * two], 1) / 100


PIT = 2.8902875  # where 0.1 w + 0.6 sin 2w is zero once more, and rises
PITS = tuple((x, y) for x in (-PIT, 0.0, PIT) for y in (-PIT, 0.0, PIT))

SURFACES = {
    "bowl": Ground(
        r"J = \frac{1}{2} w_0^2 + w_1^2",
        lambda w: w[:, 0].square() / 2 + w[:, 1].square(),
        lambda w: torch.stack([w[:, 0], 2 * w[:, 1]], 1),
        (-3, 3, -3, 3),
        (-2.6, 2.2),
        ((0, 0),),
        curvature=2,
    ),
    "valley": Ground(
        r"J = \frac{1}{2}\left(0.1\,u^2 + 4\,v^2\right)",
        valley,
        valley_slope,
        (-3, 3, -2.5, 2.5),
        (-2.7, -0.2),
        ((0, 0),),
        curvature=STEEP,
        unit=2,
    ),
    "saddle": Ground(
        r"J = w_0^2 + \left(\frac{1}{2} w_1^2 - 1\right)^2",
        lambda w: w[:, 0].square() + (w[:, 1].square() / 2 - 1).square(),
        lambda w: torch.stack([2 * w[:, 0], (w[:, 1].square() - 2) * w[:, 1]], 1),
        (-2, 2, -2, 2),
        (-1.8, 0.0001),
        ((0, -math.sqrt(2)), (0, math.sqrt(2))),
    ),
    "Rosenbrock": Ground(
        r"J = \frac{1}{400}\left((1 - w_0)^2 + 100\,(w_1 - w_0^2)^2\right)",
        lambda w: ((1 - w[:, 0]).square() + 100 * (w[:, 1] - w[:, 0].square()).square()) / 400,
        rosenbrock_slope,
        (-2, 2, -1, 3),
        (-1.2, 1.0),
        ((1, 1),),
        unit=0.02,
    ),
    "Himmelblau": Ground(
        r"J = \frac{1}{100}\left((w_0^2 + w_1 - 11)^2 + (w_0 + w_1^2 - 7)^2\right)",
        lambda w: ((w[:, 0].square() + w[:, 1] - 11).square() + (w[:, 0] + w[:, 1].square() - 7).square()) / 100,
        himmelblau_slope,
        (-5, 5, -5, 5),
        (0.25, -1.0),
        ((3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848127)),
        unit=0.5,
    ),
    "many minima": Ground(
        r"J = 0.05\,(w_0^2 + w_1^2) + 0.3\,(2 - \cos 2 w_0 - \cos 2 w_1)",
        lambda w: (0.05 * w.square() + 0.3 * (1 - (2 * w).cos())).sum(1),
        lambda w: 0.1 * w + 0.6 * (2 * w).sin(),
        (-5, 5, -5, 5),
        (-4.5, 4.2),
        PITS,
    ),
}
