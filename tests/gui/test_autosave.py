"""Autosave: what was learned survives a crash, and is offered at the next start."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from helpers import until_opened
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import Failed, RunSpec
from gui import kept
from gui.left_behind import file_name, left_behind
from gui.main_window import MainWindow
from gui.settings import Settings
from gui.workbench import Workbench

PATIENCE = 60_000
ROOT = Path(__file__).parent.parent.parent
Opener = Callable[..., MainWindow]


def train(window: MainWindow, qtbot: QtBot, steps: int = 30) -> None:
    bench = window.workbench
    assert bench is not None
    assert bench.run is not None
    history = bench.bridge.history(bench.run)
    bench.toggle_play()
    qtbot.waitUntil(lambda: (history.span() or (0, 0))[1] >= steps, timeout=PATIENCE)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)


def test_a_run_is_kept_and_offered_at_the_next_start(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window("dense_network")
    train(window, qtbot)
    bench = window.workbench
    assert bench is not None
    bench.autosave.save()
    qtbot.waitUntil(bench.autosave.path.exists, timeout=PATIENCE)
    assert bench.toast.isHidden()  # the viewer need not hear of it
    written = bench.autosave.path.stat().st_mtime_ns
    bench.autosave.save()  # nothing new: not written again
    window.close()
    assert bench.autosave.path.stat().st_mtime_ns == written
    spec, snapshot, curves = checkpoint.load(bench.autosave.path)
    assert spec.lab == "dense_network"
    assert curves
    # the process that wrote it is gone
    gone = bench.autosave.path.with_name("dense_network-999999999-1700000000-1.deepscope")
    bench.autosave.path.rename(gone)
    again = open_window()
    qtbot.waitUntil(lambda: "Dense network" in again.notice.text(), timeout=PATIENCE)
    again.notice._do.click()
    qtbot.waitUntil(lambda: again.workbench is not None and again.workbench.ready, timeout=PATIENCE)
    opened = again.workbench
    assert opened is not None
    assert opened.run is not None
    assert (opened.bridge.history(opened.run).span() or (0, 0))[1] <= snapshot.step
    assert opened.saving._file is None  # Ctrl+S asks where to
    train(again, qtbot, snapshot.step + 30)
    opened.autosave.save()
    qtbot.waitUntil(lambda: not gone.exists(), timeout=PATIENCE)
    assert opened.autosave.path.exists()


def leave(folder: Path, name: str, saved: float, lab: str = "dense_network", step: int = 7) -> Path:
    """A session file as an earlier start would have left it, under this name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    snapshot = checkpoint.Snapshot(step, {}, {}, (torch.get_rng_state(), None))
    checkpoint.save(path, RunSpec(lab), snapshot)
    os.utime(path, (saved, saved))
    return path


def test_what_is_declined_is_kept(open_window: Opener, qtbot: QtBot, settings: Settings) -> None:
    now, folder = time.time(), settings.autosave_folder
    lenet = leave(folder, "lenet-999999999-1700000000-1.deepscope", now - 60, "lenet")
    leave(folder, "gpt-999999998.deepscope", now - 90, "gpt")  # as earlier versions named them
    ancient = leave(folder, "vae-999999998.deepscope", 1.0, "vae")
    running = leave(folder, f"lenet-{os.getppid()}.deepscope", now - 30, "lenet")
    window = open_window()
    qtbot.waitUntil(window.notice.isVisible, timeout=PATIENCE)
    assert window.notice.text().startswith("LeNet on digits and ")
    assert "were open when Deepscope last ended" in window.notice.text()
    written = lenet.read_bytes()
    window.notice._close.click()
    assert list(folder.iterdir()) == [running]
    assert not ancient.exists()
    found = kept.listing(settings.kept_folder)
    assert [(each.lab_id, each.step) for each in found] == [("lenet", 7), ("gpt", 7)]
    assert found[0].path.read_bytes() == written
    recent = {path for path, _ in settings.recent_sessions}
    assert {str(each.path) for each in found} <= recent
    window.close()
    again = open_window()
    qtbot.waitUntil(lambda: again._left is not None and again._left._work is None, timeout=PATIENCE)
    assert again.notice.isHidden()


def test_all_that_were_open_are_opened_again(open_window: Opener, qtbot: QtBot, settings: Settings) -> None:
    now, folder = time.time(), settings.autosave_folder
    older = leave(folder, "perceptron-999999999-1700000000-1.deepscope", now - 60, "perceptron")
    newest = leave(folder, "dense_network-999999999-1700000000-2.deepscope", now - 30)
    window = open_window()
    opened: list[Path] = []
    window._opening.ready.connect(lambda path, _: opened.append(path))
    qtbot.waitUntil(window.notice.isVisible, timeout=PATIENCE)
    window.notice._do.click()
    qtbot.waitUntil(lambda: opened == [older, newest], timeout=PATIENCE)
    assert older.exists()
    assert newest.exists()


def test_a_damaged_file_hides_no_good_one(tmp_path: Path) -> None:
    now = time.time()
    good = leave(tmp_path, "lenet-999999999-1700000000-1.deepscope", now - 300, "lenet", step=40)
    cut = leave(tmp_path, "gpt-999999999-1700000000-2.deepscope", now, "gpt")
    cut.write_bytes(cut.read_bytes()[:-200])
    empty = tmp_path / "vae-999999999-1700000000-3.deepscope"
    empty.touch()
    assert [(left.path, left.lab_id, left.step) for left in left_behind(tmp_path)] == [(good, "lenet", 40)]
    assert cut.exists()
    assert empty.exists()


def test_whose_process_is_gone_is_told_from_one_with_its_number(tmp_path: Path) -> None:
    other = psutil.Process(os.getppid())
    running = leave(tmp_path, f"lenet-{other.pid}-{int(other.create_time())}-1.deepscope", time.time())
    reused = leave(tmp_path, f"lenet-{other.pid}-{int(other.create_time()) - 86_400}-1.deepscope", time.time())
    ours = leave(tmp_path, file_name("mine.a-1-2-3", 5), time.time())
    before_us = leave(tmp_path, f"mine.a-1-2-3-{os.getpid()}-1700000000-5.deepscope", time.time())
    assert {(left.path, left.lab_id) for left in left_behind(tmp_path)} == {
        (reused, "lenet"),
        (before_us, "mine.a-1-2-3"),
    }
    assert running.exists()
    assert ours.exists()


def test_half_a_file_goes_with_the_process_that_wrote_it(tmp_path: Path) -> None:
    gone = tmp_path / ".lenet-999999999-1700000000-1.deepscope.a1b2.part"
    ours = tmp_path / f".{file_name('lenet', 1)}.a1b2.part"
    unknown = tmp_path / ".somebody.part"
    for path in (gone, ours, unknown):
        path.touch()
    left_behind(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([ours, unknown])


def test_two_benches_of_one_lab_have_files_of_their_own(open_bench: Callable[..., Workbench]) -> None:
    one, other = open_bench(), open_bench()
    assert one.autosave.path != other.autosave.path
    assert one.autosave.path.parent == other.autosave.path.parent


def test_closing_within_the_first_minute_leaves_the_autosave(open_window: Opener, qtbot: QtBot) -> None:
    """Also where it stands still, and where it has no curves to show for its steps."""
    window = open_window("dense_network")
    bench = window.workbench
    assert bench is not None
    bench.step_once()
    qtbot.waitUntil(lambda: "step 1" in bench.transport.where.text(), timeout=PATIENCE)
    window.close()
    assert checkpoint.load(bench.autosave.path)[1].step == 1


def test_looking_alone_leaves_no_autosave(open_window: Opener) -> None:
    window = open_window("dense_network")
    window.close()
    assert not list(window.settings.autosave_folder.glob("*"))


def test_what_was_opened_stays_until_that_run_is_written_again(
    open_window: Opener, qtbot: QtBot, settings: Settings
) -> None:
    window = open_window("dense_network")
    train(window, qtbot)
    window.close()
    assert window.workbench is None
    (written,) = settings.autosave_folder.iterdir()
    left = written.rename(written.with_name("dense_network-999999999-1700000000-1.deepscope"))
    again = open_window()
    until_opened(again, qtbot, lambda: again.open_session(left))
    bench = again.workbench
    assert bench is not None
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.restart()  # another run: what was learned lies in that file alone
    qtbot.waitUntil(lambda: bench.ready and bench.runs.resumed is None, timeout=PATIENCE)
    train(again, qtbot, 5)
    bench.autosave.save()
    qtbot.waitUntil(bench.autosave.path.exists, timeout=PATIENCE)
    again.close()
    assert left.exists()


def test_a_full_disk_is_told_once(open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window = open_window("dense_network")
    train(window, qtbot)
    bench = window.workbench
    assert bench is not None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.files.os.fsync", full)
    bench.autosave.save()
    qtbot.waitUntil(lambda: "disk is full" in bench.trouble, timeout=PATIENCE)
    bench.banner.dismiss()
    asked: list[object] = []
    bench.bridge.happened.connect(asked.append)
    bench.autosave.save()  # it is tried again
    qtbot.waitUntil(lambda: any(isinstance(event, Failed) for event in asked), timeout=PATIENCE)
    assert bench.trouble == ""


KILLED = """
import os, sys, torch
from pathlib import Path
from engine import checkpoint
from engine.messages import Failed
from engine.messages import RunSpec
path = Path(sys.argv[1])
state = {"net": {f"w{i}": torch.full((64, 64), float(i)) for i in range(40)}}
snapshot = checkpoint.Snapshot(0, {}, state, (torch.get_rng_state(), None))
checkpoint.save(path, RunSpec("lenet"), snapshot)
torch.set_num_threads(1)
while sys.stdin.readline():  # each line asks for one child that saves until it is killed
    child = os.fork()
    if child == 0:
        while True:
            checkpoint.save(path, RunSpec("lenet"), snapshot)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_file_is_never_half_written_however_the_process_dies(kills: int, tmp_path: Path) -> None:
    path = tmp_path / "run.deepscope"
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent, parent.stdin, parent.stdout:
        for number in range(kills):
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            for _ in range(number * 997 % 4000):  # a moment that differs each time
                path.stat()
            os.kill(child, signal.SIGKILL)
            _, snapshot, _ = checkpoint.load(path)
            assert float(snapshot.state["net"]["w39"][0, 0]) == 39
    for part in tmp_path.glob(".*.part"):
        os.utime(part, (1, 1))
    left_behind(tmp_path)  # removes what was half written
    assert not list(tmp_path.glob(".*.part"))


def test_every_open_lab_leaves_an_autosave(open_window: Opener, qtbot: QtBot, settings: Settings) -> None:
    window = open_window("dense_network")
    window.open_lab("perceptron")
    qtbot.waitUntil(lambda: all(bench.ready for bench in window.labs.benches), timeout=PATIENCE)
    for bench in window.labs.benches:
        bench.step_once()
    qtbot.waitUntil(
        lambda: all(bench.bridge.standing(bench.run or 0).step == 1 for bench in window.labs.benches), timeout=PATIENCE
    )
    window.close()
    saved = [checkpoint.load(path) for path in settings.autosave_folder.glob("*.deepscope")]
    assert sorted((spec.lab, snapshot.step) for spec, snapshot, _ in saved) == [("dense_network", 1), ("perceptron", 1)]
