"""Undo of what a gesture or an action changed, while training goes on.

A patch says which values of a lab's state are to be set to what: of tensors that kept their shape only the elements
that changed, all else as a whole. It is text, so that a mark can carry it into a file: applying the same patch at the
same step repeats the undo exactly.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import checkpoint, fitting
from engine.hyperparameters import values_of
from engine.lab import LabError
from engine.messages import Mark
from engine.watch import rng_state

if TYPE_CHECKING:
    import torch

    from engine.lab import Lab

LARGEST = 4 << 20  # bytes of a patch: several times the weights of LeNet
LISTED = 1000  # so many places at most are listed; of more a mask tells
KEPT = 32 << 20  # bytes of patches that a run keeps

Tree = Any  # nested dicts, lists and tuples of tensors and plain values, as a checkpoint keeps them
Path = tuple[str | int, ...]


class TooLarge(LabError):
    """What was changed is more than is kept for undo."""

    def __init__(self) -> None:
        super().__init__("That changed too much at once to be undone")


def state_of(lab: Lab) -> Mapping[str, Any]:
    """A copy of the lab's state."""
    return checkpoint.take(lab, values_of(lab.hp), rng_state(lab.device)).state


def put_back(lab: Lab, patch: str) -> None:
    """Apply a patch to a lab between two steps. Raises LabError where it does not fit any more."""
    taken = checkpoint.take(lab, values_of(lab.hp), rng_state(lab.device))
    wanted = dataclasses.replace(taken, state=patched(taken.state, patch))
    try:
        fitting.check(lab, wanted)  # a mark may come from a file
        checkpoint.put(lab, wanted)
    except checkpoint.CheckpointError as error:
        raise LabError(f"It cannot be undone: {error}") from error


# ------------------------------------------------------------------------------------------------ patches


def difference(wanted: Mapping[str, Any], present: Mapping[str, Any]) -> str:
    """The patch that makes of the present state the wanted one; "" where they are equal. Raises TooLarge."""
    entries: list[dict[str, Any]] = []
    _compare(wanted, present, (), entries)
    if not entries:
        return ""
    if sum(len(entry["value"].get("bytes", "")) for entry in entries) > LARGEST:
        raise TooLarge
    text = json.dumps(entries, separators=(",", ":"))
    if len(text) > LARGEST:
        raise TooLarge
    return text


def _compare(wanted: Tree, present: Tree, path: Path, entries: list[dict[str, Any]]) -> None:
    import torch

    if isinstance(wanted, torch.Tensor) and isinstance(present, torch.Tensor):
        if wanted.shape == present.shape and wanted.dtype == present.dtype:
            _compare_tensors(wanted, present, path, entries)
            return
    elif isinstance(wanted, Mapping) and isinstance(present, Mapping) and wanted.keys() == present.keys():
        for key in wanted:
            _compare(wanted[key], present[key], (*path, key), entries)
        return
    elif type(wanted) is type(present) and isinstance(wanted, list | tuple) and len(wanted) == len(present):
        nested: list[dict[str, Any]] = []
        for place, (old, new) in enumerate(zip(wanted, present, strict=True)):
            _compare(old, new, (*path, place), nested)
        if len(nested) <= 1 or not all("plain" in entry["value"] for entry in nested):
            entries += nested
            return
    elif _same_plain(wanted, present):
        return
    entries.append({"path": path, "value": _encoded(wanted)})


def _same_plain(wanted: Tree, present: Tree) -> bool:
    """Whether both are the same number, word or flag, of one type."""
    plain = wanted is None or isinstance(wanted, bool | int | float | str)
    alike = plain and type(wanted) is type(present)
    return alike and bool(wanted == present or (wanted != wanted and present != present))


def _compare_tensors(wanted: torch.Tensor, present: torch.Tensor, path: Path, entries: list[dict[str, Any]]) -> None:
    count = wanted.numel()
    if not count:
        return
    changed = (_bits(wanted).view(count, -1) != _bits(present).view(count, -1)).any(1)
    number = int(changed.sum())
    if not number:
        return
    # whole numbers are often an order or a queue, of which no part makes sense alone
    if number == count or not (wanted.is_floating_point() or wanted.is_complex()):
        entries.append({"path": path, "value": _encoded(wanted)})
        return
    entry: dict[str, Any] = {"path": path, "shape": list(wanted.shape)}
    if number <= LISTED:
        entry["at"] = changed.nonzero()[:, 0].tolist()
    else:
        entry["mask"] = base64.b64encode(np.packbits(changed.numpy()).tobytes()).decode()
    entry["value"] = _encoded(wanted.detach().cpu().reshape(-1)[changed])
    entries.append(entry)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8)


def patched(state: Mapping[str, Any], patch: str) -> dict[str, Any]:
    """The state with the patch applied; tensors that change are others. Raises LabError where it does not fit."""
    result: Tree = dict(state)
    try:
        for entry in json.loads(patch):
            result = _put(result, tuple(entry["path"]), entry)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise LabError("It can no longer be undone: what it changed has another shape now") from error
    return dict(result)


def _put(value: Tree, path: Path, entry: Mapping[str, Any]) -> Tree:
    if path:
        key, rest = path[0], path[1:]
        if isinstance(value, Mapping):
            return {**value, key: _put(value[key], rest, entry)}
        if not isinstance(value, list | tuple) or not isinstance(key, int):
            raise ValueError("there is no such place")
        items = list(value)
        items[key] = _put(items[key], rest, entry)
        return type(value)(items)
    if "shape" not in entry:
        return _decoded(entry["value"], value)
    if list(value.shape) != entry["shape"]:
        raise ValueError("a tensor has another shape")
    values = _decoded(entry["value"], value)
    flat = value.detach().clone().reshape(-1)
    flat[_places(entry, flat.numel()).to(flat.device)] = values.to(flat.dtype)
    return flat.view(value.shape)


def _places(entry: Mapping[str, Any], count: int) -> torch.Tensor:
    import torch

    if "at" in entry:
        places = torch.tensor(entry["at"], dtype=torch.long)
        if bool((places < 0).any()):
            raise ValueError("a place is outside of a tensor")
        return places
    packed = np.frombuffer(base64.b64decode(entry["mask"]), np.uint8)
    return torch.from_numpy(np.unpackbits(packed, count=count).astype(bool)).nonzero()[:, 0]


def _encoded(value: Tree) -> dict[str, Any]:
    import torch

    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        data = base64.b64encode(_bits(value).numpy().tobytes()).decode()
        return {"dtype": kind, "shape": list(value.shape), "bytes": data}
    if isinstance(value, Mapping):
        return {"dict": [[key, _encoded(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_encoded(item) for item in value]}
    return {"plain": value}


def _decoded(told: Mapping[str, Any], present: Tree) -> Tree:
    """The value that `_encoded` told; tensors go where those of the present value are."""
    import torch

    if "bytes" in told:
        dtype = getattr(torch, told["dtype"])
        if not isinstance(dtype, torch.dtype):
            raise ValueError("there is no such type of numbers")
        raw = bytearray(base64.b64decode(told["bytes"]))
        flat = torch.frombuffer(raw, dtype=torch.uint8).view(dtype) if raw else torch.empty(0, dtype=dtype)
        return flat.reshape(told["shape"]).to(present.device if isinstance(present, torch.Tensor) else "cpu")
    if "dict" in told:
        former = present if isinstance(present, Mapping) else {}
        return {key: _decoded(item, former.get(key)) for key, item in told["dict"]}
    for kind, make in (("list", list), ("tuple", tuple)):
        if kind in told:
            return make(_decoded(item, None) for item in told[kind])
    value = told["plain"]
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("a plain value was expected")
    return value


def overlap(first: str, second: str) -> bool:
    """Whether two patches set the same value somewhere."""
    for one in json.loads(first):
        for other in json.loads(second):
            shared = min(len(one["path"]), len(other["path"]))
            if one["path"][:shared] != other["path"][:shared]:
                continue
            if "at" in one and "at" in other and set(one["at"]).isdisjoint(other["at"]):
                continue
            return True
    return False


# ------------------------------------------------------------------------------------- what a run keeps


class Undoable:
    """The patches that take back the changes of a run, by the place of the change among its marks."""

    def __init__(self) -> None:
        self._patches: dict[int, str] = {}  # "" where the change was too large
        self._undone: dict[int, tuple[int, ...]] = {}  # the place of an undo: those of what it took back

    def keep(self, place: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """The change at this place made of one state the other."""
        try:
            patch: str | None = difference(before, after)
        except TooLarge:
            patch = None
        if patch is not None:
            self._patches[place] = patch or "[]"
        while sum(map(len, self._patches.values())) > KEPT:
            del self._patches[next(iter(self._patches))]

    def undo(self, place: int, places: Iterable[int]) -> None:
        """The change at `place` took back these."""
        self._undone[place] = tuple(places)

    def cut(self, length: int) -> None:
        """Only so many changes are left."""
        self._patches = {place: patch for place, patch in self._patches.items() if place < length}
        self._undone = {place: undone for place, undone in self._undone.items() if place < length}

    def of(self, length: int) -> Undoable:
        """The same for a run that begins with the first changes of this one."""
        copy = Undoable()
        copy._patches, copy._undone = dict(self._patches), dict(self._undone)
        copy.cut(length)
        return copy

    def is_undone(self, place: int) -> bool:
        """Whether a change was taken back, and that stands."""
        return any(place in undone and not self.is_undone(by) for by, undone in self._undone.items())

    def state_without(self, state: Mapping[str, Any], places: Iterable[int], marks: list[Mark]) -> dict[str, Any]:
        """What the state would be without these changes. Raises LabError where that cannot be said."""
        chosen = sorted(set(places), reverse=True)
        result = dict(state)
        for place in chosen:
            if self.is_undone(place):
                raise LabError(f"{marks[place].text} is undone already")
            if (patch := self._patches.get(place)) is None:
                raise LabError(f"{marks[place].text} cannot be undone: what it replaced was too large or is not known")
            later = (each for each in self._patches if each > place and each not in chosen and each not in self._undone)
            if any(overlap(patch, self._patches[each]) and not self.is_undone(each) for each in later):
                raise LabError(f"{marks[place].text} changed again later: undo that first")
            result = patched(result, patch)
        return result
