"""A run as the command line that repeats it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from engine.discovery import load_lab
from engine.hyperparameters import Hyperparameter, Value
from engine.lab import hyperparameters
from engine.messages import Mark, RunSpec


def needs_file(marks: Iterable[Mark]) -> bool:
    """Whether a marks file must lie beside the command line: edits and actions do not fit on it."""
    return any(mark.kind != "set" for mark in marks)


def base_name(spec: RunSpec, step: int) -> str:
    """What files of a run are called, without their ending: lenet-seed0-step4812."""
    return f"{spec.lab}-seed{spec.seed}-step{step}"


def command_line(
    spec: RunSpec,
    marks: Iterable[Mark],
    steps: int,
    *,
    marks_file: str | Path = "",
    resume: str | Path | None = None,
    threads: int = 0,
) -> str:
    """The command that repeats a run up to step `steps`, bit for bit on a CPU.

    `spec` is what the run began with, `marks` what changed it since. Where they hold edits or actions, the command
    reads them all from `marks_file`, which is to be written there with `engine.marks.dumps`. `resume` is the file that
    the run went on from, if it did not begin at step 0; `threads` is how many torch used, if not the usual number.
    """
    marks = tuple(marks)
    lab_class = load_lab(spec.lab)
    declared = hyperparameters(lab_class)
    words = ["python", "-m", "engine", "run", spec.lab]
    if resume is not None:
        words += ["--resume", str(resume)]
    else:
        for name, value in spec.hyperparameters.items():
            if value != declared[name].default:
                words += ["--set", f"{name}={written(declared[name], value)}"]
        if spec.dataset or lab_class.datasets:
            words += ["--data", spec.dataset or lab_class.datasets[0]]
        words += ["--seed", str(spec.seed)]
    words += ["--device", spec.device]
    if threads:
        words += ["--threads", str(threads)]
    if needs_file(marks):
        words += ["--marks", str(marks_file or f"{base_name(spec, steps)}.marks.json")]
    else:
        for mark in marks:
            words += ["--at", f"{mark.step}:{mark.name}={written(declared[mark.name], mark.new)}"]
    words += ["--steps", str(steps)]
    return shlex.join(words)


def written(declared: Hyperparameter, value: Value) -> str:
    """A value as ``--set`` reads it back, to the last bit."""
    if declared.kind == "flag":
        return "true" if value else "false"
    return repr(float(value)) if declared.kind == "real" else str(value)
