"""Finding labs: every file in engine/labs/<chapter>/ that defines a class with a title is one.

The catalogue is read with ``ast``, without importing anything: the gallery opens before torch is loaded.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.lab import Lab

LABS = Path(__file__).parent / "labs"
CHAPTERS = ("Foundations", "Vision", "Generating", "Language", "Foundation models", "Acting")


class UnknownLab(KeyError):
    """There is no lab of that name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


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

    @property
    def module(self) -> str:
        return f"engine.labs.{self.path.parent.name}.{self.path.stem}"


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


def _find_card(path: Path, source: str) -> Card | None:
    for node in ast.parse(source, str(path)).body:
        if not isinstance(node, ast.ClassDef):
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


@cache
def catalogue() -> tuple[Card, ...]:
    """All labs, in the order of the course."""
    cards = [card for path in sorted(LABS.glob("*/[a-z]*.py")) if (card := read_card(path))]

    def place(card: Card) -> tuple[int, int, str]:
        chapter = CHAPTERS.index(card.chapter) if card.chapter in CHAPTERS else len(CHAPTERS)
        return chapter, card.order, card.title

    return tuple(sorted(cards, key=place))


def find_card(lab_id: str) -> Card:
    """The card of a lab by its id; hyphens will do for underscores. Raises UnknownLab."""
    wanted = lab_id.replace("-", "_")
    for card in catalogue():
        if card.id == wanted:
            return card
    known = ", ".join(card.id for card in catalogue())
    raise UnknownLab(f"there is no lab {lab_id!r}; there are: {known}")


def load_lab(lab_id: str) -> type[Lab]:
    """Import a lab and return its class. Raises UnknownLab. This imports torch."""
    card = find_card(lab_id)
    lab: type[Lab] = getattr(importlib.import_module(card.module), card.class_name)
    return lab
