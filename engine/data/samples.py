"""Samples to be generated: small pictures or points of the plane, and how to see both kinds in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.errors import DataError
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
        """Pictures (..., 1, 16, 16) as (..., 16, 16) in 0..1; clouds (..., N, 2) as (..., 40, 40): how dense."""
        if not self.of_points:
            return (x.squeeze(-3).clamp(-1, 1) + 1) / 2
        cell = ((x / self.bound + 1) * CELLS / 2).long().clamp(0, CELLS - 1)  # (..., N, 2)
        place = (CELLS * (CELLS - 1 - cell[..., 1]) + cell[..., 0]).flatten(0, -2)
        counts = torch.stack([torch.bincount(p, minlength=CELLS**2) for p in place]).view(*x.shape[:-2], CELLS, CELLS)
        return (counts / counts.amax((-1, -2), keepdim=True)).sqrt()

    def frames(self, x: Tensor) -> dict[str, Tensor]:
        """What a strip shows of (K, B, *shape): the whole cloud of points, or the first picture."""
        return {"points": x} if self.of_points else {"pixels": self.pictures(x[:, 0])}

    def at(self, places: Tensor, rest: Tensor) -> Tensor:
        """Samples that lie at places (B, 2) of the plane, and in all other directions where the sample `rest` does."""
        return (rest.flatten() + (places - self.project(rest)) @ self.axes.T).view(-1, *self.shape)

    def accepted(self, x: Tensor, y: Tensor) -> float:
        """The share of samples x that a classifier takes for what they are to be, y. It has seen only real ones.

        Raises DataError where the classifier fails on real samples held out.
        """
        from sklearn.svm import SVC

        judge = SVC(C=10).fit(self.x[:8000].flatten(1).cpu(), self.y[:8000].cpu())
        if judge.score(self.held.flatten(1).cpu(), self.held_y.cpu()) < 0.97:
            raise DataError("the classifier that is to judge the samples does not know the real ones")
        return float(judge.score(x.flatten(1).cpu(), y.cpu()))


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
