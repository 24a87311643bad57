"""What networks have learnt, as a safetensors file that any PyTorch program can read."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from engine import __version__
from engine.files import writing
from engine.hyperparameters import values_of
from engine.lab import Lab, LabError
from engine.messages import RunSpec


def weights_of(lab: Lab) -> dict[str, Tensor]:
    """The weights by name: ``net.conv1.weight`` of a network, ``W.0`` of a list of matrices. Copies, on the CPU."""
    found: dict[str, Tensor] = {}
    names = lab.weights or [name for name, value in vars(lab).items() if isinstance(value, nn.Module)]
    for name in names:
        value = getattr(lab, name)
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, nn.Module):
            found.update({f"{name}.{key}": part for key, part in value.state_dict().items()})
        else:
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            found.update({f"{name}.{place}": part for place, part in parts})
    return {name: value.detach().cpu().clone().contiguous() for name, value in found.items()}


def save_weights(path: Path, lab: Lab, spec: RunSpec) -> None:
    """Write the weights. Raises LabError where there are none, OSError where the disk refuses."""
    weights = weights_of(lab)
    if not weights:
        raise LabError("this lab has no network whose weights could be saved")
    described = {
        "lab": spec.lab,
        "step": str(lab.step_count),
        "seed": str(spec.seed),
        "data": spec.dataset,
        "hyperparameters": json.dumps(values_of(lab.hp)),
        "deepscope": __version__,
    }
    with writing(path) as file:
        file.write(to_bytes(weights, metadata=described))
