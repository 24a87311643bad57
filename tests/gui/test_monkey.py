"""Random clicking on everything that is visible: no exception, no Qt warning, no stall, no memory that only grows.

    DEEPSCOPE_MONKEY_SECONDS=60 DEEPSCOPE_MONKEY_SEED=7 python -m pytest -m slow tests/gui/test_monkey.py -k lenet

The seed makes the choices the same again; what they meet also depends on the speed of the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.discovery import built_in

PROGRAM = Path(__file__).with_name("monkey.py")
LABS = [card.id for card in built_in()]
SECONDS = float(os.environ.get("DEEPSCOPE_MONKEY_SECONDS", "300"))
SEED = int(os.environ.get("DEEPSCOPE_MONKEY_SEED", "0"))
LONGEST_START = 120  # seconds
# megabytes that the process may take more than when the first lab stood: the memory for rewinding (128, as monkey.py
# sets it), the engine's and Qt's own, and for each lab that was opened its code, data and network
OWN, PER_LAB = 128 + 400, 40


def let_loose(folder: Path, lab: str, seconds: float, seed: int) -> dict[str, Any]:
    """Operate the application at random; returns the report of it."""
    places = {
        name: folder / part
        for name, part in {
            "HOME": "home",
            "TMPDIR": "tmp",
            "XDG_CONFIG_HOME": "home/config",
            "XDG_DATA_HOME": "home/data",
            "XDG_CACHE_HOME": "home/cache",
            "XDG_STATE_HOME": "home/state",
            "DEEPSCOPE_LABS": "labs",
        }.items()
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {name: str(place) for name, place in places.items()}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "DEEPSCOPE_OFFLINE": "1"}
    environment["PYTHONPATH"] = str(PROGRAM.parents[2])
    for unwanted in ("DEEPSCOPE_DATA", "VISUAL", "EDITOR"):
        environment.pop(unwanted, None)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), str(folder), lab, str(seconds), str(seed)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + LONGEST_START,
    )
    assert done.returncode == 0, f"{lab}, seed {seed}: ended with {done.returncode}\n{done.stderr[-6000:]}"
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def told(report: dict[str, Any]) -> str:
    """What went wrong, with the actions that came before, the last one last."""
    lines = [f"{report['lab']}, seed {report['seed']}, {report['actions']} actions", f"again: {report['times']}"]
    for problem in report["problems"]:
        lines += ["", f"--- {problem['kind']}", problem["text"], *(f"    {action}" for action in problem["log"])]
    for stall in report["stalls"]:
        lines += [
            "",
            f"--- stood for {stall['seconds']} s",
            *(f"    {action}" for action in stall["log"]),
            stall["stack"],
        ]
    return "\n".join(lines)


def check(report: dict[str, Any], least: int) -> None:
    assert not report["problems"], told(report)
    assert not report["stalls"], told(report)
    assert not report["threads"], report["threads"]
    assert report["actions"] >= least
    memory = report["memory"]
    grown, allowed = max(memory) - memory[0], OWN + PER_LAB * len(report["opened"])
    assert grown <= allowed, f"{report['lab']}: {grown} MB more, {allowed} are allowed: {memory}, {report['widgets']}"


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_START + 60)
def test_smoke_of_random_clicking(tmp_path: Path) -> None:
    check(let_loose(tmp_path, "dense_network", 15, SEED), least=50)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + LONGEST_START + 60)
@pytest.mark.parametrize("lab", LABS)
def test_random_clicking(tmp_path: Path, lab: str) -> None:
    check(let_loose(tmp_path, lab, SECONDS, SEED), least=int(2 * SECONDS))
