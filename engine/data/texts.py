"""Texts to learn from: the bundled one, tiny Shakespeare, or a file of the viewer's own."""

from __future__ import annotations

import codecs
from functools import lru_cache
from pathlib import Path

from engine.data.catalogue import CATALOGUE, find_files, megabytes
from engine.data.errors import DataError

MIN_CHARACTERS = 500
MAX_BYTES = 50_000_000


def load_text(name: str) -> str:
    """The text called `name` ("bundled", "tinyshakespeare") or lying in that UTF-8 file. It is kept."""
    if name == "bundled":
        return _bundled()
    if name in CATALOGUE:
        if CATALOGUE[name].kind != "text":
            raise DataError(f"{CATALOGUE[name].title} is a set of {CATALOGUE[name].kind}; a text is wanted")
        (path,) = find_files(name).values()
    else:
        path = Path(name).expanduser()
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"there is no text {name!r}; known are bundled and tinyshakespeare") from error
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _bundled() -> str:
    from engine.data.stories import write_stories

    return write_stories()


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, size: int) -> str:
    """The text in a file. When it was changed, and its size, are there so that an edited file is read again."""
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; a text file is wanted")
    check_size(path.name, size)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    return decode(path.name, content)


def check_size(name: str, size: int) -> None:
    """DataError where a text of that many bytes would be too large."""
    if size > MAX_BYTES:
        raise DataError(f"{name} is {megabytes(size)} large; at most {megabytes(MAX_BYTES)} of text can be loaded")


def decode(name: str, content: bytes) -> str:
    """UTF-8 text of a sensible length, with \\n at the ends of lines; DataError says what it is instead."""
    text = decode_start(name, content, whole=True)
    if len(text) < MIN_CHARACTERS or len(set(text)) < 2:
        raise DataError(
            f"{name} has {len(text):,} characters, {len(set(text))} different; at least {MIN_CHARACTERS} are wanted"
        )
    return text


def decode_start(name: str, content: bytes, whole: bool = False) -> str:
    """UTF-8 text; unless it is `whole`, the content may end within a character."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name} is UTF-16; save it as UTF-8 and choose it again")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=whole)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 text: byte {content[error.start]:#04x} at position {error.start:,}. "
            "Save it as UTF-8 and choose it again"
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    control = next((c for c in text if c < " " and c not in "\n\t\f"), None)
    if control is not None:
        where = text.index(control)
        raise DataError(f"{name} is not text: it holds control character {ord(control):#04x} at position {where:,}")
    return text
