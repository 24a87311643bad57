"""Finding labs: every file in engine/labs/<chapter>/ that defines a class with a title is one, and so are those of the
viewer's own (engine/own_labs.py).

The catalogue is read with ``ast``, without importing anything: the gallery opens before torch is loaded.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine import own_labs
from engine.lab_cards import Card, read_card

if TYPE_CHECKING:
    from engine.lab import Lab

__all__ = ["CHAPTERS", "Card", "UnknownLab", "built_in", "catalogue", "find_card", "load_lab", "read_card"]

LABS = Path(__file__).parent / "labs"
CHAPTERS = ("Foundations", "Vision", "Generating", "Language", "Foundation models", "Acting")


class UnknownLab(KeyError):
    """There is no lab of that name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def built_in() -> tuple[Card, ...]:
    """The labs that come with the project, in the order of the course."""
    return _in_order([card for path in sorted(LABS.glob("*/[a-z]*.py")) if (card := read_card(path))])


def catalogue() -> tuple[Card, ...]:
    """All labs, in the order of the course; the viewer's own come last. Files that are new or changed are read anew."""
    cards = built_in()
    packaged = own_labs.packaged_cards(frozenset(card.id for card in cards))
    return _in_order([*cards, *packaged]) + tuple(own_labs.own_cards())


def _in_order(cards: list[Card]) -> tuple[Card, ...]:
    def place(card: Card) -> tuple[int, int, str]:
        chapter = CHAPTERS.index(card.chapter) if card.chapter in CHAPTERS else len(CHAPTERS)
        return chapter, card.order, card.title

    return tuple(sorted(cards, key=place))


def find_card(lab_id: str) -> Card:
    """The card of a lab by its id; hyphens will do for underscores, and a lab of one's own may be called by its
    file's name where no other is called so. Raises UnknownLab."""
    for cards in (built_in, catalogue):  # the project's labs are found without a look at the disk
        for wanted in (lab_id, own_labs.PREFIX + lab_id):
            for card in cards():
                if card.id == wanted or card.id.replace("-", "_") == wanted.replace("-", "_"):
                    return card
    known = ", ".join(card.id for card in catalogue())
    raise UnknownLab(f"there is no lab {lab_id!r}; there are: {known}")


def load_lab(lab_id: str) -> type[Lab]:
    """Import a lab and return its class. Raises UnknownLab or BrokenLab. This imports torch."""
    card = find_card(lab_id)
    if card.imported_as:
        return own_labs.load(card)
    lab: type[Lab] = getattr(importlib.import_module(card.module), card.class_name)
    return lab
