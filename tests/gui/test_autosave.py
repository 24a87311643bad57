"""Autosave: what was learned survives a crash, and is offered at the next start."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.messages import Failed
from gui import autosave
from gui.main_window import MainWindow
from gui.settings import Settings

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
    gone = bench.autosave.path.with_name("dense_network-999999999.deepscope")
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


def test_what_is_declined_is_forgotten(open_window: Opener, qtbot: QtBot, settings: Settings) -> None:
    folder = settings.autosave_folder
    folder.mkdir(parents=True)
    for name in ("lenet-999999999.deepscope", "gpt-999999998.deepscope", f"lenet-{os.getppid()}.deepscope"):
        (folder / name).write_bytes(b"")
    os.utime(folder / "gpt-999999998.deepscope", (1, 1))  # ancient
    window = open_window()
    qtbot.waitUntil(lambda: "LeNet" in window.notice.text(), timeout=PATIENCE)
    window.notice._close.click()
    assert [path.name for path in folder.iterdir()] == [f"lenet-{os.getppid()}.deepscope"]  # that one still runs


def test_a_full_disk_is_told_once(open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window = open_window("dense_network")
    train(window, qtbot)
    bench = window.workbench
    assert bench is not None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.checkpoint.os.fsync", full)
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
    autosave.left_behind(tmp_path)  # removes what was half written
    assert not list(tmp_path.glob(".*.part"))
