"""Which columns of a table are learnt from. They travel in the name of the data set, as in the address of a page:

    birds.csv?x=bill_length&y=body_mass&class=species
    flats.csv?x=area&y=year&value=price%20%26%20fees

x and y are the inputs, `class` or `value` is what is to be predicted. Those not named are chosen: the first two columns
of numbers, and the last column. In names, % & = ? # / \\ and blanks are written as in addresses (%20 is a blank).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from engine.data.errors import DataError
from engine.data.tables import Table

MOST_CLASSES = 10
FEWEST_ROWS = 4
KEYS = ("x", "y", "class", "value")
_SPECIAL = r"[%&=?#/\\\s\x00-\x1f]"


@dataclass(frozen=True)
class Columns:
    """Names of columns, "" where the choice is left open; at most one of class and value is named."""

    x: str = ""
    y: str = ""
    label: str = ""  # of classes
    value: str = ""  # of numbers to be predicted


def split_name(name: str) -> tuple[str, Columns]:
    """The path in a data set's name and the columns named behind it; a name that names none is a path throughout."""
    path, mark, query = name.rpartition("?")
    pairs = [part.partition("=") for part in query.split("&")] if query else []
    keys = [key for key, _, _ in pairs]
    if not mark or not path or any(key not in KEYS for key in keys) or len(set(keys)) < len(keys):
        return name, Columns()
    found = {key: unquote(value) for key, _, value in pairs}
    columns = Columns(found.get("x", ""), found.get("y", ""), found.get("class", ""), found.get("value", ""))
    return unquote(path), columns


def join_name(path: str, columns: Columns | None = None) -> str:
    """The name of a data set, as `split_name` reads it: the path itself where no columns need be named."""
    pairs = zip(KEYS, (columns.x, columns.y, columns.label, columns.value), strict=True) if columns else ()
    query = "&".join(f"{key}={_escaped(value, _SPECIAL)}" for key, value in pairs if value)
    if not query and split_name(path) == (path, Columns()):
        return path
    return f"{_escaped(path, '[%?]')}?{query}"


def _escaped(text: str, special: str) -> str:
    """Letters of all languages stay readable."""
    return re.sub(special, lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


@dataclass(frozen=True)
class Task:
    """What is to be learnt from a table: rows that have all three cells, and what stands in the last."""

    x: str
    y: str
    target: str
    rows: npt.NDArray[np.int64]  # (M,): those that can be used
    classes: tuple[str, ...]  # none: values are to be predicted
    names: tuple[str, ...]  # (M,) the class of each row; none: as above
    lacking: int  # rows without one of the three


def task_of(table: Table, wanted: Columns) -> Task:
    """The columns that are wanted, or else chosen, checked. DataError says what does not fit."""
    named = wanted.label or wanted.value
    for column in (wanted.x, wanted.y, named):
        if column and column not in table.columns:
            raise DataError(f"{table.name} has no column {column!r}; its columns are {', '.join(table.columns[:20])}")
    if len(table.columns) < 3:
        raise DataError(f"{table.name} has {len(table.columns)} columns; two of numbers and one to predict are needed")
    target = named or next(c for c in reversed(table.columns) if c not in (wanted.x, wanted.y))
    x, y = _places(table, wanted, target)
    if len({x, y, target}) < 3:
        raise DataError(f"x₁, x₂ and what is predicted must be three different columns, not {x}, {y} and {target}")
    complete = table.complete(x, y, target)
    rows = np.flatnonzero(complete)
    if len(rows) < FEWEST_ROWS:
        lack = f" that have {x}, {y} and {target}" if len(rows) < table.rows else ""
        raise DataError(f"{table.name} has {len(rows)} rows{lack}; at least {FEWEST_ROWS} are needed")
    for column in (x, y):
        check_spread(table.numbers[column][rows], f"{column} in {table.name}")
    names = class_names(table, target, rows, wanted)
    classes = tuple(sorted(set(names)))
    if names and not 2 <= len(classes) <= MOST_CLASSES:
        found = f"only the class {classes[0]}" if len(classes) == 1 else f"{len(classes):,} different words"
        raise DataError(f"{target} in {table.name} holds {found}; 2 to {MOST_CLASSES} classes are needed")
    if not names:
        check_spread(table.numbers[target][rows], f"{target} in {table.name}")
    return Task(x, y, target, rows, classes, tuple(names), table.rows - len(rows))


def _places(table: Table, wanted: Columns, target: str) -> tuple[str, str]:
    """The two columns of numbers that span the plane."""
    for column in (wanted.x, wanted.y):
        if column in table.texts:
            raise DataError(f"{column} in {table.name} holds words; x₁ and x₂ are to be columns of numbers")
    free = [c for c in table.columns if c in table.numbers and c not in (wanted.x, wanted.y, target)]
    if len(free) + bool(wanted.x) + bool(wanted.y) < 2:
        words = ", ".join(column for column in table.columns if column in table.texts and column != target)
        raise DataError(f"{table.name} needs two columns of numbers beside {target}; there are words in {words}")
    x = wanted.x or free.pop(0)
    return x, wanted.y or free.pop(0)


def class_names(table: Table, column: str, rows: npt.NDArray[np.int64], wanted: Columns) -> Sequence[str]:
    """What stands in a column of classes, row by row; empty where it holds values."""
    if column in table.texts:
        if wanted.value:
            raise DataError(f"{column} in {table.name} holds words; numbers are needed to predict values")
        cells = table.texts[column]
        return [cells[row] for row in rows.tolist()]
    numbers = table.numbers[column][rows]
    different = set(numbers.tolist())
    few = len(different) <= MOST_CLASSES and all(number == int(number) for number in different)
    if wanted.value or not (few or wanted.label):
        return ()
    return [f"{number:g}" for number in numbers.tolist()]


def check_spread(numbers: npt.NDArray[np.float64], what: str) -> None:
    """DataError where numbers do not differ."""
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        raise DataError(f"{what} is always {low:g}: nothing can be learnt from it")
    if not high - low < np.inf:
        raise DataError(f"{what} reaches from {low:g} to {high:g}: these numbers are too large")
