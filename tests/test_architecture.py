"""The directions of imports, what is imported when, and that nothing is left unfinished."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [p for folder in ("engine", "gui", "tests") for p in (ROOT / folder).rglob("*.py")]


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_contracts() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_labs_do_not_import_one_another() -> None:
    for path in (ROOT / "engine" / "labs").rglob("*.py"):
        assert "engine.labs" not in path.read_text(encoding="utf-8"), f"{path.name} imports another lab"


def test_the_engine_finds_no_qt() -> None:
    code = (
        "import sys, engine.session, engine.run, engine.headless, engine.benchmarks\n"
        "from engine.discovery import catalogue, load_lab\n"
        "[load_lab(card.id) for card in catalogue()]\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('PySide6', 'shiboken6', 'gui')])"
    )
    assert run_python(code) == "[]"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("gui.main_window, gui.gallery", ("torch", "numpy", "sklearn", "pydantic")),
        ("engine.messages, engine.discovery, engine.session, engine.data.catalogue", ("torch", "sklearn", "PySide6")),
        ("gui.__main__", ("torch", "PySide6", "numpy")),
        ("engine.__main__", ("torch", "PySide6", "numpy")),
    ],
)
def test_heavy_imports_are_lazy(module: str, heavy: tuple[str, ...]) -> None:
    found = run_python(f"import sys\nimport {module}\nprint([m for m in {heavy!r} if m in sys.modules])")
    assert found == "[]"


def test_no_marks_of_unfinished_work() -> None:
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error"]
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for word in words:
            assert word not in text, f"{path.relative_to(ROOT)} holds {word}"
