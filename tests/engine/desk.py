"""Runs of any lab in a session, moved step by step; and ways to change a lab, found from what it declares."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_lab import Reader

import engine.run
from engine import messages as m
from engine.hyperparameters import Hyperparameter, Value
from engine.lab import Lab, hyperparameters, start, views_of
from engine.payloads import Gesture
from engine.session import Session

SEED = 3


class Desk(Reader):
    """A session with runs of one lab, moved step by step, and what it told of each."""

    def __init__(self, session: Session, lab_id: str, folder: Path) -> None:
        super().__init__(session)
        self.lab_id, self.lab, self.folder = lab_id, engine.run.load_lab(lab_id), folder
        self.points: dict[int, m.Series] = {}
        self.steps_done: dict[int, int] = {}
        self.frames: dict[tuple[int, str], Any] = {}  # the latest payload of a view, by run

    def read(self) -> None:
        news = self.session.news()
        self.events += news.events
        self.frames.update({(frame.run, frame.view): frame.payload for frame in news.frames})
        for batch in news.metrics:
            known = self.points.setdefault(batch.run, {})
            joined = {
                name: (np.append(known[name][0], steps), np.append(known[name][1], values)) if name in known else each
                for name, each in batch.series.items()
                for steps, values in [each]
            }
            self.points[batch.run] = {**known, **joined}
        self.steps_done.update({status.run: status.step for status in news.status})

    def open(self, run: int, values: dict[str, Value] | None = None, **more: Any) -> m.Opened:
        self.session.send(m.Open(run, m.RunSpec(self.lab_id, values or {}, seed=SEED), **more))
        opened: m.Opened = self.event(m.Opened, run=run)
        return opened

    def steps(self, run: int, count: int) -> None:
        for _ in range(count):
            self.session.send(m.StepOnce(run))

    def save(self, run: int, name: str, metrics: m.Series | None = None) -> Path:
        """Save as it stands; by then all that was asked for before is done and told."""
        path = self.folder / name
        self.session.send(m.Save(run, path, metrics or {}))
        self.event(m.Saved, run=run, path=path)
        assert not [e for e in self.events if isinstance(e, m.Failed) and not e.expected]
        return path


def other_value(declared: Hyperparameter) -> Value:
    """A value that differs from the default, and not by orders of magnitude."""
    if declared.kind == "flag":
        return not declared.default
    if declared.kind == "choice":
        return next(choice for choice in declared.choices if choice != declared.default)
    default = float(declared.default)
    end = declared.low if default - declared.low > declared.high - default and not declared.log else declared.high
    between = default + 0.1 * (end - default)
    if declared.log:
        between = min(1.5 * default, declared.high) if default < declared.high else default / 1.5
    if declared.kind == "real":
        return declared.check(between)
    return declared.check(round(between) if round(between) != default else default + (1 if end > default else -1))


def live_values(lab: type[Lab]) -> list[tuple[str, Value]]:
    return [(name, other_value(hp)) for name, hp in hyperparameters(lab).items() if hp.live]


def example(kind: type[Any]) -> Any:
    """Some gesture of this kind, made from the types of its fields."""
    known: dict[str, Any] = {"int": 0, "float": 0.25, "str": "a", "bool": False, "Array": np.full((28, 28), 0.5)}
    places = ((0.1, 0.2), (-0.3, 0.4))
    return kind(**{field.name: known.get(str(field.type), places) for field in dataclasses.fields(kind)})


def edits(lab_class: type[Lab]) -> list[tuple[str, Gesture]]:
    """Gestures that the lab's views take as edits, tried on a lab that is thrown away."""
    torch.set_num_threads(1)
    taken = []
    for name, view in views_of(lab_class).items():
        for kind in typing.get_args(Gesture) if view.on_edit else ():
            gesture = example(kind)
            try:
                view.on_edit(start(lab_class), gesture)  # type: ignore[misc]
            except Exception:
                continue  # it is not for this view
            taken.append((name, gesture))
    return taken
