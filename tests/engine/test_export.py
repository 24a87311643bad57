"""What is carried away: a run repeated by its command line, weights, numbers."""

from __future__ import annotations

import csv
import json
import shlex
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import engine.export.command
import engine.headless
import engine.run
from engine import checkpoint, marks
from engine import messages as m
from engine.__main__ import main
from engine.checkpoint import same
from engine.export.command import command_line
from engine.export.metrics import rows, save_metrics
from engine.hyperparameters import choice, flag, integer, real
from engine.lab import Lab, action, view
from engine.payloads import WeightEdit
from engine.session import Session
from engine.views import Heatmap


@dataclass(frozen=True)
class Params:
    lr: float = real(0.01, 1e-5, 1.0, log=True, live=True, help="Step size")
    noisy: bool = flag(True, live=True, help="Noise on the inputs")
    kind: str = choice("plain", ("plain", "leaky ReLU"), help="The activation")
    width: int = integer(8, 1, 64, help="Hidden units")


class Tiny(Lab):
    """A regression that can be set, edited and acted upon, with dropout so that the RNG matters."""

    title, chapter, summary = "Tiny", "Foundations", "For tests"
    Params = Params
    layout = "table"
    state = ("net", "optimizer")

    def build(self) -> None:
        activation = nn.ReLU() if self.hp.kind == "plain" else nn.LeakyReLU()
        hidden, out = nn.Linear(3, self.hp.width), nn.Linear(self.hp.width, 1)
        self.net = nn.Sequential(hidden, activation, nn.Dropout(0.2), out).to(self.device)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=self.hp.lr, momentum=0.5)

    def changed(self, name: str) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.hp.lr
        with torch.no_grad():
            self.net[3].bias.add_(0.01 * torch.randn(1))  # the run's own RNG, whoever changes it

    def step(self) -> Any:
        x = torch.randn(16, 3) + (0.1 if self.hp.noisy else 0.0)
        loss = ((self.net(x) - x.sum(1, keepdim=True)) ** 2).mean()
        yield "forward"
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss = loss.detach()
        return {"loss": loss} if self.step_count % 2 else {"loss": loss, "half": float(loss) / 2}

    @view(Heatmap("Weights", help="First layer"))
    def table(self) -> Any:
        return self.net[0].weight

    @table.edit
    def table(self, gesture: WeightEdit) -> None:
        with torch.no_grad():
            self.net[0].weight[gesture.row, gesture.column] = gesture.value + 0.1 * torch.randn(())

    @action("Shake", help="Noise on the weights")
    def shake(self) -> None:
        with torch.no_grad():
            self.net[0].weight.add_(0.1 * torch.randn(self.hp.width, 3))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine.run, engine.headless, engine.export.command):
        monkeypatch.setattr(module, "load_lab", lambda _: Tiny)
    monkeypatch.setattr(engine.headless, "find_card", lambda name: SimpleNamespace(id=name))


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(threads=1)
    yield session
    session.quit()


def until(session: Session, *wanted: type[Any]) -> Any:
    """The first event of these kinds; a failure that is not wanted fails the test."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for event in session.news().events:
            if isinstance(event, wanted):
                return event
            assert not isinstance(event, m.Failed), event
        threading.Event().wait(0.002)
    raise AssertionError(f"no {wanted} came")


def heard(session: Session) -> list[Any]:
    """All that happens until what was asked for so far is done."""
    session.send(m.Export(1, "command"))
    events: list[Any] = []
    deadline = time.monotonic() + 30
    while not any(isinstance(event, m.Exported) and event.run == 1 for event in events):
        assert time.monotonic() < deadline
        events += session.news().events
        threading.Event().wait(0.002)
    assert not [event for event in events if isinstance(event, m.Failed)]
    return events


def steps(session: Session, count: int) -> None:
    for _ in range(count):
        session.send(m.StepOnce(1))


def changed_run(session: Session) -> None:
    """A run with live changes, one of them within a step, an edit and an action, which stands at step 30."""
    spec = m.RunSpec("tiny", {"kind": "leaky ReLU", "lr": 0.1 + 0.2}, seed=5)
    session.send(m.Open(1, spec))
    steps(session, 7)
    session.send(m.Set(1, "lr", 0.02))
    steps(session, 5)
    session.send(m.Poke(1, "table", WeightEdit(0, 2, 1, 0.3), edit=True))
    session.send(m.MicroStep(1))
    session.send(m.Set(1, "noisy", False))  # acts once the step is done
    steps(session, 9)
    session.send(m.Act(1, "shake"))
    steps(session, 9)
    session.send(m.Set(1, "lr", 0.05))  # after the last step


def export(session: Session, what: Any, path: Path | None = None) -> m.Exported:
    session.send(m.Export(1, what, path))
    event: m.Exported = until(session, m.Exported)
    assert (event.what, event.path) == (what, path)
    return event


def run_line(line: str, *more: str) -> None:
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "engine"]
    assert main([*words[3:], *more, "--json"]) == 0


@pytest.mark.usefixtures("tiny")
def test_a_changed_run_is_repeated_bit_for_bit(session: Session, tmp_path: Path) -> None:
    changed_run(session)
    wanted = export(session, "command")
    assert wanted.needs == "tiny-seed5-step30.marks.json"
    assert f"--marks {wanted.needs}" in wanted.text
    file = tmp_path / "my marks.json"
    told = export(session, "marks", file)
    kinds = [(mark.step, mark.kind, mark.name) for mark in marks.load(file)]
    assert kinds == [
        (7, "set", "lr"),
        (12, "edit", "table"),
        (13, "set", "noisy"),
        (21, "action", "shake"),
        (30, "set", "lr"),
    ]
    session.send(m.Save(1, tmp_path / "session.deepscope"))
    until(session, m.Saved)
    export(session, "weights", tmp_path / "session.safetensors")
    again = tmp_path / "again.deepscope"
    run_line(told.text, "--save", str(again), "--weights", str(tmp_path / "again.safetensors"))
    _, here, _ = checkpoint.load(tmp_path / "session.deepscope")
    _, there, _ = checkpoint.load(again)
    assert here.step == there.step == 30
    assert same(here.state, there.state)
    assert same(here.rng, there.rng)
    assert here.hyperparameters == there.hyperparameters
    assert same(load_file(tmp_path / "session.safetensors"), load_file(tmp_path / "again.safetensors"))


@pytest.mark.usefixtures("tiny")
def test_live_changes_alone_fit_on_the_line(session: Session, tmp_path: Path) -> None:
    session.send(m.Open(1, m.RunSpec("tiny", {"lr": 0.1 + 0.2, "kind": "leaky ReLU"}, seed=2)))
    steps(session, 4)
    session.send(m.Set(1, "noisy", False))
    steps(session, 4)
    told = export(session, "command")
    assert told.needs == ""
    assert told.text == (
        "python -m engine run tiny --set lr=0.30000000000000004 --set 'kind=leaky ReLU' --seed 2 --device cpu"
        " --at 4:noisy=false --steps 8"
    )
    session.send(m.Save(1, tmp_path / "a.deepscope"))
    until(session, m.Saved)
    run_line(told.text, "--save", str(tmp_path / "b.deepscope"))
    assert same(checkpoint.load(tmp_path / "a.deepscope")[1].state, checkpoint.load(tmp_path / "b.deepscope")[1].state)


@pytest.mark.usefixtures("tiny")
def test_a_run_that_went_on_from_a_file_names_it(session: Session, tmp_path: Path) -> None:
    half, whole, again = (tmp_path / f"{name}.deepscope" for name in ("half way", "whole", "again"))
    assert main(["run", "tiny", "--steps", "5", "--seed", "3", "--save", str(half), "--json"]) == 0
    session.send(m.Open(1, m.RunSpec("tiny"), resume=half))
    session.send(m.Set(1, "lr", 0.5))
    steps(session, 5)
    told = export(session, "command")
    assert f"--resume '{half}'" in told.text
    assert "--seed" not in told.text
    assert "--at 5:lr=0.5" in told.text
    session.send(m.Save(1, whole))
    until(session, m.Saved)
    run_line(told.text, "--save", str(again))
    assert same(checkpoint.load(whole)[1].state, checkpoint.load(again)[1].state)


@pytest.mark.usefixtures("tiny")
def test_a_branch_knows_the_beginning(session: Session) -> None:
    session.send(m.Open(1, m.RunSpec("tiny", seed=1)))
    session.send(m.Set(1, "lr", 0.3))
    session.send(m.Branch(2, 1, 0, {"lr": 0.4}))  # from the snapshot at step 0, before the change
    session.send(m.StepOnce(2))
    session.send(m.Export(2, "command"))
    told = until(session, m.Exported)
    assert told.text.endswith("--seed 1 --device cpu --at 0:lr=0.4 --steps 1")


@pytest.mark.usefixtures("tiny")
def test_what_changed_a_run_comes_back_with_its_file_and_is_not_repeated_twice(
    session: Session, tmp_path: Path
) -> None:
    changed_run(session)
    session.send(m.Save(1, tmp_path / "a.deepscope"))
    told = [event.mark for event in heard(session) if isinstance(event, m.Changed | m.Edited)]
    assert [mark.kind for mark in told] == ["set", "edit", "set", "action", "set"]
    session.send(m.Open(2, m.RunSpec("tiny"), resume=tmp_path / "a.deepscope"))
    opened = until(session, m.Opened)
    assert [(mark.step, mark.kind, mark.name, mark.old, mark.new) for mark in opened.marks] == [
        (7, "set", "lr", 0.1 + 0.2, 0.02),
        (12, "edit", "table", "", ""),
        (13, "set", "noisy", True, False),
        (21, "action", "shake", "", ""),
        (30, "set", "lr", 0.02, 0.05),
    ]
    session.send(m.Export(2, "command"))
    assert "--at" not in until(session, m.Exported).text  # the file holds what came before
    session.send(m.Set(2, "lr", 0.5))
    session.send(m.StepOnce(2))
    session.send(m.Export(2, "command"))
    assert "--at 30:lr=0.5 --steps 31" in until(session, m.Exported).text
    session.send(m.Branch(3, 2, 30, {"lr": 0.4}))
    session.send(m.GoBack(2))
    events = heard(session)
    branched = next(event for event in events if isinstance(event, m.Opened))
    assert branched.marks == opened.marks  # the new value is told of by itself
    changed = next(event for event in events if isinstance(event, m.Changed) and event.run == 3)
    assert changed.mark == m.Mark(30, "set", "lr", "lr = 0.4", 0.05, 0.4)
    back = next(event for event in events if isinstance(event, m.WentBack))
    assert back.marks == opened.marks
    reverted = next(event for event in events if isinstance(event, m.Changed) and event.run == 2)
    assert (reverted.new, reverted.mark) == (0.05, None)


def test_threads_are_named_where_they_are_unusual() -> None:
    spec = m.RunSpec("lenet", {"filters1": 6, "batch_size": 32}, seed=4, device="cuda")
    line = command_line(spec, (), 9, threads=2)
    assert line == (
        "python -m engine run lenet --set batch_size=32 --data digits --seed 4 --device cuda --threads 2 --steps 9"
    )
    resumed = command_line(spec, (), 9, resume="a b.deepscope")
    assert resumed == "python -m engine run lenet --resume 'a b.deepscope' --device cuda --steps 9"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "5"], "STEP:NAME=VALUE"),
        (["--at", "5:nope=1"], "there is no hyperparameter"),
        (["--at", "5:filters1=3"], "rebuilds"),
        (["--marks", "no-such-file.json"], "no-such-file"),
        (["--weights", "no-such-folder/w"], "--weights no-such-folder/w"),
        (["--metrics", "no-such-folder/m"], "--metrics no-such-folder/m"),
    ],
)
def test_wrong_input_is_one_clear_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "lenet", "--steps", "1", *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


@pytest.mark.usefixtures("tiny")
def test_nothing_changes_before_a_resumed_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "a.deepscope")
    assert main(["run", "tiny", "--steps", "5", "--save", path, "--json"]) == 0
    assert main(["run", "tiny", "--steps", "9", "--resume", path, "--at", "4:lr=0.1"]) == 2
    assert "stands at step 5 already" in capsys.readouterr().err


def test_weights_have_names_and_say_where_they_are_from(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    settings = ["--set", "filters1=4", "--seed", "3", "--device", "cpu"]
    assert main(["run", "lenet", "--steps", "3", "--weights", str(path), "--json", *settings]) == 0
    with safe_open(path, "pt") as file:
        told = file.metadata()
        assert file.get_tensor("net.conv1.weight").shape == (4, 1, 5, 5)
    assert (told["lab"], told["step"], told["seed"], told["data"]) == ("lenet", "3", "3", "digits")
    assert json.loads(told["hyperparameters"])["filters1"] == 4


def test_weights_without_a_module(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    assert main(["run", "dense_network", "--steps", "2", "--weights", str(path), "--json"]) == 0
    with safe_open(path, "pt") as file:
        assert file.get_tensor("W.0").shape == (8, 3)  # the bias, x1, x2


@pytest.mark.usefixtures("tiny")
def test_metrics_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.headless, "FLUSHED", 4)
    path = tmp_path / "m.csv"
    assert main(["run", "tiny", "--steps", "11", "--seed", "2", "--metrics", str(path), "--json"]) == 0
    with path.open(newline="", encoding="utf-8") as file:
        heading, *table = csv.reader(file)
    assert heading == ["step", "loss", "half"]
    assert [row[0] for row in table] == [str(step) for step in range(1, 12)]
    assert [bool(row[2]) for row in table] == [True, False] * 5 + [True]
    assert float(table[0][1]) == pytest.approx(2 * float(table[0][2]), rel=1e-6)


def test_numbers_are_written_exactly_and_shortly(tmp_path: Path) -> None:
    series = {
        "a": (np.array([1, 3]), np.array([float(np.float32(0.1)), 0.1])),
        "b": (np.array([2, 3]), np.array([np.nan, 1e300])),
    }
    written = list(rows(series))
    assert written == [["step", "a", "b"], ["1", "0.1", ""], ["2", "", "nan"], ["3", "0.1", "1e+300"]]
    assert list(rows({})) == [["step"]]
    assert save_metrics(tmp_path / "m.csv", series) == 3
    assert (tmp_path / "m.csv").read_bytes().splitlines()[0] == b"step,a,b"
    with pytest.raises(OSError, match="no such folder"):
        save_metrics(tmp_path / "nowhere" / "m.csv", series)


def test_what_cannot_be_exported_is_said(session: Session, tmp_path: Path) -> None:
    session.send(m.Open(1, m.RunSpec("lenet")))
    until(session, m.Opened)
    session.send(m.Export(1, "weights", tmp_path / "nowhere" / "w.safetensors"))
    failed = until(session, m.Failed)
    assert failed.what == "export weights"
    assert failed.expected
    session.send(m.Export(1, "weights"))
    assert "without a file" in until(session, m.Failed).summary
