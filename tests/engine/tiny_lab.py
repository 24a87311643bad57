"""A small lab written for the tests of the session, and a reader of what the session tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine import messages as m
from engine.hyperparameters import flag, integer, real
from engine.lab import Lab, LabError, action, view
from engine.payloads import BarsData, Pick, WeightEdit
from engine.session import Session
from engine.views import Bars, Curves, Heatmap


@dataclass(frozen=True)
class Params:
    lr: float = real(0.01, 1e-5, 1.0, log=True, live=True, typed_high=1e6, help="Step size")
    noise: float = real(0.1, 0.0, 1.0, live=True, help="Noise on the inputs")
    shown: int = integer(3, 1, 3, view=True, help="How many weights are shown")
    width: int = integer(8, 1, 64, help="Hidden units")
    broken_step: bool = flag(False, live=True, help="Raise in the step")
    broken_view: bool = flag(False, view=True, help="Raise in a view")


class Tiny(Lab):
    """A regression with dropout, so that the RNG matters at every step."""

    title, chapter, summary = "Tiny", "Foundations", "For tests"
    Params = Params
    layout = "loss weights slow"
    state = ("net", "optimizer", "chosen")

    def build(self) -> None:
        hidden = nn.Linear(3, self.hp.width)
        self.net = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.2), nn.Linear(self.hp.width, 1)).to(self.device)
        self.optimizer = torch.optim.SGD(self.net.parameters(), momentum=0.5)
        self.chosen = 0
        self.steps_per_epoch = 10

    def step(self) -> Any:
        if self.hp.broken_step:
            raise ValueError("the step is broken")
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.lr
        x = torch.randn(16, 3) + self.hp.noise
        loss = ((self.net(x) - x.sum(1, keepdim=True)) ** 2).mean()
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        yield "backward"
        self.optimizer.step()
        return {"loss": loss.detach(), "twice": 2 * float(loss.detach())}

    loss = Curves("Loss", metrics=("loss",), help="The loss")

    @view(Heatmap("Weights", help="First layer"))
    def weights(self) -> Any:
        if self.hp.broken_view:
            raise RuntimeError("the view is broken")
        torch.rand(100)  # draws from the watcher's RNG, not from the run's
        self.net(torch.ones(1, 3))
        return self.net[0].weight[: self.hp.shown]

    @weights.edit
    def weights(self, gesture: WeightEdit) -> None:
        with torch.no_grad():
            self.net[0].weight[gesture.row, gesture.column] = gesture.value

    @view(Bars("Slow", help="In slices"))
    def slow(self) -> Any:
        values = []
        for _ in range(3):
            values.append(float(torch.rand(())))
            yield
        return BarsData(("a", "b", "c"), values, chosen=self.chosen)

    @slow.probe
    def slow(self, gesture: Pick) -> None:
        if gesture.index > 2:
            raise LabError("there are three bars")
        self.chosen = gesture.index

    @action("Shrink", help="Halve the weights")
    def shrink(self) -> None:
        with torch.no_grad():
            self.net[0].weight.mul_(0.5)


class Reader:
    """Collects the news of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[m.Event] = []
        self.frames: dict[str, m.Frame] = {}
        self.metrics: dict[str, dict[int, float]] = {}
        self.status: m.Status | None = None

    def read(self) -> None:
        news = self.session.news()
        self.events += news.events
        for frame in news.frames:
            self.frames[frame.view] = frame
        for batch in news.metrics:
            for name, (steps, values) in batch.series.items():
                self.metrics.setdefault(name, {}).update(zip(steps.tolist(), values.tolist(), strict=True))
        for status in news.status:
            self.status = status

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while True:
            self.read()
            found = condition()
            if found:
                return found
            assert time.monotonic() < deadline, f"waited in vain; events: {self.events}"
            assert self.session.alive
            pause.wait(0.002)

    def event(self, kind: type[Any], **fields: Any) -> Any:
        def find() -> Any:
            for event in self.events:
                if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                    return event
            return None

        return self.until(find)
