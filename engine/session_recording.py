"""What a session file keeps beside the state of a run: frames, snapshots to branch from, earlier runs and bookmarks.

Frames lie in one member, ``timeline.bin``, as records: the length of a JSON object in four bytes, the object, then the
raw numbers of its arrays in the order in which it describes them. The tensors of snapshots lie in
``snapshots.safetensors``, and what describes them in ``session.json``. Nothing is pickled. What is read is checked as
what a lab returns is: types here, shapes by the view's description; frames that do not fit the lab are left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import struct
import types
import typing
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeVar, Union, get_args

import numpy as np

from engine import fitting as state_fitting
from engine.bounded import MOST_STEPS
from engine.forms import CheckpointError
from engine.messages import Bookmark, FormerRun, Frame, Lesson, RunSpec
from engine.payloads import (
    BarsData,
    FieldData,
    LinesData,
    NetworkData,
    Payload,
    PointsData,
    SurfaceData,
    TextData,
)
from engine.tape import Reel, Tape, size_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.checkpoint import Header, Snapshot
    from engine.lab import Lab
    from engine.views import Description

PAYLOADS: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Payload)}
DTYPES = ("<f4", "<f8", "<i8", "<i4", "|u1", "|i1", "|b1")
LENGTH = struct.Struct("<I")
LARGEST_RECORD = 8 << 20  # bytes of the JSON of a frame
MOST_DIMENSIONS = 5
MOST_ARRAYS = 10_000  # in a frame
MOST_FRAMES = 1_000_000
MOST_SNAPSHOTS = 500
LONGEST_NAME = 1000
LONGEST_PATH = 10_000
LATEST = 1e11  # seconds since the epoch: the year 5138
T = TypeVar("T")


class RecordingError(ValueError):
    """The recorded part of a file cannot be understood; the message says what."""


# ------------------------------------------------------------------------------------------------ payloads


def _plain(value: Any, arrays: list[bytes]) -> Any:
    """JSON for a payload; the numbers of its arrays go into `arrays`. Fields at their defaults are left out."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("<").str not in DTYPES:
            raise RecordingError(f"an array of {value.dtype} cannot be kept")
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        arrays.append(little.tobytes())
        return {"dtype": little.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item, arrays) for item in value]
    if dataclasses.is_dataclass(value):
        fields = [(each, getattr(value, each.name)) for each in dataclasses.fields(value)]
        return {
            each.name: _plain(item, arrays)
            for each, item in fields
            if not (item is each.default or (isinstance(item, str | tuple) and item == each.default))
        }
    raise RecordingError(f"a {type(value).__name__} cannot be kept")


class _Reader:
    """Takes the arrays of a record from the stream, in the order in which they are described."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self.stream, self.left = stream, left
        self.arrays: list[Any] = []

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise RecordingError("the timeline ends in the middle of a frame")
        self.left -= size
        data = self.stream.read(size)
        if len(data) != size:
            raise RecordingError("the timeline ends in the middle of a frame")
        return data

    def find(self, told: Any) -> Any:
        """The JSON with its arrays in their places."""
        if isinstance(told, list):
            return [self.find(item) for item in told]
        if not isinstance(told, dict):
            return told
        if told.keys() == {"dtype", "shape"}:
            return self._array(told["dtype"], told["shape"])
        return {name: self.find(item) for name, item in told.items()}

    def _array(self, dtype: Any, shape: Any) -> Any:
        if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
            raise RecordingError("an array of a kind that no view has")
        if any(type(side) is not int or side < 0 for side in shape) or len(self.arrays) >= MOST_ARRAYS:
            raise RecordingError("an array of an absurd shape")
        found = np.frombuffer(self.take(np.dtype(dtype).itemsize * math.prod(shape)), dtype).reshape(shape)
        self.arrays.append(found)
        return found


@functools.cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _typed(told: Any, hint: Any) -> Any:
    """A value of the declared type. Raises RecordingError where `told` is none."""
    if hint is Any:
        if isinstance(told, np.ndarray):
            return told
    elif dataclasses.is_dataclass(hint):
        return _built(typing.cast("type[Any]", hint), told)
    elif typing.get_origin(hint) in (Union, types.UnionType):
        if told is None and type(None) in get_args(hint):
            return None
        return _typed(told, next(each for each in get_args(hint) if each is not type(None)))
    elif typing.get_origin(hint) is tuple and isinstance(told, list):
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_typed(item, inner[0]) for item in told)
        if len(told) == len(inner):
            return tuple(_typed(item, each) for item, each in zip(told, inner, strict=True))
    elif hint is float and type(told) in (int, float):
        return float(told)
    elif hint in (int, str, bool) and type(told) is hint:
        return told
    raise RecordingError(f"{str(told)[:40]!r} is not of the type {hint}")


def _built(cls: type[T], told: Any) -> T:
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    if not isinstance(told, dict) or not told.keys() <= hints.keys():
        raise RecordingError(f"a {cls.__name__} has other fields")
    try:
        return cls(**{name: _typed(value, hints[name]) for name, value in told.items()})
    except TypeError as error:  # a field without a default is missing
        raise RecordingError(f"a {cls.__name__} lacks a field") from error


def _check(payload: Any) -> None:
    """What a view's `pack` takes on trust from a lab: indices within range, lengths that agree."""
    match payload:
        case PointsData():
            count = len(payload.classes)
            if payload.labels is not None and count and len(payload.labels):
                _need(payload.labels.min() >= -1 and payload.labels.max() < count, "a label of no class")
            _need(all(path.ndim == 2 and path.shape[1] == 2 for path in payload.paths), "a path outside the plane")
            _need(len(payload.path_names) in (0, len(payload.paths)), "other names than paths")
            _check_extent(payload.extent)
        case FieldData():
            _check_extent(payload.extent)
            _need(payload.arrows is None or payload.arrows.shape[1:] == (4,), "an arrow of no four numbers")
            _check(payload.points)
        case SurfaceData():
            _check_extent(payload.extent)
            _need(all(path.shape[1:] == (2,) for path in payload.paths), "a path outside the plane")
        case LinesData():
            _check(payload.points)
        case BarsData():
            _check_index(payload.target, len(payload.labels))
            _check_index(payload.chosen, len(payload.labels))
        case TextData():
            _check_index(payload.chosen, len(payload.tokens))
            _need(len(payload.alternatives) in (0, len(payload.tokens)), "other alternatives than tokens")
        case NetworkData():
            sizes = [len(layer) for layer in payload.units]
            _check_index(payload.chosen, sizes[-1] if sizes else 0)
            for arrays in (payload.values, payload.thumbnails):
                _need(arrays is None or [len(array) for array in arrays] == sizes, "other values than units")
            shapes = [weight.shape for weight in payload.weights]
            gradients = payload.gradients
            _need(gradients is None or [each.shape for each in gradients] == shapes, "other gradients than weights")
            _need(len(payload.layer_names) in (0, len(sizes)), "other names than layers")
        case _:
            pass


def _need(holds: Any, otherwise: str) -> None:
    if not holds:
        raise RecordingError(otherwise)


def _check_index(index: int | None, count: int) -> None:
    _need(index is None or -count <= index < count, "an index out of range")


def _check_extent(extent: Any) -> None:
    if extent is not None:
        x_from, x_to, y_from, y_to = extent
        _need(all(map(math.isfinite, extent)) and x_from != x_to and y_from != y_to, "an empty extent")


# -------------------------------------------------------------------------------------------------- frames


def encoded(frame: Frame) -> bytes:
    """The record of a frame. Raises RecordingError where it holds something that cannot be kept."""
    arrays: list[bytes] = []
    data = _plain(frame.payload, arrays)
    told = {"view": frame.view, "step": frame.step, "kind": type(frame.payload).__name__, "data": data}
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) > LARGEST_RECORD or len(arrays) > MOST_ARRAYS:
        raise RecordingError("the frame is too large")
    return b"".join([LENGTH.pack(len(text)), text, *arrays])


def decoded(
    stream: IO[bytes], size: int, run: int, last: int, views: Mapping[str, Description], left_out: set[str]
) -> Iterator[Frame]:
    """The frames of a stream of so many bytes, none of them after step `last`. The titles of views that some do not fit
    are added to `left_out`. Raises RecordingError where the stream is not what `encoded` writes."""
    from engine.bounds import ViewError

    newest: dict[str, int] = {}
    reader, count = _Reader(stream, size), 0
    while reader.left:
        count += 1
        (length,) = LENGTH.unpack(reader.take(LENGTH.size))
        _need(length <= LARGEST_RECORD and count <= MOST_FRAMES, "a frame is too large")
        reader.arrays.clear()
        try:
            told = json.loads(reader.take(length))
        except (ValueError, RecursionError) as error:
            raise RecordingError("a frame is no JSON") from error
        _need(isinstance(told, dict) and told.keys() == {"view", "step", "kind", "data"}, "a frame has other fields")
        view, step, data = told["view"], told["step"], reader.find(told["data"])
        _need(isinstance(view, str) and len(view) <= LONGEST_NAME, "a frame of no view")
        _need(type(step) is int and newest.get(view, -1) < step <= last, "the steps of frames do not rise")
        newest[view] = step
        description, kind = views.get(view), PAYLOADS.get(str(told["kind"]))
        if description is None or kind is None:
            left_out.add(description.title if description else view)
            continue
        try:
            payload = description.pack(_built(kind, data))
            _check(payload)
            _need(type(payload) is kind, "a payload of another kind")
        except (RecordingError, ViewError, ValueError, TypeError, IndexError, AttributeError, OverflowError):
            left_out.add(description.title)
        else:
            yield Frame(run, view, step, "", payload, 0.0)


# ------------------------------------------------------------------------------------------ within a size


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """How much of the room each may take: the small ones what they need, the others equal parts of the rest."""
    found = [0] * len(sizes)
    for done, place in enumerate(sorted(range(len(sizes)), key=lambda place: sizes[place])):
        found[place] = min(sizes[place], room // (len(sizes) - done))
        room -= found[place]
    return found


def _thinned(items: Iterable[tuple[int, T, int]], room: int) -> list[T]:
    """Items (step, item, bytes) that take no more than the room, thinned as a Reel thins."""
    reel: Reel[T] = Reel(room)
    for step, item, size in items:
        reel.add(step, item, size)
    return reel.items() if reel.bytes <= room else []


def fitting(frames: Iterable[tuple[Frame, int]], room: int) -> list[Frame]:
    """Those of the frames (with their sizes) that together take no more than the room."""
    by_view: dict[str, list[tuple[int, Frame, int]]] = {}
    for frame, size in frames:
        by_view.setdefault(frame.view, []).append((frame.step, frame, size))
    parts = shares([sum(size for _, _, size in each) for each in by_view.values()], room)
    return [frame for each, part in zip(by_view.values(), parts, strict=True) for frame in _thinned(each, part)]


@dataclass(frozen=True)
class Recording:
    """What of a run goes into a file beside its state."""

    lesson: Lesson = field(default_factory=Lesson)
    records: tuple[bytes, ...] = ()  # of frames
    snapshots: tuple[Snapshot, ...] = ()


def gather(lesson: Lesson, snapshots: Reel[Snapshot], step: int) -> Recording:
    """What goes into a file with the state at `step`: of frames and snapshots at most ``lesson.room`` bytes."""
    bookmarks = tuple(mark for mark in lesson.bookmarks if mark.step <= step)  # not those that went when it went back
    lesson = dataclasses.replace(lesson, bookmarks=bookmarks)
    if lesson.room <= 0:
        return Recording(lesson)
    frames = [(frame, size) for frame, size in lesson.frames if frame.step <= step]
    earlier = [each for each in snapshots.entries() if each[0] < step]
    earlier = earlier[:: 1 + len(earlier) // MOST_SNAPSHOTS]
    sizes = [sum(size for _, size in frames), sum(size for _, _, size in earlier)]
    for_frames, for_snapshots = shares(sizes, lesson.room)
    records: dict[int, bytes] = {}
    chosen = fitting(frames, for_frames)
    for frame in chosen:
        with contextlib.suppress(RecordingError):  # what a lab of one's own showed cannot be kept
            records[id(frame)] = encoded(frame)
    exact = [(frame, len(records[id(frame)])) for frame in chosen if id(frame) in records]
    chosen = sorted(fitting(exact, for_frames), key=lambda frame: frame.step)  # as they came
    return Recording(lesson, tuple(records[id(frame)] for frame in chosen), tuple(_thinned(earlier, for_snapshots)))


# -------------------------------------------------------------------------------------------------- a file


def describe(recording: Recording, tensors: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``session.json``. The tensors of curves go into `tensors`, those of snapshots into `kept`."""
    import torch

    from engine.checkpoint import flatten

    runs = []
    for run in recording.lesson.earlier:
        curves = {name: [torch.tensor(column) for column in columns] for name, columns in run.curves.items()}
        told = {name: getattr(run, name) for name in ("number", "changes", "ended", "branched", "pinned", "by_branch")}
        runs.append({**told, "spec": dataclasses.asdict(run.spec), "curves": flatten(curves, tensors)})
    snapshots = [
        {
            "step": each.step,
            "hyperparameters": dict(each.hyperparameters),
            "marks": each.marks,
            "state": flatten(each.state, kept),
            "rng": flatten(each.rng, kept),
        }
        for each in recording.snapshots
    ]
    bookmarks = [dataclasses.asdict(mark) for mark in recording.lesson.bookmarks]
    return {"bookmarks": bookmarks, "earlier": runs, "snapshots": snapshots}


def write(archive: zipfile.ZipFile, recording: Recording, kept: dict[str, Any]) -> None:
    """The members of a file that keeps a timeline."""
    from safetensors.torch import save as to_bytes

    from engine.checkpoint import SNAPSHOTS, TIMELINE

    if recording.records:
        with archive.open(TIMELINE, "w", force_zip64=True) as out:
            for record in recording.records:
                out.write(record)
    if recording.snapshots:
        archive.writestr(SNAPSHOTS, to_bytes(kept))


def lesson_of(header: Header, tensors: Mapping[str, Any]) -> Lesson:
    """The bookmarks and earlier runs of a file. Raises RecordingError."""
    marks = tuple(_built(Bookmark, each) for each in header.bookmarks)
    for mark in marks:
        _need(0 <= mark.step <= header.step and len(mark.name) <= LONGEST_NAME, "a bookmark beyond the run")
    return Lesson(marks, tuple(_former(each, tensors) for each in header.earlier))


def _former(told: Any, tensors: Mapping[str, Any]) -> FormerRun:
    from engine.checkpoint import metrics_of, unflatten

    _need(isinstance(told, dict) and told.keys() == _hints(FormerRun).keys(), "an earlier run has other fields")
    spec = told["spec"]
    _need(isinstance(spec, dict) and spec.keys() == _hints(RunSpec).keys(), "an earlier run has another form")
    values = spec["hyperparameters"]
    _need(isinstance(values, dict) and len(values) <= LONGEST_NAME, "an earlier run has other hyperparameters")
    _need(all(isinstance(each, bool | int | float | str) for each in values.values()), "a hyperparameter of no kind")
    _need(type(spec["seed"]) is int and 0 <= spec["seed"] < 1 << 64, "the seed of an earlier run")
    texts = [spec[name] for name in ("lab", "dataset", "device")]
    _need(all(isinstance(text, str) and len(text) <= LONGEST_PATH for text in texts), "the data of an earlier run")
    numbers = [told["number"], told["changes"], told["branched"] or 0, told["pinned"] or 0]
    _need(all(type(each) is int and 0 <= each <= MOST_STEPS for each in numbers), "the numbers of an earlier run")
    ended = told["ended"]
    _need(type(ended) in (int, float) and 0 <= ended < LATEST, "the time of an earlier run")
    _need(type(told["by_branch"]) is bool, "how an earlier run is drawn")
    try:
        curves = metrics_of(unflatten(told["curves"], tensors), MOST_STEPS)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RecordingError("the curves of an earlier run") from error
    return FormerRun(**{**told, "spec": RunSpec(**spec), "curves": curves})


@dataclass(frozen=True)
class Reopened:
    """The timeline of a file, as far as it fits the lab."""

    tape: Tape | None = None
    snapshots: tuple[Snapshot, ...] = ()
    problems: tuple[str, ...] = ()  # sentences


def reopen(
    path: Path,
    run: int,
    lab: Lab,
    views: Mapping[str, Description],
    room: int,
    note: Callable[[int, int], None] = lambda _done, _all: None,
) -> Reopened:
    """The frames and snapshots of a file: at most so many bytes of each. Raises CheckpointError where it is damaged."""
    from engine.checkpoint import MEMBERS, SNAPSHOTS, TIMELINE, header_of, opened, packed_tensors

    tape, left_out, problems = Tape(room), set[str](), list[str]()
    snapshots: Reel[Snapshot] = Reel(room)
    with opened(path) as archive:
        names = archive.namelist()
        header = header_of(path, archive.read(MEMBERS[0]))
        try:
            if TIMELINE in names:
                size = archive.getinfo(TIMELINE).file_size
                with archive.open(TIMELINE) as stream:
                    for frame in decoded(stream, size, run, header.step, views, left_out):
                        tape.record(frame)
                        note(min(stream.tell(), size), size)
        except RecordingError as error:
            tape = Tape(room)
            problems.append(f"The timeline of {path.name} is damaged and was left out: {error}.")
        try:
            if SNAPSHOTS in names:
                for snapshot in _snapshots(header, packed_tensors(path, archive, SNAPSHOTS)):
                    state_fitting.check(lab, snapshot)
                    snapshots.add(snapshot.step, snapshot, size_of(snapshot.state))
        except (RecordingError, CheckpointError) as error:
            snapshots = Reel(room)
            problems.append(f"The earlier states of {path.name} were left out, so it cannot be branched from: {error}.")
    if left_out:
        titles = ", ".join(sorted(left_out)[:5])
        problems.append(f"Recorded pictures that do not fit the lab as it is now were left out: {titles}.")
    return Reopened(tape if tape.span() else None, tuple(snapshots.items()), tuple(problems))


def _snapshots(header: Header, packed: bytes) -> Iterator[Snapshot]:
    from safetensors.torch import load as from_bytes

    from engine.checkpoint import Snapshot, unflatten

    before = -1
    try:
        tensors = from_bytes(packed)
        for told in header.snapshots:
            fields = {"step", "hyperparameters", "marks", "state", "rng"}
            _need(isinstance(told, dict) and told.keys() == fields, "a snapshot has other fields")
            step, marks, values = told["step"], told["marks"], told["hyperparameters"]
            _need(type(step) is int and before < step < header.step, "the steps of snapshots do not rise")
            _need(type(marks) is int and 0 <= marks <= len(header.marks), "a snapshot of after the last change")
            _need(isinstance(values, dict), "the hyperparameters of a snapshot")
            before = step
            cpu, accelerator = unflatten(told["rng"], tensors)
            yield Snapshot(step, values, dict(unflatten(told["state"], tensors)), (cpu, accelerator), marks)
    except RecordingError:
        raise
    except Exception as error:  # whatever a forged file provokes: nothing has been touched yet
        raise RecordingError("it cannot be understood") from error
