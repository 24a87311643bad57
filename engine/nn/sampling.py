"""From logits to the probabilities that a token is drawn with."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def filtered(logits: Tensor, temperature: float, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Probabilities (V,) from logits (V,): flattened or sharpened by the temperature, then only the `top_k` likeliest
    (0: all) and the likeliest that together make up `top_p` (Holtzman et al., 2020, section 3.1) keep a chance."""
    logits = logits / temperature
    if 0 < top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)
    chances, order = logits.softmax(0).sort(descending=True)
    before = chances.cumsum(0) - chances  # the probability of all that are likelier
    chances = chances.masked_fill(before >= top_p, 0)
    return torch.zeros_like(chances).scatter(0, order, chances / chances.sum())
