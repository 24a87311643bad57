"""Code of a lab that does not end: it is seen, interrupted and reported, and everything else goes on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_lab import PLACES, write_lab
from tiny_lab import Reader

from engine import checkpoint, heartbeat
from engine import messages as m
from engine.heartbeat import Doing
from engine.payloads import Pick
from engine.session import Session

WHAT = {"step": "step", "view": "view bars", "probe": "edit bars", "action": "action press"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "labs"
    monkeypatch.setenv("DEEPSCOPE_LABS", str(made))
    monkeypatch.setattr(heartbeat, "AWAITED", 0.1)
    monkeypatch.setattr(heartbeat, "UNASKED", 0.2)
    write_lab(made, "sound")
    return made


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()
    assert not session.alive


def provoke(session: Session, reader: Reader, run: int, lab: str, place: str) -> None:
    """Let a lab come to a place."""
    session.send(m.Open(run, m.RunSpec(f"mine.{lab}")))
    if place in ("import", "build"):
        return
    reader.event(m.Opened, run=run)
    commands: dict[str, m.Command] = {
        "step": m.Play(run),
        "view": m.Look(run, ("bars",)),
        "probe": m.Poke(run, "bars", Pick(0)),
        "action": m.Act(run, "press"),
    }
    session.send(commands[place])


def stuck(session: Session, reader: Reader) -> Doing:
    doing: Doing = reader.until(session.overdue)
    return doing


@pytest.mark.parametrize("place", PLACES)
def test_what_does_not_end_is_interrupted_and_told_with_its_line(folder: Path, session: Session, place: str) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("mine.sound")))
    reader.event(m.Opened, run=1)
    line = write_lab(folder, "odd", place, "never_ends()")
    provoke(session, reader, 2, "odd", place)
    doing = stuck(session, reader)
    assert (doing.run, doing.lab, doing.what) == (2, "mine.odd", WHAT.get(place, "open"))
    found, importing = session.line_in(str(folder / "odd.py"))
    assert 10 < found <= line
    assert importing == (place == "import")
    session.interrupt(doing)
    failed = reader.event(m.Failed, run=2)
    assert failed.what == doing.what
    assert "did not end and was stopped" in failed.summary
    assert re.search(rf'odd\.py", line {line}\b', failed.traceback)
    session.send(m.StepOnce(1))  # the other lab goes on
    assert reader.event(m.Paused, run=1, step=1)
    assert session.overdue() is None


def test_a_step_that_was_interrupted_leaves_the_network_as_it_was_before(
    folder: Path, session: Session, tmp_path: Path
) -> None:
    reader = Reader(session)
    write_lab(folder, "odd", "step", "self.net.weight.data.fill_(99.0); never_ends()", after=3)
    session.send(m.Open(1, m.RunSpec("mine.odd")))
    for _ in range(4):
        session.send(m.StepOnce(1))
    session.interrupt(stuck(session, reader))
    failed = reader.event(m.Failed, what="step")
    back = reader.event(m.WentBack)
    assert reader.events.index(back) < reader.events.index(failed)
    session.send(m.Save(1, tmp_path / "a.deepscope"))
    reader.event(m.Saved)
    _, snapshot, _ = checkpoint.load(tmp_path / "a.deepscope")
    assert snapshot.step == back.step
    assert float(snapshot.state["net"]["weight"]) < 99


def test_a_view_that_was_interrupted_is_not_tried_again_by_itself(
    folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.END_PATIENCE", 0.2)
    reader = Reader(session)
    write_lab(folder, "odd", "view", "never_ends()")
    provoke(session, reader, 1, "odd", "view")
    session.interrupt(stuck(session, reader))
    reader.event(m.Failed, what="view bars")
    session.send(m.Play(1))
    reader.until(lambda: len(reader.metrics.get("loss", {})) > 100)  # it trains, and nothing is in its way
    session.send(m.Look(1, ()))
    session.send(m.Look(1, ("bars",)))  # the viewer asks for it
    assert stuck(session, reader).what == "view bars"


def test_what_usually_takes_long_is_no_cause_for_concern(folder: Path, session: Session) -> None:
    reader = Reader(session)
    write_lab(folder, "slow", "action", "time.sleep(0.3)")
    provoke(session, reader, 1, "slow", "action")
    stuck(session, reader)  # the first time nobody can know
    reader.event(m.Edited)
    session.send(m.Act(1, "press"))
    reader.until(lambda: session.overdue() is not None or len([e for e in reader.events if type(e) is m.Edited]) == 2)
    assert session.overdue() is None


@pytest.mark.parametrize("place", PLACES)
def test_quitting_does_not_wait_for_what_does_not_end(
    folder: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.END_PATIENCE", 0.2)
    write_lab(folder, "odd", place, "never_ends()", after=2)
    session = Session(threads=1)
    reader = Reader(session)
    provoke(session, reader, 1, "odd", place)
    if place == "view":
        session.send(m.Play(1))
    stuck(session, reader)
    begun = time.monotonic()
    assert session.quit(limit=10)
    assert time.monotonic() - begun < 5
    assert not session.alive


def test_a_run_that_is_stuck_is_saved_on_quitting(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.END_PATIENCE", 0.2)
    write_lab(folder, "odd", "step", "never_ends()", after=3)
    session = Session(threads=1)
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("mine.odd")))
    session.send(m.Play(1))
    stuck(session, reader)
    session.send(m.Save(1, tmp_path / "a.deepscope"))
    assert session.quit(limit=10)
    spec, snapshot, _ = checkpoint.load(tmp_path / "a.deepscope")
    assert (spec.lab, snapshot.step <= 3) == ("mine.odd", True)


def test_a_thread_that_cannot_be_interrupted_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.END_PATIENCE", 0.1)
    write_lab(folder, "odd", "build", "time.sleep(1.5)")  # within one instruction
    session = Session(threads=1)
    reader = Reader(session)
    provoke(session, reader, 1, "odd", "build")
    stuck(session, reader)
    begun = time.monotonic()
    assert not session.quit(limit=0.3)
    assert time.monotonic() - begun < 1.2
    assert session.alive
    assert session.quit()  # once it comes back it ends


@pytest.mark.usefixtures("folder")
def test_late_interruptions_end_nothing_but_labs(session: Session) -> None:
    """Interrupted at any moment, the thread lives on and answers."""
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("mine.sound")))
    session.send(m.Look(1, ("bars",)))
    reader.event(m.Opened)
    done, pause = 0, threading.Event()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        session.send(m.Play(1))
        for _ in range(10):
            pause.wait(0.001)
            if (doing := session._heart.doing) is not None:
                session.interrupt(doing)
                done += 1
    assert done > 10
    reader.read()
    reader.events.clear()
    session.send(m.Pause(1))
    session.send(m.StepOnce(1))
    reader.until(lambda: len([event for event in reader.events if isinstance(event, m.Paused)]) >= 2)
