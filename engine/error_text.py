"""An error on one line, whoever raised it. This module imports neither torch nor a lab."""

from __future__ import annotations

import traceback
from pathlib import Path

LONGEST = 500  # characters


def told(error: BaseException) -> str:
    """Kind and message of an error on one line; an exception class of a lab's own may be unable to give one."""
    try:
        message = str(error).strip()
    except BaseException as another:
        message = f"its message cannot be read ({type(another).__name__})"
    line = f"{type(error).__name__}: {message or 'no message'}".splitlines()[0]
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def place_of(error: BaseException) -> str:
    """File and line of the statement that raised it; "" where there is no traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
