"""Networks of different widths that learn side by side, in one go: each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ALL = slice(None)


class Networks(nn.Module):
    """M networks from the plane through two hidden layers to logits, of equal widths; a mask says which units are used.

    `scale` is the size of the initial weights in that of He et al. (2015), equation 10: a deviation of sqrt(2 / inputs)
    keeps the size of activations from layer to layer.
    """

    def __init__(self, widths: Sequence[int], widest: int, classes: int, scale: float = 1.0) -> None:
        super().__init__()
        members, self.widest = len(widths), widest
        used = torch.tensor(widths)[:, None, None]  # (M, 1, 1)
        layers = ((2, widest, torch.tensor(2)), (widest, widest, used), (widest, classes, used))
        self.weights = nn.ParameterList(scale * (2 / n).sqrt() * torch.randn(members, a, b) for a, b, n in layers)
        self.biases = nn.ParameterList(torch.zeros(members, 1, b) for _, b, _ in layers)
        self.mask, self.mean, self.var = (nn.Buffer(torch.ones(2, members, 1, widest)) for _ in range(3))
        self.mean.zero_()
        for member, width in enumerate(widths):
            self.use(member, width)

    def use(self, member: int, width: int) -> None:
        """The first `width` units of both hidden layers are used from now on; the others keep their weights."""
        self.mask[:, member, 0] = (torch.arange(self.widest, device=self.mask.device) < width).float()

    def forward(self, x: Tensor, dropout: float = 0.0, batch_norm: bool = False, only: slice = ALL) -> Tensor:
        """Places (N, 2) to the logits (M, N, classes) of all networks, or of `only` some."""
        a = x.expand(len(self.weights[0][only]), *x.shape)  # (M, N, 2)
        for layer in range(2):
            z = a @ self.weights[layer][only]  # (M, N, widest)
            z = self.normalised(z, layer, only) if batch_norm else z
            a = torch.relu(z + self.biases[layer][only]) * self.mask[layer, only]
            a = F.dropout(a, dropout, self.training)  # Srivastava et al. (2014), in training alone
        logits: Tensor = a @ self.weights[2][only] + self.biases[2][only]
        return logits

    def normalised(self, z: Tensor, layer: int, only: slice) -> Tensor:
        """Ioffe and Szegedy (2015), algorithm 1. Their β is the bias added after it, their γ is left to the next layer.

        In training each sum has mean 0 and variance 1 over the batch; later, over what the batches had on average.
        """
        if not self.training:
            return (z - self.mean[layer, only]) / (self.var[layer, only] + 1e-5).sqrt()
        mean, var = z.mean(1, keepdim=True), z.var(1, correction=0, keepdim=True)  # (M, 1, widest)
        with torch.no_grad():
            self.mean[layer, only].lerp_(mean, 0.1)
            self.var[layer, only].lerp_(var, 0.1)
        return (z - mean) / (var + 1e-5).sqrt()
