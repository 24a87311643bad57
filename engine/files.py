"""Writing the user's files: whole or not at all, with the permissions that the user's other files have.

Everything that is saved or exported goes through `writing`. The bytes go to a file beside the destination, which takes
its place once it is on the disk, so that a full disk or a crash leaves the former file whole and never an empty one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

KINDS = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def target_of(path: Path) -> Path:
    """The file that writing to `path` writes: where it is a symbolic link, the one that it points to.

    Raises OSError where that is not a file, may not be written, or has no folder.
    """
    target = Path(os.path.realpath(path))
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None  # a link to a file that is not there yet creates it
    if found is not None and not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"this is {kind}, not a file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target.parent))
    if found is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` only once it is whole and on the disk.

    A new file gets the permissions that the umask leaves, one that is replaced keeps its own. Raises OSError, which
    names the file.
    """
    target = target_of(path)
    part = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.part")
    try:
        # not tempfile.mkstemp, whose files only their owner may read; os.open leaves the umask to the system
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):  # there is none yet, or the file system knows no permissions
            os.chmod(part, target.stat().st_mode & 0o777)
        os.replace(part, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
