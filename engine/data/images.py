"""Image sets as tensors: (N, 1, S, S) float32 in 0..1 with labels 0..K-1."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.catalogue import CATALOGUE, find_files, megabytes
from engine.data.columns import split_name
from engine.data.errors import DataError
from engine.data.files import MAX_ENTRIES, status_of
from engine.data.idx import read_idx
from engine.data.reading import report, tell

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

MAX_SET_BYTES = 2_000_000_000  # as float32
MIN_PICTURES = 10
MAX_CLASSES = 1000
_SPLIT_SEED = 20_000  # the same pictures are held out on every machine

FASHION_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataclass(frozen=True)
class ImageSet:
    """Pictures with labels. The tensors are shared between all who load the set: never write to them."""

    name: str
    train: Tensor  # (N, 1, S, S) float32 in 0..1
    train_labels: Tensor  # (N,) int64
    test: Tensor  # (M, 1, S, S)
    test_labels: Tensor  # (M,)
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was left out or changed, for the viewer
    facts: tuple[tuple[str, str], ...] = ()  # in short, to stand under the controls


@dataclass(frozen=True)
class Raw:
    """Pictures as they were read: values 0..255 of any height and width, before resizing and splitting."""

    train: Bytes  # (N, H, W)
    train_labels: Labels  # (N,)
    test: Bytes | None
    test_labels: Labels | None
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


def load_images(name: str, size: int = 28) -> ImageSet:
    """The set called `name` ("digits", "mnist", "fashion-mnist") or lying at that path, at `size` × `size` pixels.

    It is kept: a second call returns the same, shared object, whose tensors must not be written to.
    """
    if not 4 <= size <= 256:
        raise DataError(f"pictures can be loaded at 4 to 256 pixels, not {size}")
    if name == "digits":
        return _digits(size)
    if name in CATALOGUE:
        if CATALOGUE[name].kind != "images":
            raise DataError(f"{CATALOGUE[name].title} is a {CATALOGUE[name].kind}; pictures are wanted")
        files = find_files(name)
        return _idx_set(name, size, tuple(files[file.name] for file in CATALOGUE[name].files))
    path = Path(split_name(name)[0]).expanduser()
    images = _own_set(path, size, fingerprint(path))
    tell(images.facts)
    return images


@lru_cache(maxsize=2)
def _own_set(path: Path, size: int, _changed: tuple[int, ...]) -> ImageSet:
    from engine.data.own_images import read_images

    return finish(path.name, read_images(path, size), size)


def fingerprint(path: Path) -> tuple[int, ...]:
    """Changes when the file, or any file in the folder, does: number, sizes and times. DataError: nothing there."""
    try:
        status = status_of(path)
        if not stat.S_ISDIR(status.st_mode):
            return 1, status.st_size, status.st_mtime_ns
        # a viewer may well choose the home folder: look at a part of it, then say that it has no pictures
        count = sizes = times = 0
        for status in islice(_statuses(path), MAX_ENTRIES):
            count, sizes, times = count + 1, sizes + status.st_size, times + status.st_mtime_ns
            report(0, 1)
    except OSError as error:
        raise DataError(f"there is no image set {str(path)!r}; known are digits, mnist and fashion-mnist") from error
    return count, sizes, times


def _statuses(folder: Path) -> Iterator[os.stat_result]:
    """Of all that lies in a folder and its folders, in any order; links are not followed, so that none leads back."""
    folders = [os.fspath(folder)]
    while folders:
        with suppress(PermissionError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                with suppress(FileNotFoundError):  # it has gone since
                    yield entry.stat(follow_symlinks=False)


@lru_cache(maxsize=4)
def _digits(size: int) -> ImageSet:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.from_numpy(data.images).float()[:, None] / 16  # (1797, 1, 8, 8)
    if size != 8:
        images = _resize(images, size)
    images.clamp_(0, 1)
    labels = torch.from_numpy(data.target).long()
    order = _shuffled(len(images))
    train, test = order[:1437], order[1437:]  # 360 held out
    return ImageSet(
        "digits", images[train], labels[train], images[test], labels[test], tuple(str(d) for d in range(10))
    )


@lru_cache(maxsize=3)  # 220 MB each at 28 pixels
def _idx_set(name: str, size: int, paths: tuple[Path, ...]) -> ImageSet:
    train, train_labels, test, test_labels = (read_idx(path, 3 if i % 2 == 0 else 1) for i, path in enumerate(paths))
    classes = FASHION_CLASSES if name == "fashion-mnist" else tuple(str(d) for d in range(10))
    return finish(name, Raw(train, train_labels.astype(np.int64), test, test_labels.astype(np.int64), classes), size)


def finish(name: str, raw: Raw, size: int) -> ImageSet:
    """Check what was read, split off a test set where there is none, resize, and make tensors of it."""
    parts = [(raw.train, raw.train_labels)]
    if raw.test is not None and raw.test_labels is not None:
        parts.append((raw.test, raw.test_labels))
    for images, labels in parts:
        if len(images) != len(labels):
            raise DataError(f"{name} has {len(images):,} pictures and {len(labels):,} labels; one label each is wanted")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(raw.classes):
            raise DataError(f"{name} has labels up to {labels.max()} for {len(raw.classes)} classes")
    count = sum(len(images) for images, _ in parts)
    check_counts(name, count, size, len(np.unique(raw.train_labels)))
    notes = raw.notes
    shapes = sorted({images.shape[1:] for images, _ in parts})
    if any(height != width for height, width in shapes):
        notes += (f"pictures of {shapes[0][0]}×{shapes[0][1]} pixels were cut to their centre square",)
    train = _tensor(raw.train, size)
    train_labels = torch.from_numpy(np.ascontiguousarray(raw.train_labels, np.int64))
    if len(parts) == 2 and len(parts[1][0]):
        test = _tensor(parts[1][0], size)
        test_labels = torch.from_numpy(np.ascontiguousarray(parts[1][1], np.int64))
    else:
        order = _shuffled(count)
        held_out = max(1, count // 7)
        test, test_labels = train[order[:held_out]], train_labels[order[:held_out]]
        train, train_labels = train[order[held_out:]], train_labels[order[held_out:]]
        notes += (f"{held_out:,} of {count:,} pictures were randomly held out as test data",)
    return ImageSet(name, train, train_labels, test, test_labels, raw.classes, notes, raw.facts)


def check_counts(name: str, count: int, size: int, classes: int | None = None) -> None:
    """DataError where there is too little or too much to train on; `classes` may not be known yet."""
    if count < MIN_PICTURES:
        found = "no pictures" if count == 0 else f"{count} picture{'s' if count > 1 else ''}"
        raise DataError(f"{name} has {found}; at least {MIN_PICTURES} are wanted")
    needed = count * size * size * 4
    if needed > MAX_SET_BYTES:
        most = MAX_SET_BYTES // (size * size * 4)
        raise DataError(
            f"{name} has {count:,} pictures, {megabytes(needed)} at {size}×{size} pixels; "
            f"at most {most:,} ({megabytes(MAX_SET_BYTES)}) can be loaded"
        )
    if classes is None:
        return
    if classes < 2:
        raise DataError(f"{name} has a single class; at least two are wanted")
    if classes > MAX_CLASSES:
        raise DataError(
            f"{name} has {classes:,} different labels; at most {MAX_CLASSES:,} classes can be learned: "
            "choose fewer of them, or check that these are labels"
        )


def _tensor(images: Bytes, size: int) -> Tensor:
    """(N, H, W) bytes -> (N, 1, size, size) float32 in 0..1: the centre square, resized."""
    _, height, width = images.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[:, top : top + side, left : left + side]
    out = torch.empty(len(images), 1, size, size)
    for start in range(0, len(images), 512):  # in pieces, or large pictures would need as much again as float32
        piece = torch.from_numpy(np.array(square[start : start + 512]))[:, None].float() / 255
        out[start : start + 512] = piece if side == size else _resize(piece, size)
        report(start, len(images))
    return out.clamp_(0, 1)


def _resize(images: Tensor, size: int) -> Tensor:
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


def _shuffled(count: int) -> Tensor:
    """An order drawn from a generator of its own: loading data must not move the experiment's random numbers."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(_SPLIT_SEED))
