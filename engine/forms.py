"""The form of a saved value (kind, dtype, shape, names), compared with the form that it has in a lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LARGEST = 2**53  # whole numbers beyond it are not exact as floats
LONGEST_TEXT = 1_000_000
NAMED = 60  # characters of a name or value that a message repeats


class CheckpointError(ValueError):
    """A file that cannot be read or does not fit; the message says why."""


def compare(name: str, kept: Any, like: Any, *, grows: bool = False) -> None:
    """Raises CheckpointError where `kept` is not of the form of `like`. Where it `grows`, the first axis of a tensor, a
    list and the names of a dict may be longer or shorter."""
    import torch

    if isinstance(like, torch.Tensor):
        fits = isinstance(kept, torch.Tensor) and kept.dtype == like.dtype and kept.dim() == like.dim()
        if not fits or kept.shape[int(grows) :] != like.shape[int(grows) :]:
            raise misfit(name, kept, like)
    elif isinstance(like, Mapping):
        if not isinstance(kept, Mapping) or (not grows and kept.keys() != like.keys()):
            raise misfit(name, kept, like)
        for key in (each for each in like if each in kept):  # in the order of the network
            compare(f"{name}.{key}", kept[key], like[key], grows=grows)
    elif isinstance(like, list | tuple):
        longer = grows and isinstance(like, list)
        if type(kept) is not type(like) or (not longer and len(kept) != len(like)):
            raise misfit(name, kept, like)
        for place, item in enumerate(kept if like else ()):
            compare(f"{name}.{place}", item, like[min(place, len(like) - 1)], grows=grows)
    elif isinstance(like, bool) or like is None:
        if type(kept) is not type(like):
            raise misfit(name, kept, like)
    elif isinstance(like, int):
        if type(kept) is not int or abs(kept) > LARGEST:
            raise misfit(name, kept, like)
    elif isinstance(like, float):
        if not isinstance(kept, float) and (type(kept) is not int or abs(kept) > LARGEST):
            raise misfit(name, kept, like)
    elif not isinstance(kept, str) or len(kept) > LONGEST_TEXT:
        raise misfit(name, kept, like)


def misfit(name: str, kept: Any, like: Any) -> CheckpointError:
    """What to raise where a part does not have the form that it has in the lab."""
    return CheckpointError(f"{name:.120} does not fit this lab: the file has {form(kept)}, the lab {form(like)}")


def form(value: Any) -> str:
    """The kind and size of a value, for a message."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} numbers of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return named(value)
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value):,}"
    if isinstance(value, str) and len(value) > NAMED:
        return f"a text of {len(value):,} characters"
    if type(value) is int and abs(value) > LARGEST:
        return "a whole number beyond 53 bits"
    return "nothing" if value is None else repr(value)


def named(names: Any) -> str:
    """Some names, for a message."""
    told = sorted(f"{name!s:.{NAMED}}" for name in names)
    return ", ".join(told[:8]) + (f" and {len(told) - 8:,} more" if len(told) > 8 else "") or "no parts"
