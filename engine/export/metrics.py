"""Metrics as CSV: a row for each step at which something was measured, a column for each metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.files import writing
from engine.messages import Series

POINTS = 1 << 16  # per metric: a history of up to so many points is written whole, a longer one as means of neighbours


def rows(series: Series) -> Iterator[list[str]]:
    """The heading, then the rows; a cell is empty where a metric has no value at a step."""
    yield ["step", *series]
    if not series:
        return
    steps = np.unique(np.concatenate([column[0] for column in series.values()]))
    cells = np.full((len(steps), len(series)), "", object)
    for place, (at, values) in enumerate(series.values()):
        cells[np.searchsorted(steps, at), place] = [_shortest(value) for value in values.tolist()]
    for step, row in zip(steps.tolist(), cells, strict=True):
        yield [str(step), *row]


def _shortest(value: float) -> str:
    """The fewest digits that mean this number, most of which were computed in 32 bits."""
    with np.errstate(over="ignore"):
        short = np.float32(value)
    return str(short) if float(short) == value else repr(value)


def save_metrics(path: Path, series: Series) -> int:
    """Write the file; returns how many rows of numbers it has. Raises OSError."""
    count = -1
    with writing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        table = csv.writer(text)
        for row in rows(series):
            table.writerow(row)
            count += 1
        text.flush()
        text.detach()
    return count
