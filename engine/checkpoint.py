"""Checkpoints: all that is needed to go on with a run as if it had never stopped.

In memory a Snapshot; on disk a ``.deepscope`` file: a zip of uncompressed members, ``session.json`` and
``tensors.safetensors``, and two more where it keeps a timeline (engine.session_recording). Nothing is pickled, and
nothing in a file is executed.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from engine.bounded import LARGEST_JSON, MOST_STEPS, check_json, parse_json, regular
from engine.files import writing
from engine.forms import CheckpointError as CheckpointError
from engine.messages import Lesson, Mark, RunSpec, Series

if TYPE_CHECKING:
    import torch

    from engine.lab import Lab
    from engine.session_recording import Recording

VERSION = 4  # 1 kept no marks, 2 not how the window was arranged, 3 no timeline, earlier runs and bookmarks
SUFFIX = ".deepscope"
MEMBERS = ("session.json", "tensors.safetensors")
OPTIONAL = (TIMELINE, SNAPSHOTS) = ("timeline.bin", "snapshots.safetensors")
LARGEST_INDEX = 16 << 20  # bytes that list the tensors of a file
PIECE = 1 << 20

Name = Annotated[str, StringConstraints(max_length=200)]
Words = Annotated[str, StringConstraints(max_length=4000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


@dataclass(frozen=True)
class Snapshot:
    """The state of a run between two steps. Tensors are copies, on the CPU or the lab's device."""

    step: int
    hyperparameters: Mapping[str, Any]
    state: Mapping[str, Any]
    rng: tuple[torch.Tensor, torch.Tensor | None]
    marks: int = 0  # how many changes of the experiment came before it: some may have come at the same step, later
    history: tuple[Mark, ...] = ()  # those changes, where it comes from a file or goes into one
    window: Mapping[str, str] = field(default_factory=dict)  # how it was arranged, likewise
    lesson: Lesson = field(default_factory=Lesson)  # bookmarks and earlier runs, likewise


class Header(BaseModel):
    """session.json"""

    model_config = ConfigDict(extra="forbid")

    format: Literal["deepscope"]
    version: int = Field(ge=VERSION, le=VERSION)  # once it is migrated
    lab: Name
    hyperparameters: dict[Name, Number | Whole | Words | bool] = Field(max_length=1000)
    dataset: Words
    seed: int = Field(ge=0, lt=2**64)
    device: Name
    step: int = Field(ge=0, le=MOST_STEPS)
    state: Any
    rng: Any
    metrics: Any
    marks: list[Any] = Field(max_length=200_000)
    window: dict[Name, Words] = Field(max_length=100)
    bookmarks: list[Any] = Field(max_length=10_000)
    earlier: list[Any] = Field(max_length=100)
    snapshots: list[Any] = Field(max_length=10_000)

    def spec(self) -> RunSpec:
        return RunSpec(self.lab, self.hyperparameters, self.dataset, self.seed, self.device)


# ------------------------------------------------------------------------------------------- in memory


def take(lab: Lab, hyperparameters: Mapping[str, Any], rng: tuple[torch.Tensor, torch.Tensor | None]) -> Snapshot:
    """A copy of the lab's state. Raises LabError where it holds what a checkpoint cannot keep."""
    from engine.lab import LabError

    state = {}
    for name in lab.state:
        if not hasattr(lab, name):
            raise LabError(f"{type(lab).__name__}.state names {name!r}, which build() does not set")
        value = getattr(lab, name)
        state[name] = _copy(value.state_dict() if hasattr(value, "state_dict") else value, name)
    kept = (rng[0].clone(), None if rng[1] is None else rng[1].clone())
    return Snapshot(lab.step_count, dict(hyperparameters), state, kept)


def put(lab: Lab, snapshot: Snapshot) -> None:
    """Bring a built lab to the state of a snapshot. Raises CheckpointError where it does not fit the lab.

    Tensors are copied into those that the lab already has, where shapes agree: others may be views of them.
    """
    import torch

    if set(snapshot.state) != set(lab.state):
        raise CheckpointError(f"it keeps {sorted(snapshot.state)}, but this lab keeps {sorted(lab.state)}")
    for name, kept in snapshot.state.items():
        value = getattr(lab, name)
        try:
            if isinstance(value, torch.optim.Optimizer):
                kept = _copy(kept, name)
                groups = zip(value.state_dict()["param_groups"], kept["param_groups"], strict=True)
                value.load_state_dict({**kept, "param_groups": [{**built, **group} for built, group in groups]})
                _match_layout(value)
            elif hasattr(value, "load_state_dict"):
                value.load_state_dict(kept)
            else:
                setattr(lab, name, _merge(value, kept, lab.device))
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{name} does not fit this lab: {reason}") from error
    lab.step_count = snapshot.step


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Give moments the memory layout of their weights: another order of additions rounds differently."""
    import torch

    for parameter, slots in optimizer.state.items():
        for key, slot in slots.items():
            if isinstance(slot, torch.Tensor) and slot.shape == parameter.shape:
                slots[key] = torch.empty_like(parameter, requires_grad=False).copy_(slot)


def _copy(value: Any, name: str) -> Any:
    import torch

    from engine.lab import LabError

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copy(item, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copy(item, name) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise LabError(f"state {name!r} holds a {type(value).__name__}, which a checkpoint cannot keep")


def _merge(old: Any, new: Any, device: torch.device) -> Any:
    import torch

    if isinstance(new, torch.Tensor):
        if isinstance(old, torch.Tensor) and old.shape == new.shape and old.dtype == new.dtype:
            if old.is_inference():
                return new.to(device).clone()
            with torch.no_grad():
                return old.copy_(new)
        return new.to(device).clone()
    if isinstance(new, Mapping):
        former = old if isinstance(old, Mapping) else {}
        return {key: _merge(former.get(key), item, device) for key, item in new.items()}
    if isinstance(new, list | tuple):
        olds = old if isinstance(old, list | tuple) and len(old) == len(new) else [None] * len(new)
        return type(new)(_merge(a, b, device) for a, b in zip(olds, new, strict=True))
    return new


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal bit for bit."""
    import torch

    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return bool(torch.equal(a.cpu(), b.cpu()) or torch.equal(_bits(a), _bits(b)))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (a != a and b != b)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


# --------------------------------------------------------------------------------------------- on disk


def flatten(value: Any, tensors: dict[str, Any]) -> Any:
    """JSON for a tree; its tensors go into `tensors` and leave their names behind. Dicts become lists of pairs, as
    their keys may be numbers (an optimiser's)."""
    import torch

    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [flatten(item, tensors) for item in value]}
    return value


def unflatten(value: Any, tensors: Mapping[str, Any]) -> Any:
    """The tree that `flatten` took apart. Raises ValueError, KeyError or TypeError where it is none."""
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "tensor":
            return tensors[inner]
        if kind == "dict":
            return {key: unflatten(item, tensors) for key, item in inner}
        if kind in ("list", "tuple"):
            items = [unflatten(item, tensors) for item in inner]
            return tuple(items) if kind == "tuple" else items
        raise ValueError(f"unknown kind {kind!r}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError("malformed state")


def save(
    path: Path,
    spec: RunSpec,
    snapshot: Snapshot,
    metrics: Series | None = None,
    recording: Recording | None = None,
) -> None:
    """Write a checkpoint. Raises OSError (disk full, no such folder): a former file of that name is then untouched."""
    import torch
    from safetensors.torch import save as to_bytes

    from engine import session_recording
    from engine.marks import encode

    recording = recording or session_recording.Recording(snapshot.lesson)
    curves = {name: [torch.tensor(column) for column in columns] for name, columns in (metrics or {}).items()}
    tensors: dict[str, Any] = {}
    earlier_states: dict[str, Any] = {}
    header = Header(
        format="deepscope",
        version=VERSION,
        lab=spec.lab,
        hyperparameters=dict(snapshot.hyperparameters),
        dataset=spec.dataset,
        seed=spec.seed,
        device=spec.device,
        step=snapshot.step,
        state=flatten(snapshot.state, tensors),
        rng=flatten(snapshot.rng, tensors),
        metrics=flatten(curves, tensors),
        marks=[encode(mark) for mark in snapshot.history],
        window=dict(snapshot.window),
        **session_recording.describe(recording, tensors, earlier_states),
    )
    told = json.dumps(header.model_dump(), separators=(",", ":")).encode()
    try:
        check_json(told)
    except ValueError as error:
        raise CheckpointError(f"this run was changed too often for a file: {error}") from error
    with writing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MEMBERS[0], told)
        archive.writestr(MEMBERS[1], to_bytes(tensors))
        session_recording.write(archive, recording, earlier_states)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, once its list of members is what `save` writes. Raises CheckpointError for anything else."""
    try:
        size = regular(path).st_size
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            known = set(MEMBERS) <= entries.keys() <= {*MEMBERS, *OPTIONAL}
            if not known or len(archive.infolist()) != len(entries):
                raise CheckpointError(f"{path.name} is not a Deepscope file: it holds {sorted(entries)[:5]}")
            for entry in entries.values():
                # stored members cannot be larger than the file: no bomb gets further than this
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
                    raise CheckpointError(f"{path.name} is damaged: {entry.filename} claims {entry.file_size:,} bytes")
            if entries[MEMBERS[0]].file_size > LARGEST_JSON:
                raise CheckpointError(f"{path.name} is damaged: its description is too large")
            yield archive
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path.name:.200} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # zipfile raises a dozen kinds on damaged files
        raise CheckpointError(f"{path.name} is not a Deepscope file, or is damaged") from error


def _migrated(raw: Any) -> Any:
    """The description of a file of an earlier version, as this one writes it."""
    if isinstance(raw, dict) and raw.get("version") == 1:
        raw = {**raw, "version": 2, "marks": []}
    if isinstance(raw, dict) and raw.get("version") == 2:
        raw = {**raw, "version": 3, "window": {}}
    if isinstance(raw, dict) and raw.get("version") == 3:
        raw = {**raw, "version": 4, "bookmarks": [], "earlier": [], "snapshots": []}
    return raw


def header_of(path: Path, data: bytes) -> Header:
    """What ``session.json`` says. Raises CheckpointError."""
    try:
        raw = parse_json(data)
        version = raw.get("version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise CheckpointError(f"{path.name} was written by a newer Deepscope (format {version})")
        return Header.model_validate(_migrated(raw))
    except CheckpointError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{first['loc'][0]!s:.60}" if first["loc"] else "all of it"
        raise CheckpointError(
            f"{path.name} is damaged: its description cannot be understood ({where}: {first['msg']:.200})"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path.name} is damaged: its description cannot be understood ({error!s:.200})"
        ) from error


def read_spec(path: Path) -> RunSpec:
    """Which run a file holds, without torch. The rest is read too, a piece at a time, for their checksum: a damaged
    file is to be told now, rather than once another lab was closed for it. That takes a second for a gigabyte, so the
    window asks on another thread. Raises CheckpointError."""
    with opened(path) as archive:
        header = header_of(path, archive.read(MEMBERS[0]))
        for name in archive.namelist():
            with archive.open(name) as member:
                while member.read(PIECE):
                    pass
    return header.spec()


def _series(columns: list[torch.Tensor], last: int) -> Any:
    """The curve of a metric up to a step. Its values may be NaN: what has diverged was measured so."""
    import torch

    steps, values = columns
    if steps.dim() != 1 or steps.shape != values.shape:
        raise ValueError("steps and values of a metric differ in length")
    if steps.dtype != torch.int64 or values.dtype not in (torch.float32, torch.float64):
        raise ValueError("steps are whole numbers, and values are real ones")
    if len(steps) and (steps[0] < 0 or (steps.diff() <= 0).any()):
        raise ValueError("the steps of a metric rise from 0")
    known = steps <= last
    return steps[known].numpy(), values[known].double().numpy()


def metrics_of(told: Any, last: int) -> dict[str, Any]:
    """Curves by name. Raises ValueError or TypeError where they are none."""
    if len(told) > 1000 or any(not isinstance(name, str) or len(name) > 200 for name in told):
        raise ValueError("a metric has a name of at most 200 characters, and there are at most 1,000")
    return {name: _series(columns, last) for name, columns in told.items()}


def packed_tensors(path: Path, archive: zipfile.ZipFile, member: str = MEMBERS[1]) -> bytes:
    """The tensors as they lie in the file, if they fit into the memory and their list is not absurd."""
    import psutil

    size, free = archive.getinfo(member).file_size, psutil.virtual_memory().available
    if size > free / 2:
        raise CheckpointError(f"{path.name} holds {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB of memory are free")
    packed = archive.read(member)
    if int.from_bytes(packed[:8], "little") > LARGEST_INDEX:
        raise CheckpointError(f"{path.name} is damaged: the list of its tensors is too large")
    return packed


def load(path: Path) -> tuple[RunSpec, Snapshot, Series]:
    """Read a checkpoint: its run, its state and the curves kept with it. Raises CheckpointError."""
    from safetensors.torch import load as from_bytes

    from engine import session_recording
    from engine.marks import decode

    with opened(path) as archive:
        header = header_of(path, archive.read(MEMBERS[0]))
        packed = packed_tensors(path, archive)
    try:
        tensors = from_bytes(packed)
        state = unflatten(header.state, tensors)
        cpu, accelerator = unflatten(header.rng, tensors)
        metrics = metrics_of(unflatten(header.metrics, tensors), header.step)
        marks = tuple(decode(told) for told in header.marks)
        rng, window, lesson = (cpu, accelerator), header.window, session_recording.lesson_of(header, tensors)
        snapshot = Snapshot(header.step, header.hyperparameters, dict(state), rng, len(marks), marks, window, lesson)
    except Exception as error:  # whatever a forged file provokes: nothing has been touched yet
        raise CheckpointError(f"{path.name} is damaged: its state cannot be understood ({error!s:.200})") from error
    return header.spec(), snapshot, metrics
