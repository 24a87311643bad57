"""Marks: JSON there and back, exactly; and what they change, changed again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine import marks
from engine.discovery import load_lab
from engine.hyperparameters import HyperparameterError
from engine.lab import LabError, start
from engine.marks import MarkError
from engine.messages import Mark
from engine.payloads import CellPick, Drawing, Pick, PointPick, Stroke, Typed, UnitPick, ValueEdit, WeightEdit

steps, words = st.integers(0, 10**12), st.text(max_size=20)
numbers = st.floats(allow_nan=False)
values = st.one_of(numbers, st.integers(), words, st.booleans())
shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0)
pixels = st.sampled_from([np.dtype(kind) for kind in ("float32", "float64", "uint8")]).flatmap(
    lambda kind: hnp.arrays(kind, shapes, elements=hnp.from_dtype(kind, allow_nan=False))
)
gestures = st.one_of(
    st.builds(Pick, st.integers(), words, words),
    st.builds(CellPick, st.integers(), st.integers(), st.integers()),
    st.builds(PointPick, numbers, numbers, st.integers()),
    st.builds(Stroke, st.lists(st.tuples(numbers, numbers)).map(tuple), st.integers(), st.booleans()),
    st.builds(UnitPick, st.integers(), st.integers()),
    st.builds(WeightEdit, st.integers(), st.integers(), st.integers(), numbers),
    st.builds(Drawing, pixels),
    st.builds(Typed, words),
    st.builds(ValueEdit, words, numbers, st.integers(), st.integers()),
)
every_mark = st.one_of(
    st.builds(Mark, steps, st.just("set"), words, words, values, values),
    st.builds(Mark, steps, st.just("edit"), words, words, gesture=gestures),
    st.builds(Mark, steps, st.just("action"), words, words),
    st.builds(Mark, steps, st.just("undo"), words, words, patch=words),
)


def same(a: Mark, b: Mark) -> bool:
    """Equal in value and in type, arrays bit for bit."""
    if isinstance(a.gesture, Drawing) and isinstance(b.gesture, Drawing):
        x, y = a.gesture.pixels, b.gesture.pixels
        return (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes()) and marks.encode(a) == marks.encode(b)
    return a == b and (type(a.old), type(a.new)) == (type(b.old), type(b.new))


@given(st.lists(every_mark, max_size=5))
def test_json_there_and_back_is_exact(some: list[Mark]) -> None:
    read = marks.parse(marks.dumps(some))
    assert len(read) == len(some)
    ordered = sorted(some, key=lambda mark: mark.step)
    assert all(same(a, b) for a, b in zip(ordered, read, strict=True))


def test_numbers_of_numpy_become_plain_ones() -> None:
    edit = WeightEdit(np.int64(1), np.int32(2), 0, np.float32(0.1))  # type: ignore[arg-type]
    (read,) = marks.parse(marks.dumps([Mark(3, "edit", "network", "", gesture=edit)]))
    assert read.gesture == WeightEdit(1, 2, 0, float(np.float32(0.1)))
    assert type(read.gesture.layer) is int


def changed(**fields: Any) -> str:
    told = marks.encode(Mark(1, "edit", "network", "", gesture=WeightEdit(0, 0, 0, 1.0)))
    return json.dumps([{**told, **fields}])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "a list"),
        ("[3]", "an object"),
        (changed(step=-1), "from 0"),
        (changed(step=1.5), "from 0"),
        (changed(kind="exec"), "one of set"),
        (changed(name=3), "with a name"),
        (changed(more=1), "has no more"),
        (changed(gesture={"kind": "Eval"}), "cannot be understood"),
        (changed(gesture={"kind": "WeightEdit", "layer": 0}), "cannot be understood"),
        (changed(gesture={"kind": "WeightEdit", "layer": [0], "row": 0, "column": 0, "value": 1}), "was expected"),
        (
            changed(gesture={"kind": "Drawing", "pixels": {"dtype": "object", "shape": [1], "values": [{}]}}),
            "of numbers",
        ),
        (changed(gesture=7), "cannot be understood"),
        (changed(kind="set"), "has a new value"),
        (changed(kind="action"), "has a gesture"),
    ],
)
def test_other_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(MarkError, match=reason):
        marks.parse(text)


def test_a_file_that_holds_no_marks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MarkError, match=r"a\.json holds no marks"):
        marks.load(path)
    path.write_text(marks.dumps([Mark(2, "action", "shrink", "Shrink")]))
    assert marks.load(path) == (Mark(2, "action", "shrink", "Shrink"),)


def test_a_setting_of_the_command_line() -> None:
    params = load_lab("lenet").Params
    mark = marks.setting(params, "500:learning_rate=0.01")
    assert (mark.step, mark.kind, mark.name, mark.new) == (500, "set", "learning_rate", 0.01)
    for text in ("learning_rate=0.01", "x:learning_rate=0.01", "5:learning_rate", "-1:learning_rate=1"):
        with pytest.raises(MarkError, match="STEP:NAME=VALUE"):
            marks.setting(params, text)
    with pytest.raises(HyperparameterError, match="there is no hyperparameter"):
        marks.setting(params, "5:nope=1")
    with pytest.raises(HyperparameterError, match="must be"):
        marks.setting(params, "5:learning_rate=fast")
    with pytest.raises(MarkError, match="rebuilds"):
        marks.setting(params, "5:filters1=7")


def test_marks_change_the_lab() -> None:
    lab = start(load_lab("dense_network"), seed=3)
    lab.step_count = 7
    done = marks.apply(lab, Mark(0, "set", "learning_rate", "", 0.5, 0.25))
    assert (done.step, done.old, done.new) == (7, 0.03, 0.25)
    assert lab.hp.learning_rate == 0.25
    edit = WeightEdit(0, 1, -1, 0.75)
    assert marks.apply(lab, Mark(7, "edit", "network", "", gesture=edit)).step == 7
    assert math.isclose(float(lab.W[0][1, 0]), 0.75)  # type: ignore[attr-defined]
    for wrong in (
        Mark(0, "edit", "loss", "", gesture=edit),
        Mark(0, "edit", "nope", "", gesture=edit),
        Mark(0, "edit", "network", ""),
        Mark(0, "action", "nope", ""),
    ):
        with pytest.raises(LabError, match=r"nope|edited"):
            marks.apply(lab, wrong)


def test_a_value_that_the_lab_refuses_leaves_the_old_one() -> None:
    lab = start(load_lab("dense_network"))

    def refuse(name: str) -> None:
        raise LabError(f"not {name}")

    lab.changed = refuse  # type: ignore[method-assign]
    with pytest.raises(LabError, match="not learning_rate"):
        marks.set_value(lab, "learning_rate", 1.0)
    assert lab.hp.learning_rate == 0.03
