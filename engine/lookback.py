"""Looking at an earlier step with what the viewer points at now: the drawing of today through the filters of then.

Between two steps the lab is brought to a snapshot of then, trained forward to the step that was asked for, looked at,
and brought back exactly as it was: neither its state nor its random numbers show that anybody looked.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from engine import checkpoint, marks
from engine.hyperparameters import hyperparameters_of, make_params, values_of
from engine.lab import Lab, actions_of, advance, modules_of, views_of
from engine.messages import Frame, LookBack, LookedBack, Poke
from engine.watch import render, rng_state, set_rng_state

if TYPE_CHECKING:
    from engine.run import Run

MOST_SECONDS = 0.3  # of training to get to the step at one go; whoever asks again gets further


class Viewer:
    """The attributes of a lab in which its probes keep what the viewer draws, picks and points at."""

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}  # by name the value before the first probe
        self.reading: set[str] = set()  # the views that were seen to depend on them

    @contextmanager
    def learning(self, lab: Lab) -> Iterator[None]:
        """Find out which attributes a probe changes."""
        before = {name: (value, _version(value)) for name, value in vars(lab).items()}
        yield
        for name, value in vars(lab).items():
            old, version = before.get(name, (None, None))
            if name not in self.first and (value is not old or _version(value) != version):
                self.first[name] = old


def _version(value: Any) -> object:
    """What changes when a value is changed in place, as far as can be told at little cost."""
    if isinstance(value, torch.Tensor):
        return -1 if value.is_inference() else value._version
    return list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else None


def look_back(run: Run, command: LookBack) -> LookedBack:
    """Render views as of an earlier step. Where a step is gone through phase by phase the past has to wait."""
    if run.phase and not run.playing:
        _probe(run, command)
        return LookedBack(run.number, command.step, command.step)
    run.finish_step()
    reached, payloads = command.step, {}
    with _present_kept(run) as present:
        try:
            reached = _go_to(run, command.step)
            payloads = _payloads(run, command, present)
        except Exception:  # an error of the lab's: what was recorded is shown
            reached = command.step
    if command.probe is not None:
        run.watcher.answer()
    frames = [Frame(run.number, name, reached, "", payload, 0.0) for name, payload in payloads.items()]
    return LookedBack(run.number, command.step, reached, tuple(frames))


def _payloads(run: Run, command: LookBack, present: _Present) -> dict[str, Any]:
    """Those of the views that depend on what the viewer points at, once the lab stands where it stood then."""
    lab, viewer = run.lab, run.viewer
    views = [name for name in command.views if name in views_of(lab)]
    then = dict(vars(lab))
    for name, value in viewer.first.items():  # what is no state was, before the first probe, as it began
        if name not in lab.state:
            setattr(lab, name, value)
    before = {name: _rendered(lab, name) for name in views if name not in viewer.reading}
    vars(lab).update(then)
    _show_viewers(run, present)
    if command.probe is not None:
        _probe(run, command)
        present.probed = {name: getattr(lab, name) for name in viewer.first if hasattr(lab, name)}
    payloads = {name: _rendered(lab, name) for name in views}
    viewer.reading |= {name for name, payload in before.items() if not _alike(payload, payloads[name])}
    return {name: payload for name, payload in payloads.items() if name in viewer.reading and payload is not None}


@dataclasses.dataclass
class _Present:
    """The lab as it is now, to be brought back."""

    snapshot: checkpoint.Snapshot
    attributes: dict[str, Any]
    probed: dict[str, Any] = dataclasses.field(default_factory=dict)  # what a probe changed meanwhile

    def value(self, name: str) -> Any:
        """A copy of what the viewer chose, where it is state: the lab's own is overwritten by that of then."""
        return self.snapshot.state[name] if name in self.snapshot.state else self.attributes.get(name)


@contextmanager
def _present_kept(run: Run) -> Iterator[_Present]:
    """Whatever is done to the lab within, afterwards it is as it was, but for what probes changed."""
    lab, hp = run.lab, run.lab.hp
    run._enter()
    present = _Present(checkpoint.take(lab, values_of(hp), run.rng), dict(vars(lab)))
    parameters = [p for module in modules_of(lab) for p in module.parameters()]
    gradients = [(p, p.grad, None if p.grad is None else p.grad.clone()) for p in parameters]
    try:
        yield present
    finally:
        _set_values(lab, hp)
        for name in set(vars(lab)) - set(present.attributes):
            delattr(lab, name)
        vars(lab).update(present.attributes)
        checkpoint.put(lab, present.snapshot)
        for parameter, gradient, values in gradients:
            parameter.grad = gradient
            if gradient is not None and values is not None:
                gradient.copy_(values)
        for name, value in present.probed.items():
            if not hasattr(value, "load_state_dict"):
                setattr(lab, name, value)
        set_rng_state(run.rng, lab.device)


def _set_values(lab: Lab, hp: Any) -> None:
    """Give the lab other hyperparameters, and tell it."""
    before, lab.hp = values_of(lab.hp), hp
    for name, value in values_of(hp).items():
        if value != before[name]:
            lab.changed(name)


def _go_to(run: Run, step: int) -> int:
    """Bring the lab to a step of the past, or as far towards it as there is time for; the step that it stands at."""
    lab = run.lab
    snapshot = run.snapshots.nearest(step)
    assert snapshot is not None
    cached = run.looked_back
    if cached is not None and snapshot.step < cached.step <= step:
        snapshot = cached
    _set_values(lab, make_params(type(lab.hp), snapshot.hyperparameters))
    checkpoint.put(lab, snapshot)
    waiting, until = list(run.marks[snapshot.marks :]), time.perf_counter() + MOST_SECONDS
    if lab.step_count >= step:
        return lab.step_count
    set_rng_state(snapshot.rng, lab.device)
    while lab.step_count < step and time.perf_counter() < until:
        while waiting and waiting[0].step <= lab.step_count:
            marks.apply(lab, waiting.pop(0))
        advance(lab)
    taken = checkpoint.take(lab, values_of(lab.hp), rng_state(lab.device))
    run.looked_back = dataclasses.replace(taken, marks=len(run.marks) - len(waiting))
    return lab.step_count


def _show_viewers(run: Run, present: _Present) -> None:
    """Show the viewer's own of now: what probes keep, and the hyperparameters that change only what is shown."""
    lab, now = run.lab, present.snapshot.hyperparameters
    shown = {name: now[name] for name, declared in hyperparameters_of(lab.hp).items() if declared.view}
    _set_values(lab, make_params(type(lab.hp), {**values_of(lab.hp), **shown}))
    for name in run.viewer.first:
        value = present.value(name)
        if not hasattr(getattr(lab, name, None), "load_state_dict"):
            setattr(lab, name, value.clone() if isinstance(value, torch.Tensor) else value)


def _probe(run: Run, command: LookBack) -> None:
    """Do what the viewer did in the view of then."""
    probe = command.probe
    if isinstance(probe, Poke):
        handler = views_of(run.lab)[probe.view].on_probe
        if handler is not None:
            _rendered(run.lab, probe.view)  # a lab may keep what its view shows, to know what a click means
            run._probe(lambda: handler(run.lab, probe.gesture))
    elif probe is not None and (action := actions_of(run.lab).get(probe.action)) is not None and action.probe:
        run._probe(lambda: action.method(run.lab))


def _rendered(lab: Lab, name: str) -> Any:
    """A view's payload; None where it raises: what was recorded is shown then."""
    try:
        return render(lab, name)
    except Exception:
        return None


def _alike(one: Any, other: Any) -> bool:
    """Whether two payloads show the same."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(_alike(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other) or (one != one and other != other)
