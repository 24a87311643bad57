"""Checkpoints: whole or refused, whatever happens to the file."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import checkpoint
from engine.__main__ import main
from engine.checkpoint import CheckpointError, Snapshot, same
from engine.messages import Lesson, Mark, RunSpec
from engine.payloads import WeightEdit

STATE = {
    "net": {"weight": torch.arange(12.0).reshape(3, 4), "steps": torch.tensor(7)},
    "optimizer": {
        "state": {0: {"step": torch.tensor(3.0), "moment": torch.ones(2)}},
        "param_groups": [{"betas": (0.9, 0.99)}],
    },
    "position": 5,
    "prompt": "To be",
    "nothing": None,
    "loss": float("nan"),
    "mixed": [1, (2.5, True), {"a": torch.zeros(0)}],
}
SPEC = RunSpec("lenet", {"learning_rate": 0.1, "optimiser": "Adam", "filters1": 6, "batch_norm": True}, "digits", 3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.deepscope"
    checkpoint.save(path, SPEC, Snapshot(42, SPEC.hyperparameters, STATE, (torch.get_rng_state(), None)))
    return path


def test_what_is_saved_is_loaded(saved: Path) -> None:
    spec, snapshot, _ = checkpoint.load(saved)
    assert spec == SPEC
    assert checkpoint.read_spec(saved) == SPEC
    assert snapshot.step == 42
    assert same(dict(snapshot.state), STATE)
    assert same(snapshot.rng[0], torch.get_rng_state())
    assert isinstance(snapshot.state["mixed"][1], tuple)
    assert list(saved.parent.iterdir()) == [saved]


def test_nothing_is_pickled(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert sorted(archive.namelist()) == ["session.json", "tensors.safetensors"]
        assert json.loads(archive.read("session.json"))["format"] == "deepscope"
    for path in (Path(checkpoint.__file__).parent).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text
        assert "torch.load(" not in text


def test_a_thousand_mutated_files_are_refused_or_read_the_same(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    rng = random.Random(0)
    refused = 0
    for number in range(1000):
        data = bytearray(whole)
        match number % 4:
            case 0:  # flipped bytes
                for _ in range(rng.randint(1, 8)):
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:  # cut short
                del data[rng.randrange(len(data)) :]
            case 2:  # a piece taken out
                at = rng.randrange(len(data))
                del data[at : at + rng.randint(1, 64)]
            case 3:  # a piece overwritten
                at = rng.randrange(len(data))
                data[at : at + 16] = rng.randbytes(16)
        path = tmp_path / "mutated.deepscope"
        path.write_bytes(data)
        try:
            spec, snapshot, _ = checkpoint.load(path)
        except CheckpointError as error:
            refused += "mutated.deepscope" in str(error)
        else:  # the mutation hit what carries no meaning, a date say
            assert spec == SPEC
            assert same(dict(snapshot.state), STATE)
    assert refused > 900


def rewritten(saved: Path, change: Any, name: str = "session.json", compression: int = zipfile.ZIP_STORED) -> Path:
    """A file whose member `name` is what `change` makes of it: well-formed, so that no checksum betrays it."""
    with zipfile.ZipFile(saved) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    members[name] = change(members[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    path = saved.parent / "forged.deepscope"
    path.write_bytes(buffer.getvalue())
    return path


def edited(**fields: Any) -> Any:
    return lambda data: json.dumps({**json.loads(data), **fields}).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edited(version=99), "newer Deepscope"),
        (edited(version="one"), "cannot be understood"),
        (edited(extra=1), "cannot be understood"),
        (edited(step=-1), "cannot be understood"),
        (edited(hyperparameters={"learning_rate": [1]}), "cannot be understood"),
        (edited(state={"dict": [["net", {"tensor": "t999"}]]}), "cannot be understood"),
        (edited(state={"python": "os.system('true')"}), "cannot be understood"),
        (edited(state={"dict": 3}), "cannot be understood"),
        (edited(rng={"list": []}), "cannot be understood"),
        (lambda _: b"[]", "cannot be understood"),
        (lambda _: b"{" * 100_000, "cannot be understood"),
        (lambda _: b"\xff\xfe", "cannot be understood"),
    ],
)
def test_forged_descriptions_are_refused(saved: Path, change: Any, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        checkpoint.load(rewritten(saved, change))


@pytest.mark.parametrize("read", [checkpoint.load, checkpoint.read_spec])
def test_bombs_strangers_and_missing_files_are_refused(
    saved: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    bomb = rewritten(saved, lambda _: bytes(50_000_000), "tensors.safetensors", zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="damaged"):
        read(bomb)
    with pytest.raises(CheckpointError, match=r"none\.deepscope cannot be read"):
        read(tmp_path / "none.deepscope")
    with zipfile.ZipFile(tmp_path / "other.deepscope", "w") as archive:
        archive.writestr("../../escape", "x")
    with pytest.raises(CheckpointError, match="not a Deepscope file"):
        read(tmp_path / "other.deepscope")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read(tmp_path)
    flipped = bytearray(saved.read_bytes())
    flipped[len(flipped) // 2] ^= 0x40  # among the tensors
    (tmp_path / "flipped.deepscope").write_bytes(flipped)
    with pytest.raises(CheckpointError, match="damaged"):
        read(tmp_path / "flipped.deepscope")


def test_asking_which_run_a_large_file_holds_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.deepscope"
    state = {"net": {"weight": torch.zeros(10_000_000)}}  # 40 MB
    checkpoint.save(path, SPEC, Snapshot(42, SPEC.hyperparameters, state, (torch.get_rng_state(), None)))
    tracemalloc.start()
    assert checkpoint.read_spec(path) == SPEC
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


MARKS = (
    Mark(3, "set", "learning_rate", "learning_rate = 0.1", 0.01, 0.1),
    Mark(7, "edit", "layer1", "Layer 1", gesture=WeightEdit(0, 1, 1, 0.25)),
    Mark(7, "action", "fool", "Fool it"),
)


def test_what_changed_the_run_is_kept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.deepscope"
    rng = torch.get_rng_state(), None
    checkpoint.save(path, SPEC, Snapshot(42, SPEC.hyperparameters, STATE, rng, len(MARKS), MARKS))
    _, snapshot, _ = checkpoint.load(path)
    assert (snapshot.marks, snapshot.history) == (3, MARKS)
    for wrong in ({"enlarged": 3}, ["enlarged"]):
        with pytest.raises(CheckpointError, match="cannot be understood"):
            checkpoint.load(rewritten(path, edited(window=wrong)))
    with pytest.raises(CheckpointError, match="cannot be understood"):
        checkpoint.load(rewritten(path, edited(marks=[{"step": 3, "kind": "magic"}])))


LATER = ("bookmarks", "earlier", "snapshots")


@pytest.mark.parametrize(
    ("version", "without"), [(1, ("marks", "window", *LATER)), (2, ("window", *LATER)), (3, LATER)]
)
def test_files_of_former_versions_open(saved: Path, version: int, without: tuple[str, ...]) -> None:
    def former(data: bytes) -> bytes:
        header = {name: value for name, value in json.loads(data).items() if name not in without}
        return json.dumps({**header, "version": version}).encode()

    old = rewritten(saved, former)
    spec, snapshot, _ = checkpoint.load(old)
    assert spec == checkpoint.read_spec(old) == SPEC
    assert (snapshot.step, snapshot.history, snapshot.window) == (42, (), {})
    assert same(dict(snapshot.state), STATE)


def test_a_file_of_a_version_to_come_does_not_open(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"newer Deepscope \(format 5\)"):
        checkpoint.read_spec(rewritten(saved, edited(version=5)))
    with pytest.raises(CheckpointError, match="cannot be understood"):
        checkpoint.read_spec(rewritten(saved, edited(version=0)))


FILES = Path(__file__).parent.parent / "sessions"  # as the versions of those days wrote them


@pytest.mark.parametrize(
    ("version", "lab", "step", "metrics"),
    [
        (1, "dense_network", 60, {"train loss": 0.679347, "test accuracy": 0.608}),
        (2, "perceptron", 60, {"accuracy": 0.965, "loss": 0.020546}),
        (3, "perceptron", 60, {"accuracy": 0.995, "loss": 0.0016819}),
    ],
)
def test_real_files_of_every_version_go_on(
    version: int, lab: str, step: int, metrics: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    path = FILES / f"version{version}.deepscope"
    spec, snapshot, curves = checkpoint.load(path)
    assert (spec.lab, spec.seed, snapshot.step) == (lab, 5, step)
    assert checkpoint.read_spec(path) == spec
    assert snapshot.lesson == Lesson()
    assert (len(snapshot.history), set(curves)) == ((1, {"accuracy", "loss"}) if version == 3 else (0, set()))
    assert main(["run", lab, "--resume", str(path), "--steps", "80", "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 80
    for name, value in metrics.items():
        assert told["metrics"][name] == pytest.approx(value, rel=1e-4)
