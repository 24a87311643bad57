"""Reading under observation: readers say how far they are and what they left out; who watches may stop them.

    with watched(progress) as found:      # progress(done, total) is called now and then and may raise Cancelled
        images = load_images(path)
    found                                 # {"unreadable": "3 of 60 pictures"}

Readers call `report` and `tell` wherever they are, watched or not. Each thread watches for itself: the preview of one
set may be read while the session reads another.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]  # done, in all; may raise Cancelled

INTERVAL = 0.02  # seconds between two calls of the watcher's function
WORK, REST = 0.003, 0.001  # a watched reader rests now and then, or the window would wait for the interpreter


class _Watch(threading.local):
    progress: Progress | None = None
    found: dict[str, str] | None = None
    last = (0, 1)  # what was reported last
    next_at = 0.0
    rest_at = 0.0


_watch = _Watch()


@contextmanager
def watched(progress: Progress) -> Iterator[dict[str, str]]:
    """Watch what is read within on this thread; gives what the readers found worth telling, by a short name."""
    before = _watch.progress, _watch.found
    found: dict[str, str] = {}
    _watch.progress, _watch.found, _watch.next_at, _watch.last = progress, found, 0.0, (0, 1)
    try:
        yield found
    finally:
        _watch.progress, _watch.found = before


def report(done: int, total: int) -> None:
    """Say how far a reader is, in whatever it counts: cheap enough to be called for each file or thousand rows."""
    _watch.last = done, total
    pulse()


def pulse() -> None:
    """Let the watcher stop the reading, where there is nothing new to say."""
    if _watch.progress is None:
        return
    if time.thread_time() >= _watch.rest_at:  # of its own work: what it waited for others was a rest too
        time.sleep(REST)
        _watch.rest_at = time.thread_time() + WORK
    if (now := time.monotonic()) >= _watch.next_at:
        _watch.next_at = now + INTERVAL
        _watch.progress(*_watch.last)


def tell(facts: Iterable[tuple[str, str]]) -> None:
    """Say what the viewer should know of the data that were read, such as what was left out."""
    if _watch.found is not None:
        _watch.found.update(facts)


# ------------------------------------------------------------------ text in an older encoding

AS_LATIN = "deepscope-latin-1"  # for `errors`: what is not UTF-8 is read as Latin-1, and counted


class _Odd(threading.local):
    count = 0


_odd = _Odd()


def odd_bytes() -> int:
    """How many bytes this thread has read as Latin-1 so far."""
    return _odd.count


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    _odd.count += error.end - error.start
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(AS_LATIN, _as_latin)
