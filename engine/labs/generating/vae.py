"""Variational autoencoder: pictures become clouds in a latent space that can be walked through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data import load_images
from engine.hyperparameters import flag, integer, real
from engine.lab import COUNT, Lab, Metrics, Proof, Step, action, view
from engine.nn.autoencoder import VAENet
from engine.payloads import BarsData, Gesture, ImageGroup, ImagesData, Pick, PointPick, PointsData
from engine.views import Bars, Curves, Images, Points

HELD, EVERY = 500, 20  # so many held-out pictures are shown as codes, and judged every so many steps
TILES, STEPS, SHOWN = 15, 10, 10  # across the decoded map; on the walk; pictures beside their reconstructions


@dataclass(frozen=True)
class VAEParams:
    learning_rate: float = real(1e-3, 1e-5, 1e-1, log=True, live=True, typed_high=1e6, help="Step of the optimiser")
    batch_size: int = integer(128, 8, 512, log=True, live=True, unit="pictures", help="Pictures averaged in one step")
    regularise: bool = flag(True, live=True, help="Pull the codes towards one round cloud; off: an autoencoder's holes")
    beta: float = real(1, 0, 10, live=True, when=("regularise", (True,)), help="Weight of the KL divergence")
    across: int = integer(1, 1, 32, view=True, label="Latent across", help="Which latent is the plane's x axis")
    up: int = integer(2, 1, 32, view=True, label="Latent up", help="Which latent is the plane's y axis")
    varied: int = integer(1, 1, 32, view=True, label="Latent varied", help="Which one is changed, all others kept")
    amount: float = real(3, 0.5, 6, view=True, unit="σ", help="How far the plane and the variation reach from zero")
    latent: int = integer(2, 2, 32, label="Latent size", help="Numbers that a picture is squeezed into")
    hidden: int = integer(256, 16, 1024, unit="units", help="Width of the two hidden layers on each side")


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + deviation · noise: randomness from outside, so that gradients reach mean and deviation."""
    return mean + (0.5 * log_variance).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z | x) ‖ N(0, 1)) of each latent in nats, (B, latent): Kingma and Welling, appendix B."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def reconstruction(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x | z) of each picture in nats, (B,): every pixel a coin whose bias is its grey value."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


class VAE(Lab):
    """A picture becomes not a point but a small cloud of codes, and the decoder learns to draw from anywhere in it.

    Kingma and Welling (2014). The loss is the negative evidence lower bound (-ELBO) in nats per picture: what the
    reconstruction costs, plus what the code tells (KL). Pixels are taken as they are, grey values from 0 to 1.
    """

    title, chapter, summary = "Variational autoencoder", "Generating", "Walk through a latent space while it forms"
    order = 40
    Params = VAEParams
    datasets = ("digits", "mnist", "fashion-mnist")
    accepts = ("images",)
    many_threads = True
    state = ("net", "optimizer", "queue", "position", "spot", "ends", "page")
    layout = """
        loss   loss   plane  plane  codes  codes
        parts  parts  plane  plane  codes  codes
        pairs  pairs  vary   vary   here   used
        walk   walk   vary   vary   here   used
    """
    proof = Proof(
        "−ELBO on MNIST's 10,000 test digits, 20 latents",
        bar=110,
        higher=False,
        dataset="mnist",
        steps=4000,
        settings=(("latent", 20), ("hidden", 500)),
    )

    def build(self) -> None:
        data = load_images(self.dataset, 28)
        self.x, self.test = (part.flatten(1).to(self.device) for part in (data.train, data.test))  # (N, 784) in 0..1
        fixed = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(data.test), generator=fixed)[:HELD]
        self.held, self.held_labels = self.test[chosen.to(self.device)], data.test_labels[chosen]
        self.classes = data.classes
        self.held_noise = torch.randn(len(self.held), self.hp.latent, generator=fixed).to(self.device)
        self.net = VAENet(self.hp.latent, self.hp.hidden).to(self.device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), fused=True)
        self.queue = torch.randperm(len(self.x), device=self.device)  # the order of this epoch
        self.position = 0
        self.spot = [0.0] * self.hp.latent  # the place in latent space that the cursor points at
        self.ends, self.page = [0, 1 % len(self.held)], 0  # held-out pictures: ends of the walk, first one shown
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        self.steps_per_epoch = len(self.x) / min(self.hp.batch_size, len(self.x))

    def batch(self) -> Tensor:
        """The next pictures (B, 784); every epoch goes through them in a new order."""
        size = min(self.hp.batch_size, len(self.x))
        if self.position + size > len(self.x):
            self.queue, self.position = torch.randperm(len(self.x), device=self.device), 0
        self.position += size
        return self.x.index_select(0, self.queue[self.position - size : self.position])

    def bound(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL in nats per picture, with one sample of z for each: eq. 10 of the paper, negated."""
        mean, log_variance = self.net.encode(x)
        z = reparameterise(mean, log_variance, noise)  # (B, latent)
        return reconstruction(self.net.decoder(z), x).mean(), divergence(mean, log_variance).sum(1).mean()

    def step(self) -> Step:
        x = self.batch()
        recon, kl = self.bound(x, torch.randn(len(x), self.hp.latent, device=self.device))
        loss = recon + self.hp.beta * kl if self.hp.regularise else recon
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        self.optimizer.param_groups[0]["lr"] = self.hp.learning_rate
        self.optimizer.step()
        recon, kl = recon.detach(), kl.detach()
        metrics: Metrics = {"train −ELBO": recon + kl, "train reconstruction": recon, "train KL": kl}
        if self.step_count % EVERY == 0:
            yield "validation"
            with torch.no_grad():
                recon, kl = self.bound(self.held, self.held_noise)
            metrics |= {"validation −ELBO": recon + kl, "validation reconstruction": recon, "validation KL": kl}
        return metrics

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        last = len(self.held) - 1
        return {"queue": (0, len(self.x) - 1), "position": (0, len(self.x)), "ends": (0, last), "page": COUNT}

    def measure(self) -> float:
        draws = torch.randn(len(self.test), self.hp.latent, generator=torch.Generator().manual_seed(0))
        return float(sum(self.bound(self.test, draws.to(self.device))))

    loss = Curves(
        "−ELBO",
        metrics=("train −ELBO", "validation −ELBO"),
        unit="nats",
        hint="train · validation",
        help="Reconstruction + KL: an upper bound on the nats that a picture costs. KL counts once, whatever beta is.",
    )
    parts = Curves(
        "Its two parts",
        unit="nats",
        hint="reconstruction falls as KL rises",
        metrics=("train reconstruction", "validation reconstruction", "train KL", "validation KL"),
        help="Reconstruction: what the pixels cost once the code is known. KL: what the code tells of the picture.",
    )

    def axis(self, number: int) -> int:
        """The index of a latent by its number, or the last one."""
        return min(number, int(self.hp.latent)) - 1

    def code(self, index: int) -> Tensor:
        """The mean code (latent,) of a held-out picture."""
        return self.net.encode(self.held[index : index + 1])[0][0]

    def cursor(self) -> tuple[float, float]:
        return self.spot[self.axis(self.hp.across)], self.spot[self.axis(self.hp.up)]

    def point_at(self, gesture: PointPick) -> None:
        """Move the cursor: within the plane, or, to a code that was hit, in all its latents."""
        self.spot = list(self.spot) if gesture.index < 0 else self.code(gesture.index).tolist()
        self.spot[self.axis(self.hp.up)], self.spot[self.axis(self.hp.across)] = gesture.y, gesture.x

    @view(
        Points(
            "Latent plane, decoded",
            hint="drag the cursor",
            x_axis="latent across",
            y_axis="latent up",
            help="What the decoder draws at each place; other latents as at the cursor. The line is the walk's.",
        )
    )
    def plane(self) -> PointsData:
        reach, x, y = self.hp.amount, self.axis(self.hp.across), self.axis(self.hp.up)
        middles = ((torch.arange(TILES, device=self.device) + 0.5) * 2 / TILES - 1) * reach
        z = torch.tensor(self.spot, device=self.device).repeat(
            TILES * TILES, 1
        )  # (225, latent), row by row from the top left
        z[:, y], z[:, x] = torch.cartesian_prod(-middles, middles).T
        tiles = self.net.decode(z).view(TILES, TILES, 28, 28).transpose(1, 2).reshape(28 * TILES, 28 * TILES)
        way = self.way()[:, [x, y]]
        return PointsData(
            way[[0, -1]],
            self.held_labels[self.ends],
            self.classes,
            paths=(way,),
            path_names=("walk",),
            cursor=self.cursor(),
            backdrop=tiles,
            extent=(-reach, reach, -reach, reach),
        )

    @plane.probe
    def plane(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.point_at(PointPick(gesture.x, gesture.y))

    @view(
        Points(
            "Codes of held-out pictures",
            hint="hover a code",
            x_axis="latent across",
            y_axis="latent up",
            help="Where the encoder puts held-out pictures (means), by class. Click one to bring the cursor to it.",
        )
    )
    def codes(self) -> PointsData:
        mean = self.net.encode(self.held)[0][:, [self.axis(self.hp.across), self.axis(self.hp.up)]]
        pictures, r = self.held.view(-1, 28, 28), self.hp.amount
        r = max(r, math.ceil(mean.abs().nan_to_num(0).max().clamp(max=1e6)))  # whole, so that it seldom jumps
        return PointsData(
            mean, self.held_labels, self.classes, pictures=pictures, cursor=self.cursor(), extent=(-r, r, -r, r)
        )

    @codes.probe
    def codes(self, gesture: Gesture) -> None:
        if isinstance(gesture, PointPick):
            self.point_at(gesture)

    @view(Images("At the cursor", help="What the decoder draws at the cursor of the latent plane"))
    def here(self) -> Tensor:
        return self.net.decode(torch.tensor([self.spot], device=self.device))  # (1, 28, 28)

    @view(
        Images(
            "In and out",
            columns=SHOWN,
            hint="click one: the walk goes there",
            help="Held-out pictures above, what is left of them after the narrow code below.",
        )
    )
    def pairs(self) -> ImagesData:
        shown = (torch.arange(self.page, self.page + SHOWN) % len(self.held)).tolist()
        names = tuple(self.classes[label] for label in self.held_labels[shown].tolist())
        x, out = self.held[shown], self.net.decode(self.net.encode(self.held[shown])[0])
        return ImagesData((ImageGroup("in", x.view(-1, 28, 28), names), ImageGroup("out", out, names)))

    @pairs.probe
    def pairs(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick):
            self.ends = [self.ends[1], (self.page + gesture.index) % len(self.held)]

    @action("Other pictures", probe=True, help="Show the next held-out pictures, and walk between the first two")
    def turn_page(self) -> None:
        self.page = (self.page + SHOWN) % len(self.held)
        self.ends = [self.page, (self.page + 1) % len(self.held)]

    def way(self) -> Tensor:
        """Codes on the straight line between the two ends (STEPS, latent)."""
        part = torch.linspace(0, 1, STEPS, device=self.device)[:, None]
        return torch.lerp(self.code(self.ends[0]), self.code(self.ends[1]), part)

    @view(
        Images(
            "From one to another",
            columns=STEPS,
            hint="pick the ends in In and out",
            help="The straight line between two codes, decoded; below, for comparison, the two pictures' pixels mixed.",
        )
    )
    def walk(self) -> ImagesData:
        first, last = self.held[self.ends]
        mixed = torch.lerp(first, last, torch.linspace(0, 1, STEPS, device=self.device)[:, None]).view(-1, 28, 28)
        return ImagesData((ImageGroup("codes", self.net.decode(self.way())), ImageGroup("pixels", mixed)))

    @view(Images("One latent varied", columns=9, help="Rows: held-out pictures; across, one latent changes, no other"))
    def vary(self) -> ImagesData:
        amounts = torch.linspace(-self.hp.amount, self.hp.amount, 9, device=self.device)
        rows = [(self.page + i) % len(self.held) for i in range(6)]
        z = torch.stack([self.code(i) for i in rows]).repeat_interleave(9, 0)  # (54, latent)
        z[:, self.axis(self.hp.varied)] = amounts.repeat(len(rows))
        names = tuple(f"{amount:+.1f}" for amount in amounts.tolist()) * len(rows)
        hint = f"latent {self.axis(self.hp.varied) + 1} of {self.hp.latent}"
        return ImagesData((ImageGroup("", self.net.decode(z), names),), hint)

    @view(Bars("KL by latent", unit="nats", help="What each latent tells on average; one near zero is not used"))
    def used(self) -> BarsData:
        kl = divergence(*self.net.encode(self.held)).mean(0)  # (latent,)
        return BarsData(tuple(f"z{i + 1}" for i in range(len(kl))), kl, chosen=self.axis(self.hp.varied))
