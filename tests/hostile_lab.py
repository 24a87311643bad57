"""Labs of one's own that misbehave: one statement of the tests' choice in one place of a small sound lab."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = '''"""A lab that misbehaves."""

import itertools
import sys
import time
from dataclasses import dataclass

import torch
from torch import nn

from engine.hyperparameters import real
from engine.lab import Lab, action, view
from engine.payloads import BarsData, Pick
from engine.views import Bars, Curves


def never_ends():
    for number in itertools.count():
        number + 1


def never_ends_whatever_comes():
    try:
        print("here", flush=True)
        while True:
            time.sleep(0.001)
    except BaseException:
        never_ends_whatever_comes()


# at import


@dataclass(frozen=True)
class Params:
    rate: float = real(0.1, 1e-3, 1.0, live=True, help="Step size")


class Hostile(Lab):
    """Learns to double a number."""

    title, chapter, summary = "Hostile", "Foundations", "For tests"
    Params = Params
    state = ("net",)
    layout = "loss bars"

    def build(self):
        # at build
        self.net = nn.Linear(1, 1).to(self.device)

    def step(self):
        if self.step_count >= AFTER:
            pass  # at step
        x = torch.randn(8, 1)
        loss = ((self.net(x) - 2 * x) ** 2).mean()
        (gradient,) = torch.autograd.grad(loss, [self.net.weight])
        with torch.no_grad():
            self.net.weight -= self.hp.rate * gradient
        return {"loss": loss.detach()}

    loss = Curves("Loss", metrics=("loss",), help="Squared error")

    @view(Bars("Weight", help="The one weight"))
    def bars(self):
        if self.step_count >= AFTER:
            pass  # at view
        return BarsData(("w",), self.net.weight[0])

    @bars.probe
    def bars(self, gesture: Pick):
        pass  # at probe

    @action("Press", help="Does something")
    def press(self):
        pass  # at action
'''

PLACES = ("import", "build", "step", "view", "probe", "action")


def hostile(place: str, statement: str, *, after: int = 0) -> str:
    """The lab's text with `statement` in a place of PLACES; in step and view once `after` steps are done."""
    assert place in PLACES
    text = TEMPLATE.replace("AFTER", str(after))
    for indent in ("            ", "        ", ""):
        for former in ("pass  ", ""):
            target = f"{indent}{former}# at {place}\n"
            if f"\n{target}" in text:
                return text.replace(f"\n{target}", f"\n{indent}{statement}  # at {place}\n")
    raise AssertionError(place)


def line_of(text: str, place: str) -> int:
    """The line that `hostile` put the statement on."""
    return 1 + text[: text.index(f"# at {place}\n")].count("\n")


def write_lab(folder: Path, name: str, place: str = "probe", statement: str = "pass", *, after: int = 0) -> int:
    """Write such a lab; returns the line of the statement."""
    folder.mkdir(parents=True, exist_ok=True)
    text = hostile(place, statement, after=after)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return line_of(text, place)
