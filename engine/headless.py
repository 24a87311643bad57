"""What the commands of ``python -m engine`` do."""

from __future__ import annotations

import json
import math
import sys
import time
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from engine import checkpoint, device, fitting, marks
from engine.bounded import MOST_STEPS
from engine.check import check_lab
from engine.data import DataError, is_known
from engine.discovery import Card, UnknownLab, catalogue, find_card, load_lab
from engine.error_text import place_of, told
from engine.files import target_of
from engine.hyperparameters import HyperparameterError, Value, make_params, parse_settings, values_of
from engine.interruption import LEAVING
from engine.lab import Lab, LabError, Metrics, Proof, advance, check_seed, hyperparameters, start
from engine.messages import Lesson, Mark, RunSpec, Series
from engine.metrics import columns_of, first_not_finite
from engine.own_labs import BrokenLab
from engine.recorder import MetricHistory
from engine.watch import rng_state, set_rng_state, watching

USERS_ERRORS = (
    UnknownLab,
    BrokenLab,
    HyperparameterError,
    LabError,
    DataError,
    checkpoint.CheckpointError,
    marks.MarkError,
)
FLUSHED = 512  # steps whose metrics are turned into numbers at a time on a GPU, where each conversion waits for it


class WrongInput(Exception):
    """What the user typed cannot be done; the message says what can."""


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn the errors that a user can mend into WrongInput."""
    try:
        yield
    except USERS_ERRORS as error:
        raise WrongInput(str(error)) from error
    except OSError as error:
        raise WrongInput(f"{error.filename or 'file'}: {error.strerror or error}") from error
    except LEAVING as error:  # a lab raised it; Ctrl+C raises Interrupted
        raise WrongInput(f"{place_of(error)}: {told(error)}") from error


def list_labs(options: Namespace) -> int:
    """The labs, a line each, or as JSON with their hyperparameters."""
    if not options.json:
        for card in catalogue():
            print(f"{card.id:18} {card.chapter:14} {card.title} - {card.summary}")
        return 0
    print(json.dumps([_described(card) for card in catalogue()], indent=2))
    return 0


def _described(card: Card) -> dict[str, Any]:
    about: dict[str, Any] = {
        "id": card.id,
        "title": card.title,
        "chapter": card.chapter,
        "summary": card.summary,
    }
    try:
        lab_class = load_lab(card.id)
    except BrokenLab as error:
        return {**about, "problem": str(error)}
    about["datasets"] = list(lab_class.datasets)
    about["hyperparameters"] = [
        {
            "name": hp.name,
            "kind": hp.kind,
            "default": hp.default,
            "low": hp.low if hp.kind in ("real", "integer") else None,
            "high": hp.most if hp.kind in ("real", "integer") else None,
            "choices": list(hp.choices),
            "log": hp.log,
            "acts": "view" if hp.view else "live" if hp.live else "restart",
            "unit": hp.unit,
            "label": hp.label,
            "help": hp.help,
        }
        for hp in hyperparameters(lab_class).values()
    ]
    return about


def run(options: Namespace) -> int:
    """Train a lab without a window."""
    with _plainly():
        for option in ("save", "weights", "metrics"):
            _check_target(option, getattr(options, option))
        _check_length(options)
        lab, spec, done, curves, lesson = _begin(options)
        script = _script(options, lab)
    if options.steps is not None and options.steps < lab.step_count:
        raise WrongInput(f"{options.resume} stands at step {lab.step_count} already: --steps counts from step 0")
    seconds = None if options.steps is not None else (10.0 if options.seconds is None else options.seconds)
    progress = None if options.json else progress_bar(spec.lab, options.steps, seconds)
    history = MetricHistory()
    for name, (steps, values) in curves.items():
        history.append(name, steps, values)
    begun = time.perf_counter()
    with _plainly():
        bad = train(
            lab, steps=options.steps, seconds=seconds, progress=progress, script=script, done=done, history=history
        )
        spent = time.perf_counter() - begun
        _write(options, lab, spec, done, history, lesson)
    result = {"lab": spec.lab, "seed": spec.seed, "steps": lab.step_count, "seconds": round(spent, 3)}
    metrics = {name: _finite(history.last(name)) for name in history.names()}
    if bad is None:
        print(json.dumps({**result, "metrics": metrics}))
        return 0
    print(json.dumps({**result, "metrics": metrics, "diverged": {"step": bad[0], "metric": bad[1]}}))
    print(f"engine: {bad[1]} is {bad[2]} at step {bad[0]:,}: training has stopped", file=sys.stderr)
    return 1


def _finite(point: tuple[int, float] | None) -> float | None:
    """A metric's last value as JSON has it, which knows neither NaN nor infinity."""
    return point[1] if point is not None and math.isfinite(point[1]) else None


def _check_length(options: Namespace) -> None:
    if options.seconds is not None and not 0 <= options.seconds < math.inf:
        raise WrongInput(f"--seconds must be a number from 0, not {options.seconds}")
    if options.steps is not None:
        _check_steps(options.steps)


def _check_steps(steps: int) -> None:
    if not 0 <= steps <= MOST_STEPS:
        raise WrongInput(f"--steps must be a whole number from 0 to {MOST_STEPS:,}")


def _check_target(option: str, name: str | None) -> None:
    if not name:
        return
    try:  # before training, not after it
        target_of(Path(name))
    except OSError as error:
        raise WrongInput(f"--{option} {name}: {error.strerror}") from error


def _script(options: Namespace, lab: Lab) -> list[Mark]:
    """What is to change the run while it goes on, in the order of the steps."""
    script = list(marks.load(Path(options.marks))) if options.marks else []
    script += [marks.setting(type(lab.hp), text) for text in options.at]
    marks.check(type(lab.hp), script)
    script.sort(key=lambda mark: mark.step)
    if script and script[0].step < lab.step_count:
        raise WrongInput(
            f"{options.resume} stands at step {lab.step_count} already: nothing can change at step {script[0].step}"
        )
    return script


def _write(
    options: Namespace, lab: Lab, spec: RunSpec, done: list[Mark], history: MetricHistory, lesson: Lesson
) -> None:
    """Write what the options ask for, once trained."""
    from engine.export.metrics import POINTS, save_metrics
    from engine.export.weights import save_weights

    if options.save:
        snapshot = checkpoint.take(lab, values_of(lab.hp), rng_state(lab.device))
        snapshot = replace(snapshot, marks=len(done), history=tuple(done), lesson=lesson)
        checkpoint.save(Path(options.save), spec, snapshot, history.thinned(POINTS))
    if options.weights:
        save_weights(Path(options.weights), lab, replace(spec, hyperparameters=values_of(lab.hp)))
    if options.metrics:
        save_metrics(Path(options.metrics), history.thinned(POINTS))


def _begin(options: Namespace) -> tuple[Lab, RunSpec, list[Mark], Series, Lesson]:
    """Build what the options ask for, resumed from a checkpoint if they say so; what changed the run so far, its
    curves, and its bookmarks and earlier runs."""
    card = find_card(options.lab)
    lab_class = load_lab(card.id)
    settings = parse_settings(lab_class.Params, options.set)
    spec, snapshot = RunSpec(card.id, dataset=options.data, seed=options.seed or 0), None
    curves: Series = {}
    if options.resume:
        spec, snapshot, curves = checkpoint.load(Path(options.resume))
        if spec.lab != card.id:
            raise WrongInput(f"{options.resume} holds a run of {spec.lab}, not of {card.id}")
        if options.seed is not None:
            raise WrongInput("--seed is that of the checkpoint; leave it out with --resume")
        _agree_on_data(options, lab_class, spec.dataset)
    where = device.choose(options.device or "auto")
    torch.set_num_threads(device.threads_for(lab_class, options.threads))
    rebuilt = [name for name in settings if snapshot is not None and hyperparameters(lab_class)[name].rebuilds]
    if rebuilt:
        raise WrongInput(f"{', '.join(rebuilt)} cannot change with --resume: it rebuilds the network")
    begun = spec.hyperparameters if snapshot is not None else settings
    hp = make_params(lab_class.Params, begun)
    lab = start(lab_class, hp, dataset=spec.dataset, seed=spec.seed, device=where)
    done: list[Mark] = []
    if snapshot is not None:
        _resume(options.resume, lab, snapshot)
        done = [*snapshot.history, *_set_anew(lab, settings)]
    begun_as = RunSpec(card.id, values_of(lab.hp), lab.dataset, spec.seed, options.device or "auto")
    return lab, begun_as, done, curves, snapshot.lesson if snapshot is not None else Lesson()


def _agree_on_data(options: Namespace, lab_class: type[Lab], dataset: str) -> None:
    """A file may name any path: it is read only where whoever resumes the run says so, too."""
    if options.data and options.data != dataset:
        raise WrongInput(f"{options.resume} goes on with its own data; leave --data out, or give {dataset!r:.300}")
    if not (options.data or options.trust_data or is_known(dataset) or dataset in lab_class.datasets):
        raise WrongInput(
            f"{options.resume} learns from files of its own, {dataset!r:.300}: add --trust-data if you want them read"
        )


def _resume(path: str, lab: Lab, snapshot: checkpoint.Snapshot) -> None:
    """Bring a built lab to where the snapshot of a file was taken, once it is known to fit."""
    try:
        fitting.check(lab, snapshot)
        checkpoint.put(lab, snapshot)
    except checkpoint.CheckpointError as error:
        raise WrongInput(f"{path}: {error}") from error
    set_rng_state(snapshot.rng, lab.device)


def _set_anew(lab: Lab, settings: dict[str, Value]) -> list[Mark]:
    """Give hyperparameters other values than the checkpoint had. Returns what that changes of the experiment."""
    declared, before = hyperparameters(type(lab)), values_of(lab.hp)
    changed = [Mark(0, "set", n, f"{n} = {v}", before[n], v) for n, v in settings.items() if v != before[n]]
    done = [marks.apply(lab, mark) for mark in changed]
    return [mark for mark in done if not declared[mark.name].view]


def train(
    lab: Lab,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    progress: Callable[[Lab, MetricHistory], None] | None = None,
    script: Iterable[Mark] = (),
    done: list[Mark] | None = None,
    history: MetricHistory | None = None,
) -> tuple[int, str, float] | None:
    """Train until step `steps` or for `seconds`, changed on the way as the `script` says, in the order of its steps.

    `history` gets all metrics, and `done` the changes as they took place. Stops where a metric is NaN or infinite, and
    returns its step, name and value; on a GPU up to FLUSHED steps later.
    """
    history = MetricHistory() if history is None else history
    entries: list[tuple[int, Metrics]] = []  # on their way to the history
    on_cpu = lab.device.type == "cpu"
    waiting = deque(script)
    begun = shown = time.perf_counter()
    bad = None
    while bad is None:
        while waiting and waiting[0].step <= lab.step_count:
            applied = marks.apply(lab, waiting.popleft())
            if done is not None:
                done.append(applied)
        now = time.perf_counter()
        ends = (steps is not None and lab.step_count >= steps) or (seconds is not None and now - begun >= seconds)
        if not ends and (metrics := advance(lab)):
            entries.append((lab.step_count, metrics))
            ends = on_cpu and not _all_finite(metrics)
        shows = progress is not None and now - shown > 0.2
        if ends or shows or len(entries) >= FLUSHED:
            bad = _keep(history, entries)
        if ends:
            break
        if progress is not None and shows:
            shown = now
            progress(lab, history)
    if progress is not None:
        progress(lab, history)
        print(file=sys.stderr)
    return bad


def _all_finite(metrics: Metrics) -> bool:
    """Whether all are numbers; what is wrong with them is found out once they are kept."""
    try:
        return all(map(math.isfinite, metrics.values()))
    except (TypeError, ValueError, AttributeError, RuntimeError, OverflowError):
        return False


def _keep(history: MetricHistory, entries: list[tuple[int, Metrics]]) -> tuple[int, str, float] | None:
    columns = columns_of(entries)
    for name, (steps, values) in columns.items():
        history.append(name, steps, values)
    entries.clear()
    return first_not_finite(columns)


def progress_bar(title: str, steps: int | None, seconds: float | None) -> Progress | None:
    """A progress bar where somebody sees it: stderr is a terminal."""
    return Progress(title, steps, seconds) if sys.stderr.isatty() else None


class Progress:
    """A progress bar on stderr."""

    def __init__(self, title: str, steps: int | None, seconds: float | None) -> None:
        self.title, self.steps, self.seconds = title, steps, seconds
        self.begun = time.perf_counter()

    def __call__(self, lab: Lab, history: MetricHistory) -> None:
        spent = time.perf_counter() - self.begun
        share = min(1.0, lab.step_count / self.steps if self.steps else spent / (self.seconds or 1))
        left = f"{spent / share - spent:4.0f} s left" if share > 0.01 else ""
        latest = ((name, history.last(name)) for name in history.names()[:3])
        shown = "  ".join(f"{name} {point[1]:.4g}" for name, point in latest if point is not None)
        bar = "#" * int(24 * share)
        print(
            f"\r{self.title} [{bar:24}] step {lab.step_count:,} {left}  {shown}   ", end="", file=sys.stderr, flush=True
        )


def export(options: Namespace) -> int:
    """Write a lab as a script of its own."""
    from engine.export.script import write_script

    with _plainly():
        _check_target("script", options.script)
        _check_steps(options.steps)
        check_seed(options.seed)
        card = find_card(options.lab)
        params = load_lab(card.id).Params
        settings = parse_settings(params, options.set)
        script = [marks.setting(params, text) for text in options.at]
        spec = RunSpec(card.id, settings, options.data, options.seed, options.device)
        for path in write_script(Path(options.script), spec, options.steps, script):
            print(path)
    return 0


def check(options: Namespace) -> int:
    """The contract, over one lab or all, a line each."""
    failed = 0
    for card in _chosen(options.lab):
        begun = time.perf_counter()
        try:
            problems = [f"{f.what}: {f.problem}" for f in check_lab(load_lab(card.id), card.id) if f.problem]
        except BrokenLab as error:
            problems = [str(error)]
        failed += bool(problems)
        verdict = "; ".join(problems) if problems else f"keeps the contract ({time.perf_counter() - begun:.1f} s)"
        print(f"{card.id:18} {'FAILS  ' if problems else 'ok     '} {verdict}", flush=True)
    return 1 if failed else 0


def _chosen(lab_id: str | None) -> tuple[Card, ...]:
    with _plainly():
        return (find_card(lab_id),) if lab_id else catalogue()


def prove(options: Namespace) -> int:
    """Train each lab as its proof says, measure, and compare with the bar."""
    failed = 0
    for card in _chosen(options.lab):
        try:
            lab_class = load_lab(card.id)
        except BrokenLab as error:
            failed += 1
            print(f"{card.id:18} FAILED  {error}", flush=True)
            continue
        proof = lab_class.proof
        if proof is None:
            print(f"{card.id:18} has no figure to prove", flush=True)
            continue
        with _plainly():
            figure, steps, spent = _measured(lab_class, proof, card.id)
        holds = figure >= proof.bar if proof.higher else figure <= proof.bar
        failed += not holds
        sign = ">=" if proof.higher else "<="
        print(
            f"{card.id:18} {'PROVED ' if holds else 'FAILED '} {proof.figure}: {figure:.4g} (bar: {sign} {proof.bar:g})"
            f", {steps:,} steps in {spent:.0f} s, seed {proof.seed}",
            flush=True,
        )
    return 1 if failed else 0


def _measured(lab_class: type[Lab], proof: Proof, lab_id: str) -> tuple[float, int, float]:
    length = f"{proof.seconds:g} s of training" if proof.seconds else f"{proof.steps:,} steps"
    print(f"{lab_id}: {proof.figure}; {length} on {proof.dataset or 'its data'}, then measured", file=sys.stderr)
    torch.set_num_threads(device.threads_for(lab_class))
    hp = make_params(lab_class.Params, dict(proof.settings))
    lab = start(lab_class, hp, dataset=proof.dataset, seed=proof.seed, device="cpu")
    begun = time.perf_counter()
    train(lab, steps=proof.steps, seconds=proof.seconds, progress=progress_bar(lab_id, proof.steps, proof.seconds))
    spent = time.perf_counter() - begun
    with watching(lab):
        figure = lab.measure()
    return figure, lab.step_count, spent


def bench(options: Namespace) -> int:
    """Run the benchmarks; exit status 1 if one misses its bar."""
    from engine.benchmarks import BENCHMARKS

    if options.name and options.name not in BENCHMARKS:
        raise WrongInput(f"there is no benchmark {options.name!r}; there are: {', '.join(BENCHMARKS)}")
    failed = 0
    for name in [options.name] if options.name else BENCHMARKS:
        with _plainly():
            where: Any = device.choose(options.device)
            for result in BENCHMARKS[name](where):
                failed += not result.holds
                print(result.line(), flush=True)
    return 1 if failed else 0
