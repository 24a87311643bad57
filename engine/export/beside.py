"""Data sets that a script finds in a file beside it: those that are neither generated nor part of a library."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.export.source import first_line, last_line
from engine.files import writing

IMAGES = '''\
def load_images(name: str, size: int = 28) -> ImageSet:
    """The pictures in the file beside this script, which hold `size` × `size` pixels."""
    file = np.load(Path(__file__).with_suffix(".npz"))
    parts = {part: torch.from_numpy(file[part]) for part in ("train", "train_labels", "test", "test_labels")}
    for part in ("train", "test"):
        if parts[part].dtype == torch.uint8:
            parts[part] = parts[part].float() / 255
    return ImageSet(name, **parts, classes=tuple(file["classes"].tolist()))
'''

TEXT = '''\
def load_text(name: str) -> str:
    """The text in the file beside this script."""
    return Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")
'''

TABLE = '''\
def load_table(path: Path) -> Table:
    """The table in the file beside this script."""
    file = np.load(Path(__file__).with_suffix(".npz"))
    columns = tuple(file["columns"].tolist())
    words = set(file["words"].tolist())
    cells = {name: file[f"column {place}"] for place, name in enumerate(columns)}
    numbers = {name: cells[name] for name in columns if name not in words}
    texts = {name: tuple(cells[name].tolist()) for name in columns if name in words}
    return Table(path.name, columns, numbers, texts, int(file["rows"]), 0)
'''


@dataclass(frozen=True)
class Loader:
    """A function of the project that reads data, and what takes its place in a script."""

    module: str
    name: str
    text: str
    suffix: str
    write: Callable[[Path, str, Any], None]  # file, data set, the second argument of the call


def _write_images(path: Path, dataset: str, size: Any) -> None:
    from engine.data import load_images

    images = load_images(dataset, 28 if size is None else int(size))
    with writing(path) as file:
        np.savez_compressed(
            file,
            train=_bytes(images.train),
            train_labels=images.train_labels.numpy(),
            test=_bytes(images.test),
            test_labels=images.test_labels.numpy(),
            classes=np.array(images.classes),
        )


def _bytes(images: Tensor) -> npt.NDArray[Any]:
    """Grey values as bytes where that loses nothing: a quarter of the size, and of the time."""
    whole = (images * 255).round().byte()
    return whole.numpy() if bool((whole.float() / 255 == images).all()) else images.numpy()


def _write_text(path: Path, dataset: str, _: Any) -> None:
    from engine.data import load_text

    with writing(path) as file:
        file.write(load_text(dataset).encode())


def _write_table(path: Path, dataset: str, _: Any) -> None:
    from engine.data import load_table
    from engine.data.columns import split_name

    table = load_table(Path(split_name(dataset)[0]))
    columns = {
        f"column {place}": table.numbers[name] if name in table.numbers else np.array(table.texts[name])
        for place, name in enumerate(table.columns)
    }
    with writing(path) as file:
        np.savez_compressed(
            file,
            columns=np.array(table.columns),
            words=np.array(tuple(table.texts), dtype=np.str_),
            rows=np.array(table.rows),
            **columns,  # type: ignore[arg-type]  # numpy's signature has keywords of other types beside
        )


LOADERS = (
    Loader("engine.data.images", "load_images", IMAGES, ".npz", _write_images),
    Loader("engine.data.texts", "load_text", TEXT, ".txt", _write_text),
    Loader("engine.data.tables", "load_table", TABLE, ".npz", _write_table),
)
GENERATED = ("digits",)  # sets that a loader makes without a file


def loaders(dataset: str) -> tuple[Loader, ...]:
    """Those whose data must lie beside the script."""
    return tuple(loader for loader in LOADERS if dataset not in GENERATED)


def replaced(source: str, loader: Loader) -> str:
    """A module's source with the script's loader in the place of its own."""
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == loader.name:
            return "".join([*lines[: first_line(node) - 1], loader.text, *lines[last_line(node) :]])
    raise LookupError(f"{loader.module} defines no {loader.name}")
