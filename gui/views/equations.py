"""What a neuron reckons, written out."""

from __future__ import annotations

import html
import math
from collections.abc import Callable

import numpy as np
from PySide6.QtGui import QColor

from engine.payloads import Array, NetworkData
from gui.format import number

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-max(min(z, 700.0), -700.0))),
    "tanh": math.tanh,
    "ReLU": lambda z: max(z, 0.0),
}
MOST_TERMS = 6  # of an equation


def equation(data: NetworkData, layer: int, unit: int, signs: tuple[QColor, QColor]) -> str:
    """The neuron's equation with its live numbers, as rich text; `signs` colours positive and negative ones."""
    name, values = html.escape(data.units[layer][unit]), data.values
    if layer == 0:
        return name if values is None else f"{name} = {number(float(values[0][unit]))}"
    weights, bias = data.weights[layer - 1][unit], float(data.biases[layer - 1][unit])
    positive, negative = signs

    def coloured(value: float) -> str:
        text = number(float(f"{abs(value):.3g}"))
        return f'<span style="color:{(positive if value >= 0 else negative).name()}">{text}</span>'

    terms = f"{'−' if bias < 0 else ''}{coloured(bias)}"
    order = np.sort(np.argsort(-np.abs(np.nan_to_num(weights)), kind="stable")[:MOST_TERMS])
    for column in order.tolist():
        weight = float(weights[column])
        terms += f" {'−' if weight < 0 else '+'} {coloured(weight)}·{html.escape(data.units[layer - 1][column])}"
    sources = data.sizes[layer - 1] if data.sizes else len(weights)
    if sources > MOST_TERMS:
        terms += f" + … {sources - len(order):,} more"
    total = None
    if values is not None and sources == len(weights):  # of units that are not listed no sum can be made
        total = float(weights @ values[layer - 1]) + bias
    value = None if values is None else float(values[layer][unit])
    function = html.escape(function_of(data, layer, total, value))
    text = f"{name} = {function}({terms})" if function else f"{name} = {terms}"
    if value is not None:
        text += f"<br>= {function}({number(total)}) = " if function and total is not None else "<br>= "
        text += f"<b>{number(value)}</b>"
    return text


def edge_text(data: NetworkData, layer: int, row: int, column: int, *, flow: bool) -> str:
    """A weight in a line: its number, where it leads, and what it brings there where that is what edges show."""
    weight = float(data.weights[layer][row, column])
    values, gradients = data.values, data.gradients
    text = f"w = {number(weight)} (from {data.units[layer][column]} to {data.units[layer + 1][row]})"
    if flow and values is not None:
        text += f" · brings {number(weight * float(values[layer][column]))}"
    if gradients is not None:
        text += f" · ∂loss/∂w = {number(float(gradients[layer][row, column]))}"
    return text


def map_range(values: Array) -> str:
    """The values that a neuron's map goes through."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "its map: no finite value"
    low, high = (number(float(f"{value:.2g}")) for value in (finite.min(), finite.max()))
    return f"its map: always {high}" if finite.min() == finite.max() else f"its map: {low} to {high}"


def function_of(data: NetworkData, layer: int, total: float | None, value: float | None) -> str:
    """The neuron's activation: told for hidden layers, for the last one seen from its numbers."""
    if layer < len(data.units) - 1:
        name: str = data.activation
        return "" if name.lower() in ("", "linear", "identity") else name
    if total is None or value is None or not math.isfinite(total):
        return data.activation if len(data.units) == 2 else ""
    near = 1e-3 * max(1.0, abs(value))
    if abs(total - value) <= near:
        return ""
    if data.values is not None and value > 0:
        z = data.weights[-1] @ data.values[-2] + data.biases[-1]
        if len(z) > 1 and abs(total - math.log(value) - float(np.logaddexp.reduce(z))) <= 1e-3:
            return "softmax"
    return next((name for name, f in FUNCTIONS.items() if abs(f(total) - value) <= near), "f")
