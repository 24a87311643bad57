"""Losses over the sums z of a last layer, with their slopes written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Loss(NamedTuple):
    """What sums z (N, K) are taken to predict (N, K), what that costs where y is right (N,), and dJ/dz (N, K)."""

    predict: Callable[[Tensor], Tensor]
    cost: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    formula: str
    derivative: str


def sigmoid_slope(z: Tensor) -> Tensor:
    """σ'(z) = σ(z) (1 - σ(z)): a quarter at most, and next to nothing where z is large."""
    return torch.sigmoid(z) * torch.sigmoid(-z)


def same(z: Tensor) -> Tensor:
    """The sum itself is the prediction."""
    return z


CROSS_ENTROPY, SQUARED, SOFTMAX = "binary cross-entropy", "squared error of a sigmoid", "softmax cross-entropy"
LOSSES = {
    CROSS_ENTROPY: Loss(
        torch.sigmoid,
        lambda z, y: (F.softplus(z) - y * z).sum(1),  # -y ln p - (1 - y) ln(1 - p), without a logarithm of zero
        lambda z, y: torch.sigmoid(z) - y,
        r"J = -y \ln \hat{y} - (1 - y) \ln(1 - \hat{y})",
        r"\frac{dJ}{dz} = \hat{y} - y",
    ),
    SQUARED: Loss(
        torch.sigmoid,
        lambda z, y: (torch.sigmoid(z) - y).square().sum(1),
        lambda z, y: 2 * (torch.sigmoid(z) - y) * sigmoid_slope(z),
        r"J = (\sigma(z) - y)^2",
        r"\frac{dJ}{dz} = 2(\hat{y} - y)\,\sigma'(z)",
    ),
    SOFTMAX: Loss(
        lambda z: z.softmax(1),
        lambda z, y: z.logsumexp(1) - (y * z).sum(1),  # -ln p of the class it is
        lambda z, y: z.softmax(1) - y,
        r"J = -\ln \frac{e^{z_y}}{\sum_k e^{z_k}}",
        r"\frac{\partial J}{\partial z_y} = \hat{y}_y - 1",
    ),
    "squared error": Loss(
        same,
        lambda z, y: (z - y).square().sum(1),
        lambda z, y: 2 * (z - y),
        r"J = (\hat{y} - y)^2",
        r"\frac{dJ}{dz} = 2(\hat{y} - y)",
    ),
    "absolute error": Loss(
        same,
        lambda z, y: (z - y).abs().sum(1),
        lambda z, y: (z - y).sign(),
        r"J = |\hat{y} - y|",
        r"\frac{dJ}{dz} = \mathrm{sign}(\hat{y} - y)",
    ),
    "Huber": Loss(  # Huber, 1964: squared where it is small, absolute where it is large
        same,
        lambda z, y: torch.where((z - y).abs() < 1, (z - y).square() / 2, (z - y).abs() - 0.5).sum(1),
        lambda z, y: (z - y).clamp(-1, 1),
        r"J = \frac{1}{2}(\hat{y} - y)^2 \;\mathrm{or}\; |\hat{y} - y| - \frac{1}{2}",
        r"\frac{dJ}{dz} = \hat{y} - y \;\mathrm{or}\; \pm 1",
    ),
    "hinge": Loss(  # Cortes and Vapnik, 1995: of those well on their side, nothing more is asked
        same,
        lambda z, y: (1 - (2 * y - 1) * z).clamp(min=0).sum(1),
        lambda z, y: torch.where((2 * y - 1) * z < 1, 1 - 2 * y, 0.0),
        r"J = \max(0,\, 1 \mp z)",
        r"\frac{dJ}{dz} = \mp 1 \;\mathrm{or}\; 0",
    ),
}
FOR_VALUES = ("squared error", "absolute error", "Huber")
