"""Runs the engine's command line again and again in one process, within a bound of memory, and tells what came of it.

A line of JSON with arguments comes in, a line with the exit status, what was printed and the seconds goes out.
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

import engine.headless  # noqa: F401  before memory is bounded
from engine.__main__ import main

ROOM = 2 << 30  # bytes beyond what Python and torch take


def serve() -> None:
    torch.set_num_threads(1)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    for line in sys.stdin:
        out, err, begun = io.StringIO(), io.StringIO(), time.process_time()
        raised = ""
        status: object = None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(json.loads(line))
            except SystemExit as error:
                status = error.code
            except BaseException:
                raised = traceback.format_exc()
        told = {"status": status, "raised": raised, "seconds": time.process_time() - begun}
        print(json.dumps({**told, "out": out.getvalue()[-2000:], "err": err.getvalue()[-2000:]}), flush=True)


if __name__ == "__main__":
    serve()
