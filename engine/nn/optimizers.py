"""Optimisers for weights that lie in one vector: a few operations a step, with the defaults of torch.optim."""

from __future__ import annotations

from torch import Tensor

OPTIMIZERS = ("SGD", "momentum", "RMSProp", "Adam")


def update(name: str, theta: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, rate: float) -> None:
    """Change the weights theta in place, given the gradient g.

    m and v are what the optimiser remembers (a mean of gradients, a mean of their squares), zero at the start; t is
    the number of the step, from 1.
    """
    match name:
        case "SGD":
            theta.sub_(g, alpha=rate)
        case "momentum":  # Polyak, 1964: the ball keeps rolling
            theta.sub_(m.mul_(0.9).add_(g), alpha=rate)
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
