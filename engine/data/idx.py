"""IDX, the file format of MNIST: two zero bytes, a type, the number of axes, their lengths, then the numbers."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.data.errors import DataError
from engine.data.files import PIECE, open_file, size_of
from engine.data.reading import report

UNSIGNED_BYTE = 0x08
MAX_BYTES = 2_000_000_000
MAX_PIXELS = 25_000_000  # of a picture
MAX_RATIO = 200  # to which a file may unpack: real pictures reach 10, deflate could reach 1,032
SMALL = 64_000_000  # bytes that may be unpacked of any file


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not. DataError where it is anything else."""
    try:
        with open_file(path) as file:
            shape, stream = _open(path, file, axes)
            count = math.prod(shape)
            body = bytearray()
            while len(body) < count and (piece := stream.read(min(PIECE, count - len(body)))):
                body += piece
                report(len(body), count)
            more = stream.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    if len(body) != count or more:
        found = f"more than {count:,}" if more else f"{len(body):,}"
        raise DataError(f"{path.name} announces {by(shape)} = {count:,} bytes and holds {found}: it is damaged")
    return np.frombuffer(body, np.uint8).reshape(shape)


def read_idx_start(path: Path, count: int) -> npt.NDArray[np.uint8]:
    """The first `count` pictures (N, H, W) of an IDX file."""
    try:
        with open_file(path) as file:
            shape, stream = _open(path, file, 3)
            wanted = min(count, shape[0]) * math.prod(shape[1:])
            body = bytearray()
            while len(body) < wanted and (piece := stream.read(min(PIECE, wanted - len(body)))):
                body += piece
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    whole = len(body) // math.prod(shape[1:])
    return np.frombuffer(body[: whole * math.prod(shape[1:])], np.uint8).reshape(whole, *shape[1:])


def idx_shape(path: Path, axes: int) -> tuple[int, ...]:
    """The shape that an IDX file announces, without reading its numbers."""
    try:
        with open_file(path) as file:
            return _open(path, file, axes)[0]
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error


def _open(path: Path, file: io.BufferedReader, axes: int) -> tuple[tuple[int, ...], gzip.GzipFile | io.BufferedReader]:
    """The checked shape, and the stream that stands where the numbers begin."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    header = stream.read(4)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise DataError(f"{path.name} is not an IDX file: it begins with {header!r}")
    if header[2] != UNSIGNED_BYTE or header[3] != axes:
        raise DataError(
            f"{path.name} holds type {header[2]:#04x} with {header[3]} axes; "
            f"unsigned bytes (0x08) with {axes} {'axis' if axes == 1 else 'axes'} are wanted"
        )
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DataError(f"{path.name} ends within its header: it is damaged")
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, 4 * axes, 4))
    count = math.prod(shape)
    # a false header must not make us ask for memory that the file cannot fill
    size = size_of(file)
    if count == 0:
        raise DataError(f"{path.name} is empty: it announces {by(shape)}")
    if count > min(MAX_BYTES, most_unpacked(size) if packed else size):
        raise DataError(f"{path.name} announces {by(shape)} = {count:,} bytes, which it cannot hold: it is damaged")
    if math.prod(shape[1:]) > MAX_PIXELS:
        raise DataError(f"{path.name} holds pictures of {by(shape[1:])} pixels; at most {MAX_PIXELS:,} can be loaded")
    return shape, stream


def most_unpacked(size: int) -> int:
    """The bytes that a file of that size may unpack to: with more it is made to fill the memory."""
    return max(size * MAX_RATIO, min(size * 1032 + 1024, SMALL))


def by(shape: tuple[int, ...]) -> str:
    """A shape as a person would write it: 60,000×28×28."""
    return "×".join(f"{n:,}" for n in shape) or "a single number"
