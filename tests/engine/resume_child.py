"""Runs the engine's command line, or opens files in a session, again and again in one process, within a bound of
memory, and tells what came of it.

A line of JSON comes in: arguments, or the lab and the file to open. A line with the exit status, what was printed and
the seconds goes out.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
import traceback
from pathlib import Path

import torch

from engine import messages as m
from engine.__main__ import main
from engine.session import Session

ROOM = 2 << 30  # bytes beyond what Python and torch take


class Sessions:
    """Opens files as the window does: 0 where they go on, and so does a branch from the first step that is kept."""

    def __init__(self) -> None:
        self._session = Session(threads=1)
        self._run = 0
        self._events: list[m.Event] = []

    def _until(self, *kinds: type[m.Event], run: int) -> m.Event:
        while self._session.alive:
            self._events += self._session.news().events
            for event in self._events:
                if isinstance(event, kinds) and event.run == run:
                    self._events.remove(event)
                    return event
            time.sleep(0.001)
        raise RuntimeError(f"the session ended: {self._session.why_dead}")

    def open(self, lab: str, path: str) -> int:
        self._events.clear()
        first, branch = self._run + 1, self._run + 2
        self._run = branch
        self._session.send(m.Open(first, m.RunSpec(lab), resume=Path(path)))
        opened = self._until(m.Opened, m.Failed, run=first)
        if isinstance(opened, m.Failed):
            return self._refused(opened)
        self._session.send(m.Branch(branch, first, 0))
        self._session.send(m.StepOnce(first))
        status = 0
        for run, ends in ((branch, m.Opened), (first, m.Paused)):
            event = self._until(ends, m.Failed, m.Diverged, run=run)
            status = self._refused(event) if isinstance(event, m.Failed) else status
        for run in (first, branch):
            self._session.send(m.Close(run))
        return status

    @staticmethod
    def _refused(event: m.Failed) -> int:
        if not event.expected:
            raise RuntimeError(event.traceback)
        print(f"engine: {event.summary}", file=sys.stderr)
        return 2


def serve() -> None:
    torch.set_num_threads(1)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    sessions = Sessions()
    for line in sys.stdin:
        out, err, begun = io.StringIO(), io.StringIO(), time.process_time()
        raised = ""
        status: object = None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                asked = json.loads(line)
                status = main(asked) if isinstance(asked, list) else sessions.open(asked["lab"], asked["path"])
            except SystemExit as error:
                status = error.code
            except BaseException:
                raised = traceback.format_exc()
        told = {"status": status, "raised": raised, "seconds": time.process_time() - begun}
        print(json.dumps({**told, "out": out.getvalue()[-2000:], "err": err.getvalue()[-2000:]}), flush=True)


if __name__ == "__main__":
    serve()
