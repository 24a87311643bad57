"""Tables: CSV and TSV files as columns of numbers and columns of words.

A file of any size is read row by row; of more rows than are kept, an even sample is drawn, the same on every machine.
"""

from __future__ import annotations

import csv
import io
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.data.catalogue import megabytes
from engine.data.errors import DataError
from engine.data.files import open_file, status_of
from engine.data.reading import AS_LATIN, Progress, odd_bytes, pulse, report, tell

MOST_ROWS = 20_000  # of longer tables, so many rows are drawn
MOST_CELLS = 2_000_000  # of wide ones fewer
MAX_COLUMNS = 1000
MAX_ROW = 1_000_000  # bytes
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "."})
_NUMERIC_SHARE = 0.9  # of the cells that are not missing: above it, the rest are taken for slips
_REPORT_EVERY = 1000  # rows
_NAMED = 3  # broken rows or cells named in a note
_KEPT_BROKEN = 20  # broken rows that can be shown
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_BETWEEN = "\x1f"  # cells, in memory
_SEED = 20_000  # the same rows are drawn on every machine


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be used."""

    line: int  # in the file, from 1
    why: str
    text: str  # what stands there, as far as it could be read


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
    broken: tuple[BrokenRow, ...] = ()  # the first of them
    facts: tuple[tuple[str, str], ...] = ()  # in short, to stand under the controls
    first: tuple[tuple[str, ...], ...] = ()  # the first rows as they are written
    lines: tuple[int, ...] = ()  # where each row stands in the file, from 1

    def complete(self, *columns: str) -> npt.NDArray[np.bool_]:
        """(rows,): which rows have a value in each of these columns."""
        present = np.ones(self.rows, bool)
        for column in columns:
            if column in self.numbers:
                present &= ~np.isnan(self.numbers[column])
            else:
                present &= np.array([bool(cell) for cell in self.texts[column]])
        return present


_kept: dict[tuple[Path, int, int], Table] = {}  # the last two: the one in use, and one that is looked at


def load_table(path: str | Path, progress: Progress | None = None) -> Table:
    """The table in a CSV or TSV file, with or without a line of headings. It is kept until two others are loaded."""
    path = Path(path).expanduser()
    try:
        status = status_of(path)
    except OSError as error:
        raise DataError(f"there is no table {str(path)!r}") from error
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; a CSV or TSV file is wanted")
    key = (path, status.st_mtime_ns, status.st_size)
    table = _kept.get(key)
    if table is None:
        table = _read(path, status.st_size, progress or report)
        while len(_kept) > 1:
            _kept.pop(next(iter(_kept)), None)
        _kept[key] = table
    tell(table.facts)
    return table


@dataclass
class _Found:
    """What is read of a file, row by row."""

    name: str  # of the file
    kept: list[str] = field(default_factory=list)  # the cells of a row in one: no work for the garbage collector
    lines: list[int] = field(default_factory=list)  # where each stands; the first of all stays
    count: int = 0  # good rows
    width: int = 0  # of the first row, and so of all good ones
    most: int = 0
    bad: int = 0
    bad_lines: int = 0
    broken: list[BrokenRow] = field(default_factory=list)
    first: list[list[str]] = field(default_factory=list)
    lots: random.Random = field(default_factory=lambda: random.Random(_SEED))

    def add(self, line: int, row: list[str] | None, delimiter: str) -> bool:
        """Take a row, False where it is broken. Each good one has the same chance to be kept (Vitter 1985, R)."""
        if row and self.count > self.most and len(row) == self.width and any(row):
            place = int(self.lots.random() * self.count)
            if place < self.most and (cells := _fit(row, self.width, delimiter)):
                self.kept[place + 1], self.lines[place + 1] = _joined(cells), line
            self.count += 1
            return True
        cells = _fit(row, self.width, delimiter)
        if cells is None:
            return False
        if not self.width:
            self.width = len(cells)
            if self.width > MAX_COLUMNS:
                raise DataError(f"{self.name} has {self.width:,} columns; at most {MAX_COLUMNS:,} can be loaded")
            self.most = max(2, min(MOST_ROWS, MOST_CELLS // self.width))
        if self.count <= self.most:  # one more than wanted: the first may turn out to be headings
            self.kept.append(_joined(cells))
            self.lines.append(line)
        if self.count <= _KEPT_BROKEN:
            self.first.append(cells)
        self.count += 1
        return True

    def add_broken(self, line: int, lines: int, row: list[str] | None, delimiter: str) -> None:
        self.bad += 1
        self.bad_lines += lines
        if len(self.broken) < _KEPT_BROKEN:
            why = "its quotes are wrong" if row is None else f"{_cells(len(row))} instead of {self.width:,}"
            why = "empty cells alone" if row and not any(cell.strip() for cell in row) else why
            self.broken.append(BrokenRow(line, why, delimiter.join(row or ())[:200]))


class _Rows(io.BufferedReader):
    """The bytes of a table; DataError where a row has no end, which would be kept in memory whole."""

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        super().__init__(file.detach())
        self.rows: Callable[[], int] = lambda: 0  # how many were read of it; asked only for each piece of the file
        self._name = name
        self._before, self._bytes = 0, 0

    def read1(self, size: int = -1) -> bytes:
        if (rows := self.rows()) != self._before:
            self._before, self._bytes = rows, 0
        if self._bytes > MAX_ROW:
            raise DataError(
                f"{self._name} has a row of more than {megabytes(MAX_ROW)} after row {rows:,}; "
                "check its line ends and quotes, or that it is a table"
            )
        piece = super().read1(size)
        self._bytes += len(piece)
        return piece


def _read(path: Path, size: int, progress: Progress) -> Table:
    found = _Found(path.name)
    odd = odd_bytes()
    try:
        with _Rows(open_file(path), path.name) as raw:
            delimiter = delimiter_of(check_text(path, raw.read(65_536)))
            raw.seek(0)
            lines = io.TextIOWrapper(raw, encoding="utf-8-sig", errors=AS_LATIN, newline="")
            for count, (line, height, row) in enumerate(_rows(lines, raw, delimiter)):
                if count % _REPORT_EVERY == 0:
                    progress(raw.tell(), size)
                if not found.add(line, row, delimiter):
                    found.add_broken(line, height, row, delimiter)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    progress(size, size)
    return _table(path.name, found, odd_bytes() - odd)


def _rows(lines: io.TextIOWrapper, raw: _Rows, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """Each row with its first line and the number of lines it takes; None where its quotes are wrong."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = 0
    raw.rows = lambda: rows
    while True:
        before = reader.line_num
        try:
            row: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = None
        rows += 1
        if row != []:  # an empty line is no row
            yield before + 1, reader.line_num - before, row


def _fit(row: list[str] | None, width: int, delimiter: str) -> list[str] | None:
    """The row's cells, or None where it is empty or does not have `width` (0: not known yet) of them."""
    if row is None or not any(cell.strip() for cell in row):
        return None
    cells = [cell.strip() if delimiter == "," else _decimal_point(cell.strip(), delimiter) for cell in row]
    if width and len(cells) > width and not any(cells[width:]):  # a separator at the end of the line
        cells = cells[:width]
    return cells if len(cells) == (width or len(cells)) else None


def _table(name: str, found: _Found, odd: int) -> Table:
    broken = found.bad
    names, headed = _headings(found.first[0] if found.first else [])
    total = found.count - headed
    left = headed or total > len(found.kept)  # the first row
    order = sorted(range(int(left), len(found.kept)), key=found.lines.__getitem__)
    lines = tuple(found.lines[place] for place in order)
    rows = [found.kept[place].split(_BETWEEN) for place in order]
    if total < 2 or total < broken:
        raise DataError(
            f"{name} has {total:,} rows with {_cells(len(names))}, as its first line has, and {broken:,} "
            "with more or fewer; a line of headings and at least two rows of equal length are wanted"
            if found.first
            else f"{name} has no row that can be read; a line of headings and at least two rows are wanted"
        )
    notes: list[str] = []
    facts: list[tuple[str, str]] = []
    if len(rows) < total:
        notes.append(f"{total:,} rows: {len(rows):,} of them, drawn evenly")
        facts.append(("drawn evenly", f"{len(rows):,} of {total:,} rows"))
    if broken:
        named = ", ".join(f"line {row.line:,}" for row in found.broken[:_NAMED]) + (" …" if broken > _NAMED else "")
        swallowed = f" ({found.bad_lines:,} lines)" if found.bad_lines > broken else ""
        notes.append(
            f"{broken:,} of {total + broken:,} rows{swallowed} do not have {len(names)} cells "
            f"and were left out: {named}"
        )
        facts.append(("broken rows", f"{broken:,} of {total + broken:,}"))
    if odd:
        notes.append(f"{odd:,} bytes are not UTF-8 and were read as Latin-1")
        facts.append(("not UTF-8", f"{odd:,} bytes, read as Latin-1"))
    numbers: dict[str, npt.NDArray[np.float64]] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for column, cells in zip(names, zip(*rows, strict=True), strict=True):
        pulse()
        values = [_number(cell) for cell in cells]
        words = [cell for cell, value in zip(cells, values, strict=True) if math.isnan(value)]
        slips = [cell for cell in words if cell.lower() not in MISSING]
        present = len(cells) - len(words) + len(slips)
        if present and present - len(slips) >= _NUMERIC_SHARE * present:
            numbers[column] = np.array(values)
            if slips:
                named = ", ".join(repr(cell[:20]) for cell in slips[:_NAMED]) + (" …" if len(slips) > _NAMED else "")
                notes.append(f"{column}: {len(slips):,} cells are no numbers and count as missing: {named}")
        else:
            texts[column] = tuple("" if cell.lower() in MISSING else cell for cell in cells)
    if not numbers:
        raise DataError(f"{name} has no column of numbers among {', '.join(names[:10])}; at least one is wanted")
    first = tuple(tuple(cells) for cells in found.first[headed:])
    table = Table(name, names, numbers, texts, len(rows), broken, (), tuple(found.broken), tuple(facts), first, lines)
    missing = len(rows) - int(table.complete(*names).sum())
    if missing:
        notes.append(f"{missing:,} of {len(rows):,} rows lack a value in some column")
    return replace(table, notes=tuple(notes))


def _joined(cells: list[str]) -> str:
    row = _BETWEEN.join(cells)
    if row.count(_BETWEEN) >= len(cells):  # it stands in a cell: a control character that nobody would miss
        row = _BETWEEN.join(cell.replace(_BETWEEN, " ") for cell in cells)
    return row


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"


def _headings(first: list[str]) -> tuple[tuple[str, ...], bool]:
    """The columns' names, and whether they stand in the first line: they do unless it holds a number."""
    named = bool(first) and all(math.isnan(_number(cell)) for cell in first)
    names: list[str] = []
    for place, cell in enumerate(first, 1):
        name = cell if named and cell else f"column {place}"
        while name in names:
            name += "'"
        names.append(name)
    return tuple(names), named


def _number(cell: str) -> float:
    """The number in a cell, NaN where there is none."""
    if "_" in cell:  # float() would take 1_000
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _decimal_point(cell: str, delimiter: str) -> str:
    """1,5 as 1.5: where commas do not separate the cells, they are decimal ones. But 1,234 is so for certain only
    between semicolons; elsewhere it stays as it is, and is no number."""
    if "," not in cell or (delimiter != ";" and _THOUSANDS.fullmatch(cell)):
        return cell
    pointed = cell.replace(",", ".", 1)
    return cell if math.isnan(_number(pointed)) else pointed


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
    """The separator that cuts most of the first lines into equally many cells; of two that do, not the comma, which
    may be a decimal one. (csv.Sniffer guesses letters too.)"""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def fit(delimiter: str) -> tuple[int, bool, int]:
        widths = Counter(line.count(delimiter) for line in lines if delimiter in line)
        most = max(((count, width) for width, count in widths.items()), default=(0, 0))
        return most[0], delimiter != ",", most[1]

    return max(",;\t|", key=fit)
