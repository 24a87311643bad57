"""The inside of one step: what each phase makes of the network's tensors, recorded while a viewer goes through them.

Hooks are on the layers only while a phase runs, and the weights are copied only for a step that is gone through phase
by phase: training as such pays nothing. What a phase has brought is told by what has changed, not by its name: layers
were called, gradients are new, weights have moved.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from engine.lab import Lab, Metrics
from engine.payloads import LayerData, ParameterData, TensorData

MOST = 64  # layers shown; of a larger network the first ones
CALLS = 8  # of one layer within a phase
BINS, SAMPLED = 24, 16384  # of the histogram; it counts about so many values, evenly spaced
GAP = -128

Lit = Literal["", "activation", "gradient", "change"]
Name = tuple[str, str]  # of a layer, of its parameter
Seen = tuple[Tensor | None, int]  # a gradient, and how often it had been written to


class Inside:
    """One step of a lab. Use it as a context around each phase, then `look`; neither changes what the step computes."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._nets = {name: net for name, net in vars(lab).items() if isinstance(net, nn.Module)}
        learning = [name for name, net in self._nets.items() if any(p.requires_grad for p in net.parameters())]
        self._prefix = {name: "" if [name] in (learning, list(self._nets)) else f"{name}." for name in self._nets}
        leaves = sum(not any(m.children()) for name in learning for m in self._nets[name].modules())
        self._side = 48 if leaves <= 16 else 32 if leaves <= 40 else 24
        self._kinds: dict[str, str] = {}
        self._activations: dict[tuple[str, int], TensorData] = {}  # by layer and call, in the order of the calls
        self._gradients: dict[Name, TensorData] = {}
        self._changes: dict[Name, TensorData] = {}
        self._numbers: tuple[tuple[str, float], ...] = ()
        self._lit: Lit = ""
        self._calls: dict[tuple[str, int], TensorData] = {}  # within this phase
        self._outputs: list[Tensor] = []
        self._hooks = ExitStack()
        weights = self._weights()
        self._before = {name: weight.detach().clone() for name, (weight, _) in weights.items()}
        self._last = dict(self._before)  # the weights at the latest look
        self._seen = {name: _seen(gradient) for name, (_, gradient) in weights.items()}
        self._shown = {name: _seen(activation) for name, (activation, _, _) in lab.inside().items()}

    # ------------------------------------------------------------------------------- while a phase runs

    def __enter__(self) -> Inside:
        for attribute, net in self._nets.items():
            if hasattr(net, "_orig_mod") or getattr(net, "_compiled_call_impl", None) is not None:
                continue  # hooks would compile it anew
            for path, module in net.named_modules():
                leaf = not any(module.children())
                if (leaf or not path) and not _silent(module):
                    name = self._prefix[attribute] + (path or "output") if path or not leaf else attribute
                    self._kinds.setdefault(name, type(module).__name__ if leaf else "")
                    handle = module.register_forward_hook(self._hook(name, leaf))
                    self._hooks.callback(handle.remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()
        self._outputs.clear()

    def _hook(self, name: str, leaf: bool) -> Callable[[nn.Module, Any, Any], None]:
        def called(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if torch.is_grad_enabled():  # what is only measured is no part of the step's forward pass
                self._called(name, leaf, output)

        return called

    def _called(self, name: str, leaf: bool, output: Any) -> None:
        outputs = [output] if isinstance(output, Tensor) else output if isinstance(output, tuple | list) else []
        found = [each for each in outputs if isinstance(each, Tensor) and _drawable(each)]
        if not found or (not leaf and any(each is seen for each in found for seen in self._outputs)):
            return  # the network returns what its last layer did
        call = sum(layer == name for layer, _ in self._calls)
        if call < CALLS and len(self._calls) < MOST:
            self._outputs += found
            self._calls[name, call] = activation_data(found[0 if leaf else -1], self._side)

    # --------------------------------------------------------------------------------- after each phase

    def look(self, stepping: Generator[Any, Any, Any] | None, metrics: Metrics | None) -> None:
        """See what the phase has brought. `stepping` is the step under way; at its end `metrics` are what it gave."""
        calls, self._calls = self._calls, {}
        calls = calls or self._shown_by_hand()
        weights = self._weights()
        moved = any(_differ(weight, self._last[name]) for name, (weight, _) in weights.items())
        fresh = {
            name: gradient
            for name, (_, gradient) in weights.items()
            if gradient is not None and not _same(self._seen[name], gradient)
        }
        self._seen = {name: _seen(gradient) for name, (_, gradient) in weights.items()}
        lit: Lit = ""
        if calls and not self._changes:
            self._activations, lit = calls, "activation"
            self._numbers = _loss(stepping)
        # what an update does to gradients, clipping them say, is not what came back; nor is emptying them
        if fresh and not (moved and self._gradients) and not (lit and not any(map(_any, fresh.values()))):
            self._gradients |= {
                name: weight_data(gradient, self._side, _length(self._before[name])) for name, gradient in fresh.items()
            }
            lit = "gradient"
        if moved:
            changes = {name: weight.detach() - self._before[name] for name, (weight, _) in weights.items()}
            self._changes = {
                name: weight_data(change, self._side, _length(self._before[name])) for name, change in changes.items()
            }
            self._last = {name: weight.detach().clone() for name, (weight, _) in weights.items()}
            lit = "change"
        self._lit = lit or self._lit
        if metrics:
            self._numbers = tuple((name, float(value)) for name, value in metrics.items())

    @property
    def lit(self) -> Lit:
        """What the latest phase that brought anything brought."""
        return self._lit

    @property
    def numbers(self) -> tuple[tuple[str, float], ...]:
        """The loss once it is known, and at the end what the step returned."""
        return self._numbers

    def layers(self) -> tuple[LayerData, ...]:
        """All that is known so far, from input to output."""
        owned: dict[str, list[ParameterData]] = {}
        for (layer, name), weight in self._before.items():
            key = layer, name
            data = ParameterData(name, tuple(weight.shape), self._gradients.get(key), self._changes.get(key))
            owned.setdefault(layer, []).append(data)
        order = list(self._activations)
        called = {layer for layer, _ in order}
        place = 0
        for layer in owned:  # one whose weights are used but which is not called stands behind the one before it
            if layer in called:
                place = 1 + next(i for i, (name, _) in enumerate(order) if name == layer)
            else:
                order.insert(place, (layer, 0))
                place += 1
        made = [
            LayerData(
                layer if call == 0 else f"{layer} ({call + 1})",
                self._kinds.get(layer, ""),
                self._activations.get((layer, call)),
                tuple(owned.get(layer, ())) if call == 0 else (),
            )
            for layer, call in order
        ]
        return tuple(made[:MOST])

    # ------------------------------------------------------------------------------------- the tensors

    def _weights(self) -> Mapping[Name, tuple[Tensor, Tensor | None]]:
        """The weights that learn, and their gradients as they are now."""
        found: dict[Name, tuple[Tensor, Tensor | None]] = {}
        by_hand = self._lab.inside()
        if by_hand:
            return {(layer, "weights"): (weight, gradient) for layer, (_, weight, gradient) in by_hand.items()}
        known: set[int] = set()  # tied weights are one
        for attribute, net in self._nets.items():
            for path, module in net.named_modules():
                layer = self._prefix[attribute] + path if path else attribute
                for name, weight in module.named_parameters(recurse=False):
                    if weight.requires_grad and id(weight) not in known and _drawable(weight):
                        known.add(id(weight))
                        self._kinds.setdefault(layer, type(module).__name__)
                        found[layer, name] = (weight, weight.grad)
        for attribute in () if self._nets else self._lab.weights:
            value = getattr(self._lab, attribute)
            parts: dict[str, Tensor] = {attribute: value} if isinstance(value, Tensor) else _each(attribute, value)
            for name, weight in parts.items():
                found[name, "weights"] = (weight, weight.grad if weight.is_leaf else None)
        return found

    def _shown_by_hand(self) -> dict[tuple[str, int], TensorData]:
        """The activations of a lab that computes without nn.Module, if the phase has made new ones."""
        activations = {name: activation for name, (activation, _, _) in self._lab.inside().items()}
        fresh = any(not _same(self._shown.get(name, (None, 0)), each) for name, each in activations.items())
        self._shown = {name: _seen(each) for name, each in activations.items()}
        return {(name, 0): activation_data(each, self._side) for name, each in activations.items()} if fresh else {}


def _silent(module: nn.Module) -> bool:
    """Whether what it returns has been seen: it is what it was given."""
    idle = isinstance(module, nn.modules.dropout._DropoutNd) and module.p == 0
    return idle or isinstance(module, nn.Identity | nn.Flatten | nn.Unflatten)


def _each(name: str, values: Any) -> dict[str, Tensor]:
    return {f"{name}.{i}": each for i, each in enumerate(values) if isinstance(each, Tensor)}


def _seen(tensor: Tensor | None) -> Seen:
    return tensor, 0 if tensor is None else tensor._version


def _same(seen: Seen, tensor: Tensor) -> bool:
    return seen[0] is tensor and seen[1] == tensor._version


def _differ(one: Tensor, other: Tensor) -> bool:
    return not torch.equal(one, other) and not torch.equal(one.nan_to_num(), other.nan_to_num())


def _any(tensor: Tensor) -> bool:
    return bool(tensor.any())


def _drawable(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.numel() > 0 and not tensor.is_complex()


def _length(weight: Tensor) -> float:
    return float(torch.linalg.vector_norm(weight.float()))


def _loss(stepping: Generator[Any, Any, Any] | None) -> tuple[tuple[str, float], ...]:
    """What the step calls `loss` where it has come to a phase, if it does."""
    loss = inspect.getgeneratorlocals(stepping).get("loss") if inspect.isgenerator(stepping) else None
    return (("loss", float(loss.detach())),) if isinstance(loss, Tensor) and loss.numel() == 1 else ()


# ----------------------------------------------------------------------------------------- what is told of a tensor


@torch.no_grad()
def activation_data(values: Tensor, side: int) -> TensorData:
    """What a layer returned for a batch, with a picture of at most `side` by `side`."""
    values = values.detach().float()
    first = values[0] if values.ndim > 2 else values
    if values.ndim == 4:
        return _data(values, _maps(first, side), "the maps of the first sample")
    if values.ndim == 3:
        return _data(values, _matrix(first, side), "the first sample, a place per row")
    return _data(values, _matrix(first.reshape(len(first) if first.ndim else 1, -1), side), "a sample per row")


@torch.no_grad()
def weight_data(values: Tensor, side: int, length: float) -> TensorData:
    """Something of the shape of a weight, whose length is given: its gradient, or how far it has moved."""
    values = values.detach().float()
    share = float(torch.linalg.vector_norm(values)) / length if length > 0 else None
    if values.ndim == 4 and values.shape[1] == 1:
        return _data(values, _maps(values[:, 0], side), "", share)
    if values.ndim == 4:  # (out, in, h, w): filters are whole, those of one output in a row, as many as fit
        part = values[: max(1, side // values.shape[2]), : max(1, side // values.shape[3])]
        values_shown = part.transpose(1, 2).reshape(part.shape[0] * part.shape[2], -1)
    else:
        values_shown = values.reshape(len(values) if values.ndim > 1 else 1, -1)
    return _data(values, _matrix(values_shown, side), "", share)


def _matrix(values: Tensor, side: int) -> Tensor:
    """Of (..., R, C) at most `side` rows and columns, evenly spaced."""
    for axis in (-2, -1):
        if (count := values.shape[axis]) > side:
            values = values.index_select(axis, torch.arange(side, device=values.device) * count // side)
    return values


def _maps(values: Tensor, side: int) -> Tensor:
    """(N, h, w) beside and below one another, NaN between them; as many as there is room for."""
    columns = min(math.ceil(math.sqrt(len(values))), (side + 1) // 3)
    values = values[: columns * columns]
    rows = math.ceil(len(values) / columns)
    room = (side + 1) // columns - 1
    small = _matrix(values, room)
    padded = small.new_full((rows * columns, small.shape[1] + 1, small.shape[2] + 1), math.nan)
    padded[: len(small), :-1, :-1] = small
    tiles: Tensor = padded.unflatten(0, (rows, columns)).transpose(1, 2)  # (rows, h, columns, w)
    whole: Tensor = tiles.flatten(2).flatten(0, 1)
    return whole[:-1, :-1]


def _data(values: Tensor, picture: Tensor, shows: str, share: float | None = None) -> TensorData:
    low, high = (float(each) for each in values.aminmax())
    flat = values.reshape(-1)
    sample = flat[:: max(1, flat.numel() // SAMPLED)].cpu().numpy()
    finite = sample[np.isfinite(sample)]
    edges = (min(low, 0.0), max(high, 0.0)) if math.isfinite(low) and math.isfinite(high) else (-1.0, 1.0)
    edges = edges if edges[1] > edges[0] else (-1.0, 1.0)
    counts, _ = np.histogram(finite, BINS, edges)
    mean = flat.mean()
    deviation = torch.linalg.vector_norm(flat - mean) / math.sqrt(flat.numel())  # many times as fast as torch.std_mean
    return TensorData(
        tuple(values.shape),
        _quantised(picture.cpu().numpy()),
        shows,
        low,
        high,
        float(mean),
        float(deviation),
        1 - int(torch.count_nonzero(flat)) / flat.numel(),
        (counts / max(1, counts.sum())).astype(np.float32),
        share,
    )


def _quantised(picture: Any) -> Any:
    """-127..127, full colour at the size that one value in a hundred exceeds; a gap for what is no number."""
    picture = picture.astype(np.float64)
    known = np.isfinite(picture)
    size = np.abs(picture[known])
    largest = float(np.quantile(size, 0.99)) or float(size.max(initial=0.0)) if size.size else 0.0
    scaled = np.where(known, picture, 0.0) * (127 / largest if largest > 0 else 0.0)
    return np.where(known, scaled.clip(-127, 127).round(), GAP).astype(np.int8)
