"""Networks that denoise: a small U-Net for pictures, a residual network for points; told time and label."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Conditioning(nn.Module):
    """Time as sines and cosines (Vaswani et al., 2017) plus a learned vector for the label, mixed by one layer."""

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.waves: int = width // 2
        self.label = nn.Embedding(labels, width)
        self.mix = nn.Linear(width, width)

    def forward(self, time: Tensor, label: Tensor) -> Tensor:
        """Times (B,) in 0..1 and labels (B,) to (B, width)."""
        rates = torch.exp(-math.log(1000) * torch.arange(self.waves, device=time.device) / self.waves)
        angles = (
            1000 * time[:, None] * rates
        )  # (B, width / 2): from one turn in a thousandth to a sixth of a turn in all
        both = torch.cat([angles.sin(), angles.cos()], 1)
        return F.silu(self.mix(both) + self.label(label))


class Block(nn.Module):
    """Two convolutions with a shortcut (He et al., 2016); time and label scale and shift the maps between them."""

    def __init__(self, channels_in: int, channels: int, condition: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(math.gcd(8, channels_in), channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.scale_shift = nn.Linear(condition, 2 * channels)
        self.norm2 = nn.GroupNorm(math.gcd(8, channels), channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # at first a block passes its input on
        self.shortcut = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, channels_in, H, W) to (B, channels, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(condition)[:, :, None, None].chunk(2, 1)  # each (B, channels, 1, 1)
        h = self.norm2(h) * (1 + scale) + shift
        out: Tensor = self.shortcut(x) + self.conv2(F.silu(h))
        return out


class UNet(nn.Module):
    """Down, through the middle, and up again beside a skip connection (Ronneberger et al., 2015; Ho et al., 2020).

    Squares of 2 × 2 pixels are folded into channels first: a quarter of the work, hardly a loss at 16 × 16.
    """

    def __init__(self, channels: int, labels: int, condition: int = 64) -> None:
        super().__init__()
        c, d = channels, condition
        self.condition = Conditioning(d, labels)
        self.first = nn.Conv2d(4, c, 3, padding=1)
        self.down = Block(c, c, d)
        self.shrink = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.middle = Block(2 * c, 2 * c, d)
        self.grow = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.up = Block(2 * c, c, d)
        self.norm = nn.GroupNorm(math.gcd(8, c), c)
        self.last = nn.Conv2d(c, 4, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Noisy pictures (B, 1, 16, 16), times (B,) in 0..1, labels (B,) to a prediction (B, 1, 16, 16)."""
        condition = self.condition(time, label)
        wide = self.down(self.first(F.pixel_unshuffle(x, 2)), condition)  # (B, c, 8, 8)
        narrow = self.middle(self.shrink(wide), condition)  # (B, 2c, 4, 4)
        h = self.up(torch.cat([self.grow(narrow), wide], 1), condition)  # (B, c, 8, 8)
        out: Tensor = F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)
        return out


class PointDenoiser(nn.Module):
    """The same for points of the plane: residual layers, scaled and shifted by time and label.

    A point enters with sines and cosines of its place, or fine windings would take long (Tancik et al., 2020).
    """

    def __init__(self, channels: int, labels: int, condition: int = 64, layers: int = 3) -> None:
        super().__init__()
        width = 4 * channels
        self.condition = Conditioning(condition, labels)
        self.first = nn.Linear(14, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(layers))
        self.scale_shifts = nn.ModuleList(nn.Linear(condition, 2 * width) for _ in range(layers))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.last = nn.Linear(width, 2)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Noisy points (B, 2), times (B,) in 0..1, labels (B,) to a prediction (B, 2)."""
        condition = self.condition(time, label)
        waves = torch.cat([x, 2 * x, 4 * x], 1)  # (B, 6)
        h = self.first(torch.cat([x, waves.sin(), waves.cos()], 1))  # (B, width)
        for norm, scale_shift, layer in zip(self.norms, self.scale_shifts, self.layers, strict=True):
            scale, shift = scale_shift(condition).chunk(2, 1)  # each (B, width)
            h = h + layer(F.silu(norm(h) * (1 + scale) + shift))
        out: Tensor = self.last(F.silu(h))
        return out
