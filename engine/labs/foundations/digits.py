"""Digits by a dense network: 784 pixels go in, ten chances come out, and 13,002 numbers between them are learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data import load_images
from engine.diagrams import Formula
from engine.hyperparameters import choice, integer, real
from engine.lab import COUNT, Lab, Metrics, Proof, Step, action, view
from engine.payloads import (
    BarsData,
    CanvasData,
    Drawing,
    FormulaData,
    FormulaLine,
    Gesture,
    HeatmapData,
    ImageGroup,
    ImagesData,
    NetworkData,
    Pick,
)
from engine.views import Bars, Canvas, Curves, Heatmap, Images, Network

S = 28  # pixels along each side of a picture
ACTIVATIONS = {"sigmoid": torch.sigmoid, "ReLU": torch.relu, "tanh": torch.tanh}
SYMBOLS = {"sigmoid": r"\sigma", "ReLU": r"\mathrm{ReLU}", "tanh": r"\tanh"}
SLICE, EVERY, RECENT = 128, 10, 1024  # held-out pictures judged at a time; steps between; averaged in the curves
SHOWN = [
    S * row + column for row in (6, 11, 16, 21) for column in (8, 12, 15, 19)
]  # pixels drawn as units: a 4 × 4 grid


@dataclass(frozen=True)
class Params:
    learning_rate: float = real(3e-3, 1e-5, 10, log=True, live=True, typed_high=1e6, help="Step size; SGD needs more")
    batch_size: int = integer(32, 1, 256, log=True, live=True, unit="pictures", help="Pictures averaged over in a step")
    optimiser: str = choice("Adam", ("Adam", "momentum", "SGD"), live=True, help="How gradients become steps")
    activation: str = choice("sigmoid", tuple(ACTIVATIONS), help="What a hidden neuron makes of its sum z")
    width_1: int = integer(16, 1, 64, label="Layer 1", unit="neurons", help="Neurons that look at the pixels")
    width_2: int = integer(16, 1, 64, label="Layer 2", unit="neurons", help="Neurons that look at layer 1")


class Digits(Lab):
    """The network of the famous lecture (3Blue1Brown, But what is a neural network?, 2017): 784-16-16-10.

    Every pixel is joined to every neuron of layer 1. Nobody says what they should look for: see what they find.
    """

    title, chapter, summary = (
        "Digits by a dense network",
        "Foundations",
        "784-16-16-10: a digit flows through 13,002 numbers",
    )
    order = 110
    Params = Params
    datasets = ("digits", "mnist", "fashion-mnist")
    accepts = ("images",)
    speed = 100.0  # 95 % after some 1,000 steps
    state = ("net", "optimizer", "queue", "position", "predicted", "losses", "judged", "shown", "drawing")
    layout = """
        canvas   canvas   network network network network network chances   chances
        layer1   layer1   network network network network network confusion confusion
        accuracy accuracy loss    loss    count   count   wrong   wrong     wrong
    """
    trained = (("batch_size", 256), ("learning_rate", 2e-3))
    proof = Proof(
        "accuracy on MNIST's 10,000 test digits", 0.94, dataset="mnist", seconds=60, steps=10_000, settings=trained
    )

    def build(self) -> None:
        data = load_images(self.dataset, S)
        self.classes = data.classes
        mixed = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))
        self.x, self.y = data.train.flatten(1).to(self.device), data.train_labels.to(self.device)  # (N, 784), (N,)
        self.held_out = data.test[mixed].flatten(1).to(self.device)  # (M, 784), mixed so that all slices are alike
        self.answers = data.test_labels[mixed].to(self.device)  # (M,)
        self.sizes = (S * S, self.hp.width_1, self.hp.width_2, len(self.classes))
        self.net = nn.ModuleList(nn.Linear(inputs, units) for inputs, units in pairwise(self.sizes)).to(self.device)
        self.changed("optimiser")
        self.queue, self.position = torch.randperm(len(self.x), device=self.device), 0  # the order of this epoch
        self.predicted = torch.full_like(self.answers, -1)  # (M,) each one's latest judgement, -1 before the first
        self.losses = torch.zeros(len(self.answers), device=self.device)  # (M,)
        self.judged, self.listed = 0, list[int]()
        self.show(0)  # sets self.shown (-1 where the viewer drew) and self.drawing (784,)
        self.changed("batch_size")
        self.judge()  # so that random guesses are seen before anything is learned

    def changed(self, name: str) -> None:
        if name == "optimiser":
            weights, momentum = self.net.parameters(), 0.9 if self.hp.optimiser == "momentum" else 0.0
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(weights, momentum=momentum)
            if self.hp.optimiser == "Adam":
                self.optimizer = torch.optim.Adam(self.net.parameters(), fused=True)
        self.steps_per_epoch = len(self.x) / min(self.hp.batch_size, len(self.x))

    def show(self, index: int) -> None:
        self.shown, self.drawing = index, self.held_out[index].clone()

    # ---------------------------------------------------------------------------------------------- training

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pictures (B, 784) to what each layer says: a0 (B, 784), a1 (B, 16), a2 (B, 16), and the logits z (B, 10)."""
        a = [x]
        for layer in self.net:
            z = layer(a[-1])  # z = W a + b
            a.append(z if len(a) == len(self.net) else ACTIVATIONS[self.hp.activation](z))
        return a

    def step(self) -> Step:
        size = min(self.hp.batch_size, len(self.x))
        if self.position + size > len(self.x):  # every epoch goes through all pictures in a new order
            self.queue, self.position = torch.randperm(len(self.x), device=self.device), 0
        chosen = self.queue[self.position : self.position + size]
        self.position += size
        logits = self.forward(self.x[chosen])[-1]  # (B, 10)
        loss = F.cross_entropy(logits, self.y[chosen])
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.learning_rate
        self.optimizer.step()
        metrics: Metrics = {"train loss": loss.detach()}
        if self.step_count % EVERY == 0:
            metrics["train accuracy"] = (logits.argmax(1) == self.y[chosen]).float().mean()
            metrics |= self.judge()
        return metrics

    def judge(self) -> Metrics:
        """Classify the next slice of the held-out pictures; the means over the latest slices."""
        count = len(self.answers)
        chosen = torch.arange(self.judged, self.judged + min(SLICE, count), device=self.device) % count
        with torch.no_grad():
            logits = self.forward(self.held_out[chosen])[-1]  # (SLICE, 10)
        self.losses[chosen] = F.cross_entropy(logits, self.answers[chosen], reduction="none")
        self.predicted[chosen] = logits.argmax(1)
        self.judged += len(chosen)
        recent = torch.arange(max(0, self.judged - min(RECENT, count)), self.judged, device=self.device) % count
        right = (self.predicted == self.answers)[recent].float()
        return {"held-out loss": self.losses[recent].mean(), "held-out accuracy": right.mean()}

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        return {
            "queue": (0, len(self.x) - 1),
            "position": (0, len(self.x)),
            "predicted": (-1, len(self.classes) - 1),
            "judged": COUNT,
            "shown": (-1, len(self.answers) - 1),
        }

    def measure(self) -> float:
        return float((self.forward(self.held_out)[-1].argmax(1) == self.answers).float().mean())

    # ------------------------------------------------------------------------------------------------- views
    accuracy = Curves(
        "Accuracy",
        metrics=("train accuracy", "held-out accuracy"),
        percent=True,
        hint="train · held out",
        help="Share named rightly: of the batch it learns from, and of the held-out pictures judged last (1,024).",
    )
    loss = Curves(
        "Loss",
        metrics=("train loss", "held-out loss"),
        unit="nats",
        hint="train · held out",
        help="Cross-entropy, −ln p of the right answer. Guessing among ten costs ln 10 = 2.30.",
    )

    @view(Canvas("Draw a digit", hint="or drop an image", help="The 784 pixels that go in: draw, move, drop one"))
    def canvas(self) -> CanvasData:
        known = f"held out: {self.classes[int(self.answers[self.shown])]}"
        return CanvasData(self.drawing.view(S, S), known if self.shown >= 0 else "your drawing")

    @canvas.probe
    def canvas(self, gesture: Gesture) -> None:
        if isinstance(gesture, Drawing):
            self.drawing = torch.tensor(gesture.pixels, dtype=torch.float32, device=self.device).flatten()
            self.shown = -1

    @action("Another digit", probe=True, help="Put the next held-out picture on the canvas")
    def another(self) -> None:
        self.show((self.shown + 1) % len(self.answers))

    @view(
        Network(
            "The digit flows through",
            colour="grey",
            flow=True,
            hint="white: active · lines: what flows",
            help="Every neuron as bright as it is active. A line is what it brings on: weight × activation, red for, "
            "blue against. Of the 784 pixels a grid of 16 is drawn. Hover a neuron to see its sum.",
        )
    )
    def network(self) -> NetworkData:
        *a, z = (values[0] for values in self.forward(self.drawing[None]))
        first, *others = (p for p in self.net.parameters() if p.ndim == 2)  # (16, 784), (16, 16), (10, 16)
        chances = z.softmax(0)
        return NetworkData(
            units=(
                tuple(f"pixel {index}" for index in SHOWN),
                *(tuple(f"{name}{i + 1}" for i in range(n)) for name, n in zip("hk", self.sizes[1:3], strict=True)),
                self.classes,
            ),
            weights=(first[:, SHOWN], *others),
            biases=tuple(p for p in self.net.parameters() if p.ndim == 1),
            activation=self.hp.activation,
            values=(a[0][SHOWN], *a[1:], chances),
            layer_names=(f"{S * S} pixels", f"{self.sizes[1]} neurons", f"{self.sizes[2]} neurons", "answer"),
            sizes=self.sizes,
            chosen=int(chances.argmax()),
        )

    @view(Bars("Probabilities", high=1, help="The softmax of its last layer: what it makes of the picture"))
    def chances(self) -> BarsData:
        chances = self.forward(self.drawing[None])[-1][0].softmax(0)  # (10,)
        target = int(self.answers[self.shown]) if self.shown >= 0 else None
        return BarsData(self.classes, chances, target, int(chances.argmax()))

    @view(
        Images(
            "What layer 1 looks for",
            colour="diverging",
            help="Red for, blue against: the 784 weights of each neuron of layer 1, each at its pixel.",
        )
    )
    def layer1(self) -> ImagesData:
        names = tuple(f"neuron h{unit + 1}" for unit in range(self.sizes[1]))
        return ImagesData((ImageGroup("", next(self.net.parameters()).view(-1, S, S), names),))

    @view(Formula("Parameters, counted", help="Every line of the network is a weight, and every neuron has a bias."))
    def count(self) -> FormulaData:
        n0, *biases = n0, n1, n2, n3 = self.sizes
        g, total = SYMBOLS[self.hp.activation], sum(p.numel() for p in self.net.parameters())
        weights = rf"{n0} \cdot {n1} + {n1} \cdot {n2} + {n2} \cdot {n3}"
        return FormulaData(
            (
                FormulaLine(rf"a^{{(1)}} = {g}(W^{{(0)}} a^{{(0)}} + b^{{(0)}})", note="each layer"),
                FormulaLine(weights, f"= {total - sum(biases):,}", "weights"),
                FormulaLine(rf"{n1} + {n2} + {n3}", f"= {sum(biases):,}", "biases"),
                FormulaLine(r"\mathrm{in\ all}", f"{total:,}", lit=True),
            )
        )

    @view(
        Heatmap(
            "Confusion",
            row_axis="true class",
            column_axis="taken for",
            low=0,
            high=1,
            help="Of the held-out pictures of each class (row), the share that was taken for each class (column).",
        )
    )
    def confusion(self) -> HeatmapData:
        seen, n = self.predicted >= 0, len(self.classes)
        counts = torch.bincount(self.answers[seen] * n + self.predicted[seen], minlength=n * n).view(n, n).float()
        hint = f"{100 * float(counts.trace() / counts.sum()):.1f} % right" if self.judged else ""
        return HeatmapData(counts / counts.sum(1, keepdim=True).clamp(min=1), self.classes, self.classes, hint=hint)

    @view(
        Images(
            "The ones it gets wrong",
            hint="click one to see why",
            help="Held-out pictures, largest loss first: what it is → what it was taken for · its loss",
        )
    )
    def wrong(self) -> ImagesData:
        missed = ((self.predicted >= 0) & (self.predicted != self.answers)).nonzero()[:, 0]
        worst = missed[self.losses[missed].argsort(descending=True)[:10]]
        self.listed = worst.tolist()  # what a click on the n-th picture means
        told = zip(*(each[worst].tolist() for each in (self.answers, self.predicted, self.losses)), strict=True)
        captions = tuple(f"{self.classes[y]}→{self.classes[guess]} · {loss:.1f}" for y, guess, loss in told)
        return ImagesData((ImageGroup("", self.held_out[worst].view(-1, S, S), captions),))

    @wrong.probe
    def wrong(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick) and gesture.index < len(self.listed):
            self.show(self.listed[gesture.index])
