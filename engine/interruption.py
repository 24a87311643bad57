"""Interrupted: the one exception that stops a lab from outside, and that no lab is blamed for."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

# what a lab may raise that is no Exception: in a lab these are errors like any other
LEAVING = (SystemExit, KeyboardInterrupt, GeneratorExit)


class Interrupted(BaseException):
    """Raised in the middle of a lab's code: because it does not end by itself, or because the user pressed Ctrl+C."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl+C raises Interrupted, so that a KeyboardInterrupt can only be the lab's own. The second Ctrl+C ends the
    process at once, whatever catches the first. On other threads than the main one nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            os._exit(130)
        raise Interrupted

    former = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def leave(status: int) -> int:
    """The exit status, to be returned at the very end of a program. Where threads are still busy, the process ends here
    and now: the interpreter would wait for ever for those that a lab left behind, and ours may be stuck in a lab."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    busy = any(not thread.daemon or thread.name.startswith("deepscope") for thread in others)
    return end_process(status) if busy else status


def end_process(status: int) -> int:
    """End the process at once, whatever other threads do. Never returns."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none in a windowed build
            stream.flush()
    os._exit(status)
