"""Undo of edits and actions: exact, while training goes on, and repeated with the marks of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from desk import Desk, edits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_every_lab_in_session import alike, loaded

from engine import messages as m
from engine import undo
from engine.checkpoint import same
from engine.discovery import built_in, load_lab
from engine.lab import LabError, actions_of, views_of
from engine.payloads import WeightEdit
from engine.session import Session
from engine.undo import difference, patched

LAB = "dense_network"


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


def changeable() -> list[str]:
    """The labs that can be edited, or have an action that changes the experiment."""
    found = []
    for card in built_in():
        lab = load_lab(card.id)
        if any(view.on_edit for view in views_of(lab).values()) or any(not a.probe for a in actions_of(lab).values()):
            found.append(card.id)
    return found


def edited(desk: Desk, command: m.Command) -> m.Mark:
    """Change a run; the mark of that."""
    known = sum(isinstance(event, m.Edited) for event in desk.events)
    desk.session.send(command)
    desk.until(lambda: sum(isinstance(event, m.Edited) for event in desk.events) > known)
    mark = [event for event in desk.events if isinstance(event, m.Edited)][-1].mark
    assert mark is not None
    return mark


def refused(desk: Desk, run: int, *marks: m.Mark) -> str:
    """Why these changes cannot be taken back."""
    desk.session.send(m.Revert(run, marks))
    failed: m.Failed = desk.event(m.Failed, run=run, what="undo")
    desk.events.remove(failed)
    assert failed.expected
    return failed.summary


def commands(lab_id: str, run: int) -> list[m.Command]:
    """Each kind of change that the lab takes."""
    lab = load_lab(lab_id)
    acts: list[m.Command] = [m.Act(run, name) for name, action in actions_of(lab).items() if not action.probe]
    return acts + [m.Poke(run, view, gesture, edit=True) for view, gesture in edits(lab)]


FAST = ("dense_network", "gradient_descent")


@pytest.mark.parametrize(
    "lab_id", [pytest.param(each, marks=() if each in FAST else pytest.mark.slow) for each in changeable()]
)
def test_an_undone_change_leaves_no_trace_and_a_redo_brings_it_back(
    lab_id: str, session: Session, tmp_path: Path
) -> None:
    desk, changes = Desk(session, lab_id, tmp_path), commands(lab_id, 1)  # these build labs: not while one trains
    desk.open(1)
    desk.steps(1, 3)
    for number, command in enumerate(changes[:5]):
        before = desk.save(1, f"before{number}")
        mark = edited(desk, command)
        changed = desk.save(1, f"changed{number}")
        undone = edited(desk, m.Revert(1, (mark,)))
        assert undone.text == f"Undo: {mark.text}"
        assert same(loaded(desk.save(1, f"undone{number}")).state, loaded(before).state)
        assert edited(desk, m.Revert(1, (undone,))).text == f"Redo: {mark.text}"
        assert same(loaded(desk.save(1, f"redone{number}")).state, loaded(changed).state)
        desk.steps(1, 1)
    end = desk.save(1, "end")
    desk.open(2, marks=loaded(end).history)  # and all of it is repeated exactly
    desk.steps(2, loaded(end).step)
    assert alike(end, desk.save(2, "again"))


def test_what_training_changed_meanwhile_is_kept(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1, {"layers": 1, "width_1": 3})
    desk.steps(1, 2)
    before = loaded(desk.save(1, "before")).state["theta"]
    mark = edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, 5.0), edit=True))
    desk.steps(1, 20)
    trained = loaded(desk.save(1, "trained")).state["theta"]
    edited(desk, m.Revert(1, (mark,)))
    undone = loaded(desk.save(1, "undone")).state["theta"]
    differ = (undone != trained).nonzero()[:, 0].tolist()
    assert len(differ) == 1  # the weight, and no other
    assert undone[differ[0]] == before[differ[0]]
    assert torch.equal(undone[undone != before], trained[undone != before])


def test_a_drag_is_undone_at_once(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1)
    before = desk.save(1, "before")
    dragged = [edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, value / 10), edit=True)) for value in range(1, 9)]
    undone = edited(desk, m.Revert(1, tuple(dragged)))
    file = loaded(desk.save(1, "undone"))
    assert same(file.state, loaded(before).state)
    assert file.history[-1] == undone


def test_what_cannot_be_undone_is_said(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1)
    first = edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, 0.5), edit=True))
    second = edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, 0.7), edit=True))
    assert "changed again later" in refused(desk, 1, first)
    other = edited(desk, m.Poke(1, "network", WeightEdit(0, 0, 1, 0.7), edit=True))
    edited(desk, m.Revert(1, (second,)))
    assert "undone already" in refused(desk, 1, second)
    edited(desk, m.Revert(1, (first,)))  # now nothing later is in its way
    file = desk.save(1, "file")
    opened = desk.open(2, resume=file)
    assert "not known" in refused(desk, 2, opened.marks[2])
    assert opened.marks[2] == other


def test_a_branch_can_undo_what_came_before_it(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1)
    before = desk.save(1, "before")
    edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, 0.5), edit=True))
    run = session._runs[1]
    run._keep(run.snapshot())
    session.send(m.Branch(2, 1, 0))
    opened = desk.event(m.Opened, run=2)
    edited(desk, m.Revert(2, opened.marks))
    assert same(loaded(desk.save(2, "undone")).state, loaded(before).state)


def test_twins_are_undone_together_each_to_what_it_had(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1)
    desk.open(2, {"learning_rate": 0.3})
    session.send(m.Lockstep(1, (1, 2)))
    desk.steps(1, 5)
    before = [loaded(desk.save(run, f"before{run}")).state for run in (1, 2)]
    gesture = WeightEdit(0, 1, 0, 0.5)
    edited(desk, m.Together(1, tuple(m.Poke(run, "network", gesture, edit=True) for run in (1, 2))))
    mark = next(e.mark for e in desk.events if isinstance(e, m.Edited) and e.run == 1 and e.mark is not None)
    session.send(m.Together(1, (m.Revert(1, (mark,)), m.Revert(2, (mark,)))))
    desk.until(lambda: sum(isinstance(e, m.Edited) for e in desk.events) == 4)
    assert all(same(loaded(desk.save(run, f"after{run}")).state, before[run - 1]) for run in (1, 2))


def test_it_is_undone_while_training_goes_on(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, LAB, tmp_path)
    desk.open(1)
    session.send(m.Play(1))
    desk.event(m.Playing, run=1)
    mark = edited(desk, m.Poke(1, "network", WeightEdit(0, 1, 0, 0.5), edit=True))
    undone = edited(desk, m.Revert(1, (mark,)))
    step = undone.step
    desk.until(lambda: desk.steps_done.get(1, 0) > step + 20)
    assert session._runs[1].playing
    session.send(m.Pause(1))
    desk.event(m.Paused, run=1)
    end = desk.save(1, "end")
    desk.open(2, marks=loaded(end).history)
    desk.steps(2, loaded(end).step)
    assert alike(end, desk.save(2, "again"))


# ------------------------------------------------------------------------------------------------ patches

kinds = st.sampled_from(["float32", "float64", "int64", "bool", "uint8"])
arrays = kinds.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)))
leaves = st.one_of(arrays.map(torch.from_numpy), st.integers(), st.floats(), st.booleans(), st.text(max_size=3))
keys = st.one_of(st.text(max_size=2), st.integers(0, 3))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)
states = st.dictionaries(st.sampled_from("abc"), trees, min_size=3, max_size=3)


@given(states, states)
def test_a_patch_makes_of_one_state_the_other(wanted: dict[str, Any], present: dict[str, Any]) -> None:
    patch = difference(wanted, present)
    assert same(patched(present, patch or "[]"), wanted)
    assert difference(wanted, wanted) == ""


def test_many_elements_of_a_large_tensor() -> None:
    present = {"w": torch.randn(200, 200)}
    wanted = {"w": present["w"].clone()}
    wanted["w"][::2] = 0
    assert same(patched(present, difference(wanted, present)), wanted)


@pytest.mark.parametrize(
    "patch",
    [
        '[{"path":["b"],"value":{"plain":1}}, 3]',
        '[{"path":["w",0],"value":{"plain":1}}]',
        '[{"path":["w"],"shape":[3],"at":[0],"value":{"dtype":"float32","shape":[1],"bytes":"AAAAAA=="}}]',
        '[{"path":["w"],"shape":[2],"at":[7],"value":{"dtype":"float32","shape":[1],"bytes":"AAAAAA=="}}]',
        '[{"path":["w"],"shape":[2],"at":[-1],"value":{"dtype":"float32","shape":[1],"bytes":"AAAAAA=="}}]',
        '[{"path":["w"],"value":{"dtype":"nn","shape":[1],"bytes":"AAAAAA=="}}]',
        '[{"path":["w"],"value":{"dtype":"float32","shape":[5],"bytes":"AAAAAA=="}}]',
        "{",
        "7",
    ],
)
def test_a_patch_that_does_not_fit_is_refused(patch: str) -> None:
    with pytest.raises(LabError, match="no longer be undone"):
        patched({"w": torch.zeros(2), "b": 0}, patch)


def test_what_is_too_large_is_refused_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "LARGEST", 1000)
    begun = time.perf_counter()
    with pytest.raises(LabError, match="too much"):
        difference({"w": torch.zeros(1000)}, {"w": torch.ones(1000)})
    assert time.perf_counter() - begun < 1
