"""Session files of real runs, taken apart, changed in every way that comes to mind, and put together again."""

from __future__ import annotations

import copy
import io
import json
import math
import random
import struct
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import load, save
from tiny_lab import Reader

import engine.run
from engine import messages as m
from engine.__main__ import main
from engine.session import Session
from engine.tape import Tape

JSON, TENSORS, TIMELINE, SNAPSHOTS = "session.json", "tensors.safetensors", "timeline.bin", "snapshots.safetensors"
STEPS = 4
NESTED = {"nested a little": 20, "nested": 400, "nested much": 100_000}  # lists in lists
LABS: dict[str, tuple[str, ...]] = {  # with what makes them small, or keeps more in their state
    "dense_network": ("--set", "optimizer=Adam", "--set", "width_1=4"),
    "activations": ("--set", "depth=2", "--set", "units=3"),
    "perceptron": ("--marks", "drawn"),
    "over_fitting": ("--marks", "drawn"),
    "gradient_descent": (),
    "backpropagation": ("--set", "graph=two layers"),
    "batches": ("--set", "samples=200"),
    "data_tensors": ("--set", "kind=matrix"),
    "universal_approximation": (),
    "will_i_pass": (),
    "digits": ("--set", "optimiser=momentum"),
    "lenet": ("--set", "filters1=2", "--set", "filters2=2"),
    "vae": ("--set", "hidden=16", "--set", "batch_size=8"),
    "diffusion": ("--data", "moons", "--set", "channels=8"),
    "gpt": ("--set", "width=32", "--set", "layers=1", "--set", "batch_size=2", "--set", "context=32"),
}
STROKES = [
    {"step": step, "kind": "edit", "name": name, "text": "", "gesture": {"kind": "Stroke", "xy": xy, "label": step % 2}}
    for step, xy in ((1, [[0.5, 1.5], [-1.0, 2.0]]), (2, [[3.0, -2.0]]))
    for name in ("plane", "now")
]


def recorded(folder: Path, lab: str, settings: dict[str, Any], turned: dict[str, Any] | None = None) -> Path:
    """The session file of a short run that was watched: with its timeline, snapshots, bookmarks and an earlier run.
    For its first two steps it has the hyperparameters `turned`, if any."""
    path, tape, frames = folder / f"{lab}-recorded.deepscope", Tape(1 << 28), set[tuple[str, int]]()
    curves = {"loss": (np.arange(1, 9), np.linspace(1, 0, 8))}
    earlier = (m.FormerRun(1, m.RunSpec(lab, settings), curves, changes=2, ended=1.7e9, branched=3, pinned=1),)
    with ExitStack() as stack:
        for name, value in (("FLUSH_INTERVAL", 0.0), ("SNAPSHOT_INTERVAL", 0.0), ("SNAPSHOT_SHARE", 1e9)):
            stack.enter_context(patch.object(engine.run, name, value))
        session = Session(threads=1)
        stack.callback(session.quit)
        reader = Reader(session)
        session.send(m.Open(1, m.RunSpec(lab, {**settings, **(turned or {})})))
        views = tuple(name for name, view in reader.event(m.Opened, run=1).lab.views.items() if view.kind != "curves")
        session.send(m.Look(1, views))
        for step in range(STEPS + 1):
            reader.until(lambda step=step: {frame.step for frame in reader.frames.values()} == {step})
            for frame in reader.frames.values():
                if (frame.view, frame.step) not in frames:
                    tape.record(frame)
                    frames.add((frame.view, frame.step))
            if step == 2:
                for name in turned or {}:
                    session.send(m.Set(1, name, settings[name]))
            if step < STEPS:
                session.send(m.StepOnce(1))
        lesson = m.Lesson((m.Bookmark(2, "here"),), earlier, tape.frames(), 1 << 30)
        session.send(m.Save(1, path, curves, lesson=lesson))
        reader.event(m.Saved, path=path)
    return path


def make(folder: Path, lab: str) -> Path:
    """The session file of a short run of a lab."""
    path = folder / f"{lab}.deepscope"
    options = list(LABS[lab])
    if "drawn" in options:
        view = "plane" if lab == "perceptron" else "now"
        marks = folder / f"{lab}.json"
        marks.write_text(json.dumps([stroke for stroke in STROKES if stroke["name"] == view]))
        options[options.index("drawn")] = str(marks)
    assert main(["run", lab, "--steps", str(STEPS), "--device", "cpu", "--save", str(path), "--json", *options]) == 0
    return path


class Parts:
    """A session file: its description, its tensors, and how they are packed."""

    def __init__(self, path: Path) -> None:
        self.whole = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            self.header: Any = json.loads(archive.read(JSON))
            self.tensors: dict[str, torch.Tensor] = load(archive.read(TENSORS))
            self.more = {name: archive.read(name) for name in archive.namelist() if name not in (JSON, TENSORS)}

    def packed(self) -> bytes:
        tensors = {name: tensor.contiguous().clone() for name, tensor in self.tensors.items()}
        return zipped({JSON: written(self.header), TENSORS: save(tensors), **self.more})


def written(header: Any) -> bytes:
    """The description as it is written; lists in lists, too many for Python's own writer, come in at the end."""
    text = json.dumps(header)
    for name, depth in NESTED.items():
        text = text.replace(json.dumps(name), "[" * depth + "0" + "]" * depth)
    return text.encode()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


# --------------------------------------------------------------------------------------- trees of JSON

Path_ = tuple[Any, ...]


def places(tree: Any, path: Path_ = ()) -> list[Path_]:
    """Where something lies in a tree of JSON."""
    found = [path]
    if isinstance(tree, dict):
        for key, item in tree.items():
            found += places(item, (*path, key))
    elif isinstance(tree, list):
        for place, item in enumerate(tree):
            found += places(item, (*path, place))
    return found


def at(tree: Any, path: Path_) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def replace(tree: Any, path: Path_, value: Any) -> None:
    at(tree, path[:-1])[path[-1]] = value


def odd_values(rng: random.Random) -> Any:
    return rng.choice(
        [
            None,
            True,
            False,
            0,
            1,
            -1,
            7,
            2**31,
            2**53 + 1,
            2**63,
            2**64,
            -(2**63) - 1,
            10**400,
            0.0,
            0.5,
            -0.5,
            1e308,
            -1e308,
            1e-320,
            math.nan,
            math.inf,
            -math.inf,
            "",
            "x",
            "\0",
            "x" * 10_000,
            "../../etc/passwd",
            "<b>x</b>",
            [],
            {},
            [0] * 5,
            {"x": 1},
            *NESTED,
            {"tensor": "t0"},
            {"tensor": "t1"},
            {"tensor": "none"},
            {"dict": []},
            {"list": []},
            {"tuple": []},
            {"list": [1.5, "x"]},
            {"tuple": [0.9, 1.0]},
            {"dict": [["x", 1]]},
            {"dict": [[[], 1]]},
            {"object": 1},
            {"dict": [], "list": []},
        ]
    )


# -------------------------------------------------------------------------------------------- mutations

Mutation = Callable[[Parts, random.Random], bytes]


def bytes_flipped(parts: Parts, rng: random.Random) -> bytes:
    data = bytearray(parts.whole)
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut_short(parts: Parts, rng: random.Random) -> bytes:
    return parts.whole[: rng.randrange(len(parts.whole))]


def piece_moved(parts: Parts, rng: random.Random) -> bytes:
    data, start, length = parts.whole, rng.randrange(len(parts.whole)), rng.randint(1, 4096)
    piece, rest = data[start : start + length], data[:start] + data[start + length :]
    to = rng.randrange(len(rest) + 1)
    moved, doubled = rest[:to] + piece + rest[to:], data[:to] + piece + data[to:]
    return rng.choice([rest, moved, doubled, data[:to] + rng.randbytes(64)])


def member_changed(parts: Parts, rng: random.Random) -> bytes:
    """One member of the archive is changed as bytes, with a checksum that agrees."""
    with zipfile.ZipFile(io.BytesIO(parts.whole)) as archive:
        members = {name: archive.read(name) for name in (JSON, TENSORS)}
    name = rng.choice((JSON, TENSORS))
    data = bytearray(members[name])
    match rng.randrange(8):
        case 0:
            del data[rng.randrange(len(data)) :]
        case 1:
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(min(len(data), 2000))] = rng.randrange(256)
        case 2:
            data += rng.randbytes(rng.randint(1, 1000))
        case 3:
            data = bytearray(rng.randbytes(rng.randint(0, 100)))
        case 4:
            del members[name]
            return zipped(members)
        case 5:
            members[rng.choice(("extra.bin", "../escape", "tensors.safetensors2"))] = b"x"
        case 6:
            return zipped(members, zipfile.ZIP_DEFLATED)
        case 7:  # the length of the list of tensors, which comes first
            data = bytearray(members[TENSORS])
            data[:8] = struct.pack("<Q", rng.choice((0, 1, len(data), 2**31, 2**40, 2**63, 2**64 - 1)))
            name = TENSORS
    members[name] = bytes(data)
    return zipped(members)


def tensor_list_changed(parts: Parts, rng: random.Random) -> bytes:
    """The list of tensors says something else of one of them."""
    packed = save({name: tensor.contiguous() for name, tensor in parts.tensors.items()})
    size = struct.unpack("<Q", packed[:8])[0]
    index, data = json.loads(packed[8 : 8 + size]), packed[8 + size :]
    name = rng.choice([name for name in index if name != "__metadata__"])
    entry = index[name]
    match rng.randrange(6):
        case 0:
            entry["shape"] = rng.choice(([2**62], [0, 2**62], [2**32, 2**32], [-1], [1] * 1000, "x", [0.5], [0]))
        case 1:
            entry["data_offsets"] = rng.choice(([0, 2**62], [8, 0], [-8, 8], [0, 0], [0, 8], "x", []))
        case 2:
            entry["dtype"] = rng.choice(("F64", "I64", "BF16", "F8_E4M3", "BOOL", "U8", "X", 3, "C64", "F4"))
        case 3:
            index[name] = rng.choice((None, [], "x", {}))
        case 4:
            index["__metadata__"] = rng.choice((None, {"a": 1}, {"a": "b" * 10_000}, []))
        case 5:
            index = {f"t{place}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for place in range(30_000)}
            data = b""
    listed = json.dumps(index).encode()
    return zipped({JSON: written(parts.header), TENSORS: struct.pack("<Q", len(listed)) + listed + data})


def _json_changed(parts: Parts, rng: random.Random, under: Path_ = ()) -> bytes:
    header = parts.header
    found = [path for path in places(at(header, under), under) if path]
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        path = rng.choice(found)
        try:
            value = at(header, path)
            match rng.randrange(5):
                case 0 | 1:
                    replace(header, path, odd_values(rng))
                case 2:
                    del at(header, path[:-1])[path[-1]]
                case 3:
                    replace(header, path, copy.deepcopy(at(header, rng.choice(found))))
                case 4 if isinstance(value, list):
                    value.append(copy.deepcopy(rng.choice(value)) if value else 0)
                    rng.shuffle(value)
                case 4 if isinstance(value, dict):
                    value["another"] = odd_values(rng)
                case 4 if type(value) in (int, float):
                    replace(header, path, value + rng.choice((1, -1, 0.5, 1e9, -1e9, 2**53)))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    return parts.packed()


def json_changed(parts: Parts, rng: random.Random) -> bytes:
    return _json_changed(parts, rng)


def state_changed(parts: Parts, rng: random.Random) -> bytes:
    return _json_changed(parts, rng, ("state",))


def part_changed(parts: Parts, rng: random.Random) -> bytes:
    return _json_changed(parts, rng, (rng.choice(("rng", "metrics", "marks", "window", "hyperparameters")),))


def field_replaced(parts: Parts, rng: random.Random) -> bytes:
    parts.header[rng.choice(list(parts.header))] = odd_values(rng)
    return parts.packed()


def optimizer_changed(parts: Parts, rng: random.Random) -> bytes:
    """Settings, steps and slots of an optimiser, where there is one; else whatever the state holds."""
    found = [p for p in places(parts.header["state"], ("state",)) if _among(parts.header, p, ("param_groups", "state"))]
    if not found:
        return _json_changed(parts, rng, ("state",))
    pairs = [path for path in found if path[-2:-1] == ("dict",)]
    for _ in range(rng.choice((1, 1, 2))):
        pair = at(parts.header, rng.choice(pairs or found))
        if not isinstance(pair, list) or len(pair) != 2:
            continue
        match rng.randrange(4):
            case 0:
                pair[1] = odd_values(rng)
            case 1:
                pair[0] = rng.choice((pair[0], "x", 10**6, -1, None, "step", "lr", "betas", "exp_avg"))
                pair[1] = rng.choice((pair[1], odd_values(rng)))
            case 2 if isinstance(pair[1], bool) or pair[1] is None:
                pair[1] = not pair[1]
            case 2 | 3:
                pair[1] = rng.choice(
                    (math.nan, -1, 0, 1, 1e300, {"tuple": [1.0, 1.0]}, {"tuple": [0.9, math.nan]}, {"list": []}, "fast")
                )
    return parts.packed()


def _among(tree: Any, path: Path_, names: tuple[str, ...]) -> bool:
    """Whether a place lies within pairs of one of these names, below the first."""
    for length in range(3, len(path)):
        value = at(tree, path[:length])
        if isinstance(value, list) and value and isinstance(value[0], str) and value[0] in names:
            return True
    return False


def tensor_changed(parts: Parts, rng: random.Random) -> bytes:
    """Dtype, shape or numbers of some tensors."""
    for _ in range(rng.choice((1, 1, 2, 6))):
        name = rng.choice(list(parts.tensors))
        parts.tensors[name] = _other_tensor(parts.tensors[name], rng)
    return parts.packed()


def _other_tensor(tensor: torch.Tensor, rng: random.Random) -> torch.Tensor:
    def filled(value: float) -> torch.Tensor:
        try:
            return torch.full_like(tensor, value)
        except (RuntimeError, OverflowError):
            return torch.full_like(tensor, 1)

    changed = tensor.clone()
    match rng.randrange(12):
        case 0 | 1:
            floats = (torch.float16, torch.bfloat16, torch.float64, torch.float32)
            return tensor.to(rng.choice((*floats, torch.int64, torch.int32, torch.uint8, torch.bool)))
        case 2:
            return tensor.reshape(-1)
        case 3:
            return tensor.unsqueeze(rng.randint(0, tensor.dim()))
        case 4:
            return tensor[: rng.randint(0, len(tensor))] if tensor.dim() else tensor.reshape(1, 1)
        case 5:
            return torch.cat([tensor, tensor[: rng.randint(0, len(tensor))]]) if tensor.dim() else tensor.repeat(3)
        case 6:
            return tensor.transpose(0, -1) if tensor.dim() > 1 else tensor.reshape(1, -1)
        case 7:
            return torch.zeros(rng.choice(((0,), (), (1,), (0, 3), (2000, 2000))), dtype=tensor.dtype)
        case 8:
            return filled(
                rng.choice((math.nan, math.inf, -math.inf, 1e38, -1e38)) if tensor.is_floating_point() else 2**62
            )
        case 9:
            return filled(rng.choice((-1, 0, 1, 1000, 2**31)))
        case 10 if tensor.numel():
            changed.view(-1)[rng.randrange(tensor.numel())] = filled(rng.choice((-1, 255, 1e9))).view(-1)[0]
            return changed
        case _:
            raw = torch.frombuffer(bytearray(rng.randbytes(max(1, tensor.nbytes))), dtype=torch.uint8)
            return raw[: tensor.nbytes].view(tensor.dtype).reshape(tensor.shape) if tensor.nbytes else changed


def tensors_mixed(parts: Parts, rng: random.Random) -> bytes:
    """Tensors that take each other's place, are missing, or are more than were asked for."""
    names = list(parts.tensors)
    match rng.randrange(3):
        case 0:
            first, second = rng.choice(names), rng.choice(names)
            parts.tensors[first], parts.tensors[second] = parts.tensors[second], parts.tensors[first]
        case 1:
            del parts.tensors[rng.choice(names)]
        case 2:
            parts.tensors |= {f"more{place}": torch.zeros(1) for place in range(rng.choice((1, 5000)))}
    return parts.packed()


def random_numbers_changed(parts: Parts, rng: random.Random) -> bytes:
    kept = parts.header["rng"]["tuple"]
    name = kept[0]["tensor"]
    state = parts.tensors[name]
    match rng.randrange(7):
        case 0:
            parts.tensors[name] = torch.zeros_like(state)
        case 1:
            parts.tensors[name] = torch.full_like(state, 255)
        case 2:
            parts.tensors[name] = state[: rng.randint(0, len(state))].clone()
        case 3:
            parts.tensors[name] = state.to(rng.choice((torch.float32, torch.int64)))
        case 4:
            parts.tensors[name] = torch.frombuffer(bytearray(rng.randbytes(len(state))), dtype=torch.uint8)
        case 5:
            changed = state.clone()
            for _ in range(20):
                changed[rng.randrange(len(state))] = rng.randrange(256)
            parts.tensors[name] = changed
        case 6:
            kept[1] = rng.choice((1, "x", {"tensor": name}, {"tensor": "t0"}))
    return parts.packed()


def metrics_changed(parts: Parts, rng: random.Random) -> bytes:
    pairs = parts.header["metrics"]["dict"]
    if not pairs:
        return field_replaced(parts, rng)
    pair = rng.choice(pairs)
    names = [each["tensor"] for each in pair[1]["list"]]
    match rng.randrange(6):
        case 0:
            pair[0] = rng.choice(("x" * 10_000, 5, None, "", "\0", "x" * 10**7))
        case 1:
            parts.tensors[names[0]] = parts.tensors[names[0]].flip(0) - rng.choice((0, 100))
        case 2:
            parts.tensors[names[0]] = torch.arange(3) * 2**62
        case 3:
            parts.tensors[names[1]] = torch.full((len(parts.tensors[names[1]]),), math.nan, dtype=torch.float64)
        case 4:
            pair[1]["list"] = rng.choice(([], pair[1]["list"] * 2, ["x", "y"], [1, 2]))
        case 5:
            pairs += [[f"metric {place}", pair[1]] for place in range(rng.choice((10, 20_000)))]
    return parts.packed()


def marks_changed(parts: Parts, rng: random.Random) -> bytes:
    gesture = {"kind": "Stroke", "xy": [[0.0, 1.0]], "label": 0, "clear": False}
    mark = {"step": 1, "kind": "edit", "name": "plane", "text": "x", "gesture": gesture}
    pixels = {"dtype": "float32", "shape": [2, 2], "values": [[0, 1], [1, 0]]}
    match rng.randrange(8):
        case 0:
            parts.header["marks"] = [{}] * rng.choice((1, 1000, 2_000_000))
        case 1:
            mark[rng.choice(list(mark))] = odd_values(rng)
            parts.header["marks"] = [mark]
        case 2:
            gesture[rng.choice(list(gesture))] = odd_values(rng)
            parts.header["marks"] = [mark]
        case 3:
            pixels[rng.choice(list(pixels))] = rng.choice((odd_values(rng), "O", "V8", [2**40, 2**40], [-1, 4]))
            parts.header["marks"] = [{**mark, "gesture": {"kind": "Drawing", "pixels": pixels}}]
        case 4:
            parts.header["marks"] = [{**mark, "name": "x" * 10_000}]
        case 5:
            parts.header["marks"] = [mark] * rng.choice((10, 300_000))
        case 6:
            new = odd_values(rng)
            parts.header["marks"] = [{"step": 1, "kind": "set", "name": "lr", "text": "", "old": 1, "new": new}]
        case 7:
            parts.header["marks"] = "[" * 100_000
    return parts.packed()


def hyperparameter_changed(parts: Parts, rng: random.Random) -> bytes:
    values = parts.header["hyperparameters"]
    match rng.randrange(4):
        case 0:
            values[rng.choice(list(values))] = odd_values(rng)
        case 1:
            name = rng.choice(list(values))
            if isinstance(values[name], float | int):
                values[name] = values[name] * rng.choice((-1, 0, 2, 1e3, 1e-9, 1e12)) + rng.choice((0, 1))
        case 2:
            del values[rng.choice(list(values))]
        case 3:
            values |= {f"{'x' * rng.choice((1, 10_000))}{place}": 1 for place in range(rng.choice((1, 2000)))}
    return parts.packed()


def run_changed(parts: Parts, rng: random.Random) -> bytes:
    """Whose run it is, from which seed, on which data, and how far it is."""
    header = parts.header
    match rng.randrange(5):
        case 0:
            header["seed"] = rng.choice((-1, 2**64, 2**64 - 1, 2**200, 1e30, math.nan, "1", None))
        case 1:
            header["step"] = rng.choice((-1, 2**53, 10**15, 10**16, 2**63, 2**200, 0, 1.5, "4", math.inf))
        case 2:
            devices = ("/dev/zero", "/dev/stdin", "/dev/zero?x=a&y=b", "/etc/passwd")
            header["dataset"] = rng.choice((*devices, "x" * 10_000, "a\0b", "digits", ".", "~", "moons", "%00", 5))
        case 3:
            header["lab"] = rng.choice(("lenet", "nope", "", "mine.evil", "../x", "x" * 10_000, "\0", 3))
        case 4:
            header["device"] = rng.choice(("cuda", "meta", "mps", "xla", "", "cpu:99", "x" * 10_000, 3))
    return parts.packed()


def timeline_changed(parts: Parts, rng: random.Random) -> bytes:
    """Bytes, lengths or the description of the recorded frames."""
    data = bytearray(parts.more[TIMELINE])
    starts, at_byte = [], 0
    while at_byte < len(data):  # records: a length, JSON of that length, and the numbers of the arrays it describes
        starts.append(at_byte)
        (size,) = struct.unpack_from("<I", data, at_byte)
        at_byte += 4 + size + sum(map(_nbytes, _arrays(json.loads(data[at_byte + 4 : at_byte + 4 + size]))))
    start = rng.choice(starts)
    (size,) = struct.unpack_from("<I", data, start)
    match rng.randrange(6):
        case 0:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            struct.pack_into("<I", data, start, rng.choice((0, 1, size - 1, size + 1, 2**31, 2**32 - 1)))
        case 2:
            del data[rng.randrange(len(data)) :]
        case 3:
            data[start:start] = data[start : start + 4 + size]
        case _:
            told = json.loads(data[start + 4 : start + 4 + size])
            found = [path for path in places(told) if path]
            for _ in range(rng.choice((1, 1, 3))):
                with suppress(KeyError, IndexError, TypeError):
                    replace(told, rng.choice(found), odd_values(rng))
            text = written(told)
            data[start : start + 4 + size] = struct.pack("<I", len(text)) + text
    parts.more[TIMELINE] = bytes(data)
    return parts.packed()


def _arrays(told: Any) -> list[dict[str, Any]]:
    if isinstance(told, dict) and told.keys() == {"dtype", "shape"}:
        return [told]
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return [array for item in inner for array in _arrays(item)]


def _nbytes(array: dict[str, Any]) -> int:
    return math.prod(array["shape"]) * np.dtype(array["dtype"]).itemsize


def snapshots_changed(parts: Parts, rng: random.Random) -> bytes:
    """What describes the earlier states, or their tensors."""
    if rng.random() < 0.5:
        return _json_changed(parts, rng, ("snapshots",))
    tensors = load(parts.more[SNAPSHOTS])
    for _ in range(rng.choice((1, 2, 6))):
        name = rng.choice(list(tensors))
        tensors[name] = _other_tensor(tensors[name], rng)
    parts.more[SNAPSHOTS] = save({name: tensor.contiguous().clone() for name, tensor in tensors.items()})
    return parts.packed()


def lesson_changed(parts: Parts, rng: random.Random) -> bytes:
    return _json_changed(parts, rng, (rng.choice(("bookmarks", "earlier")),))


MUTATIONS: tuple[Mutation, ...] = (
    bytes_flipped,
    cut_short,
    piece_moved,
    member_changed,
    tensor_list_changed,
    json_changed,
    state_changed,
    state_changed,
    part_changed,
    field_replaced,
    optimizer_changed,
    optimizer_changed,
    tensor_changed,
    tensor_changed,
    tensor_changed,
    tensors_mixed,
    random_numbers_changed,
    metrics_changed,
    marks_changed,
    hyperparameter_changed,
    run_changed,
)


OF_RECORDINGS: tuple[Mutation, ...] = (
    timeline_changed,
    timeline_changed,
    snapshots_changed,
    snapshots_changed,
    lesson_changed,
    tensor_changed,
    state_changed,
    optimizer_changed,
    bytes_flipped,
    part_changed,
)


def mutated(path: Path, number: int, mutations: tuple[Mutation, ...] = MUTATIONS) -> tuple[str, bytes]:
    """What was done to a session file, in words, and the file that this gives: the same for the same number."""
    mutation = mutations[number % len(mutations)]
    return f"{path.stem} {mutation.__name__} {number}", mutation(Parts(path), random.Random(number))
