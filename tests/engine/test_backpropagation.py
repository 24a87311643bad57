"""Backpropagation by hand against autograd, move by move, and what the viewer can change on the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from engine.export.weights import weights_of
from engine.hyperparameters import make_params, parse_settings
from engine.lab import LabError, advance, descriptions_of, start, views_of
from engine.labs.foundations.backpropagation import Backpropagation
from engine.nn.chain_rule import local_derivative
from engine.nn.wiring import GRAPHS, OPERATIONS, Move, told
from engine.payloads import FormulaData, GraphData, NumbersData, Pick, ValueEdit
from engine.watch import render


def make(graph: str = "chain", *, seed: int = 0, **values: Any) -> Backpropagation:
    lab = start(Backpropagation, make_params(Backpropagation.Params, {"graph": graph, **values}), seed=seed)
    assert isinstance(lab, Backpropagation)
    return lab


def edit(lab: Backpropagation, view: str, gesture: Any) -> None:
    handler = views_of(lab)[view].on_edit
    assert handler is not None
    handler(lab, gesture)


def graph_of(lab: Backpropagation) -> GraphData:
    data = render(lab, "graph")
    assert isinstance(data, GraphData)
    return data


def one_pass(lab: Backpropagation) -> dict[str, float]:
    """Go on to the last edge of the pass; the metrics on the way."""
    metrics: dict[str, float] = {}
    while not lab.autograd:
        metrics |= {name: float(value) for name, value in (advance(lab) or {}).items()}
    return metrics


@pytest.mark.parametrize("sort", OPERATIONS)
def test_each_derivative_equals_autograds(sort: str) -> None:
    torch.manual_seed(1)
    shapes: dict[str, list[tuple[int, ...]]] = {"layer": [(3, 2), (2,), (3,)], "cross-entropy": [(4,), (4,)]}
    count = len(OPERATIONS[sort].rules)
    inputs = [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes.get(sort, [()] * count)]
    y = OPERATIONS[sort].forward(*inputs)
    g = torch.randn_like(y)
    for mine, theirs in zip(OPERATIONS[sort].backward(g, *inputs), torch.autograd.grad(y, inputs, g), strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-6)
        assert theirs.abs().max() > 1e-3


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_gradient_equals_autograds(graph: str, seed: int) -> None:
    lab = make(graph, seed=seed)
    for _ in range(3):
        torch.manual_seed(seed)
        for name in lab.leaves:
            lab.leaves[name] = torch.randn(lab.leaves[name].shape)
        lab.begin()
        one_pass(lab)
        assert len(lab.autograd) == sum(kind != "target" for kind, _ in lab.wiring.leaves.values())
        for name, exact in lab.autograd.items():
            assert torch.allclose(lab.gradient(name), exact, rtol=0, atol=1e-6)
    assert lab.worst == pytest.approx(lab.measure())
    assert lab.worst <= 1e-6


def test_two_layers_are_the_network_that_torch_would_make() -> None:
    lab = make("two layers")
    loss = one_pass(lab)["loss"]
    w1, w2 = (lab.leaves[name].clone().requires_grad_() for name in ("W₁", "W₂"))
    logits = F.linear(torch.tanh(F.linear(lab.leaves["x"], w1, lab.leaves["b₁"])), w2, lab.leaves["b₂"])
    expected = F.cross_entropy(logits, torch.tensor(1))
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    assert w1.grad is not None
    assert torch.allclose(lab.gradient("W₁"), w1.grad, rtol=0, atol=1e-6)


def test_the_lectures_chain_by_hand() -> None:
    """z1 = 1.5 · 0.8, y = -0.5 · z1, J = (y - 1)² / 2, so dJ/dw1 = (y - 1) · w2 · x."""
    lab = make("chain")
    assert one_pass(lab)["loss"] == pytest.approx(1.28)
    assert float(lab.gradient("w₁")) == pytest.approx(-1.6 * -0.5 * 0.8)
    assert float(lab.gradient("w₂")) == pytest.approx(-1.6 * 1.2)


def test_a_pass_goes_one_move_at_a_time() -> None:
    lab, flows = make("chain"), []
    for _ in range(len(lab.moves)):
        advance(lab)
        lit = {edge.lit for edge in graph_of(lab).edges if edge.lit}
        flows.append(lit.pop() if lit else "")
        assert not lit
    assert flows == ["forward"] * 3 + ["backward"] * 5 + [""]
    assert [node.name for node in graph_of(lab).nodes if node.lit] == ["w₁", "w₂"]


def test_an_update_is_gradient_descent_and_can_be_left_out() -> None:
    lab = make("chain", learning_rate=0.1)
    one_pass(lab)
    before, slope = lab.leaves["w₁"], lab.gradient("w₁")
    advance(lab)
    assert torch.equal(lab.leaves["w₁"], before - 0.1 * slope)
    still = make("chain", update=False)
    one_pass(still)
    advance(still)
    assert torch.equal(still.leaves["w₁"], torch.tensor(1.5))


@pytest.mark.parametrize("graph", GRAPHS)
def test_playing_on_learns(graph: str) -> None:
    lab = make(graph)
    first = one_pass(lab)["loss"]
    for _ in range(30):
        advance(lab)  # the update
        advance(lab)  # and the first move of another pass
        last = one_pass(lab)["loss"]
    assert last < 0.7 * first


def test_gradients_of_two_ways_add_up() -> None:
    lab = make("skip connection")
    one_pass(lab)
    ways = [lab.products[edge] for edge in lab.edges_from("z")]
    assert len(ways) == 2
    assert torch.equal(lab.gradient("z"), ways[0] + ways[1])


def test_an_edited_number_goes_through_the_pass_again() -> None:
    lab = make("chain")
    one_pass(lab)
    position = lab.position
    edit(lab, "graph", ValueEdit("x", 2.0))
    assert lab.position == position
    assert float(lab.values["y"]) == pytest.approx(-0.5 * 3)
    assert torch.allclose(lab.gradient("w₁"), lab.autograd["w₁"], rtol=0, atol=1e-6)
    assert lab.difference() <= 1e-6


def test_an_entry_of_a_matrix_and_of_a_vector_is_edited() -> None:
    lab = make("two layers")
    lab.chosen = "W₁"
    edit(lab, "numbers", ValueEdit("W₁", 7.0, 2, 1))
    assert lab.leaves["W₁"][2, 1] == 7
    edit(lab, "numbers", ValueEdit("x", -3.0, 0, 1))
    assert lab.leaves["x"].tolist() == pytest.approx([0.8, -3])
    before = dict(lab.leaves)
    edit(lab, "numbers", ValueEdit("autograd", 1.0))
    assert all(torch.equal(lab.leaves[name], before[name]) for name in before)
    with pytest.raises(LabError, match="needs a number"):
        edit(lab, "numbers", ValueEdit("x", float("nan")))


def test_the_graph_tells_local_times_arriving() -> None:
    lab = make("chain")
    one_pass(lab)
    edges = {edge.name: edge for edge in graph_of(lab).edges}
    assert edges["w₁ → z₁"].forward == "1.5"
    assert edges["w₁ → z₁"].backward == "0.8 · 0.8\n= 0.64"
    assert edges["w₂ → y"].backward == "1.2 · (−1.6)\n= −1.92"
    assert edges["t → J"].backward == ""
    nodes = {node.name: node for node in graph_of(lab).nodes}
    assert nodes["w₁"].below == "∂J/∂w₁ = 0.64"
    assert nodes["w₁"].number == 1.5
    assert nodes["z₁"].number is None


def test_the_formulas_hold_the_numbers() -> None:
    lab = make("chain")
    while lab.last() != Move("backward", "z₁", 0):
        advance(lab)
    data = render(lab, "formula")
    assert isinstance(data, FormulaData)
    assert data.lines[1].numbers == "= 0.8 · 0.8 = 0.64"
    assert data.lines[2].numbers == "= −1.6 · (−0.5) · 0.8 = 0.64"
    for graph in GRAPHS:
        lab = make(graph)
        for _ in range(len(lab.moves)):
            advance(lab)
            data = render(lab, "formula")
            assert isinstance(data, FormulaData)
            assert data.lines
            assert any(line.lit for line in data.lines)


def test_a_click_chooses_whose_gradient_is_shown() -> None:
    lab = make("two layers")
    one_pass(lab)
    handler = views_of(lab)["graph"].on_probe
    assert handler is not None
    handler(lab, Pick(0, text="W₂"))
    data = render(lab, "numbers")
    assert isinstance(data, NumbersData)
    assert [grid.name for grid in data.grids] == ["W₂", "∂J/∂W₂", "autograd"]
    assert data.grids[1].values == pytest.approx(data.grids[2].values, abs=1e-6)
    handler(lab, Pick(0, text="z₁"))
    assert lab.chosen == "W₂"


def test_local_derivatives_are_numbers_of_numbers_only() -> None:
    lab = make("chain")
    one_pass(lab)
    local = local_derivative(lab, "z₁", 0)
    assert local is not None
    assert float(local) == pytest.approx(0.8)
    wide = make("two layers")
    one_pass(wide)
    assert local_derivative(wide, "z₁", 0) is None


def test_numbers_are_told_as_written() -> None:
    assert told(-0.25) == "−0.25"
    assert told(1e-7, 1) == "1e-7"
    assert told(torch.tensor([1.0, -0.5])) == "(1, −0.5)"
    assert told(torch.eye(2)) == "(1, 0)\n(0, 1)"
    assert [told(value) for value in (float("nan"), float("inf"), -float("inf"))] == ["NaN", "∞", "−∞"]


def test_other_weights_begin_a_new_pass() -> None:
    lab = make("chain")
    one_pass(lab)
    lab.other_weights.method(lab)
    assert float(lab.leaves["w₁"]) != 1.5
    for name in ("graph", "formula", "numbers"):
        render(lab, name)
    advance(lab)
    assert lab.position == 1


def test_its_weights_are_saved_by_name() -> None:
    assert set(weights_of(make("chain"))) == {"learnt.w₁", "learnt.w₂"}


def test_the_guides_links_can_be_followed() -> None:
    guide = (Path(__file__).parents[2] / "assets" / "guides" / "backpropagation.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((set|view):([^)]*)\)", guide)
    assert len(links) >= 8
    for sort, target in links:
        if sort == "view":
            assert target in descriptions_of(Backpropagation)
        else:
            pairs = [pair.replace("%20", " ") for pair in target.split("&")]
            make_params(Backpropagation.Params, parse_settings(Backpropagation.Params, pairs))
    for description in descriptions_of(Backpropagation).values():
        assert f"**{description.title}**" in guide
