"""Marks: what changed an experiment while it ran. Written to JSON, read again, and applied a second time.

A run with its marks is the whole experiment: the session repeats them (``Open.marks``) and so does the command line
(``--at``, ``--marks FILE``), through the same `apply`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from engine import undo
from engine.bounded import LARGEST_JSON, MOST_STEPS, parse_json, regular
from engine.hyperparameters import HyperparameterError, Value, hyperparameters_of, make_params, values_of
from engine.lab import Lab, LabError, actions_of, views_of
from engine.messages import Mark
from engine.payloads import Gesture, Stroke

GESTURES: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Gesture)}
KINDS = ("set", "edit", "action", "undo")
TYPES: dict[str, Any] = {"int": int, "float": float | int, "str": str, "bool": bool}  # of the fields of gestures


class MarkError(ValueError):
    """Marks that cannot be read or do not fit the lab; the message says why."""


# ------------------------------------------------------------------------------------------------ applying


def set_value(lab: Lab, name: str, value: Value) -> tuple[Value, Value]:
    """Give a hyperparameter another value and tell the lab; the old value and the new one, in its own type.

    Where the lab raises, the old one holds again.
    """
    before = lab.hp
    lab.hp = make_params(type(before), {**values_of(before), name: value})
    try:
        lab.changed(name)
    except BaseException:
        lab.hp = before
        raise
    return getattr(before, name), getattr(lab.hp, name)


def apply(lab: Lab, mark: Mark) -> Mark:
    """Do between two steps what the mark says. Returns it as it took place: with this step and the value before."""
    if mark.kind == "set":
        old, new = set_value(lab, mark.name, mark.new)
        return dataclasses.replace(mark, step=lab.step_count, old=old, new=new)
    if mark.kind == "edit":
        view = views_of(lab).get(mark.name)
        if view is None or view.on_edit is None or mark.gesture is None:
            raise LabError(f"nothing can be edited in {mark.name!r}")
        view.on_edit(lab, mark.gesture)
    elif mark.kind == "undo":
        undo.put_back(lab, mark.patch)
    else:
        if mark.name not in actions_of(lab):
            raise LabError(f"there is no action {mark.name!r}")
        actions_of(lab)[mark.name].method(lab)
    return dataclasses.replace(mark, step=lab.step_count)


def setting(params: type[Any], text: str) -> Mark:
    """The mark that ``--at STEP:NAME=VALUE`` means. Raises MarkError or HyperparameterError."""
    step, colon, assignment = text.partition(":")
    name, equals, value = assignment.partition("=")
    if not (colon and equals and step.strip().isdecimal()):
        raise MarkError(f"write STEP:NAME=VALUE, such as 500:learning_rate=0.01, not {text!r}")
    declared = hyperparameters_of(params)
    if name not in declared:
        raise HyperparameterError(f"there is no hyperparameter {name!r}; there are: {', '.join(declared)}")
    new = declared[name].parse(value)
    mark = Mark(int(step), "set", name, f"{name} = {new}", declared[name].default, new)
    check(params, [mark])
    return mark


def check(params: type[Any], marks: Iterable[Mark]) -> None:
    """MarkError where a mark sets what the running lab cannot change, HyperparameterError where the value is wrong."""
    declared = hyperparameters_of(params)
    for mark in marks:
        if mark.kind != "set":
            continue
        make_params(params, {mark.name: mark.new})
        if declared[mark.name].rebuilds:
            raise MarkError(f"{mark.name} cannot change while the run goes on: it rebuilds the network")


# ---------------------------------------------------------------------------------------------------- JSON


def encode(mark: Mark) -> dict[str, Any]:
    """JSON for a mark: what `decode` makes the same mark of. Arrays become nested lists."""
    told: dict[str, Any] = {"step": mark.step, "kind": mark.kind, "name": mark.name, "text": mark.text}
    if mark.kind == "set":
        told |= {"old": mark.old, "new": mark.new}
    if mark.gesture is not None:
        fields = {field.name: getattr(mark.gesture, field.name) for field in dataclasses.fields(mark.gesture)}
        gesture = {name: _plain(value) for name, value in fields.items()}
        told["gesture"] = {"kind": type(mark.gesture).__name__, **gesture}
    if mark.kind == "undo":
        told["patch"] = mark.patch
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "shape": list(value.shape), "values": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def decode(told: object) -> Mark:
    """The mark that `encode` wrote. Raises MarkError for anything else."""
    if not isinstance(told, Mapping):
        raise MarkError("a mark is an object with step, kind and name")
    unknown = set(told) - {"step", "kind", "name", "text", "old", "new", "gesture", "patch"}
    if unknown:
        raise MarkError(f"a mark has no {', '.join(sorted(map(str, unknown)))}")
    step, kind, name, text = told.get("step"), told.get("kind"), told.get("name"), told.get("text", "")
    if type(step) is not int or not 0 <= step <= MOST_STEPS:
        raise MarkError(f"the step of a mark is a whole number from 0, not {step!r:.60}")
    if kind not in KINDS or not isinstance(name, str) or not isinstance(text, str):
        raise MarkError(f"a mark is one of {', '.join(KINDS)}, with a name; not {kind!r:.60} {name!r:.60}")
    if len(name) > 200 or len(text) > 1000:
        raise MarkError(f"the name or the text of a mark at step {step} is too long")
    values = told.get("old", ""), told.get("new", "")
    if not all(map(_plain_value, values)):
        raise MarkError(f"the value of {name} at step {step} is no number, word or flag")
    if (kind == "edit") != ("gesture" in told) or (kind == "set") != ("new" in told):
        raise MarkError(f"a set has a new value, an edit has a gesture; the {kind} of {name} at step {step} does not")
    patch = told.get("patch", "")
    if (kind == "undo") != ("patch" in told) or not isinstance(patch, str) or len(patch) > undo.LARGEST:
        raise MarkError(
            f"an undo, and nothing else, has a patch; the {kind} of {name} at step {step} does not fit that"
        )
    gesture = _gesture(told["gesture"]) if kind == "edit" else None
    return Mark(step, kind, name, text, *values, gesture, patch)


def _plain_value(value: Any) -> bool:
    """Whether a hyperparameter could have it."""
    if isinstance(value, str):
        return len(value) <= 1000
    return isinstance(value, float | int) and -1e300 <= value <= 1e300


def _gesture(told: Any) -> Gesture:
    try:
        fields = dict(told)
        cls = GESTURES[fields.pop("kind")]
        if cls is Stroke:
            fields["xy"] = tuple((float(x), float(y)) for x, y in fields["xy"])
        elif "pixels" in fields:
            pixels = fields["pixels"]
            if np.dtype(pixels["dtype"]).kind not in "fiub":
                raise ValueError("pixels are an array of numbers")
            fields["pixels"] = np.array(pixels["values"], dtype=pixels["dtype"]).reshape(pixels["shape"])
        if any(isinstance(value, list | Mapping) for value in fields.values()):
            raise ValueError("a number or a word was expected")
        for field in dataclasses.fields(cls):
            if field.name in fields and not isinstance(fields[field.name], TYPES.get(str(field.type), object)):
                raise ValueError(f"{field.name} is not {field.type}")
        gesture: Gesture = cls(**fields)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MarkError(f"a gesture cannot be understood: {error!s:.200}") from error
    return gesture


def dumps(marks: Iterable[Mark]) -> str:
    """A list of marks as text, one to a line."""
    lines = [json.dumps(encode(mark), ensure_ascii=False) for mark in marks]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def parse(text: str) -> tuple[Mark, ...]:
    """The marks that `dumps` wrote, in the order of their steps. Raises MarkError."""
    try:
        told = parse_json(text.encode())
    except ValueError as error:
        raise MarkError(f"this is no JSON: {error!s:.200}") from error
    if not isinstance(told, list):
        raise MarkError("marks are a list")
    return tuple(sorted((decode(item) for item in told), key=lambda mark: mark.step))  # stable: as they came


def load(path: Path) -> tuple[Mark, ...]:
    """Read a file of marks. Raises MarkError, which names the file, or OSError."""
    try:
        if regular(path).st_size > LARGEST_JSON:
            raise MarkError("it is too large")
        return parse(path.read_text(encoding="utf-8"))
    except (MarkError, UnicodeDecodeError) as error:
        raise MarkError(f"{path.name} holds no marks: {error}") from error
