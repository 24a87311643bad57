"""A session that builds a run from the viewer's own data: it tells how far it has read, and stops when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import messages as m
from engine.data import columns, reading, tables
from engine.session import Session

ROWS = "".join(f"{i},{i % 7}.5,{'ab'[i % 2]}\n" for i in range(40))
PATIENCE = 60.0  # seconds


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(threads=1)
    yield made
    made.quit()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("long,wide,kind\n" + ROWS + "1,,a\n1\n")
    return path


def heard(session: Session, kind: type[m.Event], run: int) -> m.Event:
    """The first such event of a run."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for event in session.news().events:
            if isinstance(event, kind) and event.run == run:
                return event
            assert not isinstance(event, m.Failed), event.summary
    raise AssertionError(f"no {kind.__name__} of run {run}")


def spec(path: Path, wanted: columns.Columns | None = None) -> m.RunSpec:
    return m.RunSpec("dense_network", {"layers": 1}, columns.join_name(str(path), wanted))


def test_what_is_left_out_stands_among_the_facts(session: Session, table: Path) -> None:
    wanted = columns.Columns("wide", "long", "kind")
    for run in (1, 2):  # read, and kept
        session.send(m.Open(run, spec(table, wanted)))
        opened = heard(session, m.Opened, run)
        assert isinstance(opened, m.Opened)
        assert opened.spec.dataset == f"{table}?x=wide&y=long&class=kind"
        assert opened.facts["left out"] == "1 of 41 rows lack a value"
        assert opened.facts["broken rows"] == "1 of 42"
    session.send(m.Branch(3, 2, 0))
    branched = heard(session, m.Opened, 3)
    assert isinstance(branched, m.Opened)
    assert branched.facts["broken rows"] == "1 of 42"


def test_reading_is_told_and_ends_when_the_run_is_closed(
    session: Session, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def endless(_path: Path, _size: int, progress: reading.Progress) -> tables.Table:
        try:
            while True:
                progress(3, 8)
        finally:
            ended.set()

    session.send(m.Open(1, spec(table)))
    heard(session, m.Opened, 1)
    tables._kept.clear()
    monkeypatch.setattr(tables, "_read", endless)
    session.send(m.Open(2, spec(table)))
    assert heard(session, m.Reading, 2) == m.Reading(2, 3, 8)
    session.send(m.Close(2))
    assert ended.wait(PATIENCE)
    session.send(m.StepOnce(1))  # the run before goes on
    until = time.monotonic() + PATIENCE
    while not any(s.run == 1 and s.step == 1 for s in session.news().status):
        assert time.monotonic() < until


def test_quitting_ends_the_reading(session: Session, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_path: Path, _size: int, progress: reading.Progress) -> tables.Table:
        while True:
            progress(1, 2)

    monkeypatch.setattr(tables, "_read", endless)
    session.send(m.Open(1, spec(table)))
    heard(session, m.Reading, 1)
    session.quit()
    assert not session.alive
