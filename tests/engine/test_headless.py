"""The command line of the engine, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine import checkpoint
from engine.__main__ import main


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.strip().splitlines()


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert any(line.startswith("lenet") for line in lines(capsys))
    assert main(["list", "--json"]) == 0
    labs = json.loads(capsys.readouterr().out)
    lenet = next(lab for lab in labs if lab["id"] == "lenet")
    assert {"id", "title", "chapter", "hyperparameters"} <= lenet.keys()
    rate = next(hp for hp in lenet["hyperparameters"] if hp["name"] == "learning_rate")
    assert rate["low"] < rate["default"] < rate["high"]
    assert rate["help"]


def test_run_resume_equals_one_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "half.deepscope")
    assert main(["run", "lenet", "--steps", "6", "--seed", "4", "--set", "filters1=4", "--save", path, "--json"]) == 0
    half = json.loads(lines(capsys)[-1])
    assert (half["lab"], half["seed"], half["steps"]) == ("lenet", 4, 6)
    assert main(["run", "lenet", "--steps", "12", "--resume", path]) == 0
    resumed = json.loads(lines(capsys)[-1])
    assert main(["run", "lenet", "--steps", "12", "--seed", "4", "--set", "filters1=4"]) == 0
    whole = json.loads(lines(capsys)[-1])
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["steps"] == whole["steps"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nope"], "there is no lab 'nope'; there are: "),
        (["check", "nope"], "there is no lab 'nope'; there are: "),
        (["prove", "nope"], "there is no lab 'nope'; there are: "),
        (["bench", "nope"], "there are: overhead"),
        (["run", "lenet", "--set", "nope=1"], "there are: learning_rate"),
        (["run", "lenet", "--set", "filters1=0"], "from 1 to"),
        (["run", "lenet", "--set", "filters1=six"], "a whole number"),
        (["run", "lenet", "--set", "filters1"], "name=value"),
        (["run", "lenet", "--data", "no-such-file.npz"], "no-such-file.npz"),
        (["run", "lenet", "--device", "abacus"], "auto"),
        (["run", "lenet", "--resume", "no-such-file"], "no-such-file"),
        (["run", "lenet", "--steps", "1", "--save", "no-such-folder/x"], "no-such-folder"),
        (["run", "lenet", "--seconds", "nan"], "--seconds must be a number from 0, not nan"),
        (["run", "lenet", "--seconds", "inf"], "--seconds must be a number from 0, not inf"),
        (["run", "lenet", "--seconds", "-1"], "--seconds must be a number from 0, not -1"),
        (["run", "lenet", "--steps", "-1"], "--steps must be a whole number from 0"),
        (["run", "lenet", "--steps", "9" * 4000], "--steps must be a whole number from 0"),
        (
            ["run", "lenet", "--seed", str(2**64)],
            "the seed must be a whole number from 0 to 18,446,744,073",
        ),
        (["run", "lenet", "--seed", "-1"], "the seed must be a whole number from 0"),
        (["run", "lenet", "--marks", "/dev/null"], "/dev/null: it is not a file but a pipe, socket or device"),
        (["export", "lenet", "--script", "x.py", "--seed", str(2**64)], "the seed must be a whole number from 0"),
        (["export", "lenet", "--script", "x.py", "--steps", "-1"], "--steps must be a whole number from 0"),
    ],
)
def test_wrong_input_is_one_clear_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_resumed_run_keeps_its_structure_and_seed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "a.deepscope")
    assert main(["run", "lenet", "--steps", "2", "--save", path, "--json"]) == 0
    assert main(["run", "lenet", "--steps", "3", "--resume", path, "--set", "filters1=4"]) == 2
    assert "rebuilds" in capsys.readouterr().err
    assert main(["run", "lenet", "--steps", "3", "--resume", path, "--seed", "1"]) == 2
    assert main(["run", "lenet", "--steps", "1", "--resume", path]) == 2
    assert "stands at step 2" in capsys.readouterr().err
    assert main(["run", "dense_network", "--steps", "3", "--resume", path]) == 2
    assert "a run of lenet" in capsys.readouterr().err


def test_a_saved_run_tells_what_changed_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = str(tmp_path / "a.deepscope"), str(tmp_path / "b.deepscope")
    turned = ["--at", "2:learning_rate=0.1", "--at", "3:batch_size=20"]
    assert main(["run", "dense_network", "--steps", "4", *turned, "--save", first]) == 0
    anew = ["--set", "learning_rate=0.2", "--set", "batch_size=20", "--at", "5:optimizer=Adam"]
    assert main(["run", "dense_network", "--steps", "6", "--resume", first, *anew, "--save", second]) == 0
    capsys.readouterr()
    _, snapshot, _ = checkpoint.load(Path(second))
    assert [(mark.step, mark.name, mark.old, mark.new) for mark in snapshot.history] == [
        (2, "learning_rate", 0.03, 0.1),
        (3, "batch_size", 10, 20),
        (4, "learning_rate", 0.1, 0.2),
        (5, "optimizer", "SGD", "Adam"),
    ]


def test_version_and_help_answer_at_once() -> None:
    for option in ("--version", "--help"):
        code = (
            "import sys, time\nbegun = time.perf_counter()\nfrom engine.__main__ import main\n"
            f"try: main(['{option}'])\nexcept SystemExit: pass\n"
            "assert time.perf_counter() - begun < 0.5\n"
            "assert 'torch' not in sys.modules and 'PySide6' not in sys.modules"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert "eepscope" in result.stdout


@pytest.mark.parametrize(
    ("lab", "turned", "rare"),
    [("vae", "hidden=16", "validation KL"), ("gpt", "width=32", "validation loss")],
)
def test_metrics_measured_before_a_resume_are_told_after_it(
    lab: str, turned: str, rare: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(tmp_path / "half.deepscope")
    small = ["--set", turned, "--set", "batch_size=8"]
    assert main(["run", lab, "--steps", "2", *small, "--save", path, "--json"]) == 0
    before = json.loads(lines(capsys)[-1])["metrics"]
    assert main(["run", lab, "--steps", "4", "--resume", path, "--json", "--save", path]) == 0
    after = json.loads(lines(capsys)[-1])["metrics"]
    assert after.keys() == before.keys()
    assert after[rare] == before[rare]
    assert after != before
    _, _, curves = checkpoint.load(Path(path))
    assert [len(steps) for steps, _ in curves.values()] == [4 if name.startswith("train") else 1 for name in curves]


def test_a_run_that_diverges_stops_there_and_its_json_is_valid(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    path = str(tmp_path / "ruined.deepscope")
    wild = ["--set", "learning_rate=1e6", "--set", "activation=linear"]
    assert main(["run", "dense_network", "--data", "plane", "--steps", "5000", *wild, "--save", path, "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out, parse_constant=refuse)
    step, metric = told["diverged"]["step"], told["diverged"]["metric"]
    assert told["metrics"][metric] is None
    assert told["steps"] == step < 5000
    assert f"{metric} is" in err
    assert f"at step {step}" in err
    assert main(["run", "dense_network", "--steps", str(step + 200), "--resume", path, "--json"]) == 1
    again = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert again["diverged"]["step"] > step


def test_progress_is_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "dense_network", "--seconds", "0.5"]) == 0
    assert "\r" not in capsys.readouterr().err
    assert main(["prove", "losses"]) == 0
    assert "\r" not in capsys.readouterr().err
