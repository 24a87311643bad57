"""What the README says is so: its example keeps the contract, its commands and pictures exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import engine.check
from engine.__main__ import _parser
from engine.discovery import catalogue, read_card

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_lab_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    path = tmp_path / "one_neuron.py"
    path.write_text(code.group(1), encoding="utf-8")
    (tmp_path / "one_neuron.md").write_text("# One neuron", encoding="utf-8")
    monkeypatch.setattr(engine.check, "GUIDES", tmp_path)
    card = read_card(path)
    assert card is not None
    assert (card.id, card.title, card.order) == ("one_neuron", "One neuron", 90)
    spec = importlib.util.spec_from_file_location("one_neuron", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "one_neuron", module)
    spec.loader.exec_module(module)
    for finding in engine.check.check_lab(module.OneNeuron, "one_neuron"):
        assert not finding.problem, f"{finding.what}: {finding.problem}"


def test_the_commands_parse() -> None:
    commands = re.findall(r"^    .*python -m engine (.*?)(?:  +#|$)", README, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        _parser().parse_args(command.split())


def test_files_and_labs_named_there_exist() -> None:
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).is_file(), picture
    for card in catalogue():
        assert card.title in README, f"the README does not name {card.title}"
