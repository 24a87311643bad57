"""The block that transformers are stacked of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Past = list[Tensor]  # a block's keys and values so far, each (B, H, T, D / H); empty before the first


class Block(nn.Module):
    """Look around, then think: attention and a dense network, each added to what was there (Radford et al., 2019)."""

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, drop
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values of every head, each (B, H, T, D / H), from (B, T, D)."""
        return tuple(self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4))

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        q, k, v = self.split(x)
        if past is not None:  # the keys and values of what it has read before: x is only what is new
            k, v = (torch.cat(pair, 2) for pair in zip(past, (k, v), strict=True)) if past else (k, v)
            past[:] = k, v
        drop = self.drop if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=x.shape[1] > 1)  # (B, H, T, D / H)
        x = x + F.dropout(self.out(y.transpose(1, 2).flatten(2)), drop)  # (B, T, D)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm2(x)))), drop)

    def weights(self, x: Tensor) -> Tensor:
        """softmax(Q Kᵀ / √d) (B, H, T, T), which the fused kernel keeps to itself (Vaswani et al., 2017, eq. 1)."""
        q, k, _ = self.split(x)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        later = torch.ones(scores.shape[2:], dtype=torch.bool, device=x.device).triu(1)  # nobody sees the future
        return scores.masked_fill(later, -math.inf).softmax(3)
