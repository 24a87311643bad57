"""Session files with a timeline: frames, snapshots to branch from, earlier runs and bookmarks, whole or left out."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_lab import Reader, Tiny

import engine.export.command
import engine.run
from engine import checkpoint, session_recording
from engine import messages as m
from engine.__main__ import main
from engine.checkpoint import SNAPSHOTS, TIMELINE, CheckpointError, Snapshot, same
from engine.discovery import catalogue
from engine.payloads import BarsData, HeatmapData, NetworkData, PointsData
from engine.session import Session
from engine.session_recording import RecordingError, decoded, encoded, shares
from engine.tape import Reel, Tape
from engine.views import Bars, Heatmap, Network, Points

ROOT = Path(__file__).parent.parent.parent
WHOLE = 1 << 40
QUICK = ("dense_network", "lenet", "will_i_pass")
EARLIER = (
    m.FormerRun(
        1,
        m.RunSpec("tiny", {"lr": 0.5}, "", 7),
        {"loss": (np.arange(1, 50), np.linspace(1, 0, 49))},
        changes=2,
        ended=1.7e9,
        branched=12,
        pinned=3,
    ),
    m.FormerRun(2, m.RunSpec("tiny", {"lr": 0.1}, "", 8), {}, changes=0, ended=1.8e9, by_branch=True),
)
BOOKMARKS = (m.Bookmark(3, "Two classes part"), m.Bookmark(9, "“Ähm”\n<b>"))


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small lab, with a snapshot after every step."""
    for module in (engine.run, engine.export.command):
        monkeypatch.setattr(module, "load_lab", lambda _: Tiny)
    monkeypatch.setattr(engine.run, "FLUSH_INTERVAL", 0.0)
    monkeypatch.setattr(engine.run, "SNAPSHOT_INTERVAL", 0.0)
    monkeypatch.setattr(engine.run, "SNAPSHOT_SHARE", 1e9)


def alike(a: Any, b: Any) -> bool:
    """Whether two payloads are equal bit for bit."""
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            alike(getattr(a, each.name), getattr(b, each.name)) for each in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, tuple | list):
        return isinstance(b, tuple | list) and len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b) or (a != a and b != b)


class Recorder(Reader):
    """Keeps the frames as the window does."""

    tape: Tape

    def read(self) -> None:
        news = self.session.news()
        self.events += news.events
        for frame in news.frames:
            self.tape.record(frame)
            self.frames[frame.view] = frame


def watched(session: Session, lab: str, steps: int, **spec: Any) -> tuple[Recorder, tuple[str, ...]]:
    """A run of so many steps, every view recorded after each of them."""
    reader = Recorder(session)
    reader.tape = Tape(1 << 28)
    session.send(m.Open(1, m.RunSpec(lab, **spec)))
    opened = reader.event(m.Opened, run=1)
    views = tuple(name for name, view in opened.lab.views.items() if view.kind != "curves")
    session.send(m.Budget(1, 1.0))
    session.send(m.Look(1, views))
    for step in range(steps + 1):
        reader.until(lambda step=step: {f.step for f in reader.frames.values()} == {step} or not views)
        if step < steps:
            session.send(m.StepOnce(1))
    return reader, views


def save(reader: Recorder, path: Path, room: int = WHOLE, run: int = 1) -> Path:
    lesson = m.Lesson(BOOKMARKS, EARLIER, reader.tape.frames(), room)
    reader.session.send(m.Save(run, path, lesson=lesson))
    reader.event(m.Saved, run=run, path=path)
    return path


def reopen(reader: Recorder, path: Path, run: int = 2) -> m.Opened:
    reader.session.send(m.Open(run, m.RunSpec(""), resume=path))
    opened: m.Opened = reader.event(m.Opened, run=run)
    return opened


def problems(reader: Recorder) -> list[str]:
    reader.session.send(m.Pause(2))
    reader.event(m.Paused, run=2)
    return [event.text for event in reader.events if isinstance(event, m.Log)]


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize(
    "lab", [card.id if card.id in QUICK else pytest.param(card.id, marks=pytest.mark.slow) for card in catalogue()]
)
def test_the_frames_of_every_lab_come_back_bit_for_bit(lab: str, session: Session, tmp_path: Path) -> None:
    reader, views = watched(session, lab, 2)
    opened = reopen(reader, save(reader, tmp_path / "run.deepscope"))
    assert problems(reader) == []
    if not views:
        assert opened.tape is None
        return
    assert opened.tape is not None
    assert opened.tape.span() == reader.tape.span()
    before, after = ({(f.view, f.step): f for f, _ in tape.frames()} for tape in (reader.tape, opened.tape))
    assert before.keys() == after.keys()
    for key, frame in before.items():
        assert alike(after[key].payload, frame.payload), key
        assert (after[key].run, after[key].phase) == (2, "")


@pytest.mark.usefixtures("tiny")
def test_earlier_runs_and_bookmarks_come_back(session: Session, tmp_path: Path) -> None:
    reader, _ = watched(session, "tiny", 10)
    for room in (0, WHOLE):
        lesson = reopen(reader, save(reader, tmp_path / "run.deepscope", room), run=2 + bool(room)).lesson
        assert lesson.bookmarks == BOOKMARKS
        for found, kept in zip(lesson.earlier, EARLIER, strict=True):
            assert dataclasses.replace(found, curves={}) == dataclasses.replace(kept, curves={})
            assert alike(list(found.curves.values()), list(kept.curves.values()))
    with zipfile.ZipFile(tmp_path / "run.deepscope") as archive:
        assert set(archive.namelist()) == {*checkpoint.MEMBERS, TIMELINE, SNAPSHOTS}


@pytest.mark.usefixtures("tiny")
def test_a_branch_from_before_the_file_equals_one_from_before_it_was_saved(session: Session, tmp_path: Path) -> None:
    reader, _ = watched(session, "tiny", 3, seed=6)
    session.send(m.Set(1, "lr", 0.05))
    for _ in range(4):
        session.send(m.StepOnce(1))
    path = save(reader, tmp_path / "seven.deepscope")
    session.send(m.Branch(10, parent=1, step=2))
    assert reopen(reader, path).step == 7
    session.send(m.StepOnce(2))
    for number, step in ((11, 2), (12, 5), (13, 0)):
        session.send(m.Branch(number, parent=2, step=step))
        assert reader.event(m.Opened, run=number).step == step
    session.send(m.Branch(14, parent=11, step=2))  # a branch of the branch
    found = {}
    for run in (10, 11, 14):
        for _ in range(6):
            session.send(m.StepOnce(run))
        session.send(m.Export(run, "command"))
        command = reader.event(m.Exported, run=run).text
        assert "--resume" not in command
        assert "--set" not in command
        found[run] = (command, checkpoint.load(save(reader, tmp_path / str(run), 0, run))[1])
    before, after, again = found.values()
    assert before[0] == after[0] == again[0]
    assert before[1].step == 8
    for _, snapshot in (after, again):
        assert same(snapshot.state, before[1].state)
        assert same(snapshot.rng[0], before[1].rng[0])
        assert snapshot.history == before[1].history == ()
    session.send(m.Export(12, "command"))
    late = reader.event(m.Exported, run=12).text
    assert "--resume" not in late
    assert "3:lr=0.05" in late  # it was changed before the branch leaves
    assert "--set" not in late  # and had begun with the usual rate
    session.send(m.Branch(15, parent=2, step=8))
    reader.event(m.Opened, run=15)
    session.send(m.Export(15, "command"))
    assert f"--resume {path}" in reader.event(m.Exported, run=15).text


@pytest.mark.usefixtures("tiny")
def test_it_goes_on_and_is_saved_again(session: Session, tmp_path: Path) -> None:
    reader, views = watched(session, "tiny", 5)
    opened = reopen(reader, save(reader, tmp_path / "five.deepscope"))
    assert opened.tape is not None
    reader.tape = opened.tape
    session.send(m.Look(2, views))
    for _ in range(3):
        session.send(m.StepOnce(2))
    reader.until(lambda: opened.tape is not None and opened.tape.span() == (0, 8))
    again = reopen(reader, save(reader, tmp_path / "eight.deepscope", run=2), run=3)
    assert again.tape is not None
    assert again.tape.span() == (0, 8)
    session.send(m.Branch(4, parent=3, step=1))
    assert reader.event(m.Opened, run=4).step == 1


# ------------------------------------------------------------------ within a size


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("room", [1, 3000, 12_000])
def test_the_timeline_is_thinned_to_its_room(room: int, session: Session, tmp_path: Path) -> None:
    reader, _ = watched(session, "tiny", 60)
    save(reader, tmp_path / "run.deepscope", room)
    save(reader, tmp_path / "whole.deepscope")

    def taken(name: str) -> int:
        with zipfile.ZipFile(tmp_path / name) as archive:
            return sum(each.file_size for each in archive.infolist() if each.filename == TIMELINE)

    assert taken("whole.deepscope") > 12_000
    assert taken("run.deepscope") <= room
    opened = reopen(reader, tmp_path / "run.deepscope")
    assert opened.step == 60
    if room == 12_000:
        assert taken("run.deepscope") > 1000
        assert opened.tape is not None
        assert opened.tape.span() == (0, 60)  # both ends stay


def test_small_parts_leave_their_share_to_the_others() -> None:
    assert shares([10, 1000, 50], 300) == [10, 240, 50]
    assert shares([10, 20], 300) == [10, 20]
    assert shares([100, 100, 100], 30) == [10, 10, 10]
    assert shares([], 30) == []


# ------------------------------------------------------------------ damaged and forged files


def forged(path: Path, member: str, change: Callable[[bytes], bytes]) -> Path:
    """A file whose member is another, with checksums that are right."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    members[member] = change(members[member])
    target = path.with_name("forged.deepscope")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def header(**fields: Any) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps({**json.loads(data), **fields}).encode()


def first(**fields: Any) -> Callable[[bytes], bytes]:
    """The first snapshot, changed."""

    def change(data: bytes) -> bytes:
        told = json.loads(data)
        told["snapshots"][0] |= fields
        return json.dumps(told).encode()

    return change


@pytest.fixture
def saved(request: pytest.FixtureRequest, session: Session, tmp_path: Path) -> tuple[Recorder, Path]:
    request.getfixturevalue("tiny")
    reader, _ = watched(session, "tiny", 10)
    return reader, save(reader, tmp_path / "run.deepscope")


@pytest.mark.parametrize(
    "change",
    [
        header(bookmarks=[{"step": 11, "name": "beyond"}]),
        header(bookmarks=[{"step": -1, "name": ""}]),
        header(bookmarks=[{"step": "1", "name": ""}]),
        header(bookmarks=[{"step": 1}]),
        header(bookmarks=[{"step": 1, "name": "x" * 2000}]),
        header(bookmarks=3),
        header(bookmarks=[[]] * 20_000),
        header(earlier=[{}]),
        header(earlier=[{"number": 1}] * 200),
        header(earlier={"a": 1}),
    ],
)
def test_forged_descriptions_are_refused(saved: tuple[Recorder, Path], change: Any) -> None:
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(forged(saved[1], "session.json", change))


@pytest.mark.parametrize(
    "fields",
    [
        {"number": -1},
        {"number": 1.5},
        {"pinned": "x"},
        {"branched": 10**20},
        {"ended": float("nan")},
        {"ended": 1e300},
        {"by_branch": 1},
        {"curves": {"tensor": "none"}},
        {"curves": {"list": []}},
        {"spec": None},
        {"spec": {"lab": "tiny"}},
        {"more": 1},
    ],
)
def test_forged_earlier_runs_are_refused(saved: tuple[Recorder, Path], fields: dict[str, Any]) -> None:
    def change(data: bytes) -> bytes:
        told = json.loads(data)
        told["earlier"][0] |= fields
        return json.dumps(told).encode()

    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(forged(saved[1], "session.json", change))


@pytest.mark.parametrize(
    ("member", "change", "told"),
    [
        (TIMELINE, lambda data: data[:-1], "The timeline of forged.deepscope is damaged and was left out"),
        (TIMELINE, lambda data: data + b"\0", "The timeline of forged.deepscope is damaged and was left out"),
        (TIMELINE, lambda data: b"\xff" * 4 + data, "The timeline of forged.deepscope is damaged and was left out"),
        (TIMELINE, lambda data: data * 2, "the steps of frames do not rise"),
        (SNAPSHOTS, lambda data: data[:-8], "cannot be branched from"),
        (SNAPSHOTS, lambda _: b"", "cannot be branched from"),
        ("session.json", first(step=10), "cannot be branched from"),
        ("session.json", first(step="x"), "cannot be branched from"),
        ("session.json", first(marks=9), "cannot be branched from"),
        ("session.json", first(state={"dict": []}), "cannot be branched from"),
        ("session.json", first(rng={"tuple": [1, 2]}), "cannot be branched from"),
        ("session.json", first(more=1), "cannot be branched from"),
    ],
)
def test_a_forged_timeline_is_left_out_and_the_network_opens(
    saved: tuple[Recorder, Path], member: str, change: Any, told: str
) -> None:
    reader, path = saved
    opened = reopen(reader, forged(path, member, change))
    assert opened.step == 10
    (problem,) = problems(reader)
    assert told in problem
    assert (opened.tape is None) == (member == TIMELINE)
    reader.session.send(m.StepOnce(2))
    reader.event(m.Paused, run=2, step=11)


def test_frames_of_views_that_are_gone_are_left_out(saved: tuple[Recorder, Path]) -> None:
    reader, path = saved
    opened = reopen(reader, forged(path, TIMELINE, lambda data: data.replace(b'"weights"', b'"waights"')))
    assert problems(reader) == ["Recorded pictures that do not fit the lab as it is now were left out: waights."]
    assert opened.tape is not None
    assert {frame.view for frame, _ in opened.tape.frames()} == {"slow"}


VIEWS = {
    "bars": Bars("Bars", help=""),
    "heat": Heatmap("Heat", help=""),
    "points": Points("Points", help=""),
    "net": Network("Net", help=""),
}
NET = NetworkData(
    (("a", "b"), ("c",)),
    (np.zeros((1, 2), np.float32),),
    (np.zeros(1, np.float32),),
    values=(np.zeros(2, np.float32), np.zeros(1, np.float32)),
    chosen=0,
)
FRAMES = [
    m.Frame(1, "bars", 1, "", BarsData(("a", "b"), np.array([0.5, np.nan], np.float32), target=1, hint="é"), 0.0),
    m.Frame(1, "heat", 1, "", HeatmapData(np.arange(6, dtype=np.float32).reshape(1, 2, 3)), 0.0),
    m.Frame(1, "points", 2, "", PointsData(np.zeros((2, 2), np.float32), np.array([0, -1]), ("x",)), 0.0),
    m.Frame(1, "net", 2, "", NET, 0.0),
]


def read(data: bytes) -> tuple[list[m.Frame], set[str]]:
    left_out: set[str] = set()
    return list(decoded(io.BytesIO(data), len(data), 1, 9, VIEWS, left_out)), left_out


def test_what_is_encoded_is_decoded() -> None:
    found, left_out = read(b"".join(map(encoded, FRAMES)))
    assert alike(found, FRAMES)
    assert left_out == set()


@pytest.mark.parametrize(
    ("frame", "view"),
    [
        (dataclasses.replace(FRAMES[0], payload=BarsData(("a",), np.zeros(1, np.float32), target=1)), "Bars"),
        (dataclasses.replace(FRAMES[0], payload=BarsData(("a", "b"), np.zeros(1, np.float32))), "Bars"),
        (dataclasses.replace(FRAMES[0], view="heat"), "Heat"),
        (dataclasses.replace(FRAMES[1], view="bars"), "Bars"),
        (dataclasses.replace(FRAMES[2], payload=PointsData(np.zeros((2, 2)), np.array([0, 5]), ("x",))), "Points"),
        (dataclasses.replace(FRAMES[2], payload=PointsData(np.zeros((2, 3)))), "Points"),
        (dataclasses.replace(FRAMES[2], payload=PointsData(np.zeros((2, 2)), paths=(np.zeros((2, 3)),))), "Points"),
        (dataclasses.replace(FRAMES[2], payload=PointsData(np.zeros((2, 2)), extent=(0.0, 0.0, 0.0, 1.0))), "Points"),
        (dataclasses.replace(FRAMES[3], payload=dataclasses.replace(NET, chosen=4)), "Net"),
        (dataclasses.replace(FRAMES[3], payload=dataclasses.replace(NET, values=NET.values[:1])), "Net"),
        (dataclasses.replace(FRAMES[3], payload=dataclasses.replace(NET, activation=3)), "Net"),
    ],
)
def test_payloads_that_no_view_could_show_are_left_out(frame: m.Frame, view: str) -> None:
    found, left_out = read(encoded(frame) + encoded(dataclasses.replace(FRAMES[0], step=3)))
    assert left_out == {view}
    assert [each.step for each in found] == [3]


def record(told: Any, numbers: bytes = b"") -> bytes:
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    return len(text).to_bytes(4, "little") + text + numbers


def bars(**fields: Any) -> dict[str, Any]:
    data = {"labels": ["a"], "values": {"dtype": "<f4", "shape": [1]}}
    return {"view": "bars", "step": 1, "kind": "BarsData", "data": data, **fields}


@pytest.mark.parametrize(
    "data",
    [
        record(b"{"),
        record(b"[" * 100_000),
        record([]),
        record({}),
        record(bars(step=10), bytes(4)),
        record(bars(step=-1), bytes(4)),
        record(bars(step=True), bytes(4)),
        record(bars(view=3), bytes(4)),
        record(bars(more=3), bytes(4)),
        record(bars(data={"values": {"dtype": "|O", "shape": [1]}}), bytes(8)),
        record(bars(data={"values": {"dtype": "<f4", "shape": [1 << 40]}}), bytes(8)),
        record(bars(data={"values": {"dtype": "<f4", "shape": [-1]}}), bytes(8)),
        record(bars(data={"values": {"dtype": "<f4", "shape": [1] * 50}}), bytes(8)),
        record(bars(data={"values": {"dtype": ["<f4"], "shape": [1]}}), bytes(8)),
        record(bars(data=[{"dtype": "<f4", "shape": [0]}] * 20_000)),
        record(bars(), bytes(4)) * 2,
        (1 << 30).to_bytes(4, "little") + bytes(100),
        b"\0",
    ],
)
def test_streams_that_are_no_timeline_are_refused(data: bytes) -> None:
    with pytest.raises(RecordingError):
        read(data)


def test_ten_thousand_mutations_do_no_harm() -> None:
    whole = b"".join(map(encoded, FRAMES))
    rng = random.Random(0)
    for _ in range(10_000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            found, _ = read(bytes(data))
        except RecordingError:
            continue
        assert len(found) <= len(FRAMES)


# ------------------------------------------------------------------ while it is written

KILLED = """
import os, sys, torch
from pathlib import Path
from engine import checkpoint
from engine.messages import RunSpec
from engine.session_recording import Recording
path = Path(sys.argv[1])
snapshot = checkpoint.Snapshot(9, {}, {"net": {"w": torch.ones(64)}}, (torch.get_rng_state(), None))
earlier = checkpoint.Snapshot(1, {}, {"net": {"w": torch.zeros(1 << 16)}}, snapshot.rng)
recording = Recording(records=tuple(bytes([n]) * (1 << 20) for n in range(int(sys.argv[2]))), snapshots=(earlier,))
def save():
    checkpoint.save(path, RunSpec("lenet"), snapshot, None, recording)
save()
while sys.stdin.readline():  # each line asks for one child that saves until it is killed
    child = os.fork()
    while child == 0:
        save()
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(("kills", "size"), [(5, 4), pytest.param(60, 100, marks=pytest.mark.slow)])
def test_a_large_file_is_never_half_written(kills: int, size: int, tmp_path: Path) -> None:
    path = tmp_path / "run.deepscope"
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent, parent.stdin, parent.stdout:
        for number in range(kills):
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            for _ in range(number * 9973 % 20_000):  # a moment that differs each time
                path.stat()
            os.kill(child, signal.SIGKILL)
            assert checkpoint.read_spec(path).lab == "lenet"  # all checksums are right
            with zipfile.ZipFile(path) as archive:
                assert archive.getinfo(TIMELINE).file_size == size << 20


def test_what_cannot_be_kept_is_left_out_of_the_file() -> None:
    odd = dataclasses.replace(FRAMES[0], payload=BarsData(("a",), np.zeros(1, np.complex64)))
    with pytest.raises(RecordingError, match="complex64"):
        encoded(odd)
    reel: Reel[Snapshot] = Reel(1000)
    lesson = m.Lesson(frames=((FRAMES[1], 100), (odd, 100)), room=10_000)
    gathered = session_recording.gather(lesson, reel, 9)
    assert gathered.records == (encoded(FRAMES[1]),)


def test_the_command_line_hands_on_bookmarks_and_earlier_runs_but_no_timeline(session: Session, tmp_path: Path) -> None:
    reader, _ = watched(session, "perceptron", 10)
    path = save(reader, tmp_path / "run.deepscope")
    out = tmp_path / "out.deepscope"
    arguments = ["--resume", str(path), "--steps", "20", "--device", "cpu", "--json", "--save", str(out)]
    assert main(["run", "perceptron", *arguments]) == 0
    _, snapshot, _ = checkpoint.load(out)
    assert snapshot.step == 20
    assert snapshot.lesson.bookmarks == BOOKMARKS
    assert [run.number for run in snapshot.lesson.earlier] == [1, 2]
    with zipfile.ZipFile(out) as archive:
        assert set(archive.namelist()) == {*checkpoint.MEMBERS}
