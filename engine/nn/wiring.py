"""Small computations to go through by hand: operations with their derivatives, graphs of them, how numbers read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Operation(NamedTuple):
    """How y comes from its inputs, and how dJ/dinput comes from g = dJ/dy. In the texts {0}, {1} … are the inputs."""

    forward: Callable[..., Tensor]
    backward: Callable[..., tuple[Tensor, ...]]  # (g, *inputs), a product for each; with g = 1 the local derivatives
    plain: str  # the formula in plain text, for names and for numbers
    latex: str  # and in LaTeX
    rules: tuple[str, ...]  # for each input the local derivative in LaTeX; {y} is the output


OPERATIONS = {
    "product": Operation(
        lambda a, b: a * b,
        lambda g, a, b: (g * b, g * a),
        "{0} · {1}",
        r"{0} \cdot {1}",
        ("{1}", "{0}"),
    ),
    "sum of two": Operation(
        lambda a, b: a + b,
        lambda g, *_: (g, g),  # a sum hands on what arrives
        "{0} + {1}",
        "{0} + {1}",
        ("1", "1"),
    ),
    "sum of three": Operation(
        lambda a, b, c: a + b + c,
        lambda g, *_: (g, g, g),
        "{0} + {1} + {2}",
        "{0} + {1} + {2}",
        ("1", "1", "1"),
    ),
    "sigmoid": Operation(
        torch.sigmoid,
        lambda g, z: (g * z.sigmoid() * (1 - z.sigmoid()),),
        "σ({0})",
        r"\sigma({0}) = \frac{{1}}{{1 + e^{{-{0}}}}}",
        (r"{y}\,(1 - {y})",),
    ),
    "tanh": Operation(
        torch.tanh,
        lambda g, z: (g * (1 - z.tanh() ** 2),),
        "tanh({0})",
        r"\tanh({0})",
        ("1 - {y}^2",),
    ),
    "layer": Operation(
        lambda w, x, b: w @ x + b,  # (M, N), (N,), (M,) -> (M,)
        lambda g, w, x, _: (torch.outer(g, x), w.T @ g, g),
        "{0} {1} + {2}",
        r"{0}\,{1} + {2}",
        (r"\delta\,{1}^\top", r"{0}^\top \delta", r"\delta"),
    ),
    "squared error": Operation(
        lambda y, t: (y - t) ** 2 / 2,
        lambda g, y, t: (g * (y - t), g * (t - y)),
        "½({0} − {1})²",
        r"\frac{{1}}{{2}}({0} - {1})^2",
        ("{0} - {1}", "{1} - {0}"),
    ),
    "cross-entropy": Operation(
        lambda z, t: -(t * F.log_softmax(z, 0)).sum(),
        lambda g, z, t: (g * (z.softmax(0) * t.sum() - t), -g * F.log_softmax(z, 0)),
        "−Σ {1} ln softmax({0})",
        r"-\sum_i {1}_i \ln\,\mathrm{{softmax}}({0})_i",
        (r"\mathrm{{softmax}}({0}) - {1}", r"-\ln\,\mathrm{{softmax}}({0})"),
    ),
}


class Move(NamedTuple):
    """One step through a graph: an operation is computed, an edge is gone back along, or the weights are updated."""

    kind: str  # "forward", "backward" or "update"
    operation: str = ""
    input: int = 0


class Wiring(NamedTuple):
    """A computation. Leaves have a kind ("input", "weight" or "target") and numbers, or a shape to be drawn at random;
    operations, in the order of computing, have a sort and inputs."""

    leaves: dict[str, tuple[str, Any]]
    operations: dict[str, tuple[str, tuple[str, ...]]]
    columns: tuple[tuple[str, ...], ...]


GRAPHS = {
    "chain": Wiring(  # the first lecture's x -> z1 -> y -> J(W)
        {"x": ("input", 0.8), "w₁": ("weight", 1.5), "w₂": ("weight", -0.5), "t": ("target", 1.0)},
        {"z₁": ("product", ("w₁", "x")), "y": ("product", ("w₂", "z₁")), "J": ("squared error", ("y", "t"))},
        (("x", "w₁"), ("z₁", "w₂"), ("y", "t"), ("J",)),
    ),
    "neuron": Wiring(
        {
            "x₁": ("input", 1.0),
            "w₁": ("weight", -1.5),
            "x₂": ("input", -2.0),
            "w₂": ("weight", 0.5),
            "b": ("weight", 0.2),
            "t": ("target", 1.0),
        },
        {
            "p₁": ("product", ("w₁", "x₁")),
            "p₂": ("product", ("w₂", "x₂")),
            "z": ("sum of three", ("p₁", "p₂", "b")),
            "y": ("sigmoid", ("z",)),
            "J": ("squared error", ("y", "t")),
        },
        (("x₁", "w₁", "x₂", "w₂"), ("p₁", "p₂", "b"), ("z",), ("y", "t"), ("J",)),
    ),
    "skip connection": Wiring(  # z is used twice: its gradient is the sum of two
        {"x": ("input", 0.8), "w": ("weight", 0.6), "v": ("weight", -0.7), "t": ("target", 1.0)},
        {
            "z": ("product", ("w", "x")),
            "a": ("tanh", ("z",)),
            "s": ("sum of two", ("a", "z")),
            "y": ("product", ("v", "s")),
            "J": ("squared error", ("y", "t")),
        },
        (("x", "w"), ("z",), ("a",), ("s", "v"), ("y", "t"), ("J",)),
    ),
    "two layers": Wiring(
        {
            "x": ("input", [0.8, -0.4]),
            "W₁": ("weight", (3, 2)),
            "b₁": ("weight", [0.0, 0.0, 0.0]),
            "W₂": ("weight", (2, 3)),
            "b₂": ("weight", [0.0, 0.0]),
            "t": ("target", [0.0, 1.0]),
        },
        {
            "z₁": ("layer", ("W₁", "x", "b₁")),
            "a₁": ("tanh", ("z₁",)),
            "z₂": ("layer", ("W₂", "a₁", "b₂")),
            "J": ("cross-entropy", ("z₂", "t")),
        },
        (("W₁", "x", "b₁"), ("z₁",), ("W₂", "a₁", "b₂"), ("z₂", "t"), ("J",)),
    ),
}

SUBSCRIPTS = str.maketrans({"₁": "_1", "₂": "_2"})


def tex(name: str) -> str:
    """A name as LaTeX: w₁ is w_1."""
    return name.translate(SUBSCRIPTS)


def told(value: Tensor | float, digits: int = 3) -> str:
    """A number, a vector in brackets, or a matrix row by row, as one would write it."""
    if isinstance(value, Tensor) and value.ndim == 1:
        return (
            "("
            + ", ".join(told(round(entry, 2) if abs(entry) >= 0.005 else entry, 2) for entry in value.tolist())
            + ")"
        )
    if isinstance(value, Tensor) and value.ndim == 2:
        return "\n".join(told(row) for row in value)
    number = float(value)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "−∞"
    text = f"{abs(number):.{digits}g}".replace("e-0", "e-").replace("e+0", "e")
    return ("−" if number < 0 else "") + text


def in_brackets(text: str) -> str:
    """A negative number as a factor: (−2)."""
    return f"({text})" if text.startswith("−") else text


def factors(values: list[str]) -> str:
    """Numbers multiplied."""
    return " · ".join([values[0], *map(in_brackets, values[1:])])
