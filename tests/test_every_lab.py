"""The contract over every lab of the registry: one test per lab and check."""

from __future__ import annotations

import pytest
import torch

from engine.check import CHECKS
from engine.discovery import catalogue, load_lab


@pytest.mark.parametrize("what", CHECKS)
@pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])
def test_contract(lab_id: str, what: str) -> None:
    torch.set_num_threads(1)
    CHECKS[what](load_lab(lab_id), lab_id)


def test_there_are_labs_and_their_names_differ() -> None:
    cards = catalogue()
    assert len(cards) >= 5
    assert len({card.id for card in cards}) == len(cards)
    assert len({card.title for card in cards}) == len(cards)


def test_the_catalogue_read_without_importing_is_what_the_classes_say() -> None:
    for card in catalogue():
        lab = load_lab(card.id)
        assert (lab.title, lab.chapter, lab.summary, lab.order) == (card.title, card.chapter, card.summary, card.order)
