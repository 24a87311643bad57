"""Pieces of a dense network whose gradients are written out by hand: activations, losses, and where the numbers lie.

A tiny network's step is all overhead, so the pieces work in place: with autograd it takes about five times as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Activation(NamedTuple):
    """g, which turns z into a = g(z) in place; and g', by which dJ/da is multiplied in place, as a function of a."""

    apply: Callable[[Tensor], Tensor]
    chain: Callable[[Tensor, Tensor], Tensor]  # (dJ/da, a) -> dJ/dz


ACTIVATIONS = {
    "tanh": Activation(Tensor.tanh_, lambda d, a: d.addcmul_(d * a, a, value=-1)),  # g' = 1 - a²
    "ReLU": Activation(Tensor.relu_, lambda d, a: d.mul_(a > 0)),
    "sigmoid": Activation(Tensor.sigmoid_, lambda d, a: d.mul_(a).addcmul_(d, a, value=-1)),  # g' = a - a²
    "linear": Activation(lambda z: z, lambda d, _: d),
    "leaky ReLU": Activation(lambda z: F.leaky_relu(z, 0.01, True), lambda d, a: d.mul_(torch.where(a > 0, 1.0, 0.01))),
    "ELU": Activation(lambda z: F.elu(z, 1.0, True), lambda d, a: d.mul_(a.clamp(max=0).add_(1))),  # a + 1 below zero
    "softplus": Activation(lambda z: z.copy_(F.softplus(z)), lambda d, a: d.mul_(torch.expm1(-a).neg_())),  # 1 - e^-a
}


class Loss(NamedTuple):
    """What the last layer's z (N, K) mean, and what they cost, given y (N, K). Of all, dJ/dz is prediction - y."""

    name: str
    predict: Callable[[Tensor], Tensor]  # (N, K)
    cost: Callable[[Tensor, Tensor], Tensor]  # (N,)
    right: Callable[[Tensor, Tensor], Tensor]  # (N,) bool


TWO_CLASSES = Loss(
    "binary cross-entropy",
    torch.sigmoid,
    lambda z, y: (F.softplus(z) - y * z)[:, 0],  # -y log p - (1 - y) log(1 - p), where p = sigmoid(z)
    lambda z, y: ((z > 0) == (y > 0.5))[:, 0],
)
MORE_CLASSES = Loss(
    "softmax cross-entropy",
    lambda z: z.softmax(1),
    lambda z, y: z.logsumexp(1) - (y * z).sum(1),  # -log p of the class it is
    lambda z, y: z.argmax(1) == y.argmax(1),
)
REGRESSION = Loss(
    "half the squared error",
    lambda z: z,
    lambda z, y: (z - y).square()[:, 0] / 2,
    lambda z, y: ((z - y).abs() < 0.1)[:, 0],
)


def as_field(loss: Loss, z: Tensor) -> tuple[Tensor, Tensor | None]:
    """What the last sums z (side², K) over a square grid look like: values (side, side), of classes from -1, surely not
    (or the first of two), to 1, surely (or the second); and of more than two classes all their shares (K, side, side).
    """
    side, output = math.isqrt(len(z)), loss.predict(z)
    shares = output.T.reshape(-1, side, side) if loss is MORE_CLASSES else None
    values = output if loss is REGRESSION else 2 * output - 1
    return values.amax(1).view(side, side), shares


def flat_layers(shapes: list[tuple[int, int]], device: torch.device) -> tuple[Tensor, list[Tensor]]:
    """One vector of zeros and the matrices that are its parts: what is done to the one is done to the others."""
    flat = torch.zeros(sum(map(math.prod, shapes)), device=device)
    parts = flat.split([math.prod(shape) for shape in shapes])
    return flat, [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


class Room:
    """The arrays of one pass of n samples. Kept, for making them anew costs as much as the arithmetic."""

    def __init__(self, n: int, sizes: list[int], device: torch.device) -> None:
        self.a = [torch.ones(n, 1 + size, device=device) for size in sizes[:-1]]  # column 0 stays 1: for the bias
        self.z = [a[:, 1:] for a in self.a[1:]]  # views of them: z, then g(z) in its place
        self.z.append(torch.empty(n, sizes[-1], device=device))
        self.delta = [torch.empty(n, size, device=device) for size in sizes[1:]]  # dJ/dz
        self.delta_T = [delta.T for delta in self.delta]
        self.share = torch.tensor(1 / n, device=device)  # of each sample in the mean; a tensor costs less than a number


class Rooms(dict[int, Room]):
    """Rooms by the number of samples, each made when first asked for."""

    def __init__(self, sizes: list[int], device: torch.device) -> None:
        super().__init__()
        self.sizes, self.device = sizes, device

    def __missing__(self, n: int) -> Room:
        self[n] = room = Room(n, self.sizes, self.device)
        return room
