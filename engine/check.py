"""The lab contract, checked: what test_every_lab.py and ``python -m engine check`` run over every lab."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine import checkpoint, fitting
from engine.device import threads_for
from engine.discovery import CHAPTERS
from engine.hyperparameters import Value, hyperparameters_of, make_params, values_of
from engine.inside import Inside
from engine.interruption import LEAVING
from engine.lab import Lab, Metrics, advance, descriptions_of, hyperparameters, mosaic, start, views_of
from engine.messages import RunSpec
from engine.views import Curves
from engine.watch import render, rng_state, set_rng_state

GUIDES = Path(__file__).parent.parent / "assets" / "guides"
STEPS = 20


class ContractError(AssertionError):
    """A lab breaks the contract; the message says how."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `problem` is empty where it holds."""

    what: str
    problem: str


Check = Callable[[type[Lab], str], None]


def check_lab(lab_class: type[Lab], lab_id: str) -> Iterator[Finding]:
    """Run every check over a lab, yielding each outcome as it is known."""
    torch.set_num_threads(threads_for(lab_class, 1))
    for what, check in CHECKS.items():
        try:
            check(lab_class, lab_id)
        except (Exception, *LEAVING) as error:
            yield Finding(what, f"{type(error).__name__}: {error}".splitlines()[0])
        else:
            yield Finding(what, "")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(message)


def declarations(lab_class: type[Lab], lab_id: str) -> None:
    """Title, chapter, layout, help lines, limits and guide are there and fit each other."""
    _require(lab_class.chapter in CHAPTERS, f"{lab_class.chapter!r} is no chapter of {CHAPTERS}")
    _require(bool(lab_class.__doc__), "the class needs a docstring")
    _require(len(lab_class.summary) <= 60, f"the summary has {len(lab_class.summary)} letters, at most 60 fit the card")
    described = descriptions_of(lab_class)
    placed = {name for row in mosaic(lab_class.layout) for name in row} - {"."}
    _require(placed == described.keys(), f"the layout places {sorted(placed)}, the views are {sorted(described)}")
    for name, description in described.items():
        _require(bool(description.title and description.help), f"view {name} needs a title and a help line")
    for name, hp in hyperparameters(lab_class).items():
        _require(bool(hp.help), f"hyperparameter {name} needs a help line")
        _require(hp.check(hp.default) == hp.default, f"the default of {name} is outside its limits")
        _require(not (hp.live and hp.view), f"{name} cannot be both live and view")
        _require(not hp.log or hp.low > 0, f"{name} has a logarithmic scale, which cannot begin at {hp.low}")
    _require(bool(lab_class.state), "state names nothing: a checkpoint would keep nothing")
    guided = (GUIDES / f"{lab_id}.md").is_file()
    comes_along = lab_class.__module__.startswith("engine.labs.")  # for one's own, the docstring will do
    _require(guided or not comes_along, f"there is no guide assets/guides/{lab_id}.md")


def trains(lab_class: type[Lab], _: str) -> None:
    """20 steps with the defaults give finite metrics, among them all that the curves show at every step."""
    lab = start(lab_class)
    seen: dict[str, float] = {}
    for _step in range(STEPS):
        seen.update({name: float(value) for name, value in (advance(lab) or {}).items()})
    for name, value in seen.items():
        _require(math.isfinite(value), f"{name} is {value} after {STEPS} steps")


def limits(lab_class: type[Lab], _: str) -> None:
    """It builds, and takes a step, with each structural hyperparameter at both its limits, or at each choice."""
    for name, value in _extremes(lab_class, rebuilding=True):
        lab = start(lab_class, make_params(lab_class.Params, {name: value}))
        _named(lambda lab=lab: advance(lab), f"{name} = {value}")  # type: ignore[misc]


def live(lab_class: type[Lab], _: str) -> None:
    """Live and view hyperparameters change without a rebuild; view ones leave the state as it is."""
    lab = start(lab_class)
    advance(lab)
    for name, value in _extremes(lab_class, rebuilding=False):
        modules = {key: id(item) for key, item in vars(lab).items() if isinstance(item, torch.nn.Module)}
        before, default = _state(lab), lab.hp
        lab.hp = make_params(lab_class.Params, {**values_of(lab.hp), name: value})
        _named(lambda name=name: lab.changed(name), f"{name} = {value}")  # type: ignore[misc]
        if hyperparameters(lab_class)[name].view:
            _require(checkpoint.same(before, _state(lab)), f"{name} is a view hyperparameter, yet it changed the state")
            for view in views_of(lab):
                _named(lambda view=view: render(lab, view), f"{view} with {name} = {value}")  # type: ignore[misc]
        else:
            _named(lambda: advance(lab), f"{name} = {value}")
        after = {key: id(item) for key, item in vars(lab).items() if isinstance(item, torch.nn.Module)}
        _require(modules == after, f"changing {name} replaced a network")
        lab.hp = default
        lab.changed(name)


def repeats(lab_class: type[Lab], _: str) -> None:
    """The same seed gives the same metrics and weights, exactly."""
    first, second = start(lab_class, seed=7), start(lab_class, seed=7)
    one, two = _train(first, seed=7), _train(second, seed=7)
    _require(checkpoint.same(one, two), "the same seed gave other metrics")
    _require(checkpoint.same(_state(first), _state(second)), "the same seed gave another state")


def watched(lab_class: type[Lab], _: str) -> None:
    """Watched or not, the state is the same bit for bit, and modes are as they were."""
    plain, seen = start(lab_class, seed=7), start(lab_class, seed=7)
    one = _train(plain, seed=7)
    two = _train(seen, seed=7, watch=True)
    _require(checkpoint.same(one, two), "watching changed the metrics")
    _require(checkpoint.same(_state(plain), _state(seen)), "watching changed the state")


def phases(lab_class: type[Lab], _: str) -> None:
    """Gone through phase by phase, with the inside of each shown, the state is the same bit for bit."""
    plain, seen = start(lab_class, seed=7), start(lab_class, seed=7)
    one = _train(plain, seed=7, steps=3)
    torch.manual_seed(7)
    two = [_inspected(seen) for _ in range(3)]
    _require(checkpoint.same(one, _floats(two)), "going through the phases changed the metrics")
    _require(checkpoint.same(_state(plain), _state(seen)), "going through the phases changed the state")


def shows(lab_class: type[Lab], _: str) -> None:
    """Every view returns what it declares, before the first step and after; every metric that a curve shows comes."""
    lab = start(lab_class)
    views = views_of(lab)
    seen: set[str] = set()
    for _turn in range(2):
        for name in views:
            before, grad = rng_state(lab.device), torch.is_grad_enabled()
            _named(lambda name=name: render(lab, name), f"view {name}")  # type: ignore[misc]
            _require(checkpoint.same(before, rng_state(lab.device)), f"view {name} moved the RNG")
            _require(torch.is_grad_enabled() == grad, f"view {name} changed the grad mode")
        for _step in range(STEPS):
            seen |= (advance(lab) or {}).keys()
    shown = {m for d in descriptions_of(lab_class).values() if isinstance(d, Curves) for m in d.metrics}
    limit = 10 * STEPS + int(2 * lab.steps_per_epoch)
    while not shown <= seen and lab.step_count < limit:
        seen |= (advance(lab) or {}).keys()
    _require(shown <= seen, f"in {lab.step_count} steps no {sorted(shown - seen)} came, which the curves show")


def resumes(lab_class: type[Lab], lab_id: str) -> None:
    """Saved, loaded and continued is never having stopped, exactly."""
    whole = start(lab_class, seed=7)
    _train(whole, seed=7, steps=STEPS // 2)
    snapshot = checkpoint.take(whole, values_of(whole.hp), rng_state(whole.device))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.deepscope"
        checkpoint.save(path, RunSpec(lab_id), snapshot)
        _, loaded, _ = checkpoint.load(path)
    expected = [advance(whole) for _ in range(STEPS)]
    other = start(lab_class, seed=7)  # the same data; everything else is brought out of step
    fitting.check(other, loaded)
    _train(other, seed=8, steps=3)
    checkpoint.put(other, loaded)
    set_rng_state(loaded.rng, other.device)
    found = [advance(other) for _ in range(STEPS)]
    _require(checkpoint.same(_floats(expected), _floats(found)), "after loading, metrics differ from the original's")
    _require(checkpoint.same(_state(whole), _state(other)), "after loading, the state differs from the original's")


CHECKS: dict[str, Check] = {
    "declarations": declarations,
    "trains": trains,
    "shows": shows,
    "repeats": repeats,
    "watched": watched,
    "phases": phases,
    "resumes": resumes,
    "live": live,
    "limits": limits,
}


def _extremes(lab_class: type[Lab], *, rebuilding: bool) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for name, hp in hyperparameters_of(lab_class.Params).items():
        if hp.rebuilds != rebuilding:
            continue
        if hp.kind == "choice":
            found += [(name, choice) for choice in hp.choices if choice != hp.default]
        elif hp.kind == "flag":
            found.append((name, not hp.default))
        else:
            found += [(name, hp.check(value)) for value in (hp.low, hp.high)]
    return found


def _named(do: Callable[[], Any], what: str) -> Any:
    try:
        return do()
    except Exception as error:
        raise ContractError(f"{what}: {type(error).__name__}: {error}") from error


def _train(lab: Lab, *, seed: int, steps: int = STEPS, watch: bool = False) -> list[dict[str, float]]:
    """Train from a known RNG state, rendering every view between any two steps where `watch`."""
    torch.manual_seed(seed)
    metrics = []
    for _ in range(steps):
        metrics.append(advance(lab))
        if watch:
            for name in views_of(lab):
                render(lab, name)
    return _floats(metrics)


def _inspected(lab: Lab) -> Metrics | None:
    """One step, with a look inside after each phase."""
    inside = Inside(lab)
    with inside:
        stepping: Any = lab.step()
    metrics: Metrics | None = None if isinstance(stepping, Generator) else stepping
    while isinstance(stepping, Generator):
        try:
            with inside:
                next(stepping)
        except StopIteration as stop:
            metrics = stop.value
            break
        inside.look(stepping, None)
    inside.look(None, metrics)
    inside.layers()
    lab.step_count += 1
    return metrics


def _floats(metrics: list[Metrics | None]) -> list[dict[str, float]]:
    return [{name: float(value) for name, value in (each or {}).items()} for each in metrics]


def _state(lab: Lab) -> Any:
    return checkpoint.take(lab, {}, rng_state(lab.device)).state
