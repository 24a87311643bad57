"""The viewer's own pictures: a pair of IDX files, an .npz archive, or a folder with a folder per class."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.data.catalogue import megabytes
from engine.data.errors import Cancelled, DataError
from engine.data.files import MAX_ENTRIES, PIECE, entries_of, open_file, size_of
from engine.data.idx import MAX_BYTES, MAX_PIXELS, by, idx_shape, most_unpacked, read_idx
from engine.data.images import MAX_CLASSES, Bytes, Labels, Raw, check_counts
from engine.data.reading import report

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
# by their contents, whatever a file is called: Pillow would hand an EPS picture to a program on the PATH
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
TEST_FOLDERS = ("test", "val", "valid", "validation")
MAX_PICTURE_PIXELS = 50_000_000  # a picture that unpacks to more is a bomb or a poster
MAX_PICTURE_BYTES = 200_000_000
LARGE_PICTURE = 4_000_000  # pixels; larger ones may not unpack without limit
MAX_PIXELS_PER_BYTE = 200  # of a large picture's file: photographs have 10, plain drawings 50
MAX_PICTURES = 100_000  # each is a file to open
MAX_FAILED = 1000  # unreadable files after which a folder without a single picture is given up
MAX_ARRAYS = 1000  # in an archive
MAX_LABEL_BYTES = 1024  # of one label
_NAMED = 3  # unreadable files named in a note

# the names that arrays go by in .npz archives, likeliest first
TRAIN_NAMES = ("x_train", "train_images", "images", "x", "train", "data", "arr_0")
LABEL_NAMES = ("y_train", "train_labels", "labels", "y", "label", "targets", "arr_1")
TEST_NAMES = ("x_test", "test_images", "test")
TEST_LABEL_NAMES = ("y_test", "test_labels")

WANTED = "an .npz archive, a pair of IDX files, or a folder with a folder of pictures for each class"


def read_images(path: Path, size: int) -> Raw:
    """What lies at `path`, as bytes; DataError says what was found and what is wanted."""
    if path.is_dir():
        return read_idx_folder(path, size) if idx_pairs(path) else read_class_folders(path, size)
    if path.suffix.lower() == ".npz":
        return read_npz(path, size)
    if ".idx" in path.name or "-idx" in path.name:
        return read_idx_folder(path.parent, size)
    raise DataError(f"{path.name} is not a set of pictures; wanted is {WANTED}")


def _encoded(labels: npt.NDArray[Any]) -> tuple[Labels, tuple[str, ...]]:
    """Labels of any kind as indices, and the classes' names."""
    values, indices = np.unique(labels, return_inverse=True)
    return indices.reshape(labels.shape).astype(np.int64), tuple(str(value) for value in values)


def _joined(
    train: Bytes, labels: npt.NDArray[Any], test: Bytes | None, test_labels: npt.NDArray[Any] | None, *notes: str
) -> Raw:
    """Both parts with their labels numbered alike."""
    if test is None or test_labels is None:
        codes, classes = _encoded(labels)
        return Raw(train, codes, None, None, classes, notes)
    codes, classes = _encoded(np.concatenate([labels, test_labels]))
    return Raw(train, codes[: len(labels)], test, codes[len(labels) :], classes, notes)


# ------------------------------------------------------------------ IDX


def idx_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The pairs of picture and label files in a folder, as "train" and "test"."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for images in sorted(Path(entry.path) for entry in entries_of(folder) if "idx3" in entry.name):
        labels = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
        if labels.is_file():
            is_test = "t10k" in images.name or "test" in images.name
            pairs.setdefault("test" if is_test else "train", (images, labels))
    if "train" not in pairs and "test" in pairs:  # a single pair, whatever it is called
        pairs["train"] = pairs.pop("test")
    return dict(sorted(pairs.items(), reverse=True))  # train first


def read_idx_folder(folder: Path, size: int) -> Raw:
    pairs = idx_pairs(folder)
    if not pairs:
        raise DataError(
            f"{folder.name} has no pair of IDX files: one named like train-images-idx3-ubyte, "
            "and beside it train-labels-idx1-ubyte"
        )
    shapes = {images: idx_shape(images, 3) for images, _ in pairs.values()}
    check_counts(folder.name, sum(shape[0] for shape in shapes.values()), size)
    train, train_labels = (read_idx(path, axes) for path, axes in zip(pairs["train"], (3, 1), strict=True))
    if "test" not in pairs:
        return _joined(train, train_labels, None, None)
    test, test_labels = (read_idx(path, axes) for path, axes in zip(pairs["test"], (3, 1), strict=True))
    return _joined(train, train_labels, test, test_labels)


# ------------------------------------------------------------------ NPZ

Arrays = dict[str, tuple[tuple[int, ...], "np.dtype[Any]"]]
_END_BYTES = 65_535 + 22  # within these a ZIP archive says what it holds


def npz_arrays(path: Path) -> Arrays:
    """Shape and type of each array of an archive, from the headers alone."""
    try:
        with open_archive(path) as archive:
            return {info.filename.removesuffix(".npy"): _npy_header(path, archive, info) for info in archive.infolist()}
    except DataError:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged files
        if _about_the_file(error):
            raise
        raise DataError(f"{path.name} is not an .npz archive, or it is damaged: {error}") from error


def _about_the_file(error: Exception) -> bool:
    """Whether the file itself cannot be read. A damaged archive raises OSError too, for a place that is not there."""
    return isinstance(error, OSError) and error.filename is not None


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive with no more files than arrays make sense. The end of it says how many: listing takes far longer."""
    with open_file(path) as file:
        file.seek(max(0, size_of(file) - _END_BYTES))
        end = file.read()
        place = end.rfind(b"PK\5\6")
        count = int.from_bytes(end[place + 10 : place + 12], "little") if place >= 0 else 0
        listing = int.from_bytes(end[place + 12 : place + 16], "little") if place >= 0 else 0
        if count > MAX_ARRAYS or listing > MAX_ARRAYS * 1000:
            raise DataError(f"{path.name} holds {count:,} arrays or more; at most {MAX_ARRAYS:,} are looked at")
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            yield archive


def _npy_header(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(
            f"{path.name}: {info.filename} holds Python objects, which could run code when loaded; "
            "save it as an array of numbers"
        )
    size = math.prod(shape) * dtype.itemsize
    if size > info.file_size or size > most_unpacked(info.compress_size):
        raise DataError(f"{path.name}: {info.filename} announces {by(shape)} numbers, more than the file holds")
    if size > MAX_BYTES:
        raise DataError(f"{path.name}: {info.filename} announces {by(shape)} numbers, more than {megabytes(MAX_BYTES)}")
    return shape, dtype


def npz_names(path: Path) -> dict[str, str]:
    """Which array of the archive serves as "train", "labels", "test" and "test labels"."""
    arrays = npz_arrays(path)
    lower = {name.lower(): name for name in arrays}
    roles = {"train": TRAIN_NAMES, "labels": LABEL_NAMES, "test": TEST_NAMES, "test labels": TEST_LABEL_NAMES}
    found = {role: next((lower[n] for n in names if n in lower), "") for role, names in roles.items()}
    if not found["train"] or not found["labels"]:
        there = ", ".join(f"{name} {by(shape)}" for name, (shape, _) in arrays.items()) or "nothing"
        raise DataError(
            f"{path.name} holds {there}; wanted are pictures named x_train, images or x and labels named "
            "y_train, labels or y"
        )
    if not found["test"] or not found["test labels"]:
        found["test"] = found["test labels"] = ""
    for role in ("train", "test"):
        if found[role]:
            _check_pair(path.name, arrays, found[role], found["labels" if role == "train" else "test labels"])
    return found


def _check_pair(file: str, arrays: Arrays, pictures: str, labels: str) -> None:
    """DataError where pictures or labels are so large that reading them could only fail."""
    (shape, _), (label_shape, label_type) = arrays[pictures], arrays[labels]
    if len(shape) > 1 and math.prod(shape[1:]) > 4 * MAX_PIXELS:
        raise DataError(
            f"{file}: {pictures} holds pictures of {by(shape[1:])} values; at most {MAX_PIXELS:,} pixels can be loaded"
        )
    if math.prod(label_shape[1:]) * label_type.itemsize > MAX_LABEL_BYTES * 8:
        raise DataError(
            f"{file}: {labels} is {by(label_shape)} of {label_type}; labels of at most {MAX_LABEL_BYTES:,} bytes, "
            f"or one-hot ones of {MAX_CLASSES:,} classes, can be loaded"
        )


def read_npz(path: Path, size: int) -> Raw:
    names, arrays = npz_names(path), npz_arrays(path)
    check_counts(
        path.name, sum(arrays[names[r]][0][0] for r in ("train", "test") if names[r] and arrays[names[r]][0]), size
    )
    loaded: dict[str, npt.NDArray[Any]] = {}
    try:
        with open_archive(path) as archive:
            for role, name in names.items():
                if name:
                    loaded[role] = read_array(archive, name)
    except DataError:  # Cancelled is one
        raise
    except Exception as error:  # as above
        if _about_the_file(error):
            raise
        raise DataError(f"{path.name} is damaged: {error}") from error
    train, note = as_bytes(path.name, names["train"], loaded["train"])
    labels = as_labels(path.name, names["labels"], loaded["labels"])
    if "test" not in loaded:
        return _joined(train, labels, None, None, *note)
    test, _ = as_bytes(path.name, names["test"], loaded["test"])
    return _joined(train, labels, test, as_labels(path.name, names["test labels"], loaded["test labels"]), *note)


def _stored(archive: zipfile.ZipFile, name: str) -> str:
    return next(n for n in (f"{name}.npy", name) if n in archive.NameToInfo)


def read_array_start(archive: zipfile.ZipFile, name: str, count: int) -> npt.NDArray[Any]:
    """The first `count` rows of an array, without the rest; all of it where it is stored column by column."""
    with archive.open(_stored(archive, name)) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, columns_first, dtype = read(file)
        if not columns_first and shape:
            rows = (min(count, shape[0]), *shape[1:])
            wanted = math.prod(rows) * dtype.itemsize
            return np.frombuffer(_Reported(file, wanted).read(wanted), dtype).reshape(rows)
    return read_array(archive, name)[:count]


def read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    stored = _stored(archive, name)
    with archive.open(stored) as file:
        return np.lib.format.read_array(_Reported(file, archive.getinfo(stored).file_size), allow_pickle=False)


class _Reported:
    """A file that says how far it is read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._done = file, size, 0

    def read(self, count: int = -1) -> bytes:
        found = bytearray()
        while piece := self._file.read(PIECE if count < 0 else min(PIECE, count - len(found))):
            found += piece
            self._done += len(piece)
            report(self._done, self._size)
        return bytes(found)


def as_labels(file: str, name: str, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels (N,) of whole numbers or words; (N, 1) and one-hot (N, K) are understood too."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and labels.dtype.kind in "biuf" and bool((labels.sum(axis=1) == 1).all()):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
        raise DataError(f"{file}: {name} is {by(labels.shape)} of {labels.dtype}; one label for each picture is wanted")
    if labels.dtype.kind == "f":
        if not bool((labels == np.round(labels)).all()):  # false for NaN too
            raise DataError(f"{file}: {name} holds fractions or NaN; whole numbers or words are wanted as labels")
        labels = labels.astype(np.int64)
    return labels


def as_bytes(file: str, name: str, images: npt.NDArray[Any]) -> tuple[Bytes, tuple[str, ...]]:
    """Pictures of any common layout and range -> (N, H, W) in 0..255, with a note where the range was changed."""
    shape = images.shape
    if images.dtype.kind not in "biuf" or 0 in shape:
        raise DataError(f"{file}: {name} is {by(shape)} of {images.dtype}; pictures made of numbers are wanted")
    if len(shape) == 2 and math.isqrt(shape[1]) ** 2 == shape[1]:  # (N, H*H): square pictures in rows
        side = math.isqrt(shape[1])
        images = images.reshape(-1, side, side)
    elif len(shape) == 4 and shape[3] in (1, 3, 4):  # (N, H, W, C)
        images = images[..., 0] if shape[3] == 1 else _grey(images[..., :3])
    elif len(shape) == 4 and shape[1] in (1, 3, 4):  # (N, C, H, W)
        images = images[:, 0] if shape[1] == 1 else _grey(images[:, :3].transpose(0, 2, 3, 1))
    if images.ndim != 3:
        raise DataError(
            f"{file}: {name} is {by(shape)}; wanted is (pictures, height, width), with 1, 3 or 4 channels or without"
        )
    if images.dtype == np.uint8:
        return images, ()
    if images.dtype.kind == "f" and not bool(np.isfinite(images).all()):
        bad = int((~np.isfinite(images)).sum())
        raise DataError(f"{file}: {name} holds {bad:,} values that are NaN or infinite; finite ones are wanted")
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1:
        bottom, top = 0.0, 1.0
    elif low >= 0 and high <= 255:
        bottom, top = 0.0, 255.0
    else:
        bottom, top = low, high
    note = () if (bottom, top) != (low, high) or low == 0 else (f"values {low:g} to {high:g} became 0 to 1",)
    out = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), 4096):  # in pieces: float64 of everything would be eight times as large
        report(start, len(images))
        piece = images[start : start + 4096].astype(np.float64)
        out[start : start + 4096] = np.round((piece - bottom) / ((top - bottom) or 1) * 255)
    return out, note


def _grey(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N, H, W, 3) -> (N, H, W): the luma of ITU-R 601, as Pillow does it."""
    grey = images @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.round(grey).astype(np.uint8) if images.dtype == np.uint8 else grey


# ------------------------------------------------------------------ a folder per class


def class_folders(folder: Path) -> tuple[dict[str, list[str]], int]:
    """The paths of the pictures in each subfolder, by its name, and the number of other files, but for hidden ones.

    As strings: a hundred thousand Path objects would keep the garbage collector, and so the window, busy for long.
    """
    classes: dict[str, list[str]] = {}
    others = looked_at = 0
    for child in sorted(_visible(folder)):
        if not os.path.isdir(child):
            others += 1
            continue
        files = _visible(Path(child), files=True)
        pictures = sorted(file for file in files if file.lower().endswith(SUFFIXES))
        others += len(files) - len(pictures)
        looked_at += len(files)
        if looked_at > MAX_ENTRIES:
            raise DataError(f"{folder.name} holds more than {MAX_ENTRIES:,} files; choose a smaller folder")
        if pictures:
            classes[os.path.basename(child)] = pictures
        if len(classes) > MAX_CLASSES:
            raise DataError(
                f"{folder.name} has more than {MAX_CLASSES:,} folders with pictures; at most {MAX_CLASSES:,} classes "
                "can be learned: choose fewer of them"
            )
    return classes, others


def _visible(folder: Path, files: bool = False) -> list[str]:
    """The paths of all that lies in a folder, or of the files alone, but for what is hidden."""
    visible = (entry for entry in entries_of(folder) if not entry.name.startswith("."))
    return [entry.path for entry in visible if not files or _is_file(entry)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def split_folders(folder: Path) -> tuple[Path, Path | None]:
    """The folders of training and test pictures, where the set comes divided."""
    if not (folder / "train").is_dir():
        return folder, None
    return folder / "train", next((folder / name for name in TEST_FOLDERS if (folder / name).is_dir()), None)


def read_class_folders(folder: Path, size: int) -> Raw:
    train_folder, test_folder = split_folders(folder)
    found = [class_folders(part) for part in (train_folder, test_folder) if part]
    count = sum(len(files) for classes, _ in found for files in classes.values())
    others = sum(other for _, other in found)
    if count == 0:
        raise DataError(f"{folder.name} has no pictures in subfolders; wanted is {WANTED}")
    if count > MAX_PICTURES:
        raise DataError(f"{folder.name} has {count:,} picture files; at most {MAX_PICTURES:,} can be loaded")
    check_counts(folder.name, count, size, len(found[0][0]))
    unreadable: list[str] = []
    parts = [_read_classes(classes, folder, size, unreadable, count) for classes, _ in found]
    notes, facts = [], []
    if len(unreadable) == count:
        raise DataError(none_readable(folder.name, unreadable[0]))
    if unreadable:
        facts.append(("unreadable", f"{len(unreadable):,} of {count:,} pictures"))
        named = ", ".join(unreadable[:_NAMED]) + (" …" if len(unreadable) > _NAMED else "")
        notes.append(f"{len(unreadable):,} of {count:,} picture files could not be read and were left out: {named}")
    if others:
        notes.append(f"{others:,} other files were left out")
        facts.append(("other files", f"{others:,} left out"))
    test: tuple[Bytes, npt.NDArray[Any]] | tuple[None, None] = parts[1] if len(parts) > 1 else (None, None)
    return replace(_joined(*parts[0], *test, *notes), facts=tuple(facts))


def _read_classes(
    classes: dict[str, list[str]], root: Path, size: int, unreadable: list[str], count: int
) -> tuple[Bytes, npt.NDArray[Any]]:
    pictures = np.empty((sum(map(len, classes.values())), size, size), np.uint8)
    labels: list[str] = []
    for name, files in classes.items():
        for path in files:
            report(len(labels), count)
            try:
                pictures[len(labels)] = read_picture(path, size)
                labels.append(name)
            except Cancelled:
                raise
            except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
                unreadable.append(f"{Path(path).relative_to(root).as_posix()} ({why_not(error)})")
                if not labels and len(unreadable) >= MAX_FAILED:
                    raise DataError(none_readable(root.name, unreadable[0])) from error
    return pictures[: len(labels)], np.array(labels, dtype=np.str_)


@contextmanager
def open_picture(path: str) -> Iterator[Image.Image]:
    """A picture of an offered format whose header announces a size that can be unpacked. Nothing is unpacked yet."""
    from PIL import Image

    with open_file(path) as file:
        size = size_of(file)
        if size > MAX_PICTURE_BYTES:
            raise DataError(f"{megabytes(size)} are too many for a picture")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # checked here, more strictly
        with Image.open(file, formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > MAX_PICTURE_PIXELS:
                raise DataError(f"{image.width:,}×{image.height:,} pixels are too many")
            if pixels > max(LARGE_PICTURE, size * MAX_PIXELS_PER_BYTE):
                raise DataError(f"{image.width:,}×{image.height:,} pixels are too many for {megabytes(size)}")
            yield image


def none_readable(name: str, first: str) -> str:
    """The sentence for a folder in which every picture failed, with the first of them."""
    return f"{name} has no pictures that can be read: {first}"


def why_not(error: Exception) -> str:
    """Why a picture cannot be read, in a few words: Pillow names objects in memory."""
    return "not a picture" if "cannot identify" in str(error) else str(error) or type(error).__name__


def read_picture(path: str, size: int) -> Bytes:
    """The centre square of a picture, in grey, `size` × `size`; what is transparent becomes white."""
    from PIL import Image, ImageOps

    with open_picture(path) as image:
        image.draft("L", (2 * size, 2 * size))  # JPEGs can be unpacked at a fraction of their size
        upright = ImageOps.exif_transpose(image)
        return np.asarray(ImageOps.fit(_to_grey(upright), (size, size), Image.Resampling.BILINEAR), np.uint8)


def _to_grey(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 or 32 bits: scale to 8, where convert() would cut off
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode.startswith("I;16") else max(float(values.max()), 1.0)
        return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("L")
    return image.convert("L")
