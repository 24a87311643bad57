"""Watching without touching: a view method runs in inference mode, in eval mode and with an RNG of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from engine.lab import Lab, modules_of, views_of
from engine.payloads import Payload

WATCHER_SEED = 1  # each rendering draws the same numbers, so that a sample from noise changes only as the network does


def rng_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The state of the default RNG of the CPU and, on a GPU, of that device."""
    if device.type == "cuda":
        return torch.get_rng_state(), torch.cuda.get_rng_state(device)
    if device.type == "mps":
        return torch.get_rng_state(), torch.mps.get_rng_state()
    return torch.get_rng_state(), None


def set_rng_state(state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device) -> None:
    """Restore what rng_state returned."""
    torch.set_rng_state(state[0])
    if state[1] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)
    elif state[1] is not None and device.type == "mps":
        torch.mps.set_rng_state(state[1])


@contextmanager
def no_trace(lab: Lab) -> Iterator[None]:
    """Eval mode; on leaving, modes and RNG are as they were. For probes: what they keep are ordinary tensors."""
    before = rng_state(lab.device)
    training = [m for net in modules_of(lab) for m in net.modules() if m.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
        set_rng_state(before, lab.device)


@contextmanager
def watching(lab: Lab) -> Iterator[None]:
    """Inference mode and eval mode; on leaving, modes and RNG are as they were."""
    with no_trace(lab), torch.inference_mode():
        yield


def rendering(lab: Lab, name: str, *, parts: bool = False) -> Generator[Payload | None, None, Payload]:
    """Render a view in slices: every ``next`` does a piece of work inside ``watching``, and with `parts` gives what the
    view yields of what is ready so far. Raises what the view raises, and ViewError where it does not return what it
    declares."""
    view = views_of(lab)[name]
    own: tuple[torch.Tensor, torch.Tensor | None] | None = None
    with watching(lab):
        torch.manual_seed(WATCHER_SEED)
        result: Any = view.method(lab)
        if not isinstance(result, Generator):
            return view.description.pack(result)
        own = rng_state(lab.device)
    part: Any = None
    while True:
        yield view.description.pack(part) if parts and part is not None else None
        with watching(lab):
            set_rng_state(own, lab.device)
            try:
                part = next(result)
            except StopIteration as stop:
                return view.description.pack(stop.value)
            own = rng_state(lab.device)


def render(lab: Lab, name: str) -> Payload:
    """Render a view at one go."""
    slices = rendering(lab, name)
    try:
        while True:
            next(slices)
    except StopIteration as stop:
        payload: Payload = stop.value
        return payload
