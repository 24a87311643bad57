"""Tables: CSV and TSV files as columns of numbers and columns of words."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.data.catalogue import megabytes
from engine.data.errors import DataError

Progress = Callable[[int, int], None]  # bytes read, bytes in all; may raise Cancelled

MAX_BYTES = 100_000_000
MAX_ROWS = 500_000
MAX_COLUMNS = 1000
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "."})
_NUMERIC_SHARE = 0.9  # of the cells that are not missing: above it, the rest are taken for slips
_REPORT_EVERY = 10_000  # rows
_NAMED = 3  # broken rows or cells named in a note


@dataclass(frozen=True)
class Table:
    """A table's columns. Arrays are shared between all who load the table: never write to them."""

    name: str
    columns: tuple[str, ...]  # in the file's order
    numbers: dict[str, npt.NDArray[np.float64]]  # columns of numbers, NaN where a cell is missing
    texts: dict[str, tuple[str, ...]]  # all other columns, "" where a cell is missing
    rows: int
    bad_rows: int  # rows of the file that are not in the columns
    notes: tuple[str, ...] = ()  # what was left out, for the viewer

    def complete(self, *columns: str) -> npt.NDArray[np.bool_]:
        """(rows,): which rows have a value in each of these columns."""
        present = np.ones(self.rows, bool)
        for column in columns:
            if column in self.numbers:
                present &= ~np.isnan(self.numbers[column])
            else:
                present &= np.array([bool(cell) for cell in self.texts[column]])
        return present


_kept: dict[tuple[Path, int, int], Table] = {}  # the last table alone: lru_cache would take `progress` for a key


def load_table(path: str | Path, progress: Progress | None = None) -> Table:
    """The table in a CSV or TSV file, with or without a line of headings. It is kept until another one is loaded."""
    path = Path(path).expanduser()
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"there is no table {str(path)!r}") from error
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; a CSV or TSV file is wanted")
    check_size(path.name, status.st_size)
    key = (path, status.st_mtime_ns, status.st_size)
    if key not in _kept:
        table = _read(path, status.st_size, progress)
        _kept.clear()
        _kept[key] = table
    return _kept[key]


def _read(path: Path, size: int, progress: Progress | None) -> Table:
    good: list[list[str]] = []
    broken: list[int] = []  # their first lines
    lost_lines = 0
    try:
        with path.open("rb") as raw:
            delimiter = delimiter_of(check_text(path, raw.read(65_536)))
            raw.seek(0)
            lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            for count, (line, height, row) in enumerate(_rows(lines, delimiter)):
                if count % _REPORT_EVERY == 0 and progress is not None:
                    progress(raw.tell(), size)
                if count > MAX_ROWS:
                    raise DataError(f"{path.name} has more than {MAX_ROWS:,} rows; no more can be loaded")
                fitted = _fit(row, len(good[0]) if good else 0, delimiter)
                if fitted:
                    good.append(fitted)
                else:
                    broken.append(line)
                    lost_lines += height
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text; save it as CSV in UTF-8 and choose it again") from error
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if progress is not None:
        progress(size, size)
    return _table(path.name, good, broken, lost_lines)


def _rows(lines: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """Each row with its first line and the number of lines it takes; None where its quotes are wrong."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        before = reader.line_num
        try:
            row: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = None
        if row != []:  # an empty line is no row
            yield before + 1, reader.line_num - before, row


def _fit(row: list[str] | None, width: int, delimiter: str) -> list[str] | None:
    """The row's cells, or None where it is empty or does not have `width` (0: not known yet) of them."""
    if row is None or not any(cell.strip() for cell in row):
        return None
    cells = [_decimal_point(cell.strip()) if delimiter == ";" else cell.strip() for cell in row]
    if width and len(cells) > width and not any(cells[width:]):  # a separator at the end of the line
        cells = cells[:width]
    return cells if len(cells) == (width or len(cells)) else None


def _table(name: str, rows: list[list[str]], broken: list[int], lost_lines: int) -> Table:
    names, rows = _headings(rows)
    if len(rows) < 2 or len(rows) < len(broken):
        raise DataError(
            f"{name} has {len(rows):,} rows with the {len(names)} cells of its first line and {len(broken):,} "
            "with more or fewer; a line of headings and at least two rows of equal length are wanted"
        )
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{name} has {len(names):,} columns; at most {MAX_COLUMNS:,} can be loaded")
    notes: list[str] = []
    if broken:
        named = ", ".join(f"line {line:,}" for line in broken[:_NAMED]) + (" …" if len(broken) > _NAMED else "")
        swallowed = f" ({lost_lines:,} lines)" if lost_lines > len(broken) else ""
        notes.append(
            f"{len(broken):,} of {len(rows) + len(broken):,} rows{swallowed} do not have {len(names)} cells "
            f"and were left out: {named}"
        )
    numbers: dict[str, npt.NDArray[np.float64]] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for column, cells in zip(names, zip(*rows, strict=True), strict=True):
        values = [_number(cell) for cell in cells]
        words = [cell for cell, value in zip(cells, values, strict=True) if math.isnan(value)]
        odd = [cell for cell in words if cell.lower() not in MISSING]
        present = len(cells) - len(words) + len(odd)
        if present and present - len(odd) >= _NUMERIC_SHARE * present:
            numbers[column] = np.array(values)
            if odd:
                named = ", ".join(repr(cell[:20]) for cell in odd[:_NAMED]) + (" …" if len(odd) > _NAMED else "")
                notes.append(f"{column}: {len(odd):,} cells are no numbers and count as missing: {named}")
        else:
            texts[column] = tuple("" if cell.lower() in MISSING else cell for cell in cells)
    if not numbers:
        raise DataError(f"{name} has no column of numbers among {', '.join(names[:10])}; at least one is wanted")
    table = Table(name, names, numbers, texts, len(rows), len(broken))
    missing = len(rows) - int(table.complete(*names).sum())
    if missing:
        notes.append(f"{missing:,} of {len(rows):,} rows lack a value in some column")
    return replace(table, notes=tuple(notes))


def _headings(rows: list[list[str]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """The columns' names and the rows below them: the first line names them unless it holds a number."""
    first = rows[0] if rows else []
    named = all(math.isnan(_number(cell)) for cell in first)
    names: list[str] = []
    for place, cell in enumerate(first, 1):
        name = cell if named and cell else f"column {place}"
        while name in names:
            name += "'"
        names.append(name)
    return tuple(names), rows[1:] if named else rows


def _number(cell: str) -> float:
    """The number in a cell, NaN where there is none."""
    if "_" in cell:  # float() would take 1_000
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _decimal_point(cell: str) -> str:
    """1,5 as 1.5: where semicolons separate the cells, the comma is a decimal one."""
    pointed = cell.replace(",", ".", 1)
    return cell if math.isnan(_number(pointed)) else pointed


def check_size(name: str, size: int) -> None:
    """DataError where a table of that many bytes would be too large."""
    if size > MAX_BYTES:
        raise DataError(f"{name} is {megabytes(size)} large; tables of at most {megabytes(MAX_BYTES)} can be loaded")


def check_text(path: Path, start: bytes) -> str:
    """The beginning of a file as text; DataError where it is something else."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path.name} is UTF-16; save it as CSV in UTF-8 and choose it again")
    if b"\0" in start:
        raise DataError(f"{path.name} is not a text file; a CSV or TSV file is wanted")
    if not start.strip():
        raise DataError(f"{path.name} is empty; a line of headings and at least two rows are wanted")
    return start.decode("utf-8-sig", errors="replace")


def delimiter_of(sample: str) -> str:
    """The separator that cuts most of the first lines into equally many cells. (csv.Sniffer guesses letters too.)"""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def fit(delimiter: str) -> tuple[int, int]:
        widths = Counter(line.count(delimiter) for line in lines if delimiter in line)
        return max(((count, width) for width, count in widths.items()), default=(0, 0))

    return max(",;\t|", key=fit)
