"""Files from elsewhere, read within bounds: what would take long, or all the memory, is refused before it is parsed."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_STEPS = 10**15  # of a run
LARGEST_JSON = 64 << 20  # bytes
MOST_OBJECTS = 1_000_000  # objects and lists in it
MOST_ITEMS = 8_000_000  # of all of them together


def regular(path: Path) -> os.stat_result:
    """The status of a file. Raises OSError where it is none: reading a pipe or a device may wait for ever."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a file but a pipe, socket or device", str(path))
    return status


def check_json(data: bytes) -> None:
    """Raises ValueError where JSON would be too large to parse in a moment."""
    if len(data) > LARGEST_JSON:
        raise ValueError(f"it has {len(data):,} bytes, and may have {LARGEST_JSON:,}")
    if data.count(b"{") + data.count(b"[") > MOST_OBJECTS or data.count(b",") > MOST_ITEMS:
        raise ValueError("it has too many parts")


def parse_json(data: bytes) -> Any:
    """Raises ValueError where it is no JSON, or too large or too deeply nested."""
    check_json(data)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
