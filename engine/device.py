"""Which device computes, how many threads it may use, and how much memory it holds."""

from __future__ import annotations

import os
import sys

import torch

from engine.lab import Lab, LabError

CHOICES = ("auto", "cpu", "cuda", "mps")


def available() -> tuple[str, ...]:
    """The devices of this machine, the fastest first."""
    found = [name for name, there in (("cuda", torch.cuda.is_available()), ("mps", _mps())) if there]
    return (*found, "cpu")


def _mps() -> bool:
    return torch.backends.mps.is_available()


def choose(name: str) -> torch.device:
    """The device of a name of CHOICES; "auto" is the fastest there is. Raises LabError where there is none such."""
    if name == "auto":
        return torch.device(available()[0])
    kind = name.split(":")[0]
    if kind not in available():
        raise LabError(f"there is no device {name!r} on this machine; there are: auto, {', '.join(available())}")
    return torch.device(name)


def usable(name: str) -> str:
    """The name itself, but "auto" for a device that other machines have and this one has not (any more)."""
    kind = name.split(":")[0]
    return "auto" if kind in CHOICES[1:] and kind not in available() else name


def describe(device: torch.device | str) -> str:
    """What a person calls the device: "CUDA: NVIDIA H100", "CPU: 8 cores"."""
    device = torch.device(device)
    if device.type == "cuda":
        return f"CUDA: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "Metal: Apple GPU"
    return f"CPU: {cores()} cores" if cores() > 1 else "CPU: 1 core"


def cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(lab: type[Lab] | Lab, chosen: int = 0) -> int:
    """How many threads torch may use: one for tiny networks, else all cores but the one that draws the window.

    With all cores, torch is 3 to 10 times slower while one of them is busy drawing. `chosen` > 0 overrides.
    """
    if chosen > 0:
        return min(chosen, cores())
    return max(1, cores() - 1) if lab.many_threads else 1


def memory(device: torch.device) -> int:
    """Bytes in use: on a GPU what torch has allocated there, else the resident set of this process."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    import psutil

    return int(psutil.Process().memory_info().rss)
