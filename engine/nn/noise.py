"""Noising and denoising, one step at a time: the formulas of diffusion models.

Throughout, `a` is alpha-bar at time t, the share of the signal's variance that is left; `a_next` is alpha-bar at the
earlier time s.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn


def alpha_bar(schedule: str, steps: int) -> Tensor:
    """The share of signal variance left after t = 0 .. T steps, (T + 1,): 1 at t = 0, near 0 at T."""
    if schedule == "cosine":  # Nichol and Dhariwal (2021), eq. 17
        angle = (torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008 * torch.pi / 2
        signal = angle.cos() ** 2
        beta = 1 - signal[1:] / signal[:-1]
    else:  # Ho et al. (2020), section 4, stretched where T is not 1000
        beta = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)
    return torch.cat([torch.ones(1), (1 - beta.clamp(max=0.999)).cumprod(0)]).float()


def noised(x0: Tensor, a: Tensor, noise: Tensor) -> Tensor:
    """q(x_t | x_0), eq. 4 of Ho et al. (2020): the signal shrinks as noise grows. `a` is alpha-bar at t."""
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


def target(kind: str, x0: Tensor, a: Tensor, noise: Tensor) -> Tensor:
    """What the network is to predict; v is eq. 13 of Salimans and Ho (2022)."""
    v = a.sqrt() * noise - (1 - a).sqrt() * x0
    return {"epsilon": noise, "x0": x0, "v": v}[kind]


def clean(kind: str, output: Tensor, x: Tensor, a: Tensor) -> Tensor:
    """The x_0 that a prediction means at x_t: `target`, solved for x_0."""
    if kind == "epsilon":
        return (x - (1 - a).sqrt() * output) / a.sqrt()
    return output if kind == "x0" else a.sqrt() * x - (1 - a).sqrt() * output


def ddpm_step(x: Tensor, x0: Tensor, a: Tensor, a_next: Tensor, z: Tensor) -> Tensor:
    """x_s from q(x_s | x_t, x_0), eq. 7 of Ho et al. (2020), which is algorithm 2; `a_next` is alpha-bar at s < t."""
    alpha = a / a_next
    mean = (a_next.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - a_next) * x) / (1 - a)
    return mean + ((1 - a_next) / (1 - a) * (1 - alpha)).sqrt() * z


def ddim_step(x: Tensor, x0: Tensor, a: Tensor, a_next: Tensor, z: Tensor, eta: float = 0.0) -> Tensor:
    """Eq. 12 of Song et al. (2021): towards x_0, then along the same noise; eta = 1 is DDPM again (eq. 16)."""
    noise = (x - a.sqrt() * x0) / (1 - a).sqrt()
    sigma = eta * ((1 - a_next) / (1 - a) * (1 - a / a_next)).sqrt()
    return a_next.sqrt() * x0 + (1 - a_next - sigma**2).clamp(min=0).sqrt() * noise + sigma * z


STEPS = {"DDIM": ddim_step, "DDPM": ddpm_step}


def sampling_times(last: int, count: int) -> list[int]:
    """The times that sampling visits, from `last` down to 0 in at most `count` steps."""
    count = min(count, last)
    return [round(last * (1 - i / count)) for i in range(count + 1)]


def guided(net: nn.Module, x: Tensor, time: float, y: Tensor, nothing: int, weight: float) -> Tensor:
    """The prediction for x_t with labels y (B,), guided: eq. 6 of Ho and Salimans (2022), whose w is weight - 1.

    `nothing` is the label that says nothing.
    """
    labels = torch.cat([y, torch.full_like(y, nothing)])
    told, free = net(torch.cat([x, x]), torch.full((2 * len(x),), time, device=x.device), labels).chunk(2)
    result: Tensor = free + weight * (told - free)
    return result


def walk(
    sampler: str, predict: Callable[[Tensor, int], Tensor], times: list[int], alpha_bar: Tensor, noise: Iterator[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """From noise to samples: at each time x_t, and the x_0 that `predict` sees in it."""
    x = next(noise)
    for t, s in itertools.pairwise(times):
        x0 = predict(x, t)
        yield x, x0
        x = STEPS[sampler](x, x0, alpha_bar[t], alpha_bar[s], next(noise))
    yield x, x
