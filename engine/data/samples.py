"""Samples to be generated: small pictures or points of the plane, and how to see both kinds in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.images import load_images
from engine.data.plane import SETS, load_plane

SIDE = 16  # of pictures, in pixels
CELLS = 40  # across the map of how dense points are


@dataclass(frozen=True)
class Samples:
    """Labelled samples, those for training and those held out, and the plane that they are seen in."""

    x: Tensor  # (N, 1, 16, 16) in -1..1, or (N, 2) in about -2..2
    y: Tensor  # (N,)
    held: Tensor
    held_y: Tensor
    classes: tuple[str, ...]
    centre: Tensor  # (D,): of the plane
    axes: Tensor  # (D, 2): two perpendicular directions, for pictures the principal components

    @property
    def shape(self) -> torch.Size:
        """Of one sample."""
        return self.x.shape[1:]

    @property
    def of_points(self) -> bool:
        return len(self.shape) == 1

    @property
    def bound(self) -> float:
        """No sample's coordinate is larger."""
        return 3.0 if self.of_points else 1.0

    def project(self, x: Tensor) -> Tensor:
        """Samples (..., 1, 16, 16) or (..., 2) to their places in the plane (..., 2)."""
        return (x.flatten(-len(self.shape)) - self.centre) @ self.axes

    def pictures(self, x: Tensor) -> Tensor:
        """Pictures (..., 1, 16, 16) as (..., 16, 16) in 0..1; clouds (B, N, 2) as (B, 40, 40), how dense they are."""
        if not self.of_points:
            return (x.squeeze(-3).clamp(-1, 1) + 1) / 2
        cell = ((x / self.bound + 1) * CELLS / 2).long().clamp(0, CELLS - 1)  # (B, N, 2)
        place = CELLS * (CELLS - 1 - cell[..., 1]) + cell[..., 0]
        counts = torch.stack([torch.bincount(p, minlength=CELLS**2) for p in place]).view(-1, CELLS, CELLS)
        return (counts / counts.amax((1, 2), keepdim=True)).sqrt()


def load_samples(name: str, device: torch.device) -> Samples:
    """Image sets by name or path as load_images knows them, generated sets of the plane by name."""
    if name in SETS:
        plane = load_plane(name, noise=0.1, n=4000)
        x, y = (plane.xy / 2.5).to(device), plane.target.to(device)
        centre, axes = torch.zeros(2, device=device), torch.eye(2, device=device)
        return Samples(x[400:], y[400:], x[:400], y[:400], plane.classes, centre, axes)
    images = load_images(name, SIDE)
    x, held = 2 * images.train - 1, 2 * images.test - 1
    flat = x[:2000].flatten(1)
    centre = flat.mean(0)
    axes = torch.linalg.eigh((flat - centre).T @ (flat - centre))[1][:, -2:].flip(1)  # the largest eigenvalue first
    parts = (x, images.train_labels, held, images.test_labels)
    x, y, held, held_y = (part.to(device) for part in parts)
    return Samples(x, y, held, held_y, images.classes, centre.to(device), axes.to(device))
