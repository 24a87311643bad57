"""One line about a set, for the window to show before it is loaded: counts, shapes, size, licence."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from engine.data.catalogue import CATALOGUE, is_available, megabytes
from engine.data.columns import split_name
from engine.data.errors import DataError
from engine.data.files import open_file, size_of, status_of

Kind = Literal["images", "text", "table"]

TAKEN = {  # what a lab takes that accepts a kind
    "images": "pictures (a folder with a folder for each class, .npz or IDX)",
    "text": "texts (.txt or .md)",
    "table": "tables (.csv or .tsv)",
}
_TEXT_SUFFIXES = (".txt", ".md", ".text")
_TABLE_SUFFIXES = (".csv", ".tsv")
_SAMPLE = 65_536
_COUNTED = 20_000_000  # lines of larger tables are estimated


def kind_of(name_or_path: str) -> Kind:
    """What a data set is: pictures, a text or a table. DataError where it is none of them."""
    if name_or_path in CATALOGUE:
        return CATALOGUE[name_or_path].kind
    path = Path(split_name(name_or_path)[0]).expanduser()
    try:
        is_folder = stat.S_ISDIR(status_of(path).st_mode)
    except OSError as error:
        known = ", ".join(CATALOGUE)
        raise DataError(f"there is no data set and no file {name_or_path!r}; sets are: {known}") from error
    if is_folder or path.suffix.lower() == ".npz" or "idx" in path.name:
        return "images"
    if path.suffix.lower() in _TEXT_SUFFIXES:
        return "text"
    if path.suffix.lower() in _TABLE_SUFFIXES:
        return "table"
    raise DataError(
        f"{path.name} is no kind of data that is known here: pictures come as a folder with a folder per class, "
        ".npz or IDX, texts as .txt, tables as .csv or .tsv"
    )


def describe_data(name_or_path: str) -> str:
    """What is in a set and whether it can be loaded, as far as can be told without loading it. DataError: it cannot."""
    kind = kind_of(name_or_path)
    if name_or_path in CATALOGUE:
        item = CATALOGUE[name_or_path]
        where = "" if is_available(item) else f"; to be downloaded: {megabytes(item.bytes)}"
        return f"{item.about}; {item.licence}{where}"
    path = Path(split_name(name_or_path)[0]).expanduser()
    try:
        if kind == "images":
            return _describe_images(path)
        return _describe_text(path) if kind == "text" else _describe_table(path)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _describe_images(path: Path) -> str:
    from engine.data import own_images as own
    from engine.data.idx import by, idx_shape

    if path.suffix.lower() == ".npz":
        names, arrays = own.npz_names(path), own.npz_arrays(path)
        shapes = [arrays[name][0] for role, name in names.items() if role in ("train", "test") and name]
        return f"{_counts(shape[0] if shape else 0 for shape in shapes)}, {by(shapes[0][1:])} values each"
    folder = path if path.is_dir() else path.parent
    pairs = own.idx_pairs(folder)
    if pairs:
        shapes = [idx_shape(images, 3) for images, _ in pairs.values()]
        return f"{_counts(shape[0] for shape in shapes)}, {by(shapes[0][1:])} pixels each"
    train_folder, test_folder = own.split_folders(folder)
    found = [own.class_folders(part)[0] for part in (train_folder, test_folder) if part]
    if not found[0]:
        raise DataError(f"{folder.name} has no pictures in subfolders; wanted is {own.WANTED}")
    classes = found[0]
    named = ", ".join(f"{name} {len(files):,}" for name, files in list(classes.items())[:5])
    more = f" and {len(classes) - 5:,} more" if len(classes) > 5 else ""
    counts = _counts(sum(len(files) for files in part.values()) for part in found)
    return f"{counts} in {len(classes):,} {'class' if len(classes) == 1 else 'classes'}: {named}{more}"


def _counts(counts: Iterable[int]) -> str:
    """`60,000 pictures to train, 10,000 to test`."""
    train, *test = counts
    return f"{train:,} pictures" + (f" to train, {test[0]:,} to test" if test else "")


def _describe_text(path: Path) -> str:
    from engine.data.texts import check_size, decode_any

    with open_file(path) as file:
        size = size_of(file)
        check_size(path.name, size)
        start = decode_any(path.name, file.read(_SAMPLE)).text
    lines = [line.strip() for line in start.splitlines() if line.strip()]
    return f"text, {megabytes(size)}, begins “{lines[0][:60] if lines else ''}”"


def _describe_table(path: Path) -> str:
    from engine.data.tables import check_text, delimiter_of

    with open_file(path) as file:
        size = size_of(file)
        sample = file.read(_SAMPLE)
        text = check_text(path, sample)
        if size <= _COUNTED:
            file.seek(0)
            lines = f"{sum(1 for line in file if line.strip()):,} lines"
        else:
            lines = f"about {sample.count(10) * size // len(sample):,} lines"
    first = text.splitlines()[0].split(delimiter_of(text))
    named = ", ".join(cell.strip().strip('"')[:30] for cell in first[:8]) + (" …" if len(first) > 8 else "")
    return f"{lines}, {len(first):,} columns: {named}"
