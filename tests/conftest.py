"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# the viewer's own labs are no part of the project: its tests find none but those they make
os.environ["DEEPSCOPE_LABS"] = str(Path(__file__).parent / "no-labs-here")


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
