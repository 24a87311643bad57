"""Labs of one's own that raise what is no Exception: it is their error, with file and line, and the engine goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_lab import PLACES, write_lab
from tiny_lab import Reader

from engine import messages as m
from engine.__main__ import main
from engine.payloads import Pick
from engine.session import Session

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "labs"
    monkeypatch.setenv("DEEPSCOPE_LABS", str(made))
    write_lab(made, "sound")
    return made


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()
    assert not session.alive


RAISED = {
    "SystemExit": "sys.exit('away')",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "RecursionError": "(lambda again: again(again))(lambda again: again(again))",
    "MemoryError": "raise MemoryError",
    "Own": "raise type('Own', (BaseException,), {'__str__': lambda self: 1 / 0})()",
}


@pytest.mark.parametrize("place", PLACES)
def test_it_is_the_labs_error_and_the_engine_goes_on(folder: Path, session: Session, place: str) -> None:
    reader = Reader(session)
    session.send(m.Open(100, m.RunSpec("mine.sound")))
    for number, (kind, statement) in enumerate(RAISED.items(), 1):
        line = write_lab(folder, f"odd_{number}", place, statement)
        session.send(m.Open(number, m.RunSpec(f"mine.odd_{number}")))
        if place not in ("import", "build"):
            reader.event(m.Opened, run=number)
        what = {"step": "step", "view": "view bars", "probe": "edit bars", "action": "action press"}.get(place, "open")
        if place == "step":
            session.send(m.Play(number))
        elif place == "view":
            session.send(m.Look(number, ("bars",)))
        elif place == "probe":
            session.send(m.Poke(number, "bars", Pick(0)))
        elif place == "action":
            session.send(m.Act(number, "press"))
        failed = reader.event(m.Failed, run=number, what=what)
        if kind == "MemoryError" and place != "import":
            assert failed.summary.startswith("Out of memory")
        else:
            assert kind in failed.summary
        places = re.findall(rf"odd_{number}\.py\"?, line (\d+)", f"{failed.summary}\n{failed.traceback}")
        assert str(line) in places
        session.send(m.Close(number))
    session.send(m.StepOnce(100))
    assert reader.event(m.Paused, run=100, step=1)


@pytest.mark.parametrize("place", ["import", "build", "step"])
@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_without_a_window_it_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], place: str, kind: str
) -> None:
    line = write_lab(folder, "odd", place, RAISED[kind], after=3)
    assert main(["run", "mine.odd", "--steps", "10", "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(rf"engine: odd\.py, line {line}: {kind}: .+\n", said.err), said.err


def test_a_check_names_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lab(folder, "odd", "step", RAISED["SystemExit"])
    assert main(["check", "mine.odd"]) == 1
    assert "SystemExit: away" in capsys.readouterr().out


def engine(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"DEEPSCOPE_LABS": str(folder), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for another process on Windows")
@pytest.mark.parametrize("statement", ["print('here', flush=True); never_ends()", "never_ends_whatever_comes()"])
def test_ctrl_c_stops_a_run_without_a_window(folder: Path, statement: str) -> None:
    write_lab(folder, "odd", "step", statement)
    with engine(folder, "run", "mine.odd", "--steps", "5", "--json") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        if "whatever" in statement:  # the lab swallows the first
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_threads_that_a_lab_leaves_do_not_hold_the_process(folder: Path) -> None:
    write_lab(folder, "odd", "build", "import threading; threading.Thread(target=never_ends_whatever_comes).start()")
    with engine(folder, "run", "mine.odd", "--steps", "5", "--json") as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert '"steps": 5' in out


def test_why_pytorch_cannot_be_loaded_is_told() -> None:
    code = (
        "import sys, threading\n"
        "sys.modules['torch'] = None\n"
        "threading.excepthook = lambda _: None\n"
        "from engine.session import Session\n"
        "session = Session()\n"
        "while session.alive: pass\n"
        "print(session.why_dead)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert said.startswith("PyTorch could not be loaded: ModuleNotFoundError: ")
    assert said.endswith("Check your installation.\n")
    assert "torch" in said
