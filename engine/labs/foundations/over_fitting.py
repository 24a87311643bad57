"""Over-fitting: a network learns its few points by heart, and what keeps it from doing so."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.plane import CLASSES, EXTENT, grid, load_plane
from engine.diagrams import Lines
from engine.hyperparameters import flag, integer, real
from engine.lab import COUNT, Lab, LabError, Metrics, Proof, Step, action, view
from engine.nn.side_by_side import ALL, Networks
from engine.payloads import FieldData, Gesture, Line, LinesData, PointsData, Stroke
from engine.views import Curves, Field

WIDTH, SWEEP = 64, (1, 2, 3, 4, 6, 8, 16, 32, 64)  # units in each hidden layer: at most; of the networks of the sweep
MEMBERS = 1 + len(SWEEP)  # network 0 is the viewer's
HELD_BACK, GENERATED, EVERY, SIDE = 300, 800, 5, 60  # points to validate with, in all; steps between two judgements
CLASSIFICATIONS = ("moons", "gaussians", "circle", "xor", "spiral", "drawn")


@dataclass(frozen=True)
class Params:
    units: int = integer(WIDTH, 1, WIDTH, log=True, live=True, help="Units in use in each of the two hidden layers")
    points: int = integer(40, 10, 500, log=True, live=True, unit="points", help="How many there are to learn from")
    weight_decay: float = real(0, 0, 5, live=True, help="How fast weights shrink of themselves")
    dropout: float = real(0, 0, 0.8, live=True, help="Share of hidden units silenced at random in each step")
    jitter: float = real(
        0, 0, 2, live=True, label="Augmentation", help="How far points are moved at random in each step"
    )
    smoothing: float = real(0, 0, 0.5, live=True, label="Label smoothing", help="Share of doubt mixed into the answers")
    batch_norm: bool = flag(False, live=True, help="Each unit's sums are given mean 0 and deviation 1 over the batch")
    early_stopping: bool = flag(False, live=True, help="Go back to the best step, and stay, once patience is over")
    patience: int = integer(
        200,
        10,
        5000,
        log=True,
        live=True,
        unit="steps",
        help="Steps without a better one, after which it goes back",
        when=("early_stopping", (True,)),
    )
    batch_size: int = integer(20, 2, 500, log=True, live=True, unit="points", help="Points averaged over in one step")
    learning_rate: float = real(0.01, 1e-5, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    noise: float = real(0.8, 0, 1, group="Data", help="How far chance moves the points, so that the classes overlap")
    scale: float = real(
        1, 0.1, 5, log=True, label="Initial weights", group="Network", help="Their size; 1 is that of He et al."
    )


class OverFitting(Lab):
    """With few points and many weights, a network learns chance by heart: its loss falls on what it has seen and rises
    on what it has not. Each remedy is a knob to turn while it learns.
    """

    title, chapter, summary = "Over-fitting", "Foundations", "Learnt by heart, or understood? Close the gap"
    order = 100
    Params = Params
    datasets, accepts = CLASSIFICATIONS, ("table",)
    state = ("nets", "best", "best_loss", "best_step", "since", "optimizer", "xy", "y", "held_back")
    grows = ("xy", "y", "held_back")  # by what is drawn
    weights = ("nets",)
    speed = 15  # validation is best at step 30, and the gap wide open at 200
    proof = Proof("validation loss over its best, without a remedy", 1.5, steps=1500)
    layout = """
        now  now  now   then  then     then
        now  now  now   then  then     then
        loss loss sweep sweep accuracy accuracy
    """

    def build(self) -> None:
        data = load_plane(self.dataset, self.hp.noise, GENERATED)
        if not data.classes:
            raise LabError("This table predicts values. Choose a column of words, or of few whole numbers, as classes.")
        self.classes, self.axes, self.units, self.given = data.classes, data.axes, data.units, len(data.xy)
        self.xy, self.y = data.xy.to(self.device), data.target.to(self.device)  # (N, 2), (N,)
        self.held_back = (torch.arange(self.given) < min(HELD_BACK, self.given // 2)).to(self.device)
        self.nets = Networks((self.hp.units, *SWEEP), WIDTH, len(self.classes), self.hp.scale).to(self.device)
        self.best = copy.deepcopy(self.nets).requires_grad_(False)  # every network as it was at its best step
        self.best_loss = torch.full((MEMBERS,), torch.inf, device=self.device)
        self.best_step = torch.zeros(MEMBERS, dtype=torch.long, device=self.device)
        self.since = torch.zeros(MEMBERS, dtype=torch.long, device=self.device)  # steps since then
        weights, biases = {"params": [*self.nets.weights]}, {"params": [*self.nets.biases]}
        self.optimizer = torch.optim.AdamW([weights, biases], self.hp.learning_rate)

    def changed(self, name: str) -> None:
        if name == "units":
            self.nets.use(0, self.hp.units)
        if name in ("units", "batch_norm"):  # what was best was another network
            which = torch.arange(MEMBERS, device=self.device) < (1 if name == "units" else MEMBERS)
            self.best_loss.masked_fill_(which, torch.inf)
            self.take_over(self.best, self.nets, which)
        if name not in ("early_stopping", "patience"):
            self.since.zero_()  # whatever stopped has a new reason to go on

    # ---------------------------------------------------------------------------------------------- training

    def learnt_from(self) -> Tensor:
        """Which points (N,) are learnt from: the first of those not held back, and all that were drawn."""
        free = ~self.held_back
        drawn = torch.arange(len(self.xy), device=self.device) >= self.given
        chosen: Tensor = free & ((free.cumsum(0) <= self.hp.points) | drawn)
        return chosen

    def step(self) -> Step:
        hp, rows = self.hp, self.learnt_from().nonzero()[:, 0]
        if len(self.y[rows].unique()) < 2 or not self.held_back.any():
            found = "one class" if len(rows) else "nothing"
            raise LabError(f"There is {found} to learn from: draw points of two or three classes, then press Play.")
        rows = rows[torch.randperm(len(rows))[: hp.batch_size].to(self.device)]
        x, y = self.xy[rows], self.y[rows]
        x = x + hp.jitter * torch.randn(x.shape).to(self.device)
        logits = self.nets(x / 3, hp.dropout, hp.batch_norm)  # (M, B, classes)
        loss = F.cross_entropy(
            logits.flatten(0, 1), y.repeat(MEMBERS), reduction="none", label_smoothing=hp.smoothing
        ).view(MEMBERS, -1)
        yield "forward"
        self.optimizer.zero_grad()
        loss.mean(1).sum().backward()  # each network has a loss of its own
        yield "backward"
        for group, decay in zip(self.optimizer.param_groups, (hp.weight_decay, 0), strict=True):
            group["lr"], group["weight_decay"] = hp.learning_rate, decay
        self.optimizer.step()
        if hp.early_stopping:
            self.restore(self.since >= hp.patience)
        return self.judge() if self.step_count % EVERY == 0 else None

    def judged(self, nets: Networks, rows: Tensor, only: slice = ALL) -> tuple[Tensor, Tensor]:
        """Cross-entropy and accuracy of networks over points, each (M,): without dropout, jitter or smoothing."""
        logits = nets(self.xy[rows] / 3, batch_norm=self.hp.batch_norm, only=only)  # (M, N, classes)
        y = self.y[rows]  # (N,)
        chances = logits.log_softmax(2)
        right = chances.gather(2, y.expand(len(logits), -1)[..., None])  # (M, N, 1): ln p of the class it is
        return -right.mean((1, 2)), (logits.argmax(2) == y).float().mean(1)

    @torch.no_grad()
    def judge(self) -> Metrics:
        """Validate all networks, and keep those that have never been better."""
        self.nets.eval()
        loss, _ = self.judged(self.nets, self.held_back)
        better = loss < self.best_loss  # (M,)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.best_step = torch.where(better, self.step_count, self.best_step)
        self.since = torch.where(better, 0, self.since + EVERY)
        self.take_over(self.best, self.nets, better)
        held, learnt = (self.judged(self.nets, rows, slice(1)) for rows in (self.held_back, self.learnt_from()))
        self.nets.train()
        return {
            "train loss": learnt[0][0],
            "validation loss": held[0][0],
            "train accuracy": learnt[1][0],
            "validation accuracy": held[1][0],
        }

    def take_over(self, target: Networks, source: Networks, which: Tensor) -> None:
        """Copy the networks `which` (M,) are marked."""
        chosen = which[:, None, None]
        for p, q in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
            p.copy_(torch.where(chosen, q, p))

    @torch.no_grad()
    def restore(self, which: Tensor) -> None:
        """Bring networks back to their best step, and let the optimiser forget what came after."""
        self.take_over(self.nets, self.best, which)
        for moments in self.optimizer.state.values():
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name].masked_fill_(which[:, None, None], 0)

    @action("Go to the best step", help="Bring back the weights with which the validation loss was lowest")
    def go_back(self) -> None:
        self.restore(torch.arange(MEMBERS, device=self.device) == 0)

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        if not len(state["xy"]) == len(state["y"]) == len(state["held_back"]) >= self.given:
            raise LabError("“xy”, “y” and “held_back” tell of different points")
        return {"y": (0, len(self.classes) - 1), "best_step": COUNT, "since": COUNT}

    def measure(self) -> float:
        return float(self.judged(self.nets, self.held_back)[0][0] / self.best_loss[0])

    def facts(self) -> dict[str, str]:
        train, held = int(self.learnt_from().sum()), int(self.held_back.sum())
        points, count = f"{train:,} to learn from, {held:,} to validate", self.parameters(self.hp.units)
        return {"parameters": f"{count:,} in use", "points": points, "optimiser": "AdamW", **self.axes}

    def parameters(self, width: int) -> int:
        """Weights and biases of a network with so many units in each hidden layer."""
        outputs = len(self.classes)
        return (2 + 1) * width + (width + 1) * width + (width + 1) * outputs

    # ------------------------------------------------------------------------------------------------- views

    loss = Curves(
        "Loss",
        metrics=("train loss", "validation loss"),
        best="low",
        hint="train · validation",
        help="Cross-entropy, mean over the points. The step with the lowest validation loss is marked.",
    )
    accuracy = Curves(
        "Accuracy",
        metrics=("train accuracy", "validation accuracy"),
        percent=True,
        hint="train · validation",
        help="The share of the points that are classified rightly.",
    )

    def surface(self, nets: Networks, hint: str) -> FieldData:
        chances = nets(grid(SIDE).to(self.device) / 3, batch_norm=self.hp.batch_norm, only=slice(1))[0].softmax(1)
        shown = self.learnt_from() | (self.held_back & (self.held_back.cumsum(0) <= 100))
        points = PointsData(self.xy[shown], self.y[shown], self.classes, hollow=self.held_back[shown])
        maps = chances.T.reshape(-1, SIDE, SIDE)  # (classes, SIDE, SIDE)
        shares = maps if len(maps) > 2 else None
        values = maps[1] if shares is None else maps.amax(0)
        return FieldData(values, EXTENT, points, shares=shares, hint=hint, axes=self.units)

    @view(
        Field(
            "Now",
            low=0,
            high=1,
            level=0.5,
            draws=CLASSES,
            x_axis="x₁",
            y_axis="x₂",
            help="What the network says of each place. Draw points of your own: every other one is held back.",
        )
    )
    def now(self) -> FieldData:
        hint = "discs train · rings validate" if len(self.xy) else "draw points of two or three classes here"
        stopped = self.hp.early_stopping and int(self.since[0]) >= self.hp.patience
        return self.surface(self.nets, "stopped early: held at its best" if stopped else hint)

    @now.edit
    def now(self, gesture: Gesture) -> None:
        if not isinstance(gesture, Stroke):
            return
        if gesture.clear:
            self.xy, self.y, self.held_back = (t[: self.given] for t in (self.xy, self.y, self.held_back))
        elif gesture.label >= len(self.classes):
            raise LabError(f"This data set has {len(self.classes)} classes. Choose the data set “drawn” to draw three.")
        else:
            new = torch.tensor(gesture.xy, device=self.device).view(-1, 2)
            place = torch.arange(len(new), device=self.device) + len(self.xy) - self.given
            self.xy = torch.cat([self.xy, new])
            self.y = torch.cat([self.y, torch.full_like(place, gesture.label)])
            self.held_back = torch.cat([self.held_back, place % 2 == 1])
        self.best_loss.fill_(torch.inf)  # of other points

    @view(
        Field(
            "At its best step",
            low=0,
            high=1,
            level=0.5,
            x_axis="x₁",
            y_axis="x₂",
            help="The same network when its validation loss was lowest: what early stopping brings back.",
        )
    )
    def then(self) -> FieldData:
        known = bool(self.best_loss[0].isfinite())
        return self.surface(self.best, f"step {int(self.best_step[0]):,}" if known else "not trained yet")

    @view(
        Lines(
            "Capacity",
            x_axis="parameters",
            y_axis="loss",
            log_x=True,
            low=0,
            help="Networks of 1 to 64 units on the same points, equally regularised: losses now and at their best.",
        )
    )
    def sweep(self) -> LinesData:
        count = torch.tensor([self.parameters(width) for width in SWEEP])
        train, held = (self.judged(self.nets, rows)[0][1:] for rows in (self.learnt_from(), self.held_back))
        best = self.best_loss[1:].nan_to_num(posinf=torch.nan)
        lines = Line("train", count, train), Line("validation", count, held), Line("at its best", count, best, "dashed")
        return LinesData(lines, marks=((float(self.parameters(self.hp.units)), "yours"),))
