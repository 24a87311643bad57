"""Set Deepscope up in .venv beside this file, then open it (no argument) or test it (`test`). Needs Python 3.11+."""

import os
import shutil
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
        try:
            venv.create(ENVIRONMENT, with_pip=True)
        except BaseException:  # half an environment would be taken for a whole one
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            raise
    print("Installing Deepscope into .venv; the first time this takes some minutes.", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", "constraints.txt", "-e", what], cwd=ROOT, check=True)
    stamp.touch()


def go_on_as(command: list[str], **environment: str) -> int:
    """Run this in place of ourselves, so that signals and the exit status are its own."""
    os.chdir(ROOT)
    os.environ.update(environment)
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(command[0], command)
    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # it gets Ctrl+C, too, and ends in its own time
                continue


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
    except KeyboardInterrupt:
        print("Interrupted. Start again to finish the installation.", file=sys.stderr)
        return 130
    if testing:
        workers = str(max(1, min(8, os.cpu_count() or 1)))
        tests = [str(PYTHON), "-m", "pytest", "-n", workers, "-m", "not slow", *sys.argv[2:]]
        return go_on_as(tests, OMP_NUM_THREADS="1")
    return go_on_as([str(PYTHON), "-m", "gui", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
