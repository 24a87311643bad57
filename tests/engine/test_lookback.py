"""Looking back: views of an earlier step with the viewer's picture of now, and no trace of it in the training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, edits
from test_every_lab_in_session import after, alike

from engine import lookback
from engine import messages as m
from engine.discovery import built_in, load_lab
from engine.lab import actions_of, views_of
from engine.payloads import Drawing, PointPick
from engine.session import Session

SEVEN = np.zeros((28, 28), np.float32)
SEVEN[6:9, 8:20] = SEVEN[9:22, 16:19] = 1
FAST = ("lenet", "dense_network", "perceptron")


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


def looked(desk: Desk, run: int, step: int, views: tuple[str, ...], probe: Any = None) -> m.LookedBack:
    """Look until the step is reached."""
    while True:
        known = sum(isinstance(event, m.LookedBack) for event in desk.events)
        desk.session.send(m.LookBack(run, step, views, probe))
        desk.until(lambda known=known: sum(isinstance(event, m.LookedBack) for event in desk.events) > known)
        answer = [event for event in desk.events if isinstance(event, m.LookedBack)][-1]
        if answer.reached >= step:
            return answer
        probe = None


def payload(answer: m.LookedBack, view: str) -> Any:
    return next(frame for frame in answer.frames if frame.view == view).payload


def test_a_drawing_of_now_through_the_filters_of_then(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, "lenet", tmp_path)
    views = tuple(views_of(desk.lab))
    for run, steps in ((1, 24), (2, 20)):  # the second is the first as it was
        desk.open(run)
        desk.steps(run, steps)
        session.send(m.Poke(run, "canvas", Drawing(SEVEN)))
    answer = looked(desk, 1, 20, views)
    assert answer.reached == 20
    assert {frame.view for frame in answer.frames} == {"canvas", "layer1", "layer2", "chances"}  # the others are known
    session.send(m.Look(2, views))
    desk.save(2, "then")
    desk.until(lambda: {(2, view) for view in views} <= desk.frames.keys())
    for frame in answer.frames:
        assert lookback._alike(frame.payload, desk.frames[2, frame.view]), frame.view
    assert np.array_equal(payload(answer, "canvas").pixels, SEVEN)


@pytest.mark.parametrize(
    "lab_id", [pytest.param(card.id, marks=() if card.id in FAST else pytest.mark.slow) for card in built_in()]
)
def test_nobody_can_tell_that_somebody_looked(lab_id: str, session: Session, tmp_path: Path) -> None:
    lab, changes = load_lab(lab_id), edits(load_lab(lab_id))[:1]
    views = tuple(views_of(lab))
    acts = [m.Act(1, name) for name, action in actions_of(lab).items() if action.probe]
    desk = Desk(session, lab_id, tmp_path)
    for run in (1, 2):
        desk.open(run)
        desk.steps(run, 3)
        for view, gesture in changes:
            session.send(m.Poke(run, view, gesture, edit=True))
        for act in acts:
            session.send(m.Act(run, act.action))
        desk.steps(run, 3)
        if run == 1:
            looked(desk, 1, 2, views)
            looked(desk, 1, 5, views)
        desk.steps(run, 2)
        if run == 1:
            looked(desk, 1, 0, views)
        desk.steps(run, 2)
    assert alike(desk.save(1, "looked"), desk.save(2, "unlooked"))
    assert after(desk.points.get(1, {}), -1) == after(desk.points.get(2, {}), -1)
    assert not [event for event in desk.events if isinstance(event, m.Failed)]


def test_what_is_pointed_at_in_the_past_stays_pointed_at(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, "dense_network", tmp_path)
    desk.open(1)
    desk.steps(1, 20)
    answer = looked(desk, 1, 5, ("surface", "network"), m.Poke(1, "surface", PointPick(0.5, -0.25, -1)))
    assert payload(answer, "surface").points.cursor == (0.5, -0.25)
    assert session._runs[1].lab.probed == (0.5, -0.25)  # type: ignore[attr-defined]
    assert session._runs[1].lab.step_count == 20
    answer = looked(desk, 1, 10, ("surface",))
    assert payload(answer, "surface").points.cursor == (0.5, -0.25)


def test_far_from_what_is_kept_it_gets_nearer_at_each_look(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookback, "MOST_SECONDS", 0.0)
    desk = Desk(session, "lenet", tmp_path)
    desk.open(1)
    desk.steps(1, 30)
    session.send(m.Poke(1, "canvas", Drawing(SEVEN)))
    session.send(m.LookBack(1, 25, ("layer1",)))
    first = desk.event(m.LookedBack, run=1)
    assert 0 <= first.reached < 25
    assert {frame.step for frame in first.frames} == {first.reached}
    monkeypatch.setattr(lookback, "MOST_SECONDS", 60.0)
    assert looked(desk, 1, 25, ("layer1",)).reached == 25


def test_in_the_middle_of_a_step_the_past_has_to_wait(session: Session, tmp_path: Path) -> None:
    desk = Desk(session, "lenet", tmp_path)
    desk.open(1)
    desk.steps(1, 5)
    session.send(m.MicroStep(1))
    session.send(m.LookBack(1, 2, ("layer1",), m.Poke(1, "canvas", Drawing(SEVEN))))
    assert desk.event(m.LookedBack, run=1).frames == ()
    assert session._runs[1].phase == "forward"
    assert np.array_equal(session._runs[1].lab.drawing.numpy(), SEVEN)  # type: ignore[attr-defined]
