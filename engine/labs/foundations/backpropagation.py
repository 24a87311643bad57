"""Backpropagation: values flow forward through a graph, then gradients flow back, one edge at a time."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.diagrams import Formula, Graph, Numbers
from engine.forms import compare
from engine.hyperparameters import choice, flag, real
from engine.lab import Lab, LabError, Metrics, Proof, action, view
from engine.nn.chain_rule import backward_lines, forward_line, local_derivative, update_line
from engine.nn.wiring import GRAPHS, OPERATIONS, Move, factors, told
from engine.payloads import (
    FormulaData,
    FormulaLine,
    Gesture,
    GraphData,
    GraphEdge,
    GraphNode,
    Grid,
    NumbersData,
    Pick,
    ValueEdit,
)
from engine.views import Curves


@dataclass(frozen=True)
class Params:
    graph: str = choice("chain", tuple(GRAPHS), help="Which computation: from three products to two layers")
    learning_rate: float = real(0.2, 1e-4, 10, log=True, live=True, typed_high=1e6, help="How far each step goes")
    update: bool = flag(True, live=True, label="Update the weights", help="After the last edge, before the next pass")


class Backpropagation(Lab):
    """Each step computes one operation, or goes one edge back: local derivative times the gradient that arrives.

    The chain rule, as Rumelhart, Hinton and Williams (1986) used it to train networks; autograd checks every number.
    """

    title, chapter, summary = "Backpropagation", "Foundations", "The chain rule on a graph, one edge at a time"
    order, speed = 80, 2.0  # the loss has fallen after some 50 steps
    Params = Params
    state = ("leaves", "values", "products", "autograd", "position", "worst")
    grows = ("values", "products", "autograd")  # as the pass goes on
    weights = ("learnt",)
    proof = Proof("largest difference from autograd", 1e-6, False, settings=(("graph", "two layers"),), steps=200)
    layout = """
        graph   graph   graph   graph   graph   graph
        graph   graph   graph   graph   graph   graph
        formula formula formula numbers numbers loss
    """

    def build(self) -> None:
        self.wiring = GRAPHS[self.hp.graph]
        self.leaves: dict[str, Tensor] = {}  # numbers (), vectors (N,) and matrices (M, N)
        for name, (_, value) in self.wiring.leaves.items():
            drawn = torch.randn(value) if isinstance(value, tuple) else torch.tensor(value)
            self.leaves[name] = drawn.to(self.device)
        operations = self.wiring.operations
        self.moves = [Move("forward", name) for name in operations]
        for name in reversed(operations):  # all that uses a value comes before what made it
            inputs = enumerate(operations[name][1])
            self.moves += [Move("backward", name, i) for i, source in inputs if self.kind(source) != "target"]
        self.moves.append(Move("update"))
        self.worst = 0.0  # the largest difference from autograd in all passes
        self.begin()
        self.chosen = next(iter(self.learnt))

    def begin(self) -> None:
        """A new pass."""
        self.position = 0  # how many moves have been made
        self.values: dict[str, Tensor] = {}  # what has been computed so far
        self.products: dict[str, Tensor] = {}  # what has gone back along edges, by "operation input"
        self.autograd: dict[str, Tensor] = {}  # torch's gradients, once the pass is over

    def kind(self, name: str) -> str:
        return self.wiring.leaves[name][0] if name in self.wiring.leaves else "operation"

    @property
    def learnt(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.leaves.items() if self.kind(name) == "weight"}

    def step(self) -> Metrics | None:
        if self.position == len(self.moves):
            self.begin()
        move = self.moves[self.position]
        self.position += 1
        if move.kind == "update":
            for name in self.learnt if self.hp.update else ():
                self.leaves[name] = self.leaves[name] - self.hp.learning_rate * self.gradient(name)
            return None
        self.do(move)
        if self.position == len(self.moves) - 1:
            self.autograd = self.by_autograd()
            self.worst = max(self.worst, self.difference())
        return {"loss": self.values["J"]} if move == Move("forward", "J") else None

    def do(self, move: Move) -> None:
        sort, names = self.wiring.operations[move.operation]
        inputs = [self.values.setdefault(name, self.leaves.get(name, torch.empty(0))) for name in names]
        if move.kind == "forward":
            self.values[move.operation] = OPERATIONS[sort].forward(*inputs)
        else:
            g = self.gradient(move.operation)
            self.products[f"{move.operation} {move.input}"] = OPERATIONS[sort].backward(g, *inputs)[move.input]

    def gradient(self, name: str) -> Tensor:
        """dJ/dname: the sum over all edges that leave it (a value used twice has two ways to change J)."""
        if name == "J":
            return torch.ones_like(self.values["J"])
        return torch.stack([self.products[edge] for edge in self.edges_from(name)]).sum(0)

    def edges_from(self, name: str) -> list[str]:
        """The edges that have brought a gradient to it."""
        every = [(op, i, source) for op, (_, names) in self.wiring.operations.items() for i, source in enumerate(names)]
        return [f"{op} {i}" for op, i, source in every if source == name and f"{op} {i}" in self.products]

    def by_autograd(self) -> dict[str, Tensor]:
        """torch's gradients of the same graph at the same numbers."""
        with torch.enable_grad():
            values = {name: value.clone().requires_grad_() for name, value in self.leaves.items()}
            for name, (sort, inputs) in self.wiring.operations.items():
                values[name] = OPERATIONS[sort].forward(*(values[source] for source in inputs))
            wanted = [name for name in self.leaves if self.kind(name) != "target"]
            return dict(zip(wanted, torch.autograd.grad(values["J"], [values[n] for n in wanted]), strict=True))

    def difference(self) -> float:
        """The largest difference between the gradients by hand and autograd's."""
        return max(float((self.gradient(name) - exact).abs().max()) for name, exact in self.autograd.items())

    def ranges(self, state: Mapping[str, Any]) -> Mapping[str, tuple[float, float]]:
        position = state["position"]
        if not 0 <= position <= len(self.moves):
            raise LabError(f"a pass has {len(self.moves)} moves, not {position:,}")
        twin = copy(self)  # goes through the pass up to there
        twin.begin()
        for move in self.moves[: min(position, len(self.moves) - 1)]:
            twin.do(move)
        wanted = {} if position < len(self.moves) - 1 else twin.by_autograd()
        for name, like in (("values", twin.values), ("products", twin.products), ("autograd", wanted)):
            compare(name, state[name], like)
        return {}

    def measure(self) -> float:
        return self.worst

    def facts(self) -> dict[str, str]:
        back = sum(move.kind == "backward" for move in self.moves)
        return {"one pass": f"{len(self.wiring.operations)} operations forward, {back} edges back"}

    @action("Other weights", help="Draw new weights at random and begin a new pass")
    def other_weights(self) -> None:
        for name, value in self.learnt.items():
            self.leaves[name] = torch.randn(value.shape).to(self.device)
        self.begin()

    loss = Curves("Loss", metrics=("loss",), log_y=True, help="J at the end of each forward pass")

    def last(self) -> Move:
        """The move just made."""
        return self.moves[self.position - 1] if self.position else Move("")

    @view(
        Graph(
            "Computation graph",
            hint="drag a number, or double-click it to type",
            help="Above an edge the value that flows forward; below it local derivative times arriving gradient.",
        )
    )
    def graph(self) -> GraphData:
        last = self.last()
        nodes, edges = [], list[GraphEdge]()
        for name, value in self.leaves.items():
            kind = self.kind(name)
            below = "" if kind == "target" else f"∂J/∂{name} = {self.told_gradient(name)}"
            lit = last.kind == "update" and kind == "weight" and self.hp.update
            number = None if value.ndim else float(value)
            nodes.append(GraphNode(name, name, kind.replace("target", "input"), told(value), below, lit, number))
        for name, (sort, inputs) in self.wiring.operations.items():
            done, here = name in self.values, last.operation == name
            text = f"{OPERATIONS[sort].plain.format(*inputs)}\n= {told(self.values[name]) if done else '?'}"
            lit = here and last.kind == "forward"
            if name == "J":
                nodes.append(GraphNode(name, "J(W)", "loss", text, lit=lit))
            else:
                below = f"∂J/∂{name} = {self.told_gradient(name)}"
                nodes.append(GraphNode(name, name, "operation", text, below, lit))
            for i, source in enumerate(inputs):
                forward = told(self.values[source]) if done and self.values[source].ndim < 2 else ""
                flows = last.kind if here and (lit or last.input == i) else ""
                back, called = self.back_along(name, i), f"{source} → {name}"
                edges.append(GraphEdge(source, name, forward, back, flows, called))
        return GraphData(tuple(nodes), tuple(edges), self.wiring.columns)

    def told_gradient(self, name: str) -> str:
        return told(self.gradient(name)) if self.edges_from(name) else "?"

    def back_along(self, name: str, i: int) -> str:
        """What is written below an edge: local derivative · arriving gradient = product."""
        source = self.wiring.operations[name][1][i]
        if name not in self.values or self.kind(source) == "target":
            return ""
        local, product = local_derivative(self, name, i), self.products.get(f"{name} {i}")
        if local is None:
            return "" if product is None or product.ndim == 2 else told(product)
        if product is None:
            return f"{told(local)} · ?"
        return f"{factors([told(local), told(self.gradient(name))])}\n= {told(product)}"

    @graph.probe
    def graph(self, gesture: Gesture) -> None:
        if isinstance(gesture, Pick) and gesture.text in self.leaves:
            self.chosen = gesture.text

    @graph.edit
    def graph(self, gesture: Gesture) -> None:
        if isinstance(gesture, ValueEdit):
            self.put(gesture.name, gesture)

    def put(self, name: str, edit: ValueEdit) -> None:
        """Change a number of a leaf, and go through the pass again up to where it stood."""
        if not torch.tensor(edit.value).isfinite():
            raise LabError(f"{name} needs a number, not {edit.value}.")
        changed = self.leaves[name].clone()
        torch.atleast_2d(changed)[edit.row, edit.column] = edit.value  # a view of it
        self.leaves[name], self.values, self.products = changed, {}, {}
        for move in self.moves[: min(self.position, len(self.moves) - 1)]:
            self.do(move)
        self.autograd = self.by_autograd() if self.autograd else {}

    @view(
        Numbers(
            "Gradient",
            hint="click a number in the graph",
            help="The numbers chosen in the graph, their gradient by hand, and torch.autograd's on the same numbers.",
        )
    )
    def numbers(self) -> NumbersData:
        name, value = self.chosen, self.leaves[self.chosen]
        shape = " × ".join(map(str, value.shape)) or "one number"
        grids = [Grid(name, value, shape)]
        if self.edges_from(name):
            grids.append(Grid(f"∂J/∂{name}", self.gradient(name), "by hand"))
        if name in self.autograd:
            grids.append(Grid("autograd", self.autograd[name], "torch"))
        agrees = f"autograd agrees to {told(self.difference(), 1)}" if self.autograd else ""
        return NumbersData(tuple(grids), agrees)

    @numbers.edit
    def numbers(self, gesture: Gesture) -> None:
        if isinstance(gesture, ValueEdit) and gesture.name in self.leaves:
            self.put(gesture.name, gesture)

    @view(Formula("Chain rule", help="The rule for the step just made, with its numbers; then the whole chain from J."))
    def formula(self) -> FormulaData:
        last, lines = self.last(), list[FormulaLine]()
        if last.kind == "forward":
            lines = [forward_line(self, last.operation)]
        elif last.kind == "backward":
            lines = backward_lines(self, last)
        elif last.kind == "update" and self.hp.update:
            lines = [update_line(self, name, self.leaves[name], self.hp.learning_rate) for name in self.learnt]
        if self.autograd:
            gap = r"\max\,|\nabla_{\mathrm{hand}} - \nabla_{\mathrm{autograd}}|"
            lines.append(FormulaLine(gap, f"= {told(self.difference(), 1)}", "torch.autograd, on the same numbers"))
        return FormulaData(tuple(lines), "" if lines else "Step goes one operation forward")
