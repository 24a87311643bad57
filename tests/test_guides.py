"""Every guide: its links name what the lab has, so that a click never meets an error."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import pytest

from engine.check import GUIDES
from engine.discovery import catalogue, load_lab
from engine.lab import descriptions_of, hyperparameters

LINK = re.compile(r"\[[^\]]+\]\((set|view):([^)\s]+)\)")


def links(lab_id: str) -> list[tuple[str, str]]:
    return LINK.findall((GUIDES / f"{lab_id}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])
def test_links_lead_somewhere(lab_id: str) -> None:
    lab = load_lab(lab_id)
    declared, views = hyperparameters(lab), descriptions_of(lab)
    found = links(lab_id)
    assert any(kind == "set" for kind, _ in found), "nothing to try"
    for kind, target in found:
        if kind == "view":
            assert target in views
            continue
        asked = dict(parse_qsl(target, keep_blank_values=True, strict_parsing=True))
        dataset = asked.pop("dataset", lab.datasets[0] if lab.datasets else "")
        assert dataset in lab.datasets or not dataset
        for name, text in asked.items():
            declared[name].parse(text)


def test_there_are_no_guides_without_a_lab() -> None:
    assert {path.stem for path in GUIDES.glob("*.md")} == {card.id for card in catalogue()}
