"""LeNet: handwritten digits, classified by a small convolutional network that can be watched while it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data import load_images
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import COUNT, Lab, Metrics, Proof, Step, action, view
from engine.payloads import BarsData, CanvasData, Drawing, Gesture, HeatmapData, ImageGroup, ImagesData, Pick
from engine.views import Bars, Canvas, Curves, Heatmap, Images

ACTIVATIONS = {"ReLU": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "GELU": nn.GELU(), "none": nn.Identity()}
SLICE, EVERY, RECENT = 64, 10, 1024  # held-out pictures judged at a time; steps between; averaged in the curves


@dataclass(frozen=True)
class LeNetParams:
    learning_rate: float = real(2e-3, 1e-5, 1, log=True, live=True, typed_high=1e6, help="Step size; SGD needs more")
    rate_decay: float = real(0, 0, 2, live=True, help="The learning rate is divided by 1 + this × epochs done")
    batch_size: int = integer(64, 1, 256, live=True, unit="pictures", help="Pictures averaged over in one step")
    dropout: float = real(0, 0, 0.9, live=True, help="Share of the dense layers' units silenced at random in training")
    weight_decay: float = real(1e-4, 0, 0.1, live=True, help="How strongly weights are pulled towards zero")
    optimiser: str = choice("Adam", ("Adam", "momentum", "SGD"), live=True, help="How gradients become steps")
    random_shift: int = integer(0, 0, 4, live=True, unit="px", help="Pictures are moved at random by up to this")
    filters1: int = integer(6, 1, 32, label="Filters, layer 1", help="Patterns that layer 1 looks for in the picture")
    filters2: int = integer(16, 1, 64, label="Filters, layer 2", help="Patterns it looks for in layer 1's maps")
    kernel_size: str = choice("5", ("3", "5", "7"), help="Width and height of a filter, in pixels")
    activation: str = choice("ReLU", tuple(ACTIVATIONS), help="The non-linearity after each layer; 1998's was tanh")
    pooling: str = choice("max", ("max", "average"), help="How 2 × 2 neighbours become one; 1998's was the average")
    batch_norm: bool = flag(False, help="Normalise each map over the batch before the activation")


class Net(nn.Module):
    """LeNet-5 (LeCun et al., 1998, figure 2) with a softmax in place of its radial basis functions."""

    def __init__(self, hp: LeNetParams, classes: int) -> None:
        super().__init__()
        k = int(hp.kernel_size)
        self.side = 14 - k + 1  # of layer 2's maps: 10 for 5 × 5 filters
        self.conv1 = nn.Conv2d(1, hp.filters1, k, padding=k // 2)
        self.conv2 = nn.Conv2d(hp.filters1, hp.filters2, k)
        self.norm1 = nn.BatchNorm2d(hp.filters1) if hp.batch_norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(hp.filters2) if hp.batch_norm else nn.Identity()
        self.dense1 = nn.Linear(hp.filters2 * (self.side // 2) ** 2, 120)
        self.dense2, self.dense3 = nn.Linear(120, 84), nn.Linear(84, classes)
        self.dropout = nn.Dropout(hp.dropout)
        self.activation = ACTIVATIONS[hp.activation]
        self.pool = nn.MaxPool2d(2) if hp.pooling == "max" else nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 1, 28, 28) in 0..1 to the maps of both layers and the logits."""
        maps1 = self.activation(self.norm1(self.conv1(x)))  # (B, 6, 28, 28)
        maps2 = self.activation(self.norm2(self.conv2(self.pool(maps1))))  # (B, 16, 10, 10)
        h = self.pool(maps2).flatten(1)  # (B, 16 · 5 · 5)
        for dense in (self.dense1, self.dense2):
            h = self.dropout(self.activation(dense(h)))  # (B, 120), (B, 84)
        return maps1, maps2, self.dense3(h)  # logits (B, 10)


class LeNet(Lab):
    """Digits, classified by the kind of network that read cheques in the 1990s (LeCun et al., 1998).

    Small filters slide over the picture; dense layers turn what they find into a class. Nobody designs the filters.
    """

    title, chapter, summary = "LeNet on digits", "Vision", "Filters and maps as they form; draw a digit yourself"
    order, speed = 20, 20  # 97 % after some 300 steps
    Params = LeNetParams
    datasets = ("digits", "mnist", "fashion-mnist")
    accepts = ("images",)
    many_threads = True
    state = ("net", "optimizer", "queue", "position", "epoch", "predicted", "losses", "judged", "shown", "drawing")
    layout = """
        loss      layer1   layer1     layer2
        accuracy  layer1   layer1     layer2
        canvas    chances  confusion  wrong
    """
    trained = (("learning_rate", 3e-3), ("rate_decay", 1.0), ("random_shift", 1))
    proof = Proof("accuracy on MNIST's 10,000 test digits", 0.985, dataset="mnist", seconds=60, settings=trained)

    def build(self) -> None:
        data = load_images(self.dataset, 28)
        self.classes = data.classes
        mixed = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))
        self.x, self.y = data.train.to(self.device), data.train_labels.to(self.device)  # (N, 1, 28, 28), (N,)
        self.held_out = data.test[mixed].to(self.device)  # (M, 1, 28, 28), mixed so that all slices are alike
        self.answers = data.test_labels[mixed].to(self.device)  # (M,)
        net = Net(self.hp, len(data.classes)).to(self.device)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a sixth faster on CPUs
        self.changed("optimiser")
        self.queue = torch.randperm(len(self.x), device=self.device)  # the order of this epoch
        self.position = self.epoch = 0
        self.predicted = torch.full_like(self.answers, -1)  # (M,) each one's latest judgement, -1 before the first
        self.losses = torch.zeros(len(self.answers), device=self.device)  # (M,)
        self.judged, self.listed = 0, list[int]()
        self.show(0)  # sets self.shown (-1 where the viewer drew) and self.drawing (28, 28)
        self.changed("batch_size")

    def changed(self, name: str) -> None:
        if name == "optimiser":
            weights, momentum = self.net.parameters(), 0.9 if self.hp.optimiser == "momentum" else 0.0
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(weights, momentum=momentum)
            if self.hp.optimiser == "Adam":  # with decoupled weight decay (Loshchilov and Hutter, 2019)
                self.optimizer = torch.optim.AdamW(self.net.parameters(), fused=True)
        self.net.dropout.p = self.hp.dropout
        self.steps_per_epoch = len(self.x) / min(self.hp.batch_size, len(self.x))

    def show(self, index: int) -> None:
        self.shown, self.drawing = index, self.held_out[index, 0].clone()

    def batch(self) -> tuple[Tensor, Tensor]:
        """The next pictures and labels; every epoch goes through them in a new order."""
        size = min(self.hp.batch_size, len(self.x))
        if self.position + size > len(self.x):
            self.queue = torch.randperm(len(self.x), device=self.device)
            self.position, self.epoch = 0, self.epoch + 1
        chosen = self.queue[self.position : self.position + size]
        self.position += size
        return shifted(self.x[chosen], self.hp.random_shift), self.y[chosen]

    def step(self) -> Step:
        x, y = self.batch()  # (B, 1, 28, 28), (B,)
        logits = self.net(x)[-1]  # (B, 10)
        loss = F.cross_entropy(logits, y)
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.learning_rate / (1 + self.hp.rate_decay * self.epoch)
            group["weight_decay"] = self.hp.weight_decay
        self.optimizer.step()
        metrics: Metrics = {"train loss": loss.detach(), "train accuracy": (logits.argmax(1) == y).float().mean()}
        return metrics | self.judge() if self.step_count % EVERY == 0 else metrics

    def judge(self) -> Metrics:
        """Classify the next slice of the held-out pictures; the means over the latest slices."""
        count = len(self.answers)
        chosen = torch.arange(self.judged, self.judged + min(SLICE, count), device=self.device) % count
        self.net.eval()
        with torch.no_grad():
            logits = self.net(self.held_out[chosen])[-1]  # (SLICE, 10)
        self.net.train()
        self.losses[chosen] = F.cross_entropy(logits, self.answers[chosen], reduction="none")
        self.predicted[chosen] = logits.argmax(1)
        self.judged += len(chosen)
        recent = torch.arange(max(0, self.judged - min(RECENT, count)), self.judged, device=self.device) % count
        right = (self.predicted == self.answers)[recent].float()
        return {"validation loss": self.losses[recent].mean(), "validation accuracy": right.mean()}

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        return {
            "queue": (0, len(self.x) - 1),
            "position": (0, len(self.x)),
            "epoch": COUNT,
            "predicted": (-1, len(self.classes) - 1),
            "judged": COUNT,
            "shown": (-1, len(self.answers) - 1),
        }

    def measure(self) -> float:
        guesses = torch.cat([self.net(x)[-1].argmax(1) for x in self.held_out.split(500)])  # (M,)
        return float((guesses == self.answers).float().mean())

    def facts(self) -> dict[str, str]:
        size = {name: p.numel() for name, p in self.net.named_parameters()}
        filters = sum(size[name] for name in size if "conv" in name)
        dense = sum(size[f"dense{i}.weight"] for i in (1, 2, 3))  # each weight is used once, each filter at every place
        flop = 2 * (size["conv1.weight"] * 28**2 + size["conv2.weight"] * self.net.side**2 + dense)
        return super().facts() | {"in filters": f"{filters:,}", "work": f"{flop / 1e6:.2f} MFLOP per image"}

    loss = Curves(
        "Loss",
        metrics=("train loss", "validation loss"),
        unit="nats",
        hint="train · validation",
        help="Cross-entropy: how surprised it is by the right answers. Guessing among ten classes costs 2.30.",
    )
    accuracy = Curves(
        "Accuracy",
        metrics=("train accuracy", "validation accuracy"),
        percent=True,
        hint="train · validation",
        help="Share classified rightly; of validation, the mean over the 1,024 held-out pictures judged last.",
    )

    def look(self) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (F, H, W) of both layers and chances (10,) for the picture on the canvas."""
        maps1, maps2, logits = self.net(self.drawing[None, None])
        return maps1[0], maps2[0], logits[0].softmax(0)

    @view(
        Images(
            "Layer 1 · filters and what they see",
            hint="hover a map to see its pixels",
            colour="viridis",
            colours={"filters": "diverging"},
            help="Each filter (positive and negative weights) and the map that it makes of the picture on the canvas.",
        )
    )
    def layer1(self) -> ImagesData:
        names = tuple(f"filter {i + 1}" for i in range(self.hp.filters1))
        filters = ImageGroup("filters", self.net.conv1.weight[:, 0], names)  # (6, 5, 5)
        return ImagesData((filters, ImageGroup("maps", self.look()[0], names)))  # maps (6, 28, 28)

    @view(
        Images(
            "Layer 2",
            hint="maps · filters",
            colour="viridis",
            colours={"filters": "diverging"},
            tabs=True,
            help="What layer 2 makes of layer 1's maps; and its filters, one kernel for each map that they read.",
        )
    )
    def layer2(self) -> ImagesData:
        names = [f"filter {i + 1}" for i in range(self.hp.filters2)]
        pairs = tuple(f"map {j + 1} → {name}" for name in names for j in range(self.hp.filters1))
        maps = ImageGroup("maps", self.look()[1], tuple(names))  # (16, 10, 10)
        return ImagesData((maps, ImageGroup("filters", self.net.conv2.weight.flatten(0, 1), pairs)))  # (16 · 6, 5, 5)

    @view(Canvas("Draw a digit", hint="or drop an image", help="The picture it looks at: draw, move, clear, drop one"))
    def canvas(self) -> CanvasData:
        known = f"held-out picture: {self.classes[int(self.answers[self.shown])]}"
        return CanvasData(self.drawing, known if self.shown >= 0 else "your drawing")

    @canvas.probe
    def canvas(self, gesture: Gesture) -> None:
        if isinstance(gesture, Drawing):
            self.drawing = torch.tensor(gesture.pixels, dtype=torch.float32, device=self.device)
            self.shown = -1

    @action("Next sample", probe=True, help="Put the next held-out picture on the canvas")
    def next_sample(self) -> None:
        self.show((self.shown + 1) % len(self.answers))

    @view(Bars("Class probabilities", high=1, help="What it makes of the canvas: softmax of its last layer"))
    def chances(self) -> BarsData:
        chances, known = self.look()[2], self.shown >= 0  # (10,)
        return BarsData(self.classes, chances, int(self.answers[self.shown]) if known else None, int(chances.argmax()))

    @view(
        Heatmap(
            "Confusion matrix",
            row_axis="true class",
            column_axis="predicted class",
            low=0,
            high=1,
            help="Of the held-out pictures of each class (row), the share that was taken for each class (column).",
        )
    )
    def confusion(self) -> HeatmapData:
        seen, n = self.predicted >= 0, len(self.classes)
        counts = torch.bincount(self.answers[seen] * n + self.predicted[seen], minlength=n * n).view(n, n).float()
        hint = f"validation · {100 * float(counts.trace() / counts.sum()):.1f} %" if self.judged else ""
        return HeatmapData(counts / counts.sum(1, keepdim=True).clamp(min=1), self.classes, self.classes, hint=hint)

    @view(Images("Wrong ones", hint="click one to look into it", help="Held-out pictures: true class → predicted one"))
    def wrong(self) -> ImagesData:
        missed = ((self.predicted >= 0) & (self.predicted != self.answers)).nonzero()[:, 0]
        worst = missed[self.losses[missed].argsort(descending=True)[:24]]  # the largest loss first
        self.listed = worst.tolist()  # what a click on the n-th picture means
        pairs = torch.stack([self.answers[worst], self.predicted[worst]], 1).tolist()
        captions = tuple(f"{self.classes[true]} → {self.classes[taken]}" for true, taken in pairs)
        return ImagesData((ImageGroup("", self.held_out[worst, 0], captions),))

    @wrong.probe
    def wrong(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick) and gesture.index < len(self.listed):
            self.show(self.listed[gesture.index])


def shifted(x: Tensor, most: int) -> Tensor:
    """Move each picture of (B, 1, S, S) at random by up to `most` pixels, up or down and left or right."""
    if most == 0:
        return x
    moves = torch.randint(0, 2 * most + 1, (2, len(x), 1), device=x.device)
    rows, columns = moves + torch.arange(x.shape[-1], device=x.device)  # each (B, S)
    each = torch.arange(len(x), device=x.device)[:, None, None]
    return F.pad(x, [most] * 4)[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
