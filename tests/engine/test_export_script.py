"""A lab as a script of its own: it runs without the project, elsewhere, and gives the same numbers."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.__main__ import main
from engine.discovery import catalogue, find_card, load_lab
from engine.export.gather import ScriptError
from engine.export.lab_source import LabSource, literal
from engine.export.references import References
from engine.export.script import make_script, write_script
from engine.export.source import fold
from engine.messages import Mark, RunSpec

STEPS = 20


def run_alone(script: Path, tmp_path: Path) -> list[str]:
    """What the script prints where the project is not to be found."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DEEPSCOPE_DATA")}
    command = [sys.executable, "-W", "error", str(script)]
    result = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=200
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def agrees(
    lab: str, arguments: list[str], script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], steps: int = STEPS
) -> str:
    """Write the script, run it and the lab, compare; returns the script."""
    common = [*arguments, "--steps", str(steps), "--device", "cpu"]
    assert main(["export", lab, "--script", str(script), *common]) == 0
    assert str(script) in capsys.readouterr().out
    text = script.read_text(encoding="utf-8")
    roots = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert roots <= {*sys.stdlib_module_names, "torch", "numpy", "sklearn"}
    *_, last = run_alone(script, tmp_path)
    assert main(["run", lab, *common, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert last == f"step {steps}: " + ", ".join(f"{name} {value}" for name, value in metrics.items())
    assert metrics
    return text


@pytest.mark.parametrize("lab", [card.id for card in catalogue()])
def test_every_lab_gives_the_same_numbers(lab: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = 30 if lab == "dense_network" else STEPS  # its first metrics come with the first epoch
    text = agrees(lab, ["--seed", "3"], tmp_path / f"{lab}.py", tmp_path, capsys, steps)
    assert "yield" not in text
    assert "@view" not in text
    assert "layout" not in text
    for line in text.splitlines():
        assert len(line) <= 120
        assert line == line.rstrip()
    ruff = Path(sys.executable).parent / "ruff"
    if ruff.exists():
        for check in (["format", "--check"], ["check", "--select", "E,F,I,UP"]):
            command = [str(ruff), *check, "--isolated", "--line-length", "120", str(tmp_path / f"{lab}.py")]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stdout


def test_hyperparameters_and_live_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "filters1=4", "--set", "activation=tanh", "--set", "dropout=0.2", "--seed", "1"]
    changes = ["--at", "5:learning_rate=0.01", "--at", "9:optimiser=SGD"]
    text = agrees("lenet", [*settings, *changes], tmp_path / "mine.py", tmp_path, capsys)
    assert "filters1: int = 4" in text
    assert '(9, "optimiser", "SGD"),' in text
    assert "lab.changed(name)" in text


@pytest.mark.parametrize("lab", ["dense_network", pytest.param("diffusion", marks=pytest.mark.slow)])
def test_generated_data(lab: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = agrees(lab, ["--data", "moons"], tmp_path / "moons.py", tmp_path, capsys, 30)
    assert 'DATASET, DEVICE = "moons", torch.device("cpu")' in text
    assert not (tmp_path / "moons.npz").exists()


def test_a_table_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "flowers.csv"
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{y:.3f},{'rose' if x > y else 'lily'}" for x, y in rng.random((60, 2))]
    table.write_text("\n".join(["length,width,kind", *rows]), encoding="utf-8")
    data = f"{table}?x=width&y=length&class=kind"
    text = agrees("dense_network", ["--data", data], tmp_path / "own.py", tmp_path, capsys, 30)
    table.unlink()
    assert 'DATASET, DEVICE = "flowers.csv?x=width&y=length&class=kind"' in text
    assert (tmp_path / "own.npz").exists()
    assert run_alone(tmp_path / "own.py", tmp_path)


# as they are, 28 × 28, and made smaller
@pytest.mark.parametrize("lab", ["vae", pytest.param("diffusion", marks=pytest.mark.slow)])
def test_pictures_of_ones_own(lab: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, (80, 28, 28), np.uint8), np.arange(80) % 3
    np.savez(tmp_path / "own.npz", x_train=pictures, y_train=labels)
    text = agrees(lab, ["--data", str(tmp_path / "own.npz")], tmp_path / "mine.py", tmp_path, capsys)
    assert "mine.npz" in text
    with np.load(tmp_path / "mine.npz") as kept:
        assert kept["train"].dtype == (np.uint8 if lab == "vae" else np.float32)


def test_a_text_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "poem.txt").write_text("Ein Männlein steht im Walde,\nganz still und stumm.\n" * 60, encoding="utf-8")
    agrees("gpt", ["--data", str(tmp_path / "poem.txt"), "--set", "layers=1"], tmp_path / "a.py", tmp_path, capsys)
    assert "Männlein" in (tmp_path / "a.txt").read_text(encoding="utf-8")


def test_the_window_s_threads_and_marks_are_kept(tmp_path: Path) -> None:
    late = Mark(9, "set", "dropout", "", 0.0, 0.5)
    script = [Mark(3, "set", "learning_rate", "", 0.1, 0.2), Mark(4, "action", "x", ""), late]
    (path,) = write_script(tmp_path / "a.py", RunSpec("lenet"), 9, script, threads=1)
    text = path.read_text(encoding="utf-8")
    assert '(3, "learning_rate", 0.2),' in text
    assert "(9," not in text  # it would change what comes after the end
    assert "set_num_threads(1)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "--script", "a.py"], "there are: perceptron"),
        (["lenet", "--script", "no-such-folder/a.py"], "no-such-folder"),
        (["lenet", "--script", "a.py", "--set", "filters1=0"], "from 1 to"),
        (["gpt", "--script", "a.py", "--data", "no-such.txt"], "no-such.txt"),
    ],
)
def test_wrong_input(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


class Changed(LabSource):
    """A lab whose source is not what lies in its file."""

    def __init__(self, old: str, new: str) -> None:
        card, lab = find_card("lenet"), load_lab("lenet")
        source = card.path.read_text(encoding="utf-8")
        assert old in source
        self.text = source.replace(old, new)
        super().__init__(card, lab, dict.fromkeys(vars(lab.Params)["__annotations__"], 1), "digits", set())

    def _strip(self) -> None:
        self.source = self.text
        super()._strip()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("(Lab):", "(Lab, Other):", "not derived from Lab alone"),
        ("def step(self)", "def stride(self)", "has no step"),
        ("class LeNet(Lab)", "class LesNet(Lab)", "defines no class LeNet"),
        ('self.changed("batch_size")', "super().build()", "calls super"),
        ("F.cross_entropy(logits, y)", "mystery(logits, y)", "mystery"),
    ],
)
def test_what_cannot_be_a_script_is_said(old: str, new: str, reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        Changed(old, new)


def test_phases_that_do_more_than_wait_remain() -> None:
    code = Changed('yield "forward"', "yield from self.batch()")
    assert code.in_phases
    assert 'yield "backward"' in {m.name: t for m, t in code.gatherer.sections()}[code.card.module]


def test_what_cannot_happen_is_left_out() -> None:
    source = "def f(a):\n    if a in X:\n        # why\n        b = 1\n        return b\n    return 2\n"
    assert fold(source, {"a in X": True}) == "def f(a):\n    b = 1\n    return b\n"
    assert fold(source, {"a in X": False}) == "def f(a):\n    return 2\n"
    assert fold(source, {}) == source
    assert fold("x = 1 if a else é()\n", {"a": False}) == "x = é()\n"


def test_names_that_are_local_are_told_from_those_of_the_module() -> None:
    source = (
        "def f(a: A, *b: B, c=C, **d) -> D:\n"
        "    from engine.x import inner\n"
        "    e = [g + h for g in a]\n"
        "    def k(): return e, l, inner\n"
        "    try: m()\n"
        "    except N as o: o\n"
        "    match a:\n"
        "        case P(q=r): return r, s.t\n"
        "    return lambda u: u + v\n"
    )
    found = References()
    found.visit(ast.parse(source).body[0])
    assert {node.id for node in found.names} == {*"ABCDNPhlmsv", "inner"}
    assert found.reads == {"t"}
    assert [node.module for node in found.imports] == ["engine.x"]


def test_words_are_written_as_python_reads_them() -> None:
    for word in ("leaky ReLU", 'a "quoted" one', "it's", "C:\\new", "é\n", ""):
        assert ast.literal_eval(literal(word)) == word
        assert literal(word).startswith('"')


def test_a_lab_by_its_name() -> None:
    text = make_script("lenet", RunSpec("lenet", {"filters1": 3}, seed=8), 40).text
    assert "SEED, STEPS = 8, 40\nEACH = 2" in text
