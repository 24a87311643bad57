"""Labs of one's own: files in a folder of the viewer's, and those that installed packages offer.

A file is one lab. It is loaded anew whenever its text has changed, as a fresh module, so that what is opened is always
what stands in the file. A package offers a lab as an entry point of the group "deepscope.labs", written
``module:Class`` or ``module``; its card is read from the file, and the module is imported only when it is opened.
"""

from __future__ import annotations

import errno
import importlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from engine.error_text import told
from engine.files import writing
from engine.interruption import Interrupted
from engine.lab_cards import Card, read_whole, title_node

if TYPE_CHECKING:
    from engine.lab import Lab

GROUP = "deepscope.labs"
MINE = "Mine"  # the chapter
PREFIX = "mine."  # of the ids: a file takes no other lab's place, whatever it is called
MOST_ENTRIES = 10_000  # of the folder that are looked at
MOST_LABS = 500
MOST_BYTES = 1_000_000  # of a file
NO_LAB = "there is no class with title, chapter and summary"

_chosen_folder: Path | None = None
_loaded: dict[Path, tuple[bytes, type[Lab]]] = {}
_numbers = itertools.count(1)


class BrokenLab(Exception):
    """A lab that cannot be loaded; the message names file, line and cause."""


def set_labs_folder(path: str | os.PathLike[str] | None) -> None:
    """Where the viewer's own labs lie (the folder in Settings); None goes back to DEEPSCOPE_LABS, or the default."""
    global _chosen_folder
    _chosen_folder = Path(os.path.expanduser(path)) if path else None


def labs_folder() -> Path:
    """Where the viewer's own labs lie. The folder need not exist."""
    return _chosen_folder or usual_labs_folder()


def usual_labs_folder() -> Path:
    """Where they lie unless another folder was chosen: what DEEPSCOPE_LABS says, else a place in the user's data."""
    if named := os.environ.get("DEEPSCOPE_LABS"):
        return Path(os.path.expanduser(named))
    import platformdirs

    return Path(platformdirs.user_data_dir("deepscope", appauthor=False)) / "labs"


def is_own(lab_id: str) -> bool:
    """Whether it is the id of a file in that folder."""
    return lab_id.startswith(PREFIX)


# ------------------------------------------------------------------ cards


def own_cards() -> list[Card]:
    """A card for every file in the folder, also for those that are broken: these say why."""
    return [_own_card(path) for path in lab_files(labs_folder())]


def lab_files(folder: Path) -> list[Path]:
    """The files in a folder that may be labs, sorted; none where there is no such folder."""
    found: list[str] = []
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, MOST_ENTRIES):
            name = entry.name
            if name.endswith(".py") and name[0] not in "_." and os.path.isfile(entry.path):
                found.append(name)
    return [folder / name for name in sorted(found)[:MOST_LABS]]


def _own_card(path: Path) -> Card:
    name = PREFIX + path.stem
    return replace(_card_of(path), id=name, chapter=MINE, imported_as=name, own=True)


def _card_of(path: Path, class_name: str = "") -> Card:
    try:
        found = path.stat()
    except OSError as error:
        return _broken(path, error.strerror or str(error))
    if found.st_size > MOST_BYTES:
        return _broken(path, f"this file has {found.st_size / 1e6:.1f} MB; a lab has at most {MOST_BYTES / 1e6:.1f} MB")
    return _read(path, class_name, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=512)
def _read(path: Path, class_name: str, _time: int, _size: int) -> Card:
    try:
        card = read_whole(path, class_name)
    except SyntaxError as error:
        return _broken(path, error.msg, error.lineno or 0)
    except UnicodeDecodeError:
        return _broken(path, "this is no text in UTF-8")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return _broken(path, str(error) or type(error).__name__)
    return card or _broken(path, f"there is no class {class_name}" if class_name else NO_LAB)


def _broken(path: Path, why: str, line: int = 0) -> Card:
    problem = f"line {line}: {why}" if line else why
    about = "Open it to see the line; once the file is right, the lab starts."
    return Card(path.stem, path.name, MINE, f"broken: {problem}", about, 50, path, "", problem=problem)


def packaged_cards(taken: frozenset[str]) -> list[Card]:
    """The labs that installed packages offer, under ids that are not `taken`."""
    cards: dict[str, Card] = {}
    for name, value, package in _entry_points(tuple(sys.path)):
        lab_id = re.sub(r"[^\w.-]", "_", name)
        if lab_id in taken or lab_id in cards or is_own(lab_id):
            lab_id = f"{package}.{lab_id}"
        module, _, class_name = (part.strip() for part in value.partition(":"))
        origin = _origin(module)
        card = _card_of(origin, class_name) if origin else _broken(Path(name), f"there is no module {module}")
        cards[lab_id] = replace(card, id=lab_id, imported_as=module)
    return list(cards.values())


@lru_cache(maxsize=4)
def _entry_points(_path: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    from importlib.metadata import entry_points

    found = entry_points(group=GROUP)
    return tuple((each.name, each.value, each.dist.name if each.dist else "package") for each in found)


def _origin(module: str) -> Path | None:
    """The file of a module, found without importing the packages it lies in."""
    first, *rest = module.split(".")
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):
        return None
    name = first
    for part in rest:
        name = f"{name}.{part}"
        places = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(name, list(places)) if places else None
    return Path(spec.origin) if spec and spec.origin else None


# ------------------------------------------------------------------ loading


class _Fresh(SourceFileLoader):
    """Compiles the file itself: a cached .pyc is told from a newer file by whole seconds and size alone."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def load(card: Card) -> type[Lab]:
    """The class of a lab of one's own, or of a package's. Raises BrokenLab."""
    if not card.own:
        return _class_of(card, lambda: importlib.import_module(card.module))
    try:
        source = card.path.read_bytes()
    except OSError as error:
        raise BrokenLab(f"{card.path.name}: {error.strerror or error}") from error
    known = _loaded.get(card.path)
    if known is None or known[0] != source:
        known = _loaded[card.path] = source, _class_of(card, lambda: _import_file(card.path))
    return known[1]


def _import_file(path: Path) -> object:
    name = f"deepscope_mine_{next(_numbers)}_{re.sub(r'[^0-9A-Za-z]', '_', path.stem)}"
    spec = spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and inspect look for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _class_of(card: Card, import_it: Callable[[], object]) -> type[Lab]:
    from engine.lab import Lab

    try:
        module = import_it()
    except Interrupted:
        raise
    except BaseException as error:  # SystemExit and the like are the file's errors, too
        line = next(iter(_lines(card.path, error)), 0)
        at = f"{card.path.name}, line {line}" if line else card.path.name
        what = f"{type(error).__name__}: {error.msg}" if isinstance(error, SyntaxError) else told(error)
        raise BrokenLab(f"{at}: {what}".splitlines()[0]) from error
    if card.problem:
        raise BrokenLab(f"{card.path.name}: {card.problem}")
    found = getattr(module, card.class_name, None)
    if not isinstance(found, type) or not issubclass(found, Lab):
        raise BrokenLab(f"{card.path.name}: {card.class_name} is no class derived from engine.lab.Lab")
    return found


def _lines(path: Path, error: BaseException) -> Iterator[int]:
    """Where in a file an error came from, the innermost place first."""
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        yield error.lineno
    import traceback

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(path) and frame.lineno:
            yield frame.lineno


# ------------------------------------------------------------------ copies


def copy_lab(source: Path, name: str) -> Path:
    """Copy a lab's file into the folder of one's own, under a title that tells them apart. Returns the new file.

    Raises FileExistsError where there is one of that name, ValueError where the name is empty.
    """
    stem = re.sub(r"\W+", "_", name.strip().removesuffix(".py")).strip("_")
    if not stem:
        raise ValueError("a lab needs a name")
    text = source.read_text(encoding="utf-8")
    folder = labs_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}.py"
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    with writing(target) as file:
        file.write(_retitled(text).encode())
    return target


def free_name(source: Path) -> str:
    """A name for a copy of a lab that no file of the folder has."""
    names = itertools.chain([f"my_{source.stem}"], (f"my_{source.stem}_{n}" for n in itertools.count(2)))
    return next(name for name in names if not (labs_folder() / f"{name}.py").exists())


def _retitled(text: str) -> str:
    import json

    lines = text.encode().splitlines(keepends=True)  # ast counts bytes
    node = title_node(text)
    if node is not None and node.end_lineno == node.lineno:
        line = lines[node.lineno - 1]
        title = json.dumps(str(node.value) + " (mine)", ensure_ascii=False).encode()
        lines[node.lineno - 1] = line[: node.col_offset] + title + line[node.end_col_offset :]
    return b"".join(lines).decode()
