"""However the application is asked to end, what was learned is saved and the process ends soon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_lab import write_lab

from engine import checkpoint

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("trains_itself.py")
LAB = "dense_network"
HARMLESS = ("This plugin does not support", "QStandardPaths")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of another process")


class Application:
    """The application in a process of its own."""

    def __init__(self, folder: Path, command: list[str], **environment: str) -> None:
        self.folder = folder
        paths = {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_STATE_HOME": str(folder)}
        made = os.environ | {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "DEEPSCOPE_OFFLINE": "1"}
        made |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **paths, **environment}
        with (folder / "stderr").open("w") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=made, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        self.said: list[str] = []

    def until(self, word: str, seconds: float = 60.0) -> str:
        """Read what it prints until a line begins with `word`; the line."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                self.said.append(line.strip())
                if line.startswith(word):
                    return line.strip()
        finally:
            watchdog.cancel()
        raise AssertionError(f"it ended before it said {word!r}: {self.said}, {self.errors()}")

    def end(self, *numbers: int, group: bool = False) -> float:
        """Send signals; in how many seconds it ended."""
        begun = time.monotonic()
        for number in numbers:
            os.killpg(self.process.pid, number) if group else self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - begun

    def errors(self) -> list[str]:
        lines = (self.folder / "stderr").read_text().splitlines()
        return [line for line in lines if not any(word in line for word in HARMLESS)]

    def saved(self) -> list[Path]:
        return sorted(self.folder.rglob("autosave/*.deepscope"))


@pytest.fixture
def applications() -> Iterator[list[Application]]:
    made: list[Application] = []
    yield made
    for each in made:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


def start(applications: list[Application], folder: Path, lab: str = LAB, **environment: str) -> Application:
    applications.append(Application(folder, [sys.executable, str(PROGRAM), str(folder), lab], **environment))
    return applications[-1]


@pytest.mark.parametrize(
    "name",
    ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow), pytest.param("SIGHUP", marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_closes(applications: list[Application], tmp_path: Path, name: str) -> None:
    application = start(applications, tmp_path)
    application.until("ready")
    number = signal.Signals[name]
    application.end(number)
    assert application.process.returncode == 128 + number
    assert application.errors() == []
    (saved,) = application.saved()
    spec, snapshot, curves = checkpoint.load(saved)
    assert spec.lab == LAB
    assert snapshot.step >= 30  # within the first minute, while it trained
    assert curves
    assert not list(tmp_path.rglob(".*.part"))


def fake_checkout(folder: Path, lab: str) -> Path:
    """A start.py with an environment beside it whose Python is this one; "-m gui" runs the program of these tests."""
    root = folder / "checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "start.py", root)
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).touch()
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "{folder}" {lab}\n')
    python.chmod(0o755)
    stamp = root / ".venv" / "installed"
    stamp.touch()
    os.utime(stamp, (time.time() + 10, time.time() + 10))
    return root / "start.py"


def test_ctrl_c_in_the_terminal_that_ran_start_py(applications: list[Application], tmp_path: Path) -> None:
    script = fake_checkout(tmp_path, LAB)
    stamps = sorted(path.name for path in (script.parent / ".venv").iterdir())
    assert stamps == ["bin", "installed"]
    application = Application(tmp_path, [sys.executable, str(script)])
    applications.append(application)
    application.until("ready")
    application.end(signal.SIGINT, group=True)
    assert application.process.returncode == 130
    assert application.errors() == []
    assert len(application.saved()) == 1


STUCK = {  # after which line of the program the window is closed, and how long after it
    "import": ("opening", 0.5),
    "build": ("opening", 0.5),
    "step": ("ready", 3.0),
    "view": ("ready", 1.0),
}


def slow_but(name: str) -> list[object]:
    return [pytest.param(each, marks=() if each == name else pytest.mark.slow) for each in STUCK]


@pytest.mark.parametrize("place", slow_but("build"))
@pytest.mark.parametrize("loop", ["never_ends()", pytest.param("time.sleep(1000)", marks=pytest.mark.slow)])
def test_closing_ends_the_process_though_a_lab_does_not_end(
    applications: list[Application], tmp_path: Path, place: str, loop: str
) -> None:
    """Also where it cannot be interrupted: within one instruction."""
    paced = f"{loop} if self.step_count > 400 else time.sleep(0.004)"
    statement = paced if place == "step" else f"{loop} if self.step_count > 5000 else None" if place == "view" else loop
    write_lab(tmp_path / "labs", "odd", place, statement)
    application = start(applications, tmp_path, "mine.odd", DEEPSCOPE_LABS=str(tmp_path / "labs"))
    word, seconds = STUCK[place]
    application.until(word)
    time.sleep(seconds)  # it gets to where it does not end
    assert application.end(signal.SIGTERM) < 5.0
    assert application.process.returncode == 128 + signal.SIGTERM
    assert application.errors() == []
    if word == "ready" and "sleep" not in loop:
        (saved,) = application.saved()
        assert checkpoint.load(saved)[1].step > 0
