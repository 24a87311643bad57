"""What a session file holds is compared with the lab before anything is assigned, and refused by name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import session_files
import torch
from session_files import Parts
from tiny_lab import Reader

from engine import checkpoint
from engine import messages as m
from engine.__main__ import main
from engine.checkpoint import same
from engine.session import Session

Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The session file of a run of a lab, made once."""
    folder, made = tmp_path_factory.mktemp("sessions"), dict[str, Path]()

    def of(lab: str) -> Path:
        if lab not in made:
            made[lab] = session_files.make(folder, lab)
        return made[lab]

    return of


@pytest.fixture
def session() -> Iterator[Session]:
    running = Session(threads=1)
    yield running
    running.quit()


def part(parts: Parts, *names: Any) -> list[Any]:
    """The pair of name and value of a part of the state."""
    tree = parts.header["state"]
    pair: list[Any] = []
    for name in names:
        inner = tree.get("dict", tree.get("list"))
        pair = inner[name] if isinstance(inner[0], dict) else next(each for each in inner if each[0] == name)
        tree = pair if isinstance(pair, dict) else pair[1]
    return pair


def tensor(*names: Any, to: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    def change(parts: Parts) -> None:
        name = part(parts, *names)[1]["tensor"]
        parts.tensors[name] = to(parts.tensors[name])

    return change


def value(*names: Any, to: Any) -> Change:
    def change(parts: Parts) -> None:
        part(parts, *names)[1] = to

    return change


def header(**fields: Any) -> Change:
    return lambda parts: parts.header.update(fields)


def filled(number: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda old: torch.full_like(old, number)


def forged(path: Path, folder: Path, change: Change) -> Path:
    parts = Parts(path)
    change(parts)
    other = folder / "forged.deepscope"
    other.write_bytes(parts.packed())
    return other


CASES = [
    (
        "lenet",
        tensor("net", "conv1.weight", to=lambda t: t[:1]),
        "net.conv1.weight does not fit this lab: the file has float32 numbers of shape (1, 1, 5, 5), "
        "the lab float32 numbers of shape (2, 1, 5, 5)",
    ),
    ("lenet", tensor("net", "conv1.weight", to=lambda t: t.double()), "the file has float64 numbers of shape (2, 1,"),
    ("lenet", value("net", "conv1.weight", to="x"), "net.conv1.weight does not fit this lab: the file has 'x', the"),
    ("lenet", tensor("queue", to=filled(5000)), "queue holds 5000; in this lab it is from 0 to 1,436"),
    ("lenet", value("position", to=-1), "position holds -1"),
    ("lenet", value("position", to=2.0), "position does not fit this lab: the file has 2.0, the lab 0"),
    ("lenet", value("judged", to=10**300), "judged does not fit this lab: the file has a whole number beyond 53 bits"),
    ("digits", value("optimizer", "param_groups", to={"list": []}), "optimizer.param_groups does not fit this lab"),
    (
        "digits",
        tensor("optimizer", "state", 0, "momentum_buffer", to=lambda t: t.T),
        "optimizer.state.0.momentum_buffer does not fit this lab: the file has float32 numbers of shape (784, 16)",
    ),
    ("vae", tensor("optimizer", "state", 0, "step", to=filled(math.nan)), "optimizer.state.0.step holds nan"),
    ("vae", tensor("optimizer", "state", 0, "exp_avg", to=lambda t: t[0]), "optimizer.state.0.exp_avg does not fit"),
    ("vae", value("ends", to={"list": [0, 10**6]}), "ends holds 1000000"),
    ("perceptron", tensor("y", to=lambda t: t[1:]), "“xy” and “y” tell of different points"),
    ("over_fitting", tensor("y", to=filled(7)), "y holds 7; in this lab it is from 0 to 1"),
    ("gpt", value("prompt", to="☃"), "“prompt” is empty, or has characters that the text does not have"),
    ("diffusion", value("picked", to={"list": ["x", 1]}), "“picked” is the label of a sample"),
    ("backpropagation", value("position", to=99), "a pass has 13 moves, not 99"),
    ("backpropagation", value("values", to={"dict": []}), "values does not fit this lab: the file has no parts"),
    ("data_tensors", tensor("seen", to=filled(-1)), "neither the count nor the sum of squares"),
    ("batches", value("kept", to=5000), "kept holds 5000; in this lab it is from 1 to 1,024"),
    ("dense_network", tensor("samples", "xy", to=lambda t: t[1:]), "samples.xy and samples.y tell of different points"),
    ("dense_network", value("t", to=-1), "t holds -1"),
    ("dense_network", header(seed=2**64), "seed: Input should be less than 18446744073709551616"),
    ("dense_network", header(step=10**16), "step: Input should be less than or equal to 1000000000000000"),
    ("dense_network", header(lab="x" * 10_000), "lab: String should have at most 200 characters"),
    ("dense_network", header(hyperparameters={"learning_rate": 1e9}), "learning_rate must be a number from"),
    ("dense_network", header(hyperparameters={"learning_rate": math.nan}), "hyperparameters: Input should be a finite"),
    ("dense_network", header(marks=[{}] * 15_000_000), "it has too many parts"),
    ("dense_network", header(marks=[{}] * 300_000), "marks: List should have at most 200000 items"),
    ("dense_network", header(window="nested much"), "it is nested too deeply"),
]


@pytest.mark.parametrize(("lab", "change", "message"), CASES, ids=range(len(CASES)))
def test_what_does_not_fit_is_named(
    kept: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lab: str,
    change: Change,
    message: str,
) -> None:
    path = forged(kept(lab), tmp_path, change)
    capsys.readouterr()
    assert main(["run", lab, "--resume", str(path), "--steps", "6", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "forged.deepscope" in err or "learning_rate" in err
    assert message in err


def test_the_settings_of_an_optimiser_must_be_sound(
    kept: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, odd, message in (
        ("lr", math.nan, "lr holds nan"),
        ("weight_decay", 1e300, "weight_decay holds 1e+300"),
        ("lr", "fast", "lr does not fit this lab: the file has 'fast', the lab"),
        ("betas", {"tuple": [0.9, 1.0]}, "betas holds 1.0"),
        ("amsgrad", True, "amsgrad does not fit this lab: the file has True, the lab False"),
        ("params", {"list": [0, 0]}, "params does not fit this lab: the file has a list of 2, the lab a list of"),
        ("magic", 1, "param_groups.0 does not fit this lab"),
    ):

        def change(parts: Parts, key: str = key, odd: Any = odd) -> None:
            groups = part(parts, "optimizer", "param_groups")[1]["list"]
            groups[0]["dict"] = [*[pair for pair in groups[0]["dict"] if pair[0] != key], [key, odd]]

        path = forged(kept("vae"), tmp_path, change)
        assert main(["run", "vae", "--resume", str(path), "--steps", "6", "--json"]) == 2
        assert message in capsys.readouterr().err


def test_random_numbers_that_torch_cannot_take_are_refused(
    kept: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to, message in (
        (
            lambda t: t[:-1],
            "the state of the random numbers does not fit this lab: the file has uint8 numbers of shape",
        ),
        (filled(255), "the state of the random numbers is damaged"),
    ):

        def change(parts: Parts, to: Callable[[torch.Tensor], torch.Tensor] = to) -> None:
            name = parts.header["rng"]["tuple"][0]["tensor"]
            parts.tensors[name] = to(parts.tensors[name])

        path = forged(kept("dense_network"), tmp_path, change)
        assert main(["run", "dense_network", "--resume", str(path), "--steps", "6", "--json"]) == 2
        assert message in capsys.readouterr().err


def test_a_session_refuses_in_words_and_what_is_open_goes_on(
    kept: Callable[[str], Path], tmp_path: Path, session: Session
) -> None:
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("lenet", {"filters1": 2, "filters2": 2})))
    reader.event(m.Opened, run=1)
    path = forged(kept("lenet"), tmp_path, tensor("queue", to=filled(10**6)))
    session.send(m.Open(2, m.RunSpec("lenet"), resume=path))
    failed = reader.event(m.Failed, run=2)
    assert failed.expected
    assert "queue holds 1000000" in failed.summary
    session.send(m.StepOnce(1))
    reader.event(m.Paused, run=1, step=1)


def test_curves_beyond_the_step_of_a_file_are_left_out(kept: Callable[[str], Path], tmp_path: Path) -> None:
    _, snapshot, before = checkpoint.load(kept("lenet"))
    path = forged(kept("lenet"), tmp_path, header(step=2))
    _, _, after = checkpoint.load(path)
    assert snapshot.step == 4
    assert [int(steps[-1]) for steps, _ in before.values()][:2] == [4, 4]
    assert [int(steps[-1]) for steps, _ in after.values()][:2] == [2, 2]


def test_a_diverged_run_opens_and_says_so_again(
    kept: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = forged(kept("lenet"), tmp_path, tensor("net", "conv1.weight", to=filled(math.nan)))
    capsys.readouterr()
    assert main(["run", "lenet", "--resume", str(path), "--steps", "9", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["diverged"] == {"step": 5, "metric": "train loss"}
    assert "engine: train loss is nan at step 5: training has stopped" in err


# ------------------------------------------------------------------------------- files that a file names


def test_a_file_learns_from_files_of_its_own_only_if_it_may(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b,c\n" + "".join(f"{k % 7},{k % 5},{'xy'[k % 2]}\n" for k in range(300)))
    path, names = str(tmp_path / "own.deepscope"), str(table)
    assert main(["run", "dense_network", "--data", names, "--steps", "3", "--save", path, "--json"]) == 0
    capsys.readouterr()
    resume = ["run", "dense_network", "--resume", path, "--steps", "5", "--json"]
    assert main(resume) == 2
    assert f"own.deepscope learns from files of its own, {names!r}: add --trust-data" in capsys.readouterr().err
    assert main([*resume, "--data", "other.csv"]) == 2
    assert main([*resume, "--data", names]) == 0
    assert main([*resume, "--trust-data"]) == 0


def test_pipes_and_devices_are_not_opened(
    kept: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name in (str(pipe), "/dev/zero"):
        for command in (
            ["run", "dense_network", "--resume", name],
            ["run", "dense_network", "--marks", name],
            ["run", "dense_network", "--resume", str(forged(kept("dense_network"), tmp_path, header(dataset=name)))],
        ):
            assert main([*command, "--steps", "6", "--trust-data"]) == 2
            assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_file_of_a_gpu_opens_on_a_cpu(kept: Callable[[str], Path], tmp_path: Path) -> None:
    def change(parts: Parts) -> None:
        parts.tensors["gpu"] = torch.zeros(16, dtype=torch.uint8)
        parts.header["rng"]["tuple"][1] = {"tensor": "gpu"}

    path = forged(kept("dense_network"), tmp_path, change)
    assert main(["run", "dense_network", "--resume", str(path), "--steps", "6", "--device", "cpu", "--json"]) == 0


def test_set_changes_a_resumed_run_as_the_window_does(kept: Callable[[str], Path], tmp_path: Path) -> None:
    """An optimiser is chosen anew after the file's state was put in place, not before."""
    path, other = kept("digits"), str(tmp_path / "other.deepscope")
    command = ["run", "digits", "--resume", str(path), "--steps", "6", "--device", "cpu", "--json", "--save"]
    assert main([*command, other, "--set", "optimiser=Adam"]) == 0
    _, snapshot, _ = checkpoint.load(Path(other))
    assert [(mark.step, mark.name, mark.old, mark.new) for mark in snapshot.history] == [
        (4, "optimiser", "momentum", "Adam")
    ]
    assert "exp_avg" in snapshot.state["optimizer"]["state"][0]
    assert not same(snapshot.state["optimizer"], checkpoint.load(path)[1].state["optimizer"])


def test_earlier_states_fit_though_the_optimiser_was_another_then(tmp_path: Path, session: Session) -> None:
    """Each is compared with the lab as its hyperparameters make it; what is opened stands as it was saved."""
    path = session_files.recorded(tmp_path, "digits", {"optimiser": "momentum"}, turned={"optimiser": "Adam"})
    spec, saved, _ = checkpoint.load(path)
    assert spec.hyperparameters["optimiser"] == "momentum"
    assert saved.hyperparameters["optimiser"] == "momentum"
    reader = Reader(session)
    session.send(m.Open(1, m.RunSpec("digits"), resume=path))
    reader.event(m.Opened, run=1)
    session.send(m.Branch(2, 1, 1))  # when it was Adam
    branch = reader.event(m.Opened, run=2)
    assert (branch.step, branch.spec.hyperparameters["optimiser"]) == (1, "Adam")
    for run in (1, 2):
        session.send(m.StepOnce(run))
        reader.event(m.Paused, run=run, step=saved.step + 1 if run == 1 else 2)
    assert not [event for event in reader.events if isinstance(event, m.Log | m.Failed)]
    again = tmp_path / "again.deepscope"
    session.send(m.Open(3, m.RunSpec("digits"), resume=path))
    reader.event(m.Opened, run=3)
    session.send(m.Save(3, again))
    reader.event(m.Saved, run=3)
    assert same(dict(checkpoint.load(again)[1].state), dict(saved.state))
