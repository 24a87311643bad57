"""J1: TensorFlow Playground's own job, a small dense network on the circle, in epochs per second.

Its library nn.ts was timed in Node on another machine, beside the step in numpy below. The same step timed here says
how fast this machine is, so ours / numpy here over nn.ts / numpy there is a ratio of programs, not of machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from engine.benchmarks import Result, in_turns, rate
from engine.hyperparameters import make_params
from engine.lab import advance, start
from engine.labs.foundations.dense_network import DenseNetwork
from engine.watch import render

POINTS, BATCH = 250, 10
SECONDS, ROUNDS = 0.2, 15


@dataclass(frozen=True)
class Peer:
    """Epochs per second on the machine of reference."""

    hidden: tuple[int, ...]
    batch: int
    trained: float  # nn.ts, training only
    seen: float  # nn.ts, with the losses and maps of one visible epoch
    numpy: float  # the step in numpy below


PEERS = {
    "4,2": Peer((4, 2), BATCH, 4900, 165, 2168),
    "8 x 8": Peer((8,) * 8, BATCH, 526, 23, 960),
    "8 x 8, full batch": Peer((8,) * 8, POINTS, 527, 21, 10125),
}


def playground(hidden: tuple[int, ...], batch: int) -> DenseNetwork:
    """The lab, set to the job."""
    widths = {f"width_{layer}": units for layer, units in enumerate(hidden, 1)}
    settings = {"layers": len(hidden), "activation": "tanh", "optimizer": "SGD", "batch_size": batch, **widths}
    lab = start(DenseNetwork, make_params(DenseNetwork.Params, settings), dataset="circle")
    assert isinstance(lab, DenseNetwork)
    if lab.samples.learnt != POINTS:
        raise RuntimeError(f"the job has {POINTS} points to learn from, not {lab.samples.learnt}")
    return lab


def train_epoch(lab: DenseNetwork) -> None:
    """All batches, phases, metrics and all."""
    for _ in range(round(lab.steps_per_epoch)):
        advance(lab)


def show_epoch(lab: DenseNetwork) -> None:
    """The same, and all that one visible epoch shows."""
    train_epoch(lab)
    render(lab, "network")
    render(lab, "surface")


def epochs_per_second(hidden: tuple[int, ...], batch: int, seconds: float) -> float:
    """How often the lab goes through the circle's 250 training points, with tanh and SGD."""
    lab = playground(hidden, batch)
    train_epoch(lab)
    return rate(partial(train_epoch, lab), seconds)


def numpy_epoch(hidden: tuple[int, ...], batch: int) -> Callable[[], object]:
    """The same job in numpy, without metrics: what the machine is measured by."""
    random = np.random.default_rng(0)
    sizes = [2, *hidden, 1]
    shapes = [(units, inputs + 1) for inputs, units in pairwise(sizes)]
    counts = [units * inputs for units, inputs in shapes]
    theta = random.normal(0, 0.3, sum(counts)).astype(np.float32)
    gradient = np.zeros_like(theta)

    def split(flat: npt.NDArray[np.float32]) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        parts = zip(np.split(flat, np.cumsum(counts)[:-1]), shapes, strict=True)
        return [(part[units:].reshape(units, inputs - 1), part[:units]) for part, (units, inputs) in parts]

    layers = [(W, W.T, b, dW, db) for (W, b), (dW, db) in zip(split(theta), split(gradient), strict=True)]
    a = [np.empty((batch, n), np.float32) for n in sizes]
    delta, slope = [np.empty_like(each) for each in a], [np.empty_like(each) for each in a]
    delta_T = [each.T for each in delta]
    x = random.uniform(-5, 5, (POINTS, 2)).astype(np.float32)
    y = np.sign(np.linalg.norm(x, axis=1, keepdims=True) - 2.5).astype(np.float32)
    batches = list(zip(np.split(x, POINTS // batch), np.split(y, POINTS // batch), strict=True))

    def epoch() -> None:
        for a[0], target in batches:
            for i, (_, W_T, b, _, _) in enumerate(layers):
                z = np.matmul(a[i], W_T, out=a[i + 1])
                np.tanh(np.add(z, b, out=z), out=z)
            np.subtract(a[-1], target, out=delta[-1])
            for i in range(len(layers) - 1, -1, -1):
                W, _, _, dW, db = layers[i]
                d, g = delta[i + 1], slope[i + 1]
                np.subtract(1, np.multiply(a[i + 1], a[i + 1], out=g), out=g)
                np.multiply(d, g, out=d)
                np.matmul(delta_T[i + 1], a[i], out=dW)
                np.sum(d, axis=0, out=db)
                if i:
                    np.matmul(d, W, out=delta[i])
            np.subtract(theta, np.multiply(gradient, 0.03 / batch, out=gradient), out=theta)

    return epoch


def benchmark(_: torch.device) -> Iterator[Result]:
    """Ours over nn.ts's, each over numpy on its own machine. The job is one for a CPU, whatever the device."""
    torch.set_num_threads(1)
    for name, peer in PEERS.items():
        lab, calibration = playground(peer.hidden, peer.batch), numpy_epoch(peer.hidden, peer.batch)
        sides: dict[str, Callable[[], float]] = {
            "trained": partial(epochs_per_second, peer.hidden, peer.batch, SECONDS),
            "seen": partial(rate, partial(show_epoch, lab), SECONDS),
            "numpy": partial(rate, calibration, SECONDS),
        }
        found = in_turns(sides, ROUNDS)
        speed = found["numpy"] / peer.numpy  # of this machine, over that of reference
        for what, theirs, bar in (("trained", peer.trained, 0.25), ("seen", peer.seen, 1.0)):
            ratio = found[what] / speed / theirs
            detail = f"{found[what]:,.0f} epochs/s; nn.ts {theirs:,.0f} on a machine {1 / speed:.2f} times as fast"
            yield Result(f"playground {name}, {what}", ratio, bar, True, detail)


if __name__ == "__main__":
    for result in benchmark(torch.device("cpu")):
        print(result.line(), flush=True)
