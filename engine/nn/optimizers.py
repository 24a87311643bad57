"""Optimisers for weights that lie in one vector: a few operations a step, with the defaults of torch.optim."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OPTIMIZERS = ("SGD", "momentum", "Nesterov", "Adagrad", "Adadelta", "RMSProp", "Adam")


def update(
    name: str, theta: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, rate: float, momentum: float = 0.9
) -> None:
    """Change the weights theta in place, given the gradient g.

    m and v are what the optimiser remembers (a mean of gradients, a mean of their squares), zero at the start; t is
    the number of the step, from 1.
    """
    match name:
        case "SGD":
            theta.sub_(g, alpha=rate)
        case "momentum":  # Polyak, 1964: the ball keeps rolling
            theta.sub_(m.mul_(momentum).add_(g), alpha=rate)
        case "Nesterov":  # Nesterov, 1983, as in Sutskever et al., 2013: one step of momentum ahead
            theta.sub_(m.mul_(momentum).add_(g).mul(momentum).add_(g), alpha=rate)
        case "Adagrad":  # Duchi et al., 2011: v is the sum of all squares, so that steps only become shorter
            theta.addcdiv_(g, v.addcmul_(g, g).sqrt().add_(1e-10), value=-rate)
        case "Adadelta":  # Zeiler, 2012, algorithm 1: m is a mean of squared steps, and sets the length of the next
            v.mul_(0.9).addcmul_(g, g, value=0.1)
            step = m.add(1e-6).sqrt_().div_(v.add(1e-6).sqrt_()).mul_(g)
            m.mul_(0.9).addcmul_(step, step, value=0.1)
            theta.sub_(step, alpha=rate)
        case "RMSProp":  # Hinton, 2012, lecture 6e: each weight has a rate of its own
            v.mul_(0.99).addcmul_(g, g, value=0.01)
            theta.addcdiv_(g, v.sqrt().add_(1e-8), value=-rate)
        case "Adam":  # Kingma and Ba, 2015, algorithm 1: both at once, corrected for having started at zero
            m.lerp_(g, 0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            spread = v.div(1 - 0.999**t).sqrt_().add_(1e-8)
            theta.addcdiv_(m, spread, value=-rate / (1 - 0.9**t))
        case _:
            raise ValueError(f"there is no optimiser {name!r}; there are: {', '.join(OPTIMIZERS)}")


RULES = {
    "SGD": r"w \leftarrow w - \eta\, g",
    "momentum": r"m \leftarrow \mu m + g, \quad w \leftarrow w - \eta\, m",
    "Nesterov": r"m \leftarrow \mu m + g, \quad w \leftarrow w - \eta\, (g + \mu m)",
    "Adagrad": r"v \leftarrow v + g^2, \quad w \leftarrow w - \eta\, g / \sqrt{v}",
    "Adadelta": r"v \leftarrow 0.9\, v + 0.1\, g^2, \quad w \leftarrow w - \eta\, g \sqrt{m} / \sqrt{v}",
    "RMSProp": r"v \leftarrow 0.99\, v + 0.01\, g^2, \quad w \leftarrow w - \eta\, g / \sqrt{v}",
    "Adam": r"w \leftarrow w - \eta\, \hat{m} / \sqrt{\hat{v}}",
}

LIMITS = {  # on a quadratic
    "SGD": r"\eta < 2 / \lambda_{\max}",
    "momentum": r"\eta < 2 (1 + \mu) / \lambda_{\max}",
    "Nesterov": r"\eta < 2 (1 + \mu) / ((1 + 2 \mu) \lambda_{\max})",
}


def stable_below(name: str, curvature: float, momentum: float = 0.9) -> float:
    """The learning rate beyond which an optimiser diverges on a quadratic whose largest curvature is this; else 0.

    Goh, 2017, "Why momentum really works", and the same for Nesterov: where the step along the steepest direction
    becomes longer with every turn.
    """
    share = {"SGD": 2.0, "momentum": 2 * (1 + momentum), "Nesterov": 2 * (1 + momentum) / (1 + 2 * momentum)}
    return share.get(name, 0.0) / curvature if curvature else 0.0


def too_large(name: str, rate: float, curvature: float, momentum: float) -> str:
    """Why an optimiser has diverged: by how much, where that is known."""
    limit = stable_below(name, curvature, momentum)
    if limit and rate > limit:
        word = {"SGD": "2/λ", "momentum": "2(1 + μ)/λ", "Nesterov": "2(1 + μ)/((1 + 2μ)λ)"}[name]
        return f"its learning rate {rate:.3g} is above {word} = {limit:.3g}"
    return f"its learning rate {rate:.3g} is too large here"


def of_torch(name: str, theta: Tensor, rate: float, momentum: float = 0.9) -> torch.optim.Optimizer:
    """The same optimiser as torch has it: what `update` is measured against."""
    match name:
        case "momentum" | "Nesterov":
            return torch.optim.SGD([theta], lr=rate, momentum=momentum, nesterov=name == "Nesterov")
        case "RMSProp":
            return torch.optim.RMSprop([theta], lr=rate)
        case _:
            made: torch.optim.Optimizer = getattr(torch.optim, name)([theta], lr=rate)
            return made


def far_from_torch(name: str, rate: float, slope: Callable[[Tensor], Tensor], start: Tensor, steps: int = 50) -> float:
    """The largest difference between weights (1, D) that `update` moves down a slope, and those that torch moves."""
    ours, theirs, m, v = start.clone(), start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    optimizer, worst = of_torch(name, theirs, rate), 0.0
    for t in range(1, steps + 1):
        update(name, ours, slope(ours), m, v, t, rate)
        theirs.grad = slope(theirs)
        optimizer.step()
        worst = max(worst, float((ours - theirs).abs().max()))
    return worst
