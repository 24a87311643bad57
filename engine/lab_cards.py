"""The card of a lab: what the gallery shows of it, read with ``ast`` from its file, without importing anything."""

from __future__ import annotations

import ast
import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("title", "chapter", "summary")  # what makes a class a lab


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


def _constants(node: ast.ClassDef) -> dict[str, ast.Constant]:
    """The class attributes that are written as literals: ``a = 1`` and ``a, b = 1, 2``."""
    found: dict[str, ast.Constant] = {}
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
                    found[name.id] = value
    return found


# the class of a lab up to its first method: all that a card needs, and far less to parse than the file
_CLASS_HEAD = re.compile(r"^class \w+\(Lab\):\n(?:(?!    (?:async def|def|@)).*\n)*", re.MULTILINE)


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


def title_node(source: str) -> ast.Constant | None:
    """Where a lab's title is written."""
    found = _find_lab(source)
    return found[1]["title"] if found else None


def _find_card(path: Path, source: str, class_name: str = "") -> Card | None:
    found = _find_lab(source, class_name)
    if found is None:
        return None
    node, constants = found
    title, chapter, summary = (str(constants[name].value) for name in NEEDED)
    about = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    order = constants["order"].value if "order" in constants else 50
    return Card(path.stem, title, chapter, summary, about, order if isinstance(order, int) else 50, path, node.name)


def _find_lab(source: str, class_name: str = "") -> tuple[ast.ClassDef, dict[str, ast.Constant]] | None:
    """The first class that is a lab, or the one of that name, and its literals."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and class_name in ("", node.name):
            constants = _constants(node)
            if constants.keys() >= set(NEEDED):
                return node, constants
    return None
