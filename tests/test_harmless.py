"""The tests leave the user's machine as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest


def test_all_folders_of_the_user_lie_in_the_home_of_the_tests() -> None:
    home = Path.home()
    assert home.name.startswith("deepscope-tests-")
    for folder in (platformdirs.user_cache_dir, platformdirs.user_data_dir, platformdirs.user_log_dir):
        assert sys.platform == "win32" or Path(folder("deepscope", appauthor=False)).is_relative_to(home)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Qt asks the platform")
def test_programs_that_tests_start_write_there_too() -> None:
    code = "from PySide6.QtCore import QSettings; print(QSettings('Deepscope', 'Deepscope').fileName())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(Path.home())
