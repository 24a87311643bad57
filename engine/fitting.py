"""Whether a saved state fits a built lab: everything is compared before anything is assigned.

Kinds, dtypes and shapes must be those that the lab has. What a lab lets grow (``Lab.grows``) may differ in length, and
``Lab.ranges`` bounds the numbers that index something. Weights, moments and measurements may be NaN: a run that has
diverged opens again, and diverges again. The optimiser's settings and step counts, and the state of the random
numbers, must be sound.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.forms import LARGEST, CheckpointError, compare, form, misfit, named
from engine.hyperparameters import HyperparameterError, hyperparameters_of, make_params, values_of

if TYPE_CHECKING:
    import torch

    from engine.checkpoint import Snapshot
    from engine.lab import Lab

LARGEST_SETTING = 1e30  # of an optimiser: what it is multiplied with must stay within 32 bits


def check(lab: Lab, snapshot: Snapshot) -> None:
    """Raises CheckpointError, which names the first part of a snapshot that does not fit the lab.

    The lab takes on the snapshot's live hyperparameters: its optimiser may be another for them.
    """
    import torch

    from engine.lab import LabError

    if set(snapshot.state) != set(lab.state):
        raise CheckpointError(f"it keeps {named(snapshot.state)}, but this lab keeps {named(lab.state)}")
    _take_on(lab, snapshot.hyperparameters)
    _check_rng(snapshot.rng, lab.device)
    for name in lab.state:
        kept, value = snapshot.state[name], getattr(lab, name)
        if isinstance(value, torch.optim.Optimizer):
            _check_optimizer(name, kept, value)
        elif hasattr(value, "check_state"):
            value.check_state(name, kept)
        elif hasattr(value, "load_state_dict"):
            compare(name, kept, value.state_dict())
        else:
            compare(name, kept, value, grows=name in lab.grows)
    try:
        ranges = lab.ranges(snapshot.state)
    except LabError as error:
        raise CheckpointError(f"it does not fit this lab: {error}") from error
    for name, (low, high) in ranges.items():
        _check_range(name, snapshot.state[name], low, high)


def _take_on(lab: Lab, values: Mapping[str, Any]) -> None:
    before, declared = values_of(lab.hp), hyperparameters_of(lab.hp)
    try:
        wanted = make_params(type(lab.hp), values)
    except HyperparameterError as error:
        raise CheckpointError(str(error)) from error
    changed = [name for name, value in values_of(wanted).items() if value != before[name]]
    if any(declared[name].rebuilds for name in changed):
        raise CheckpointError("it belongs to a network of another structure")
    lab.hp = wanted
    for name in changed:
        lab.changed(name)


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    import torch

    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _check_range(name, item, low, high)
        return
    ends = [value]
    if isinstance(value, torch.Tensor):
        ends = [value.min().item(), value.max().item()] if value.numel() else []
    for end in ends:
        if not isinstance(end, int | float) or not low <= end <= high:
            raise CheckpointError(f"{name} holds {form(end)}; in this lab it is from {low:,} to {high:,}")


# --------------------------------------------------------------------------------------- random numbers


def _check_rng(rng: tuple[Any, Any], device: torch.device) -> None:
    import torch

    cpu, accelerator = rng
    compare("the state of the random numbers", cpu, torch.get_rng_state())
    generators = [(torch.Generator(), cpu)]
    if accelerator is not None and device.type != "cpu":
        generator = torch.Generator(device)
        compare("the state of the GPU's random numbers", accelerator, generator.get_state())
        generators.append((generator, accelerator))
    try:
        for generator, state in generators:
            generator.set_state(state)
    except RuntimeError as error:
        raise CheckpointError("the state of the random numbers is damaged") from error


# -------------------------------------------------------------------------------------------- optimisers


def _check_optimizer(name: str, kept: Any, optimizer: torch.optim.Optimizer) -> None:
    like = optimizer.state_dict()
    if not isinstance(kept, Mapping) or kept.keys() != like.keys():
        raise misfit(name, kept, like)
    groups, state = kept["param_groups"], kept["state"]
    if not isinstance(groups, list) or len(groups) != len(like["param_groups"]):
        raise misfit(f"{name}.param_groups", groups, like["param_groups"])
    for place, (group, built) in enumerate(zip(groups, like["param_groups"], strict=True)):
        _check_group(f"{name}.param_groups.{place}", group, built)
    slots = _slots(optimizer)
    numbers = {number for group in like["param_groups"] for number in group["params"]}
    if not isinstance(state, Mapping) or not state.keys() <= numbers:
        raise CheckpointError(f"{name}.state does not fit this lab: it has {len(numbers):,} parameters")
    for number, found in state.items():
        if slots is not None:
            compare(f"{name}.state.{number}", found, slots.get(number, {}))
        if isinstance(found, Mapping) and "step" in found:
            _check_range(f"{name}.state.{number}.step", found["step"], 0, LARGEST)


def _check_group(name: str, group: Any, built: Mapping[str, Any]) -> None:
    """The settings that a group of parameters has. Those that the file lacks, an older torch did not have."""
    if not isinstance(group, Mapping) or not {"params"} <= group.keys() <= built.keys():
        raise misfit(name, group, built)
    for key, value in group.items():
        like = built[key]
        if isinstance(like, int) and not isinstance(like, bool):
            like = float(like)  # a momentum of 0 may become one of 0.9
        compare(f"{name}.{key}", value, like)
        if isinstance(like, bool | str) or key == "params":
            if value != like:
                raise misfit(f"{name}.{key}", value, like)
        elif isinstance(like, float | int | tuple | list):
            _check_range(f"{name}.{key}", value, 0, math.nextafter(1, 0) if key == "betas" else LARGEST_SETTING)


def _slots(optimizer: torch.optim.Optimizer) -> dict[int, Any] | None:
    """What the optimiser remembers of each parameter, by number, once it has made a step: found out with a copy. None
    where its steps need more than gradients."""
    import torch

    twin = copy.deepcopy(optimizer)
    for group in twin.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    try:
        twin.step()
    except TypeError:  # LBFGS: it asks for the loss again and again
        return None
    slots: dict[int, Any] = twin.state_dict()["state"]
    return slots
