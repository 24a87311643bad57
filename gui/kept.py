"""Networks that are kept when they leave memory without having been saved: session files in a folder of their own.

Closing a lab writes its network here, so that nothing learned is lost; the files are listed under Recent. They are
removed only when they are older than KEEP_DAYS, or when the viewer agrees because all of them together are larger than
the limit in Settings.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KEEP_DAYS = 180
_NAME = re.compile(r"(?P<lab>.+)-step(?P<step>\d+)-\d{8}-\d{6}-[0-9a-f]{6}")


@dataclass(frozen=True)
class Kept:
    """One file of the folder."""

    path: Path
    lab_id: str
    step: int
    saved: float  # seconds since the epoch
    size: int  # bytes


def place_for(folder: Path, lab_id: str, step: int) -> Path:
    """A new file for a run of this lab; the folder is made. Raises OSError where that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    when = time.strftime("%Y%m%d-%H%M%S")
    return folder / f"{lab_id}-step{step}-{when}-{secrets.token_hex(3)}.deepscope"


def listing(folder: Path) -> tuple[Kept, ...]:
    """What is kept, the latest first. Files of other names are not ours and are left out."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.glob("*.deepscope"):
            if (name := _NAME.fullmatch(path.stem)) is None:
                continue
            with contextlib.suppress(OSError):
                status = path.lstat()
                found.append(Kept(path, name["lab"], int(name["step"]), status.st_mtime, status.st_size))
    return tuple(sorted(found, key=lambda kept: kept.saved, reverse=True))


def beyond(files: Iterable[Kept], limit: int) -> tuple[Kept, ...]:
    """The oldest of these files, so many that the rest fits into `limit` bytes. The latest is never among them."""
    latest_first = sorted(files, key=lambda kept: kept.saved, reverse=True)
    room, over = limit, []
    for place, kept in enumerate(latest_first):
        room -= kept.size
        if room < 0 and place:
            over.append(kept)
    return tuple(over)


def remove(files: Iterable[Kept]) -> None:
    """Delete them."""
    for kept in files:
        with contextlib.suppress(OSError):
            kept.path.unlink()


def expire(folder: Path, now: float | None = None) -> None:
    """Delete what is older than KEEP_DAYS."""
    moment = time.time() if now is None else now
    remove(kept for kept in listing(folder) if moment - kept.saved > KEEP_DAYS * 86_400)
