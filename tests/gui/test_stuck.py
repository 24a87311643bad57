"""A lab that does not end: the window says so, and what the viewer can do about it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import PATIENCE, bench_of, learn, newest
from helpers import WindowOpener as Opener
from hostile_lab import write_lab
from pytestqt.qtbot import QtBot

from engine import checkpoint, heartbeat
from gui import session_bridge


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "labs"
    monkeypatch.setenv("DEEPSCOPE_LABS", str(made))
    monkeypatch.setattr(heartbeat, "AWAITED", 0.2)
    monkeypatch.setattr(heartbeat, "UNASKED", 0.3)
    return made


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What `time.hold_on()` in a lab waits for, within one instruction; opened when the test ends, even if it fails."""
    opened = threading.Event()
    monkeypatch.setattr(time, "hold_on", opened.wait, raising=False)
    yield opened
    opened.set()


def engines(before: set[threading.Thread]) -> int:
    """How many engines that were not there before are running."""
    return sum(t.name == "deepscope-session" and t not in before for t in threading.enumerate())


def test_a_step_that_does_not_end_is_told_and_ended(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    write_lab(folder, "odd", "step", "never_ends()", after=5)
    window = open_window("mine.odd")
    bench = bench_of(window)
    bench.toggle_play()
    notice = window.stuck_notice
    qtbot.waitUntil(notice.isVisible, timeout=PATIENCE)
    assert notice.text().startswith("odd has been in step() for ")
    assert re.search(r"at line \d+\.", notice.text())
    first = notice.text()
    qtbot.waitUntil(lambda: notice.text() != first, timeout=PATIENCE)  # it counts
    notice._decline.click()
    assert not notice.isVisible()
    bench.bridge.end_engine(bench.bridge._session.overdue())  # type: ignore[union-attr, arg-type]
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert re.fullmatch(r"odd\.py, line \d+: step\(\) did not end and was stopped\.", bench.trouble)
    assert not bench.transport.playing
    assert bench.ready


def test_a_build_that_does_not_end_leaves_what_ran_before(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    write_lab(folder, "odd")
    window = open_window("mine.odd")
    bench = bench_of(window)
    learn(bench, qtbot, 5)
    write_lab(folder, "odd", "build", "never_ends()")
    qtbot.waitUntil(window.stuck_notice.isVisible, timeout=PATIENCE)
    assert window.stuck_notice.text().startswith("odd has been in build() for ")
    window.stuck_notice._do.click()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert re.match(r"odd\.py, line \d+: Opening it did not end and was stopped\.", bench.trouble)
    step = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > step, timeout=PATIENCE)


def test_what_cannot_be_interrupted_gets_a_new_engine(
    folder: Path, open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    before = set(threading.enumerate())
    monkeypatch.setattr(session_bridge, "INTERRUPTED_MS", 200)
    write_lab(folder, "odd", "step", "time.hold_on()", after=5)
    window = open_window("mine.odd")
    bench = bench_of(window)
    for _ in range(3):
        bench.step_once()
    qtbot.waitUntil(lambda: newest(bench) == 3, timeout=PATIENCE)
    bench.autosave.save()
    qtbot.waitUntil(lambda: bench.run is not None and bench.autosave.step_of(bench.run) == 3, timeout=PATIENCE)
    bench.toggle_play()
    try:
        qtbot.waitUntil(window.stuck_notice.isVisible, timeout=PATIENCE)
        window.stuck_notice._do.click()
        qtbot.waitUntil(lambda: "engine was ended" in bench.trouble, timeout=PATIENCE)
        assert "its autosave of step 3 is kept" in bench.trouble
        assert not window.stuck_notice.isVisible()
        bench.banner.dismiss()
        bench.toggle_play()  # there is nothing left to play
        qtbot.waitUntil(lambda: "engine was ended" in bench.trouble, timeout=PATIENCE)
        lost = bench.run
        bench.banner.buttons()["Go on from step 3"].click()
        qtbot.waitUntil(lambda: bench.run != lost and bench.ready, timeout=PATIENCE)
        assert bench.trouble == ""
        bench.step_once()
        qtbot.waitUntil(lambda: newest(bench) == 4, timeout=PATIENCE)
        window.open_lab("dense_network", values={"layers": 1, "width_1": 3})
        other = bench_of(window)
        qtbot.waitUntil(lambda: other.ready, timeout=PATIENCE)
        learn(other, qtbot, 5)
    finally:
        gate.set()
    assert checkpoint.load(bench.autosave.path)[1].step >= 3
    qtbot.waitUntil(lambda: engines(before) == 1, timeout=PATIENCE)


def test_a_lab_that_was_lost_can_be_closed_and_its_autosave_stays(
    folder: Path, open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    before = set(threading.enumerate())
    monkeypatch.setattr(session_bridge, "INTERRUPTED_MS", 100)
    write_lab(folder, "odd", "step", "time.hold_on()", after=2)
    window = open_window("mine.odd")
    bench = bench_of(window)
    bench.step_once()
    qtbot.waitUntil(lambda: newest(bench) == 1, timeout=PATIENCE)
    bench.autosave.save()
    qtbot.waitUntil(bench.autosave.path.exists, timeout=PATIENCE)
    bench.toggle_play()
    try:
        qtbot.waitUntil(window.stuck_notice.isVisible, timeout=PATIENCE)
        window.stuck_notice._do.click()
        qtbot.waitUntil(lambda: "engine was ended" in bench.trouble, timeout=PATIENCE)
        path = bench.autosave.path
        window.labs.close(bench)
        assert window.labs.benches == []
        assert path.exists()
    finally:
        gate.set()
    qtbot.waitUntil(lambda: engines(before) <= 1, timeout=PATIENCE)
