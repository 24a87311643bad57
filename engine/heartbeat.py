"""What the session's thread does at this moment and since when, and how code of a lab that does not end is stopped.

A lab may loop for ever. The thread says before every call into a lab what it is about to do; whoever waits for it can
see that this takes too long, and have Interrupted raised in the lab's code. Python raises it between two of its
instructions: code that is busy within one of them, in C, cannot be stopped in this way.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from engine.interruption import Interrupted
from engine.own_labs import is_own

OURS = ("save", "export", "load")  # no lab's code: it ends by itself, and must not be cut short
BUILDING = ("open", "resume", "branch")
AWAITED = 3.0  # seconds beyond what is usual until the thread counts as stuck, while a command waits
AGAIN = 1.0  # seconds until another exception is sent after one that changed nothing
UNASKED = 10.0  # while none does, or a network is being built


@dataclass(frozen=True)
class Doing:
    """One call into a lab, or work of the engine's own."""

    run: int
    lab: str
    what: str  # as in Failed: "open", "step", "view NAME", "edit NAME" …; "save", "export …" and "load" are our own
    since: float  # time.monotonic()

    @property
    def ours(self) -> bool:
        return self.what.partition(" ")[0] in OURS


class Heartbeat:
    """Written by one thread, read by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doing: Doing | None = None
        self._beaten = 0.0  # when the thread last told of progress
        self._asked = 0.0  # when an exception was sent into what the thread does; 0 where none was
        self._longest: dict[tuple[str, str], float] = {}  # seconds that something has taken so far
        self._thread = 0

    def begin(self) -> None:
        """The thread that calls this is the one that is watched."""
        self._thread = threading.get_ident()

    def during(self, run: int, lab: str, what: str) -> During:
        """A context for a call into a lab."""
        return During(self, Doing(run, lab, what, time.monotonic()))

    def beat(self) -> None:
        """There is progress."""
        self._beaten = time.monotonic()

    @property
    def doing(self) -> Doing | None:
        """What the thread does; None while it waits, or does nothing that could take long."""
        return self._doing

    def overdue(self, wanted: float) -> Doing | None:
        """What has taken far longer than usual; `wanted` is when somebody last asked for something."""
        doing = self._doing
        if doing is None or doing.ours:
            return None
        slow = doing.what in BUILDING or wanted < doing.since
        allowed = UNASKED if slow else AWAITED
        if not is_own(doing.lab):  # those that come along do end: the machine is slow
            allowed *= 3
        allowed += 2 * self._longest.get((doing.lab, doing.what), 0.0)
        return doing if time.monotonic() - max(doing.since, self._beaten) > allowed else None

    def interrupt(self, doing: Doing) -> bool:
        """Raise Interrupted in the thread; False where it no longer does this, or where it is our own work."""
        with self._lock:
            now = time.monotonic()
            if self._doing is not doing or doing.ours:
                return False
            if now - self._asked < AGAIN:
                return True  # it is on its way
            self._asked = now
            _raise_in(self._thread, ctypes.py_object(Interrupted))
        return True

    def line_in(self, path: str) -> tuple[int, bool]:
        """The line of a file that the thread is at, 0 where it is elsewhere; and whether the file is being imported."""
        frame, line, importing = sys._current_frames().get(self._thread), 0, False
        while frame is not None:
            if frame.f_code.co_filename == path:
                line = line or frame.f_lineno
                importing = importing or frame.f_code.co_name == "<module>"
            frame = frame.f_back
        return line, importing

    def enter(self, doing: Doing) -> Doing | None:
        """Returns what it did before."""
        with self._lock:
            former, self._doing = self._doing, doing
        return former

    def leave(self, doing: Doing, former: Doing | None) -> None:
        """It has ended; what was to be raised in it and has not been yet will not be."""
        taken = time.monotonic() - doing.since
        while True:
            try:
                with self._lock:
                    if self._asked:
                        self._asked = 0.0
                        _raise_in(self._thread, None)
                    elif taken > self._longest.get((doing.lab, doing.what), 0.0):
                        self._longest[doing.lab, doing.what] = taken
                    self._doing = former
                return
            except Interrupted:  # it came at the last moment
                continue


class During:
    """The context that Heartbeat.during returns."""

    def __init__(self, heart: Heartbeat, doing: Doing) -> None:
        self._heart, self._now = heart, doing
        self._former: Doing | None = None

    def __enter__(self) -> None:
        self._former = self._heart.enter(self._now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.leave(self._now, self._former)


def _raise_in(thread: int, error: ctypes.py_object[type[BaseException]] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)
