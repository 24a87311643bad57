"""What lies at a path, for the viewer to look at before a lab learns from it.

All of it may run on a thread of its own: it says how far it is by `engine.data.reading`, and may be stopped.
"""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.catalogue import megabytes
from engine.data.columns import MOST_CLASSES, Columns, Task, split_name, task_of
from engine.data.describe import Kind, kind_of
from engine.data.errors import Cancelled, DataError
from engine.data.reading import report
from engine.data.tables import Table, load_table

SHOWN = 12  # pictures, classes and rows
TRIED = 2000  # pictures that are opened; larger sets are randomly sampled
THUMBNAIL = 56  # pixels
_BEGINNING = 2000  # characters of a text


@dataclass(frozen=True)
class Preview:
    """What was found. A kind leaves empty what it does not have."""

    path: str
    kind: Kind
    facts: tuple[str, ...]  # counts and shapes, in words
    problem: str = ""  # why it cannot be used
    headings: tuple[tuple[str, str], ...] = ()  # of `cells`: a title and a remark
    cells: tuple[tuple[str, ...], ...] = ()  # the first rows of a table, the arrays of a file, or the classes
    broken: int = 0
    broken_title: str = ""  # how many of what
    broken_list: tuple[str, ...] = ()  # the first of them, and why
    pictures: tuple[tuple[str, npt.NDArray[np.uint8]], ...] = ()  # a caption and (H, W) grey values
    text: str = ""  # its beginning
    table: Table | None = None
    wanted: Columns = field(default_factory=Columns)


def preview(name: str) -> Preview:
    """What lies at that path. DataError where there is nothing to be seen."""
    path, wanted = split_name(name)
    kind = kind_of(name)
    where = Path(path).expanduser()
    try:
        if kind == "table":
            return _table(path, where, wanted)
        if kind == "text":
            return _text(path, where)
        if where.suffix.lower() == ".npz":
            return _npz(path, where)
        from engine.data.own_images import idx_pairs

        folder = where if where.is_dir() else where.parent
        return _idx(path, folder) if idx_pairs(folder) else _folder(path, folder)
    except OSError as error:
        raise DataError(f"{where.name} cannot be read: {error.strerror or error}") from error


# ------------------------------------------------------------------ tables


def _table(path: str, where: Path, wanted: Columns) -> Preview:
    table = load_table(where)
    drawn = [note for note in table.notes if note.endswith("drawn evenly")]
    facts = [*drawn] if drawn else [f"{table.rows:,} rows"]
    facts.append(f"{len(table.columns):,} columns")
    facts += [f"{value} ({name})" for name, value in table.facts if name == "not UTF-8"]
    return Preview(
        path,
        "table",
        tuple(facts),
        headings=tuple((column, _column(table, column)) for column in table.columns),
        cells=table.first[:SHOWN],
        broken=table.bad_rows,
        broken_title=f"{_plural(table.bad_rows, 'broken row')} left out",
        broken_list=tuple(f"line {row.line:,}: {row.why}" + f"  {row.text}" * bool(row.text) for row in table.broken),
        table=table,
        wanted=wanted,
    )


def _column(table: Table, column: str) -> str:
    missing = table.rows - int(table.complete(column).sum())
    if column in table.numbers:
        what = "numbers"
    else:
        different = len(set(table.texts[column]) - {""})
        what = _plural(different, "word")
    return what + (f", {_share(missing / table.rows)} missing" if missing else "")


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def lacking(table: Table, task: Task) -> list[str]:
    """The first rows without a value in one of the task's columns: where they stand, and what they lack."""
    kept = np.zeros(table.rows, bool)
    kept[task.rows] = True
    found = []
    for row in np.flatnonzero(~kept)[: 2 * SHOWN].tolist():
        without = [c for c in (task.x, task.y, task.target) if not _present(table, c, row)]
        line = f"line {table.lines[row]:,}: " if table.lines else ""
        found.append(f"{line}no value for {', '.join(without)}")
    return found


def _present(table: Table, column: str, row: int) -> bool:
    return not math.isnan(table.numbers[column][row]) if column in table.numbers else bool(table.texts[column][row])


def choose(table: Table, wanted: Columns) -> Columns:
    """All columns named: those wanted, else those likely to be meant. DataError: they do not fit."""
    if not (wanted.label or wanted.value) and table.columns[-1] not in table.texts:
        classes = (c for c in table.texts if 2 <= len(set(table.texts[c]) - {""}) <= MOST_CLASSES)
        wanted = replace(wanted, label=next(classes, ""))
    return named(table, wanted)


def named(table: Table, wanted: Columns) -> Columns:
    """The columns that a lab would take where these are wanted, all of them named. DataError: they do not fit."""
    task = task_of(table, wanted)
    as_class = bool(task.classes)
    return Columns(task.x, task.y, task.target if as_class else "", "" if as_class else task.target)


# ------------------------------------------------------------------ texts


def _text(path: str, where: Path) -> Preview:
    from engine.data.texts import MIN_CHARACTERS, decode_any, read_text

    content = read_text(where)
    found = decode_any(where.name, content)
    lines = found.text.count("\n") + (not found.text.endswith("\n") and found.characters > 0)
    facts = [_plural(found.characters, "character"), f"{len(found.alphabet):,} different", _plural(lines, "line")]
    problem = ""
    if found.characters < MIN_CHARACTERS or len(found.alphabet) < 2:
        problem = f"{where.name} is too short: at least {MIN_CHARACTERS} characters, not all the same, are wanted"
    return Preview(
        path,
        "text",
        (*facts, megabytes(len(content))),
        problem,
        broken=found.odd_bytes,
        broken_title=f"{_plural(found.odd_bytes, 'byte')} that are not UTF-8 were read as Latin-1",
        text=found.text[:_BEGINNING],
    )


# ------------------------------------------------------------------ pictures


def _folder(path: str, folder: Path) -> Preview:
    from engine.data import own_images as own

    train, test = own.split_folders(folder)
    parts = [own.class_folders(part) for part in (train, test) if part]
    counts = [sum(len(files) for files in classes.values()) for classes, _ in parts]
    if not sum(counts):
        raise DataError(f"{folder.name} has no pictures in subfolders; wanted is {own.WANTED}")
    everything = [file for classes, _ in parts for files in classes.values() for file in files]
    tried = everything
    if len(everything) > TRIED:  # of each class the first, to be shown
        first = [files[0] for files in parts[0][0].values()]
        tried = sorted({*random.Random(0).sample(everything, TRIED), *first[:SHOWN]})
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    broken: list[str] = []
    pictures: dict[str, npt.NDArray[np.uint8]] = {}
    for done, file in enumerate(tried):
        report(done, len(tried))
        name = os.path.basename(os.path.dirname(file))
        try:
            size, mode = _try_picture(file)
            sizes[size] += 1
            modes[mode] += 1
            if name not in pictures and len(pictures) < SHOWN:
                pictures[name] = own.read_picture(file, THUMBNAIL)
        except Cancelled:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
            broken.append(f"{Path(file).relative_to(folder).as_posix()}: {own.why_not(error)}")
            if not sizes and len(broken) == min(own.MAX_FAILED, len(tried)):
                raise DataError(own.none_readable(folder.name, broken[0])) from error
    facts = [_counted(counts), _plural(len(parts[0][0]), "class"), _most(sizes, "sizes"), _most(modes, "modes")]
    facts += [f"{len(tried):,} of them opened to look" if len(tried) < len(everything) else ""]
    others = sum(other for _, other in parts)
    facts += [f"{_plural(others, 'other file')} left out" if others else ""]
    names = list(parts[0][0])
    headings = (("Class", ""), ("Pictures", "to train" if test else ""), *([("Pictures", "to test")] if test else []))
    return Preview(
        path,
        "images",
        tuple(fact for fact in facts if fact),
        _unusable(folder.name, sum(counts) - len(broken), len(names)),
        headings,
        tuple((name, *(f"{len(classes.get(name, ())):,}" for classes, _ in parts)) for name in names),
        len(broken),
        f"{_plural(len(broken), 'broken picture')} left out" + f" of {len(tried):,} tried" * (tried is not everything),
        tuple(broken[: 2 * SHOWN]),
        tuple((name, pictures[name]) for name in names if name in pictures),
    )


def _try_picture(file: str) -> tuple[str, str]:
    """The size and mode of a picture that can be unpacked."""
    from engine.data.own_images import open_picture

    with open_picture(file) as image:
        found = f"{image.width:,}×{image.height:,}", image.mode
        image.draft("L", (2 * THUMBNAIL, 2 * THUMBNAIL))  # JPEGs can be unpacked at a fraction of their size
        image.load()
    return found


def _most(counts: Counter[str], what: str) -> str:
    """The only value, or how many there are and the most common."""
    if len(counts) < 2:
        return next(iter(counts), "")
    return f"{len(counts):,} {what}, most {counts.most_common(1)[0][0]}"


def _npz(path: str, where: Path) -> Preview:
    from engine.data import own_images as own

    arrays = own.npz_arrays(where)
    headings, cells = _arrays({name: (shape, str(dtype)) for name, (shape, dtype) in arrays.items()})
    try:
        names = own.npz_names(where)
        with own.open_archive(where) as archive:
            labels = own.as_labels(where.name, names["labels"], own.read_array(archive, names["labels"]))
            shape, dtype = arrays[names["train"]]
            start = own.read_array_start(archive, names["train"], SHOWN)
        pictures = own.as_bytes(where.name, names["train"], start)[0]
    except Cancelled:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged files
        said = str(error) if isinstance(error, DataError) else f"{where.name} is damaged: {error}"
        return Preview(path, "images", (_plural(len(arrays), "array"),), said, headings, cells)
    test = arrays[names["test"]][0][0] if names["test"] else 0
    counts = [shape[0], test] if test else [shape[0]]
    return _stored(
        path, where.name, counts, pictures, labels, f"{_by(shape[1:])} values each, {dtype}", headings, cells
    )


def _idx(path: str, folder: Path) -> Preview:
    from engine.data import own_images as own
    from engine.data.idx import idx_shape, read_idx, read_idx_start

    pairs = own.idx_pairs(folder)
    shapes = {
        file.name: idx_shape(file, axes) for pair in pairs.values() for file, axes in zip(pair, (3, 1), strict=True)
    }
    headings, cells = _arrays({name: (shape, "uint8") for name, shape in shapes.items()})
    images, label_file = pairs["train"]
    pictures, labels = read_idx_start(images, SHOWN), read_idx(label_file, 1)
    counts = [shapes[pair[0].name][0] for pair in pairs.values()]
    what = f"{_by(shapes[images.name][1:])} pixels each"
    return _stored(path, folder.name, counts, pictures, labels, what, headings, cells)


def _stored(
    path: str,
    name: str,
    counts: list[int],
    pictures: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    what: str,
    headings: tuple[tuple[str, str], ...],
    cells: tuple[tuple[str, ...], ...],
) -> Preview:
    classes = Counter(labels.tolist())
    problem = _unusable(name, sum(counts), len(classes))
    if len(labels) != counts[0]:
        problem = f"{name} has {counts[0]:,} pictures and {len(labels):,} labels; one label each is wanted"
    spread = f"{_plural(len(classes), 'class')} of {_between(list(classes.values()))}"
    shown = tuple((str(label), picture) for label, picture in zip(labels.tolist(), pictures, strict=False))
    return Preview(path, "images", (_counted(counts), spread, what), problem, headings, cells, pictures=shown)


def _arrays(found: dict[str, tuple[tuple[int, ...], str]]) -> tuple[Any, tuple[tuple[str, ...], ...]]:
    return (("Array", ""), ("Shape", ""), ("Type", "")), tuple((n, _by(s), kind) for n, (s, kind) in found.items())


def _by(shape: tuple[int, ...]) -> str:
    from engine.data.idx import by

    return by(shape)


def _between(counts: list[int]) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low:,} each" if low == high else f"{low:,} to {high:,} each"


def _counted(counts: list[int]) -> str:
    train, *test = counts
    return f"{_plural(train, 'picture')}" + (f" to train, {test[0]:,} to test" if test else "")


def _unusable(name: str, count: int, classes: int) -> str:
    from engine.data.images import check_counts

    try:
        check_counts(name, count, 28, classes)
    except DataError as error:
        return str(error)
    return ""


def _plural(count: int, what: str) -> str:
    more = "es" if what.endswith("s") else "s"
    return f"{count:,} {what}{'' if count == 1 else more}"
