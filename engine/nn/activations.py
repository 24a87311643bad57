"""Activations g(z) with their derivatives g'(z), written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Activation(NamedTuple):
    """What a unit makes of its sum z, how steep that is, how steep it is at most, and both as formulas."""

    g: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    steepest: float
    formula: str
    derivative: str


def below(z: Tensor) -> Tensor:
    """Φ(z): the share of a standard normal distribution that lies below z."""
    return (1 + torch.erf(z / math.sqrt(2))) / 2


def density(z: Tensor) -> Tensor:
    """φ(z) = Φ'(z)."""
    return (-z * z / 2).exp() / math.sqrt(2 * math.pi)


LEAK = 0.01  # of the leaky ReLU
FLAT, DEAD = 0.05, 1e-6  # shares of the steepest slope below which a unit hardly learns from a point, or not at all
ACTIVATIONS = {
    "linear": Activation(lambda z: z, torch.ones_like, 1.0, "g(z) = z", "g'(z) = 1"),
    "sigmoid": Activation(
        torch.sigmoid,
        lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
        0.25,
        r"\sigma(z) = \frac{1}{1 + e^{-z}}",
        r"\sigma'(z) = \sigma(z)\,(1 - \sigma(z))",
    ),
    "tanh": Activation(
        torch.tanh,
        lambda z: 1 - torch.tanh(z).square(),
        1.0,
        r"g(z) = \tanh z = \frac{e^z - e^{-z}}{e^z + e^{-z}}",
        r"g'(z) = 1 - \tanh^2 z",
    ),
    "ReLU": Activation(  # Nair and Hinton, 2010
        torch.relu,
        lambda z: (z > 0).to(z.dtype),
        1.0,
        r"g(z) = \max(0,\, z)",
        r"g'(z) = 1 \;\mathrm{if}\; z > 0,\;\mathrm{else}\; 0",
    ),
    "leaky ReLU": Activation(  # Maas, Hannun and Ng, 2013
        lambda z: F.leaky_relu(z, LEAK),
        lambda z: torch.where(z > 0, 1.0, LEAK),
        1.0,
        r"g(z) = \max(0.01\,z,\, z)",
        r"g'(z) = 1 \;\mathrm{if}\; z > 0,\;\mathrm{else}\; 0.01",
    ),
    "ELU": Activation(  # Clevert, Unterthiner and Hochreiter, 2016
        F.elu,
        lambda z: z.clamp(max=0).exp(),
        1.0,
        r"g(z) = z \;\mathrm{if}\; z > 0,\;\mathrm{else}\; e^z - 1",
        r"g'(z) = 1 \;\mathrm{if}\; z > 0,\;\mathrm{else}\; e^z",
    ),
    "softplus": Activation(
        F.softplus, torch.sigmoid, 1.0, r"g(z) = \ln(1 + e^z)", r"g'(z) = \sigma(z) = \frac{1}{1 + e^{-z}}"
    ),
    "GELU": Activation(  # Hendrycks and Gimpel, 2016; steepest at z = √2
        F.gelu,
        lambda z: below(z) + z * density(z),
        1.128905,
        r"g(z) = z\,\Phi(z)",
        r"g'(z) = \Phi(z) + z\,\varphi(z)",
    ),
    "SiLU": Activation(  # Ramachandran, Zoph and Le, 2017; steepest where z = 2 / tanh(z / 2)
        F.silu,
        lambda z: torch.sigmoid(z) * (1 + z * torch.sigmoid(-z)),
        1.099839,
        r"g(z) = z\,\sigma(z)",
        r"g'(z) = \sigma(z)\,(1 + z\,(1 - \sigma(z)))",
    ),
}


def flat_spans(z: Tensor, activation: Activation) -> tuple[tuple[float, float, str], ...]:
    """Ranges of z (N,) in which the slope is next to nothing."""
    flat = F.pad((activation.slope(z).abs() < FLAT * activation.steepest).int(), (1, 1)).diff()  # (N + 1,)
    starts, ends = (flat == 1).nonzero()[:, 0].tolist(), (flat == -1).nonzero()[:, 0].tolist()
    spans = ((float(z[start]), float(z[end - 1])) for start, end in zip(starts, ends, strict=True))
    return tuple((low, high, "flat" if high - low > 1 else "") for low, high in spans)


def asleep(slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Which units are dead, without a slope at any point, and which others saturated, with hardly any at more than 95 %
    of the points. From shares of the steepest slope (L, N, units), both (L, units)."""
    dead = (slopes < DEAD).all(1)
    return dead, ((slopes < FLAT).float().mean(1) > 0.95) & ~dead
