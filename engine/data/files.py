"""Opening what the user points at: regular files and folders only, and never more of them than a stated bound.

A named pipe would wait for a writer for ever and a device may have no end, so the kind is checked before opening,
and once more on the open file in case another has taken its place meanwhile. A file that grows is read as far as it
reached when it was opened.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.data.errors import DataError
from engine.data.reading import pulse, report

MAX_ENTRIES = 250_000  # files and folders that are looked at in one folder
PIECE = 1 << 20  # bytes read at a time

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# a pipe that replaces the file after the check would otherwise wait for a writer
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def status_of(path: Path) -> os.stat_result:
    """The status of a regular file or a folder. DataError: it is something else. OSError: nothing is there."""
    try:
        status = path.stat()
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(str(error)) from error
    _check(path, status)
    return status


def _check(path: Path, status: os.stat_result) -> None:
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "neither file nor folder")
        raise DataError(f"{path.name or path} is {kind}; only regular files and folders are read")


def open_file(path: str | Path) -> io.BufferedReader:
    """A regular file, opened for reading. DataError where it is anything else."""
    path = Path(path)
    _check(path, path.stat())
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        _check(path, status)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(f"{path.name} is a folder; a file is needed")
        return io.BufferedReader(_Watched(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


class _Watched(io.FileIO):
    """A file that ends where it ended when it was opened, and whose reading can be stopped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "rb")
        self.size = os.fstat(descriptor).st_size

    def readinto(self, buffer: Any) -> int:
        pulse()
        left = max(0, self.size - self.tell())
        return super().readinto(memoryview(buffer)[:left]) or 0

    def readall(self) -> bytes:
        content = bytearray()
        while piece := self.read(PIECE):
            content += piece
        return bytes(content)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(min(size, max(0, self.size - self.tell())))
        return bytes(buffer[: self.readinto(buffer)])


def size_of(file: io.BufferedReader) -> int:
    """How large an open file is."""
    return os.fstat(file.fileno()).st_size


def entries_of(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, as it comes. DataError where that is more than can be looked at."""
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries, 1):
                if count > MAX_ENTRIES:
                    raise DataError(
                        f"{folder.name} holds more than {MAX_ENTRIES:,} files and folders; choose a smaller folder"
                    )
                report(0, 1)
                yield entry
    except OSError as error:
        raise DataError(f"{folder.name} cannot be read: {error.strerror}") from error
