"""Networks that squeeze pictures through a few numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers, fully connected."""
    steps = (nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    return nn.Sequential(*steps)


class VAENet(nn.Module):
    """Encoder and decoder of a variational autoencoder (Kingma and Welling, 2014, appendix C)."""

    def __init__(self, latent: int, hidden: int) -> None:
        super().__init__()
        self.encoder = layers(784, hidden, 2 * latent)
        self.decoder = layers(latent, hidden, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 784) to mean and log-variance of q(z | x), each (B, latent)."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, latent) to pictures (B, 28, 28) in 0..1, the means of p(x | z)."""
        return torch.sigmoid(self.decoder(z)).view(-1, 28, 28)
