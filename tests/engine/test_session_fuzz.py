"""Thousands of damaged and forged session files: each is refused in one line, or goes on."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import session_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded as Linux does it")

LONGEST = 5.0  # seconds of work for one file
HANGS = 120.0  # seconds by the clock: other programs run, too
ROOT = Path(__file__).parents[2]
RECORDED: dict[str, dict[str, Any]] = {"will_i_pass": {}, "digits": {"optimiser": "momentum"}}
CHILD = Path(__file__).with_name("resume_child.py")


class Child:
    """A process that runs the command line; another takes its place where one crashes or hangs."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / "child.log").open("wb")
        self._start()

    def _start(self) -> None:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log, "text": True}
        pipes["env"] = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen([sys.executable, "-X", "faulthandler", str(CHILD)], **pipes)
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process, self._answers), daemon=True)
        self._reader.start()

    @staticmethod
    def _read(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answers.put(line)
        answers.put("")

    def ask(self, arguments: list[str] | dict[str, str]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        with contextlib.suppress(queue.Empty):
            if line := self._answers.get(timeout=HANGS):
                told: dict[str, Any] = json.loads(line)
                return told
        hangs = self._process.poll() is None
        self._kill()
        self._start()
        return {"status": None, "raised": "it hangs" if hangs else "it crashed", "seconds": 0.0, "out": "", "err": ""}

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def end(self) -> None:
        self._kill()
        self._log.close()


def problem(told: dict[str, Any]) -> str:
    """What is wrong with how a file was answered; "" where nothing is."""
    if told["raised"]:
        return str(told["raised"])
    if told["seconds"] > LONGEST:
        return f"it took {told['seconds']:.1f} s"
    err = told["err"].strip()
    if told["status"] == 2:
        return "" if err.startswith("engine: ") and len(err.splitlines()) == 1 and len(err) < 1500 else f"said {err!r}"
    if told["status"] not in (0, 1):
        return f"ended with {told['status']}"
    if not told["out"]:
        return ""
    result = json.loads(told["out"], parse_constant=lambda token: pytest.fail(f"{token} is no JSON"))
    return "" if (told["status"] == 1) == ("diverged" in result) else "a status that does not fit its result"


def fuzz(folder: Path, labs: list[str], numbers: range) -> Counter[object]:
    """Resume forged files on the command line."""
    files = [session_files.make(folder, lab) for lab in labs]
    forged, goal = folder / "forged.deepscope", str(session_files.STEPS + 3)

    def asked(path: Path) -> list[str]:
        return ["run", path.stem, "--device", "cpu", "--resume", str(forged), "--steps", goal, "--json"]

    return _fuzz(folder, files, numbers, session_files.MUTATIONS, asked)


def fuzz_recordings(folder: Path, labs: dict[str, dict[str, Any]], numbers: range) -> Counter[object]:
    """Open forged files with a timeline in a session, go on from them and branch from their past."""
    files = [session_files.recorded(folder, lab, settings) for lab, settings in labs.items()]
    forged = folder / "forged.deepscope"

    def asked(path: Path) -> dict[str, str]:
        return {"lab": path.stem.removesuffix("-recorded"), "path": str(forged)}

    return _fuzz(folder, files, numbers, session_files.OF_RECORDINGS, asked)


def _fuzz(
    folder: Path,
    files: list[Path],
    numbers: range,
    mutations: tuple[session_files.Mutation, ...],
    asked: Callable[[Path], list[str] | dict[str, str]],
) -> Counter[object]:
    child, outcomes, problems = Child(folder), Counter[object](), []
    for number in numbers:
        path = files[number // len(mutations) % len(files)]  # every change to every file
        name, data = session_files.mutated(path, number, mutations)
        (folder / "forged.deepscope").write_bytes(data)
        told = child.ask(asked(path))
        outcomes[told["status"]] += 1
        if wrong := problem(told):
            problems.append(f"{name}: {wrong}")
            print(problems[-1], flush=True)
    child.end()
    assert not problems, f"{len(problems)} of {len(numbers)}, such as\n" + "\n".join(problems[:5])
    return outcomes


def test_a_smoke_of_forged_sessions(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path, ["dense_network", "perceptron", "digits"], range(42))
    assert outcomes[2] > 20


def test_a_smoke_of_forged_recordings(tmp_path: Path) -> None:
    outcomes = fuzz_recordings(tmp_path, RECORDED, range(30))
    assert outcomes[0] > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_forged_recordings_are_refused_or_left_out(tmp_path: Path) -> None:
    labs = {**RECORDED, "dense_network": {"optimizer": "Adam"}, "lenet": {"filters1": 2, "filters2": 2}}
    outcomes = fuzz_recordings(tmp_path, labs, range(100, 800))
    print(outcomes)
    assert outcomes[0] > 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_forged_sessions_are_refused_or_go_on(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path, list(session_files.LABS), range(100, 2300))
    print(outcomes)
    assert outcomes[2] > 1000
    assert outcomes[0] > 50
