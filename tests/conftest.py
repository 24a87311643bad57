"""What all tests share."""

from __future__ import annotations

import atexit
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# nothing lands in the user's own folders: the tests, and the programs that they start, have a home of their own
_home = tempfile.TemporaryDirectory(prefix="deepscope-tests-", ignore_cleanup_errors=True)
atexit.register(_home.cleanup)
os.environ["HOME"] = os.environ["USERPROFILE"] = _home.name
for _name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
    os.environ[_name] = str(Path(_home.name) / _name.lower())

# the viewer's own labs are no part of the project: its tests are not collected for them, and find none
os.environ["DEEPSCOPE_LABS"] = str(Path(__file__).parent / "no-labs-here")


@pytest.fixture(autouse=True)
def labs_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a test makes, by pressing every button say, go with it."""
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path / "labs-of-my-own"))


@pytest.fixture(scope="session", autouse=True)
def devices_stay_devices() -> Iterator[None]:
    """A test that runs as root could replace one by a file."""
    before = stat.S_IFMT(os.stat(os.devnull).st_mode) if os.name == "posix" else 0
    yield
    assert os.name != "posix" or stat.S_IFMT(os.stat(os.devnull).st_mode) == before


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
