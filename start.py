"""Set Deepscope up in .venv beside this file, then open it (no argument) or test it (`test`). Needs Python 3.11+."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(what: str) -> None:
    """Install the project, with the versions of constraints.txt, unless this was done since they last changed."""
    stamp = ENVIRONMENT / f"installed{what.replace('[', '-').replace(']', '').replace('.', '')}"
    wanted = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    if stamp.exists() and all(stamp.stat().st_mtime > file.stat().st_mtime for file in wanted):
        return
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    print("Installing Deepscope into .venv; the first time this takes some minutes.", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", "constraints.txt", "-e", what], cwd=ROOT, check=True)
    stamp.touch()


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  whoever runs this may have an older one
        print(f"Deepscope needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    testing = sys.argv[1:2] == ["test"]
    try:
        install(".[dev]" if testing else ".")
    except subprocess.CalledProcessError as error:
        print("The installation failed; what pip said stands above.", file=sys.stderr)
        return error.returncode
    if testing:
        workers = str(max(1, min(8, os.cpu_count() or 1)))
        tests = [str(PYTHON), "-m", "pytest", "-n", workers, "-m", "not slow", *sys.argv[2:]]
        return subprocess.run(tests, cwd=ROOT, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode
    return subprocess.run([str(PYTHON), "-m", "gui", *sys.argv[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
