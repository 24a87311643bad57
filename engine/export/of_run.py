"""What the session does when something of an open run is to be carried away. Runs on the session's thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine import device
from engine.export.command import base_name, command_line, needs_file
from engine.files import writing
from engine.lab import LabError
from engine.marks import dumps

if TYPE_CHECKING:
    from engine.messages import Mark
    from engine.run import Run

NOT_IN_A_SCRIPT = "Edits and actions are not repeated in a script; they were left out"


def export(run: Run, what: str, path: Path | None) -> tuple[str, str]:
    """Do it; returns the text and the name of the file still needed that Exported carries."""
    run.finish_step()
    marks = run.marks[run.inherited :]  # since the file that it goes on from, which holds those before
    if what == "command":
        needed = f"{base_name(run.origin, run.lab.step_count)}.marks.json" if needs_file(marks) else ""
        return _command(run, marks, needed), needed
    if path is None:
        raise LabError(f"{what} cannot be exported without a file")
    if what == "weights":
        from engine.export.weights import save_weights

        save_weights(path, run.lab, run.spec)
        return "", ""
    if what == "marks":
        with writing(path) as file:
            file.write(dumps(marks).encode())
        return _command(run, marks, path), ""
    if what == "script":
        from engine.export.script import write_script

        if run.resumed is not None:
            raise LabError("a run that went on from a file cannot be a script: its beginning is not known")
        write_script(path, run.origin, run.lab.step_count, marks, threads=run.threads)
        return NOT_IN_A_SCRIPT if needs_file(marks) else "", ""
    raise LabError(f"there is no export {what!r}")


def _command(run: Run, marks: list[Mark], marks_file: str | Path) -> str:
    usual = device.threads_for(run.lab)
    return command_line(
        run.origin,
        marks,
        run.lab.step_count,
        marks_file=marks_file,
        resume=run.resumed,
        threads=0 if run.threads == usual else run.threads,
    )
