"""Labs of one's own: from the viewer's folder and from installed packages, sound and broken, and loaded anew."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine import own_labs
from engine.__main__ import main
from engine.check import check_lab
from engine.discovery import UnknownLab, built_in, catalogue, find_card, load_lab
from engine.hyperparameters import fitting
from engine.lab import describe, start
from engine.messages import Failed, Open, Opened, RunSpec
from engine.own_labs import BrokenLab, copy_lab, free_name
from engine.session import Session

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
BROKEN = EXAMPLE.replace("nn.Linear(2, 1)", "nn.Linear((2, 1)")
BROKEN_LINE = 1 + BROKEN[: BROKEN.index("nn.Linear((2, 1)")].count("\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the viewer's own labs, with the README's example in it."""
    made = tmp_path / "labs"
    made.mkdir()
    monkeypatch.setenv("DEEPSCOPE_LABS", str(made))
    (made / "one_neuron.py").write_text(EXAMPLE, encoding="utf-8")
    return made


def own() -> dict[str, str]:
    """Title by id of the viewer's own labs."""
    return {card.id: card.title for card in catalogue() if card.own}


def test_a_file_in_the_folder_is_a_lab_of_the_last_chapter(folder: Path) -> None:
    card = catalogue()[-1]
    assert (card.id, card.title, card.chapter, card.problem) == ("mine.one_neuron", "One neuron", "Mine", "")
    assert find_card("one_neuron") == card  # nothing else is called so
    info = describe(load_lab(card.id), card.id)
    assert info.source == folder / "one_neuron.py"


def test_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSCOPE_LABS")
    assert own_labs.labs_folder().parts[-2:] == ("deepscope", "labs")
    monkeypatch.setenv("DEEPSCOPE_LABS", str(tmp_path / "named"))
    assert own_labs.labs_folder() == tmp_path / "named"
    own_labs.set_labs_folder(tmp_path / "chosen")
    try:
        assert own_labs.labs_folder() == tmp_path / "chosen"
        assert own_labs.own_cards() == []  # it need not exist
    finally:
        own_labs.set_labs_folder(None)


def test_a_file_takes_no_other_labs_place(folder: Path) -> None:
    (folder / "lenet.py").write_text(EXAMPLE, encoding="utf-8")
    assert find_card("lenet").title == "LeNet on digits"
    assert find_card("mine.lenet").title == "One neuron"
    ids = [card.id for card in catalogue()]
    assert len(set(ids)) == len(ids)


def test_new_changed_and_removed_files_are_noticed(folder: Path) -> None:
    (folder / "another.py").write_text(EXAMPLE.replace('"One neuron"', '"Another"'), encoding="utf-8")
    assert own() == {"mine.another": "Another", "mine.one_neuron": "One neuron"}
    (folder / "another.py").write_text(EXAMPLE.replace('"One neuron"', '"A third name"'), encoding="utf-8")
    assert own()["mine.another"] == "A third name"
    (folder / "another.py").unlink()
    (folder / "_helper.py").write_text("", encoding="utf-8")
    assert own() == {"mine.one_neuron": "One neuron"}
    with pytest.raises(UnknownLab, match=re.escape("mine.one_neuron")):
        find_card("another")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (BROKEN.encode(), f"line {BROKEN_LINE}: "),
        (b"x = 1\n", "there is no class with title, chapter and summary"),
        (b"class A:\n    title = '\xff'\n", "this is no text in UTF-8"),
        (b"x = '\0'\n", "null bytes"),
    ],
)
def test_a_broken_file_is_a_card_that_says_why(folder: Path, content: bytes, problem: str) -> None:
    (folder / "broken.py").write_bytes(content)
    card = find_card("mine.broken")
    assert card.title == "broken.py"
    assert card.summary.startswith("broken: ")
    assert problem in card.summary
    with pytest.raises(BrokenLab, match=re.escape("broken.py")):
        load_lab(card.id)
    assert len(own()) == 2  # the others are there


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import engine.lab\n\nengine.lab.nothing()\n", "line 3: AttributeError"),
        ("import no_such_package_at_all\n", "line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit('away')\n", "line 2: SystemExit: away"),
    ],
)
def test_what_goes_wrong_on_loading_names_its_line(folder: Path, code: str, told: str) -> None:
    head = "class Odd:\n    title, chapter, summary = 'Odd', 'Vision', 'It is'\n"
    (folder / "odd.py").write_text(code + head, encoding="utf-8")
    assert find_card("odd").problem == ""
    with pytest.raises(BrokenLab, match=f"odd.py, {told}"):
        load_lab("odd")
    (folder / "odd.py").write_text(head, encoding="utf-8")
    with pytest.raises(BrokenLab, match="Odd is no class derived from"):
        load_lab("odd")


def test_loading_again_gives_the_same_class_until_the_text_changes(folder: Path) -> None:
    path = folder / "one_neuron.py"
    first = load_lab("one_neuron")
    assert load_lab("one_neuron") is first
    before = path.stat()
    path.write_text(EXAMPLE.replace("real(0.5", "real(0.7"), encoding="utf-8")  # of the same length
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and, for the clock, of the same age
    second = load_lab("one_neuron")
    assert second is not first
    assert (first.Params().learning_rate, second.Params().learning_rate) == (0.5, 0.7)
    assert sys.modules[second.__module__] is not sys.modules[first.__module__]
    start(first).build()  # the former version still works
    assert not list(folder.glob("__pycache__"))


@pytest.mark.usefixtures("folder")
def test_the_readmes_example_keeps_the_contract() -> None:
    findings = list(check_lab(load_lab("mine.one_neuron"), "mine.one_neuron"))
    assert len(findings) >= 8
    assert [f for f in findings if f.problem] == []


def test_the_session_runs_what_stands_in_the_file(folder: Path) -> None:
    session = Session(threads=1)
    try:

        def opened(run: int, **values: float) -> Opened | Failed:
            session.send(Open(run, RunSpec("mine.one_neuron", values)))
            while True:
                for event in session.news().events:
                    if isinstance(event, Opened | Failed) and event.run == run:
                        return event

        first = opened(1, points=100, learning_rate=0.25)
        assert isinstance(first, Opened)
        changed = EXAMPLE.replace("points: int", "dots: int").replace("self.hp.points", "self.hp.dots")
        (folder / "one_neuron.py").write_text(changed.replace('Forget"', 'Begin anew"'), encoding="utf-8")
        second = opened(2, points=100, learning_rate=0.25)
        assert isinstance(second, Opened)
        assert second.lab.actions[0].title == "Begin anew"
        assert second.spec.hyperparameters == {"learning_rate": 0.25, "dots": 200}
        (folder / "one_neuron.py").write_text(BROKEN, encoding="utf-8")
        third = opened(3)
        assert isinstance(third, Failed)
        assert f"one_neuron.py, line {BROKEN_LINE}: SyntaxError" in third.summary
        assert third.expected
    finally:
        session.quit()


@pytest.mark.usefixtures("folder")
def test_hyperparameters_that_fit() -> None:
    params = load_lab("one_neuron").Params
    asked = {"learning_rate": 99.0, "points": 50, "gone": 1, "again": "x"}
    assert fitting(params, asked) == {"points": 50}
    assert fitting(params, {"points": "many"}) == {}


# ------------------------------------------------------------------ packages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package that offers labs; importing the package itself would fail."""
    inside = tmp_path / "site" / "fakelabs" / "inner"
    inside.mkdir(parents=True)
    (inside.parent / "__init__.py").write_text("", encoding="utf-8")
    (inside / "__init__.py").write_text("", encoding="utf-8")
    (inside / "neuron.py").write_text(EXAMPLE, encoding="utf-8")
    (inside / "wrong.py").write_text(BROKEN, encoding="utf-8")
    info = tmp_path / "site" / "fakelabs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fakelabs\nVersion: 1.0\n", encoding="utf-8")
    entries = (
        "[deepscope.labs]\n"
        "packaged-neuron = fakelabs.inner.neuron:OneNeuron\n"
        "lenet = fakelabs.inner.neuron\n"
        "wrong = fakelabs.inner.wrong:OneNeuron\n"
        "nowhere = fakelabs.nothing:OneNeuron\n"
        "absent = no_such_package_at_all\n"
    )
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield inside
    for name in [name for name in sys.modules if name.split(".")[0] == "fakelabs"]:
        del sys.modules[name]


def test_packages_offer_labs_in_their_chapters(package: Path) -> None:
    cards = {card.id: card for card in catalogue()}
    assert not any(name.startswith("fakelabs") for name in sys.modules)  # nothing was imported
    mine = cards["packaged-neuron"]
    assert (mine.title, mine.chapter, mine.path) == ("One neuron", "Foundations", package / "neuron.py")
    assert not mine.own
    foundations = [card for card in catalogue() if card.chapter == "Foundations"]
    come_along = {card.id for card in built_in() if card.chapter == "Foundations"}
    assert {card.id for card in foundations} == come_along | {"packaged-neuron", "fakelabs.lenet"}
    assert [card.order for card in foundations] == sorted(card.order for card in foundations)
    assert cards["lenet"] in built_in()  # its id was taken
    assert "line " in cards["wrong"].problem
    assert cards["nowhere"].problem == "there is no module fakelabs.nothing"
    assert cards["absent"].problem == "there is no module no_such_package_at_all"


@pytest.mark.usefixtures("package")
def test_a_packages_lab_runs() -> None:
    torch.manual_seed(0)
    assert load_lab("packaged_neuron").title == "One neuron"
    assert load_lab("fakelabs.lenet").__module__ == "fakelabs.inner.neuron"
    for broken in ("wrong", "nowhere", "absent"):
        with pytest.raises(BrokenLab):
            load_lab(broken)


# ------------------------------------------------------------------ the command line


def test_the_command_line_knows_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.py").write_text(BROKEN, encoding="utf-8")
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"mine\.one_neuron +Mine +One neuron - A line between two clouds", listed)
    assert f"broken: line {BROKEN_LINE}" in listed
    assert main(["list", "--json"]) == 0
    found = {lab["id"]: lab for lab in json.loads(capsys.readouterr().out)}
    assert found["mine.one_neuron"]["hyperparameters"][0]["name"] == "learning_rate"
    assert f"line {BROKEN_LINE}" in found["mine.broken"]["problem"]
    assert main(["run", "one-neuron", "--steps", "3", "--json", "--set", "points=20"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 3
    assert main(["check", "mine.broken"]) == 1
    assert re.search(rf"mine\.broken +FAILS +broken\.py, line {BROKEN_LINE}: SyntaxError", capsys.readouterr().out)
    assert main(["run", "mine.broken"]) == 2
    assert f"line {BROKEN_LINE}" in capsys.readouterr().err
    assert main(["prove", "mine.broken"]) == 1


@pytest.mark.usefixtures("folder")
def test_a_lab_of_ones_own_as_a_script(tmp_path: Path) -> None:
    assert main(["export", "mine.one_neuron", "--script", str(tmp_path / "alone.py"), "--steps", "5"]) == 0
    text = (tmp_path / "alone.py").read_text(encoding="utf-8")
    compile(text, "alone.py", "exec")
    assert "class OneNeuron:" in text
    assert "engine" not in re.sub(r'""".*?"""', "", text, flags=re.DOTALL)


def test_a_copy_of_a_lab_gives_the_same_script(folder: Path, tmp_path: Path) -> None:
    shutil.copy(find_card("lenet").path, folder / "my_lenet.py")
    for lab in ("lenet", "mine.my_lenet"):
        assert main(["export", lab, "--script", str(tmp_path / f"{lab}.py"), "--steps", "5"]) == 0
    one, other = ((tmp_path / f"{lab}.py").read_text(encoding="utf-8") for lab in ("lenet", "mine.my_lenet"))
    assert one.replace("lenet.py", "mine.my_lenet.py") == other


@pytest.mark.parametrize("lab", [card.id for card in built_in()])
def test_any_lab_can_be_copied(folder: Path, lab: str) -> None:
    card = find_card(lab)
    name = free_name(card.path)
    assert name == f"my_{card.path.stem}"
    copied = copy_lab(card.path, name)
    assert copied == folder / f"{name}.py"
    own_card = find_card(f"mine.{name}")
    assert (own_card.title, own_card.problem) == (f"{card.title} (mine)", "")
    assert free_name(card.path) == f"{name}_2"
    one, other = (path.read_text(encoding="utf-8").splitlines() for path in (card.path, copied))
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1  # the title's line


def test_a_copy_replaces_nothing_and_needs_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileExistsError):
        copy_lab(folder / "one_neuron.py", " one neuron ")
    assert (folder / "one_neuron.py").read_text(encoding="utf-8") == EXAMPLE
    with pytest.raises(ValueError, match="needs a name"):
        copy_lab(folder / "one_neuron.py", " .. ")
    monkeypatch.setenv("DEEPSCOPE_LABS", str(folder / "new" / "one"))  # is made when it is needed
    assert copy_lab(folder / "one_neuron.py", "Naïve/../../x.py").parent == folder / "new" / "one"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ('{"loss": "low"}', "step() returned 'low' for the metric 'loss'; a metric is a number"),
        ('{"loss": None}', "step() returned None for the metric 'loss'; a metric is a number"),
        ('{"loss": torch.ones(2)}', "step() returned numbers of shape (2,) for 'loss'; a metric is one number"),
        ("[1.0]", "step() returned a list; it returns metrics by name, or None"),
    ],
)
def test_a_metric_that_is_no_number_is_one_clear_line(
    folder: Path, returned: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = re.sub(r"return \{.*\}", f"return {returned}", EXAMPLE)
    assert returned in ends
    (folder / "odd.py").write_text(ends.replace("One neuron", "Odd"), encoding="utf-8")
    assert main(["run", "mine.odd", "--steps", "2", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"engine: {message}\n")
