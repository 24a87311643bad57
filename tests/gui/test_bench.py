"""``python -m gui bench``: that it runs, whole and by name. Whether bars are met is for a quiet machine to say."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gui import bench

TITLES = ("start", "watching", "input", "gesture", "theme", "scrub", "curves")


def test_all_run_one_after_the_other_each_in_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        ran.append(command[command.index("bench") + 1])
        return SimpleNamespace(returncode=1 if ran[-1] == "scrub" else 0)

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert bench.main([]) == 1
    assert ran == list(bench.BENCHMARKS)


@pytest.mark.slow
def test_the_whole_of_it_ends_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gui", "bench", "--quick"], capture_output=True, text=True, check=False, timeout=600
    )
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok", "MISSED")) for line in lines)
    for title in TITLES:
        assert any(line.split()[1].startswith(title) for line in lines)
