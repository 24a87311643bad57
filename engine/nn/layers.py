"""Fully connected layers as plain matrices, with their gradients by hand and the usual first weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from engine.nn.activations import Activation

INITIALISATIONS: dict[str, Callable[[int, int], float]] = {  # deviation of the weights, of inputs and outputs
    "Xavier": lambda i, o: math.sqrt(2 / (i + o)),  # Glorot and Bengio, 2010, equation 12
    "He": lambda i, _: math.sqrt(2 / i),  # He et al., 2015, equation 10
    "small": lambda _i, _o: 0.01,
    "large": lambda _i, _o: 10.0,
    "zeros": lambda _i, _o: 0.0,
}


def initial(sizes: list[int], initialisation: str, device: torch.device) -> list[Tensor]:
    """First weights (out, 1 + in) of each layer; column 0 holds the biases, which begin at zero."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        weights = INITIALISATIONS[initialisation](inputs, outputs) * torch.randn(outputs, inputs)
        layers.append(torch.cat([torch.zeros(outputs, 1), weights], 1).to(device))
    return layers


def forward(layers: list[Tensor], activation: Activation, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Layer by layer z = W a + b, then a = g(z), but for the last. Returns what goes into each layer, from the inputs
    on, and what comes out, all z: each (N, units)."""
    a, z = [x], []
    for W in layers:
        z.append(torch.addmm(W[:, 0], a[-1], W[:, 1:].T))
        a.append(activation.g(z[-1]))
    return a[:-1], z


def backward(
    layers: list[Tensor], activation: Activation, a: list[Tensor], z: list[Tensor], delta: Tensor
) -> list[Tensor]:
    """dJ/dW of each layer (Rumelhart et al., 1986), from delta = dJ/dz of the last one (N, K). Each layer further down
    multiplies by its weights and by g'(z): where those are small, next to nothing arrives at the first."""
    G = []
    for layer in reversed(range(len(layers))):
        G.append(torch.cat([delta.sum(0)[:, None], delta.T @ a[layer]], 1))  # (out, 1 + in)
        if layer > 0:
            delta = (delta @ layers[layer][:, 1:]) * activation.slope(z[layer - 1])  # (N, in)
    return G[::-1]


def collapsed(layers: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Layers without an activation as one: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2). (K, 2) and (K,)"""
    w, b = layers[0][:, 1:], layers[0][:, 0]
    for W in layers[1:]:
        w, b = W[:, 1:] @ w, W[:, 1:] @ b + W[:, 0]
    return w, b
