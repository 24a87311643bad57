"""The card of a lab: what the gallery shows of it, read with ``ast`` from its file, without importing anything."""

from __future__ import annotations

import ast
import contextlib
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Card:
    """What the gallery shows of a lab."""

    id: str
    title: str
    chapter: str
    summary: str
    about: str  # the docstring's first paragraph
    order: int
    path: Path
    class_name: str
    imported_as: str = ""  # the module, for labs that do not come with the project
    problem: str = ""  # why it cannot be opened, with the line
    own: bool = False  # a file in the viewer's folder of labs

    @property
    def module(self) -> str:
        return self.imported_as or f"engine.labs.{self.path.parent.name}.{self.path.stem}"


def _constants(node: ast.ClassDef) -> dict[str, object]:
    """The class attributes that are written as literals: ``a = 1`` and ``a, b = 1, 2``."""
    found: dict[str, object] = {}
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = (
                statement.value.elts
                if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple)
                else [statement.value]
            )
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    found[name.id] = value.value
    return found


# a class up to its first method: all that a card needs, parsed in a tenth of the time that the file takes
_CLASS_HEAD = re.compile(r"^class .*?(?=^    (?:async def|def|@)|\Z)", re.MULTILINE | re.DOTALL)


def read_card(path: Path) -> Card | None:
    """The card of the lab in a file, or None where it holds no lab. Raises SyntaxError for broken Python."""
    source = path.read_text(encoding="utf-8")
    with contextlib.suppress(SyntaxError):  # a docstring that looks like a method was cut: the whole file will do
        if card := _find_card(path, "".join(head + "    pass\n" for head in _CLASS_HEAD.findall(source))):
            return card
    return _find_card(path, source)


def read_whole(path: Path, class_name: str = "") -> Card | None:
    """The same, of a file that is parsed to its end: code that nobody has tested may be broken anywhere."""
    return _find_card(path, path.read_text(encoding="utf-8"), class_name)


def _find_card(path: Path, source: str, class_name: str = "") -> Card | None:
    for node in ast.parse(source, str(path)).body:
        if not isinstance(node, ast.ClassDef) or class_name not in ("", node.name):
            continue
        constants = _constants(node)
        if {"title", "chapter", "summary"} <= constants.keys():
            about = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            order = constants.get("order", 50)
            return Card(
                path.stem,
                str(constants["title"]),
                str(constants["chapter"]),
                str(constants["summary"]),
                about,
                order if isinstance(order, int) else 50,
                path,
                node.name,
            )
    return None
