"""The rules of a pass through a graph as formulas, with the numbers put in."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from engine.nn.wiring import OPERATIONS, Move, Wiring, factors, in_brackets, tex, told
from engine.payloads import FormulaLine


class Pass(Protocol):
    """What a pass has computed so far."""

    wiring: Wiring
    values: dict[str, Tensor]
    products: dict[str, Tensor]  # what has gone back along edges, by "operation input"

    def gradient(self, name: str) -> Tensor: ...
    def edges_from(self, name: str) -> list[str]: ...


def over(y: str, x: str) -> str:
    """dy/dx as LaTeX."""
    return rf"\frac{{\partial {y}}}{{\partial {x}}}"


def local_derivative(run: Pass, operation: str, i: int) -> Tensor | None:
    """dy/dinput where both are numbers: what a gradient of 1 would become."""
    sort, names = run.wiring.operations[operation]
    inputs = [run.values[name] for name in names]
    if any(value.ndim for value in inputs):
        return None
    return OPERATIONS[sort].backward(torch.ones_like(inputs[0]), *inputs)[i]


def forward_line(run: Pass, operation: str) -> FormulaLine:
    """How an operation's value comes from its inputs."""
    sort, names = run.wiring.operations[operation]
    value, inputs = told(run.values[operation]), [run.values[name] for name in names]
    numbers = [told(inputs[0]), *(in_brackets(told(number)) for number in inputs[1:])]
    put_in = "" if any(number.ndim for number in inputs) else f"= {OPERATIONS[sort].plain.format(*numbers)} "
    latex = OPERATIONS[sort].latex.format(*map(tex, names))
    return FormulaLine(f"{tex(operation)} = {latex}", f"{put_in}= {value}", lit=True)


def backward_lines(run: Pass, move: Move) -> list[FormulaLine]:
    """The local derivative in an edge, the rule along it, and the whole chain from J to there."""
    sort, names = run.wiring.operations[move.operation]
    y, x, local = tex(move.operation), tex(names[move.input]), local_derivative(run, move.operation, move.input)
    rule = OPERATIONS[sort].rules[move.input].format(*map(tex, names), y=y)
    product = told(run.products[f"{move.operation} {move.input}"])
    if local is None and sort == "tanh":  # each entry by itself
        rule = rf"({rule}) \odot \delta"
    if local is None or y == "J":
        where = "" if y == "J" else rf",\quad \delta = {over('J', y)}"
        return [FormulaLine(f"{over('J', x)} = {rule}{where}", "= " + product.replace("\n", " "), lit=True)]
    put_in = factors([told(local), told(run.gradient(move.operation))])
    rule_with_numbers = FormulaLine(
        rf"{over('J', x)} = {over(y, x)} \cdot {over('J', y)}",
        f"= {put_in} = {product}",
        "local · what arrives",
        lit=True,
    )
    lines = [FormulaLine(f"{over(y, x)} = {rule}", f"= {told(local)}", "the local derivative"), rule_with_numbers]
    latex, numbers = chain(run, move)
    if len(latex) > 2 and len(run.edges_from(move.operation)) == 1:
        whole = f"{over('J', x)} = " + r" \cdot ".join(latex)
        lines.append(FormulaLine(whole, f"= {factors(numbers)} = {product}", "all factors from J to here"))
    return lines


def chain(run: Pass, move: Move) -> tuple[list[str], list[str]]:
    """The local derivatives on a path from J to an edge, in LaTeX and as numbers."""
    latex, numbers = list[str](), list[str]()
    while True:
        local = local_derivative(run, move.operation, move.input)
        latex.append(over(tex(move.operation), tex(run.wiring.operations[move.operation][1][move.input])))
        numbers.append("" if local is None else told(local))
        if move.operation == "J":
            return latex[::-1], numbers[::-1]
        operation, i = run.edges_from(move.operation)[0].rsplit(" ", 1)
        move = Move("backward", operation, int(i))


def update_line(run: Pass, name: str, new: Tensor, rate: float) -> FormulaLine:
    """What gradient descent made of a weight."""
    numbers = f"= {told(run.values[name])} − {factors([told(rate), told(run.gradient(name))])} = {told(new)}"
    latex = rf"{tex(name)} \leftarrow {tex(name)} - \eta\,{over('J', tex(name))}"
    return FormulaLine(latex, "" if new.ndim else numbers, lit=True)
