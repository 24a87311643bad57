"""The perceptron: the lecture's numbers, both rules against autograd, what can and cannot be learnt, bad data."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from engine.data.errors import DataError
from engine.hyperparameters import make_params, parse_settings
from engine.lab import LabError, advance, descriptions_of, start, views_of
from engine.labs.foundations.perceptron import Perceptron
from engine.payloads import FieldData, FormulaData, GraphData, PointPick, Stroke, ValueEdit
from engine.watch import render


def make(dataset: str = "gaussians", *, seed: int = 0, **values: Any) -> Perceptron:
    lab = start(Perceptron, make_params(Perceptron.Params, values), dataset=dataset, seed=seed)
    assert isinstance(lab, Perceptron)
    return lab


def edit(lab: Perceptron, view: str, gesture: Any) -> None:
    handler = views_of(lab)[view].on_edit
    assert handler is not None
    handler(lab, gesture)


def field_of(lab: Perceptron) -> FieldData:
    data = render(lab, "plane")
    assert isinstance(data, FieldData)
    return data


def test_the_lectures_example() -> None:
    """y = g(1 + 3 x1 - 2 x2): at (-1, 2) it is g(-6) = 0.002."""
    lab = make(start="random")
    lab.lecture.method(lab)
    z = lab.sums(torch.tensor([[-1.0, 2.0]]))
    assert z.tolist() == [-6]
    assert float(z.sigmoid()) == pytest.approx(0.00247, abs=5e-6)
    data = render(lab, "graph")
    assert isinstance(data, GraphData)
    assert data.nodes[-1].value == "0.00247"
    assert [edge.number for edge in data.edges[:3]] == [1, 3, -2]
    assert [edge.forward for edge in data.edges] == [
        "w₀ = 1",
        "w₁ = 3\nw₁x₁ = −3",
        "w₂ = −2\nw₂x₂ = −4",
        "−6",
        "0.00247",
    ]
    formula = render(lab, "formula")
    assert isinstance(formula, FormulaData)
    assert formula.lines[0].numbers == "= 1 + 3 · (−1) − 2 · 2 = −6"
    assert formula.lines[1].numbers == "= g(−6) = 0.00247"


def test_gradient_descent_follows_autograd() -> None:
    lab = make(rule="gradient descent", batch_size=17, noise=0.3, start="random")
    for _ in range(5):
        before, torch_state = lab.w.clone().requires_grad_(), torch.get_rng_state()
        queue = lab.queue.clone()
        x, y = lab.next(17)
        torch.set_rng_state(torch_state)
        lab.queue = queue
        F.binary_cross_entropy_with_logits(before[0] + x @ before[1:], y).backward()
        advance(lab)
        assert before.grad is not None
        assert torch.allclose(lab.gradient, before.grad, rtol=0, atol=1e-6)
        assert torch.allclose(lab.w, before.detach() - lab.hp.learning_rate * before.grad, rtol=0, atol=1e-6)


def test_the_perceptron_rule_descends_its_criterion_at_one_point() -> None:
    """Its change is minus the gradient of max(0, -s z), with s = 1 or -1 for the class."""
    lab, mistakes = make(noise=0.3), 0
    for _ in range(60):
        w = lab.w.clone().requires_grad_()
        advance(lab)
        x1, x2, y, _ = lab.latest
        loss = ((1 - 2 * y) * (w[0] + w[1] * x1 + w[2] * x2)).clamp(min=0)
        expected = torch.autograd.grad(loss, w)[0]
        assert torch.allclose(lab.gradient, expected, rtol=0, atol=1e-6)
        mistakes += int(expected.abs().max() > 0)
    assert 3 < mistakes < 60


@pytest.mark.parametrize("rule", ["perceptron rule", "gradient descent"])
@pytest.mark.parametrize("seed", [0, 3])
def test_separable_data_is_learnt_wholly(rule: str, seed: int) -> None:
    lab = make(rule=rule, seed=seed)
    assert lab.measure() < 0.9
    for _ in range(1500):
        metrics = advance(lab)
    assert lab.measure() == 1.0
    assert metrics is not None
    assert float(metrics["accuracy"]) == 1.0
    assert float(metrics["loss"]) < 0.05


@pytest.mark.parametrize("rule", ["perceptron rule", "gradient descent"])
def test_xor_is_not(rule: str) -> None:
    lab, shares = make("xor", rule=rule), []
    for _ in range(1500):
        metrics = advance(lab)
        assert metrics is not None
        shares.append(float(metrics["accuracy"]))
    assert max(shares) <= 0.75


def test_the_arrow_stands_on_the_line_and_points_to_orange() -> None:
    lab = make()
    arrows = field_of(lab).arrows
    assert arrows is not None
    x, y, dx, dy = arrows[0].tolist()
    assert float(lab.sums(torch.tensor([[x, y]]))[0]) == pytest.approx(0, abs=1e-5)
    assert float(lab.sums(torch.tensor([[x + dx, y + dy]]))[0]) > 1
    lab.w = torch.tensor([1.0, 0.0, 0.0])  # no line at all
    assert field_of(lab).arrows is None


def test_mistakes_are_ringed() -> None:
    lab = make()
    points = field_of(lab).points
    assert points is not None
    assert points.ringed is not None
    assert points.ringed.mean() == pytest.approx(1 - lab.measure())
    assert field_of(lab).hint == f"{points.ringed.sum()} of 200 on the wrong side"


def test_weights_and_inputs_are_edited_in_the_graph() -> None:
    lab = make()
    edit(lab, "graph", ValueEdit("w₂", 0.5))
    assert lab.w.tolist() == [1, 3, 0.5]
    edit(lab, "graph", ValueEdit("x₁", 4.0))
    assert lab.probed.tolist() == [4, 2]
    edit(lab, "graph", ValueEdit("Σ", 1.0))
    assert lab.w.tolist() == [1, 3, 0.5]
    with pytest.raises(LabError, match="needs a number"):
        edit(lab, "graph", ValueEdit("w₀", float("inf")))


def test_a_click_asks_about_a_place() -> None:
    lab = make()
    probe = views_of(lab)["plane"].on_probe
    assert probe is not None
    probe(lab, PointPick(1.234, -0.5))
    assert lab.probed.tolist() == pytest.approx([1.23, -0.5])
    points = field_of(lab).points
    assert points is not None
    assert points.cursor == pytest.approx((1.23, -0.5))


def test_drawn_points_are_learnt_from() -> None:
    lab = make("drawn", learning_rate=1.0)
    with pytest.raises(LabError, match="there are none yet"):
        advance(lab)
    edit(lab, "plane", Stroke(((-4.0, 1.0), (-3.0, 2.0)), 1))
    with pytest.raises(LabError, match="all are of one class"):
        advance(lab)
    edit(lab, "plane", Stroke(((3.0, 1.0), (4.0, 2.0)), 0))
    for _ in range(40):
        advance(lab)
    assert lab.measure() == 1
    edit(lab, "plane", Stroke((), clear=True))
    assert len(lab.xy) == 0
    render(lab, "plane")


def test_other_data_are_refused_in_words(tmp_path: Path) -> None:
    three, words, values = tmp_path / "three.csv", tmp_path / "words.csv", tmp_path / "values.csv"
    three.write_text("a,b,class\n" + "".join(f"{i},{i * i},{i % 3}\n" for i in range(9)))
    words.write_text("a,b,class\n" + "".join(f"x{i},y,{i % 2}\n" for i in range(9)))
    values.write_text("a,b,value\n" + "".join(f"{i},{i * i},{i / 7}\n" for i in range(20)))
    with pytest.raises(LabError, match="two classes apart; this data has 3 classes"):
        make(str(three))
    with pytest.raises(LabError, match="values instead of classes"):
        make(str(values))
    with pytest.raises(DataError):
        make(str(words))
    one = tmp_path / "one.csv"
    one.write_text("a,b,class\n" + "".join(f"{i},{i * i},yes\n" for i in range(9)))
    with pytest.raises(DataError, match="only the class yes"):
        make(str(one))


def test_a_table_of_two_classes_is_learnt(tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    table.write_text("a,b,class\n" + "".join(f"{i},{i % 5},{'yes' if i > 20 else 'no'}\n" for i in range(40)))
    lab = make(str(table), rule="gradient descent", learning_rate=1.0)
    for _ in range(600):
        advance(lab)
    assert lab.measure() == 1
    assert lab.facts()["points"] == "21 no and 19 yes"


def test_the_latest_point_is_told() -> None:
    lab = make()
    advance(lab)
    data = render(lab, "formula")
    assert isinstance(data, FormulaData)
    assert data.lines[2].numbers in ("0.1 · (1 − 1)", "0.1 · (0 − 0)", "0.1 · (1 − 0)", "0.1 · (0 − 1)")
    assert "the latest point" in data.lines[2].note


def test_the_rule_is_changed_while_it_learns() -> None:
    lab = make(batch_size=20)
    assert lab.steps_per_epoch == 200
    lab.hp = dataclasses.replace(lab.hp, rule="gradient descent")
    lab.changed("rule")
    assert lab.steps_per_epoch == 10
    advance(lab)
    assert len(lab.queue) == 180


def test_the_guides_links_can_be_followed() -> None:
    guide = (Path(__file__).parents[2] / "assets" / "guides" / "perceptron.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((set|view):([^)]*)\)", guide)
    assert len(links) >= 9
    for sort, target in links:
        if sort == "view":
            assert target in descriptions_of(Perceptron)
        else:
            pairs = [pair.replace("%20", " ") for pair in target.split("&")]
            datasets = [pair.partition("=")[2] for pair in pairs if pair.startswith("dataset=")]
            assert set(datasets) <= set(Perceptron.datasets)
            settings = [pair for pair in pairs if not pair.startswith("dataset=")]
            make_params(Perceptron.Params, parse_settings(Perceptron.Params, settings))
    for description in descriptions_of(Perceptron).values():
        assert f"**{description.title}**" in guide
