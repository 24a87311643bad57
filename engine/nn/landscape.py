"""The loss landscape of a network (Li et al., 2018): its loss over a plane through all its weights.

Many networks of one shape are run at once: their weights are the rows of one matrix (K, D).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.plane import circle
from engine.nn.optimizers import update

SIZES = (2, 16, 16, 1)
REFERENCE, RATE, STEPS = "Adam", 0.02, 240  # the training whose end the plane goes through


class Landscape:
    """A dense network with tanh and one logit, a disc in a ring to learn, and the plane in which its loss is seen.

    The plane goes through the trained weights theta*: f(a, b) = J(theta* + a d1 + b d2), equation 1 of Li et al.
    Both directions are random and filter-normalised (their section 4), or the principal components of the path that
    training took (their section 7.2).
    """

    latex = r"f(\alpha, \beta) = J(\theta^* + \alpha \delta + \beta \eta)"
    curvature, unit = 0.0, 0.05

    def __init__(self, principal: bool, device: torch.device) -> None:
        data = circle(120, 0.1)
        self.x, self.y = (data.xy / 3).to(device), data.target.float().to(device)  # (N, 2), (N,)
        self.shapes = [(units, 1 + inputs) for inputs, units in pairwise(SIZES)]  # column 0 is the bias
        first = [torch.randn(shape) / math.sqrt(shape[1]) for shape in self.shapes]
        self.begin = torch.cat([W.flatten() for W in first]).to(device)  # (D,)
        path = self.trained()  # (T, D)
        self.centre = path[-1]
        if principal:
            self.directions = torch.linalg.svd(path - self.centre, full_matrices=False).Vh[:2]  # (2, D)
        else:
            self.directions = torch.stack([self.filter_normalised(torch.randn(len(self.centre))) for _ in range(2)])
        self.onto = torch.linalg.pinv(self.directions)  # (D, 2): the nearest place of the plane
        seen = self.project(path)  # (T, 2)
        offset = path - self.centre
        self.held = 1 - float((offset - seen @ self.directions).square().sum() / offset.square().sum())
        self.extent = self.around(seen, principal)
        self.start = tuple(seen[0].tolist())
        self.minima = ((0.0, 0.0),)

    @staticmethod
    def around(path: Tensor, principal: bool) -> tuple[float, float, float, float]:
        """The rectangle to show: what the path needs, and some way beyond; of random directions -1 .. 1, as theirs."""
        if not principal:
            return (-1.0, 1.0, -1.0, 1.0)
        low, high = path.amin(0), path.amax(0)
        reach = 0.45 * (high - low).max()
        (x0, y0), (x1, y1) = (low - reach).tolist(), (high + reach).tolist()
        return (x0, x1, y0, y1)

    def filter_normalised(self, direction: Tensor) -> Tensor:
        """d_ij <- d_ij / |d_ij| * |theta_ij|, where ij is a filter: a neuron with its bias and weights."""
        parts = []
        for d, W in zip(self.layers(direction[None].to(self.x.device)), self.layers(self.centre[None]), strict=True):
            parts.append((d / d.norm(dim=2, keepdim=True) * W.norm(dim=2, keepdim=True)).flatten())
        return torch.cat(parts)

    def layers(self, theta: Tensor) -> list[Tensor]:
        """Weights (K, D) as one (K, out, 1 + in) a layer."""
        parts = theta.split([math.prod(shape) for shape in self.shapes], 1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def height(self, theta: Tensor) -> Tensor:
        """Binary cross-entropy (K,) of the networks (K, D), mean over the data."""
        a = self.x.T.expand(len(theta), -1, -1)  # (K, inputs, N)
        layers = self.layers(theta)
        for depth, W in enumerate(layers, 1):
            z = torch.baddbmm(W[:, :, :1], W[:, :, 1:], a)  # (K, out, N)
            a = z.tanh() if depth < len(layers) else z
        logits = a[:, 0]  # (K, N)
        return F.binary_cross_entropy_with_logits(logits, self.y.expand_as(logits), reduction="none").mean(1)

    def slope(self, theta: Tensor) -> Tensor:
        """The gradients (K, D)."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.height(theta).sum(), theta)
        return gradient

    def trained(self) -> Tensor:
        """Train the network; its weights at every step (1 + STEPS, D)."""
        theta, path = self.begin[None].clone(), [self.begin[None]]
        m, v = torch.zeros_like(theta), torch.zeros_like(theta)
        for t in range(1, STEPS + 1):
            update(REFERENCE, theta, self.slope(theta), m, v, t, RATE)
            path.append(theta.clone())
        return torch.cat(path)

    def project(self, theta: Tensor) -> Tensor:
        """Where weights (K, D) lie in the plane (K, 2): alpha and beta of the nearest place."""
        xy: Tensor = (theta - self.centre) @ self.onto
        return xy

    def place(self, xy: Tensor) -> Tensor:
        """The weights (K, D) at places (K, 2) of the plane."""
        theta: Tensor = self.centre + xy @ self.directions
        return theta
