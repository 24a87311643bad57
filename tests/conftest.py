"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# the viewer's own labs are no part of the project: its tests are not collected for them, and find none
os.environ["DEEPSCOPE_LABS"] = str(Path(__file__).parent / "no-labs-here")


@pytest.fixture(autouse=True)
def labs_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a test makes, by pressing every button say, go with it."""
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path / "labs-of-my-own"))


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """``real_data("mnist")`` is the folder of that real set; the test is skipped where it is not on this machine."""
    root = os.environ.get("DEEPSCOPE_DATA")  # read now: a test may well unset it

    def folder(name: str) -> Path:
        if not root:
            pytest.skip("DEEPSCOPE_DATA is not set: it names the folder of real data sets")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"DEEPSCOPE_DATA has no {name}")
        return path

    return folder
