"""Closing at any moment: exit code 0, nothing on stderr, nothing in the crash log, no file half written."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.discovery import catalogue
from gui.main_window import MainWindow

PROGRAM = Path(__file__).with_name("closes_itself.py")
LABS = [card.id for card in catalogue()]
HARMLESS = "This plugin does not support"  # the offscreen platform, of the window's smallest size
SECONDS = 90

Opener = Callable[..., MainWindow]


def close_in_process_of_its_own(folder: Path, lab: str, moment: str, seed: int) -> None:
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "DEEPSCOPE_OFFLINE": "1"}
    environment["PYTHONPATH"] = str(PROGRAM.parents[2])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), lab, moment, str(seed)],
        cwd=PROGRAM.parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    noise = [line for line in done.stderr.splitlines() if HARMLESS not in line]
    assert (done.returncode, noise, done.stdout) == (0, [], ""), f"{lab}, {moment}, {seed}"
    log = folder / "deepscope.log"
    said = [line for line in log.read_text().splitlines() if HARMLESS not in line] if log.exists() else []
    assert said == [], f"{lab}, {moment}, {seed}"
    assert not list(folder.rglob(".*.part"))
    for saved in folder.rglob("*.deepscope"):
        assert checkpoint.load(saved)[0].lab == lab


@pytest.mark.parametrize(
    ("lab", "moment"),
    [
        ("lenet", "loading"),
        ("dense_network", "training"),
        ("lenet", "rendering"),
        ("dense_network", "saving"),
        ("dense_network", "file dialog"),
        ("dense_network", "exit"),
    ],
)
def test_closing_leaves_nothing_behind(tmp_path: Path, lab: str, moment: str) -> None:
    close_in_process_of_its_own(tmp_path, lab, moment, 0)


def moments() -> tuple[str, ...]:
    text = PROGRAM.read_text(encoding="utf-8").split("MOMENTS = (")[1].split("\n)")[0]
    return tuple(line.split('"')[1] for line in text.splitlines() if '"' in line)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_soak_closing_fifty_times(tmp_path: Path) -> None:
    chance = random.Random(1)
    for turn in range(50):
        folder = tmp_path / str(turn)
        folder.mkdir()
        moment = moments()[turn % len(moments())]
        close_in_process_of_its_own(folder, chance.choice(LABS), moment, turn)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_smoke_closing_at_every_kind_of_moment(tmp_path: Path) -> None:
    for turn, moment in enumerate(moments()):
        folder = tmp_path / str(turn)
        folder.mkdir()
        close_in_process_of_its_own(folder, "dense_network", moment, turn)


def test_one_window_after_another(open_window: Opener, qtbot: QtBot) -> None:
    """Each with a session of its own, closed after a while that differs."""
    chance = random.Random(2)
    for _ in range(8):
        window = open_window()
        window.open_lab("dense_network", values={}, seed=chance.randrange(10))
        closed: list[bool] = []

        def play(window: MainWindow = window) -> None:
            if window.workbench is not None:
                window.workbench.toggle_play()

        def close(window: MainWindow = window, closed: list[bool] = closed) -> None:
            window.close()
            closed.append(True)

        QTimer.singleShot(chance.randrange(150), play)
        QTimer.singleShot(chance.randrange(400), close)
        qtbot.waitUntil(lambda closed=closed: bool(closed), timeout=30_000)  # type: ignore[misc]
        assert window.bridge is not None
        assert window.bridge._session is None
        assert not window.isVisible()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_soak_of_two_hundred_windows_in_one_process(open_window: Opener, qtbot: QtBot) -> None:
    for _ in range(25):
        test_one_window_after_another(open_window, qtbot)
