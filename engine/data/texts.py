"""Texts to learn from: the bundled one, tiny Shakespeare, or a file of the viewer's own."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.data.catalogue import CATALOGUE, find_files, megabytes
from engine.data.columns import split_name
from engine.data.errors import DataError
from engine.data.files import PIECE, open_file, size_of, status_of
from engine.data.reading import AS_LATIN, odd_bytes, report, tell

MIN_CHARACTERS = 500
MAX_BYTES = 50_000_000
MAX_ALPHABET = 4096  # characters that a network can tell apart: its first and last layers have a row for each
_CONTROL = re.compile("[\\x00-\\x08\\x0b\\x0e-\\x1f]")  # all but tab, newline and form feed


@dataclass(frozen=True)
class Text:
    """A text with what is known of it."""

    text: str
    characters: int
    alphabet: frozenset[str]
    odd_bytes: int  # not UTF-8, and so read as Latin-1

    def facts(self) -> tuple[tuple[str, str], ...]:
        """In short, where there is something to say."""
        return (("not UTF-8", f"{self.odd_bytes:,} bytes, read as Latin-1"),) if self.odd_bytes else ()


def load_text(name: str) -> str:
    """The text called `name` ("bundled", "tinyshakespeare") or lying in that UTF-8 file. It is kept."""
    if name == "bundled":
        return _bundled()
    if name in CATALOGUE:
        if CATALOGUE[name].kind != "text":
            raise DataError(f"{CATALOGUE[name].title} is a set of {CATALOGUE[name].kind}; a text is wanted")
        (path,) = find_files(name).values()
    else:
        path = Path(split_name(name)[0]).expanduser()
    try:
        status = status_of(path)
    except OSError as error:
        raise DataError(f"there is no text {name!r}; known are bundled and tinyshakespeare") from error
    text = _read(path, status.st_mtime_ns, status.st_size)
    tell(text.facts())
    return text.text


@lru_cache(maxsize=1)
def _bundled() -> str:
    from engine.data.stories import write_stories

    return write_stories()


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> Text:
    """The text in a file. When it was changed, and its size, are there so that an edited file is read again."""
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; a text file is wanted")
    try:
        return decode(path.name, read_text(path))
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error


def read_text(path: Path) -> bytes:
    """What stands in a file of a size that can be learned from."""
    with open_file(path) as file:
        check_size(path.name, size_of(file))  # as it is now: it may have grown
        return file.read()


def check_size(name: str, size: int) -> None:
    """DataError where a text of that many bytes would be too large."""
    if size > MAX_BYTES:
        raise DataError(f"{name} is {megabytes(size)} large; at most {megabytes(MAX_BYTES)} of text can be loaded")


def decode(name: str, content: bytes) -> Text:
    """A text of a sensible length, with \\n at the ends of lines; DataError says what it is instead."""
    text = decode_any(name, content)
    if text.characters < MIN_CHARACTERS or len(text.alphabet) < 2:
        raise DataError(
            f"{name} has {text.characters:,} characters, {len(text.alphabet)} different; "
            f"at least {MIN_CHARACTERS} are wanted"
        )
    return text


def decode_any(name: str, content: bytes) -> Text:
    """UTF-8 text, and what is not UTF-8 in it as Latin-1. In pieces: the whole would hold up the window."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name} is UTF-16; save it as UTF-8 and choose it again")
    before = odd_bytes()
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(AS_LATIN), translate=True)
    pieces: list[str] = []
    characters, alphabet = 0, set[str]()
    for start in range(0, len(content) or 1, PIECE):
        report(start, len(content))
        piece = decoder.decode(content[start : start + PIECE], final=start + PIECE >= len(content))
        if (control := _CONTROL.search(piece)) is not None:
            raise DataError(
                f"{name} is not text: it holds control character {ord(control[0]):#04x} "
                f"at position {characters + control.start():,}"
            )
        pieces.append(piece)
        characters += len(piece)
        alphabet |= set(piece)
        if len(alphabet) > MAX_ALPHABET:
            raise DataError(
                f"{name} has more than {MAX_ALPHABET:,} different characters; at most {MAX_ALPHABET:,} can be learned: "
                "choose a text in one language, or replace its rare characters"
            )
    return Text("".join(pieces), characters, frozenset(alphabet), odd_bytes() - before)
