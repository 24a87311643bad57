"""How much of each kind a view may return: more than fits any screen, and less than stops the window or fills memory.

A lab of one's own may return anything. What is too much is refused on the worker's thread, before it is copied.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any


class ViewError(ValueError):
    """A view method returned something that its description does not declare, or too much of it."""


NUMBERS = 1 << 26  # in any one array: 256 MB
SIDE = 32_000  # rows or columns of a picture, the most that can be painted
PICTURES = 10_000
POINTS = 200_000
VERTICES = 300_000  # of all paths or lines together
LINES = 300
BARS = 10_000
UNITS = 5_000  # of a network
WEIGHTS = 1 << 20  # of a network between two layers; heights of a surface
FIELD = 1 << 21  # places of a function over the plane: its contours are traced
CELLS = 50_000  # of a table
NUMBER_CELLS = 2_000_000  # of arrays shown as numbers: only those in sight are written out
TOKENS = 20_000
ALTERNATIVES = 200  # per token
NODES = 300
EDGES = 1_000
FORMULAS = 200
FRAMES = 10_000
LETTERS = 20_000  # of one word or text
ALL_LETTERS = 2_000_000  # of all words of one kind together


def check(count: int, most: int, what: str, unit: str) -> None:
    """Raise ViewError where `count` is more than `most`."""
    if count > most:
        raise ViewError(f"{what}: {count:,} {unit} are too many to show, the most is {most:,}")


def check_sides(shape: tuple[int, ...], what: str) -> None:
    """The last two axes of an array are rows and columns of a picture."""
    for count, unit in zip(shape[-2:], ("rows", "columns"), strict=False):
        check(count, SIDE, what, unit)


def numbers_in(value: Any) -> int:
    """How many numbers a tensor or array holds, without a look at them; 0 where only a copy will tell."""
    count = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", 0)
    return count if isinstance(count, int) else 0


def words(value: Iterable[Any], what: str, most: int = POINTS) -> tuple[str, ...]:
    """The words as text, each and all of them within the bounds; `value` may be endless."""
    found = tuple(str(word) for word in itertools.islice(value, most + 1))
    check(len(found), most, what, "words")
    check(max(map(len, found), default=0), LETTERS, what, "letters in one word")
    check(sum(map(len, found)), ALL_LETTERS, what, "letters")
    return found
