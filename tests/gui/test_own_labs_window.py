"""Labs of one's own in the window: found, copied, edited while they run, and broken without harm."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helpers import PATIENCE, bench_of, learn, newest, still_trains
from helpers import WindowOpener as Opener
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QInputDialog, QLabel
from pytestqt.qtbot import QtBot

from engine.discovery import find_card
from gui.explain_panel import guide_of
from gui.lab_file import editor
from gui.main_window import MainWindow
from gui.settings_dialog import SettingsDialog

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
NEURON = "nn.Linear(2, 1)"
LINE = 1 + EXAMPLE[: EXAMPLE.index(NEURON)].count("\n")
BROKEN = EXAMPLE.replace(NEURON, "nn.Linear((2, 1)")
FAILING = EXAMPLE.replace(NEURON, "nn.Linear(2, 1 // 0)")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the viewer's own labs, with the README's example in it."""
    made = tmp_path / "labs"
    made.mkdir()
    monkeypatch.setenv("DEEPSCOPE_LABS", str(made))
    (made / "one_neuron.py").write_text(EXAMPLE, encoding="utf-8")
    return made


def save(path: Path, text: str) -> None:
    """As most editors do: another file takes the place of the former one."""
    other = path.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    os.replace(other, path)


def headings(window: MainWindow) -> list[str]:
    return [label.text() for label in window.gallery.findChildren(QLabel) if label.property("role") == "chapter"]


def shows(window: MainWindow, qtbot: QtBot, *labs: str) -> bool:
    qtbot.waitUntil(lambda: set(labs) <= set(window.gallery.shown()), timeout=PATIENCE)
    return True


def test_the_gallery_shows_them_last_under_mine(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    (folder / "broken.py").write_text(BROKEN, encoding="utf-8")
    window = open_window()
    assert shows(window, qtbot, "mine.one_neuron", "mine.broken")
    assert window.gallery.shown()[-2:] == ["mine.broken", "mine.one_neuron"]
    assert headings(window)[-1] == "Mine"
    window.header.search.setText("neuron")
    assert "mine.one_neuron" in window.gallery.shown()


def test_files_that_come_and_go_are_seen_on_coming_back(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    window = open_window("mine.one_neuron")
    (folder / "second.py").write_text(EXAMPLE, encoding="utf-8")
    window.show_gallery()
    assert shows(window, qtbot, "mine.second")
    (folder / "second.py").unlink()
    window.look_for_labs()
    assert "mine.second" not in window.gallery.shown()


def test_an_edit_builds_the_lab_anew_with_what_still_fits(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    window = open_window("mine.one_neuron", values={"points": 60, "learning_rate": 0.25}, seed=4)
    bench = bench_of(window)
    learn(bench, qtbot)
    first = bench.run
    changed = EXAMPLE.replace("learning_rate", "rate").replace('"loss plane plane"', '"loss loss plane"')
    save(folder / "one_neuron.py", changed)
    qtbot.waitUntil(lambda: bench.run != first, timeout=PATIENCE)
    assert bench.runs.spec is not None
    assert bench.runs.spec.hyperparameters == {"rate": 0.5, "points": 60}
    assert bench.runs.spec.seed == 4
    assert set(bench.controls.knobs) == {"rate", "points"}
    assert bench.info is not None
    assert bench.info.layout == (("loss", "loss", "plane"),)
    assert bench.trouble == ""
    assert still_trains(bench, qtbot)  # it went on to train by itself
    second = bench.run
    save(folder / "one_neuron.py", EXAMPLE)  # and is watched still
    qtbot.waitUntil(lambda: bench.run != second and "learning_rate" in bench.controls.knobs, timeout=PATIENCE)


@pytest.mark.parametrize(("code", "what"), [(BROKEN, "SyntaxError"), (FAILING, "ZeroDivisionError")])
def test_a_broken_edit_is_said_with_its_line_and_the_former_goes_on(
    folder: Path, open_window: Opener, qtbot: QtBot, code: str, what: str
) -> None:
    window = open_window("mine.one_neuron")
    bench = bench_of(window)
    bench.code_action.setChecked(True)
    learn(bench, qtbot)
    run = bench.run
    save(folder / "one_neuron.py", code)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble.startswith(f"one_neuron.py, line {LINE}: {what}: ")
    assert "What ran before goes on" in bench.trouble
    assert bench.code.error.text().startswith(f"one_neuron.py, line {LINE}: {what}: ")
    assert bench.code.text.error_line == LINE - 1
    assert bench.code.text.toPlainText() == code
    assert bench.run == run
    assert still_trains(bench, qtbot)
    save(folder / "one_neuron.py", EXAMPLE.replace('"One neuron"', '"Mended"'))
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert (bench.trouble, bench.code.error.text(), bench.code.text.error_line) == ("", "", -1)
    assert bench.info is not None
    assert bench.info.title == "Mended"


def test_a_broken_lab_opens_with_its_error_and_starts_once_it_is_right(
    folder: Path, open_window: Opener, qtbot: QtBot
) -> None:
    path = folder / "broken.py"
    path.write_text(BROKEN, encoding="utf-8")
    window = open_window("mine.broken")
    bench = bench_of(window)
    assert f"broken.py, line {LINE}: SyntaxError" in bench.trouble
    assert bench.code.isVisible()
    assert bench.code.text.error_line == LINE - 1
    assert bench.code.text.toPlainText() == BROKEN
    bench.banner.buttons()["Try again"].click()  # nothing is better yet
    qtbot.waitUntil(lambda: bench.runs.pending is None, timeout=PATIENCE)
    assert bench.trouble.startswith("broken.py, line")
    path.write_text(EXAMPLE, encoding="utf-8")  # in place, as some editors do
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.trouble == ""
    learn(bench, qtbot)


def test_a_comparison_survives_a_broken_edit_and_ends_with_another_code(
    folder: Path, open_window: Opener, qtbot: QtBot
) -> None:
    bench = bench_of(open_window("mine.one_neuron"))
    bench.twins.action.setChecked(True)
    qtbot.waitUntil(lambda: bench.ready and bool(bench.twins.runs), timeout=PATIENCE)
    learn(bench, qtbot)
    run = bench.run
    save(folder / "one_neuron.py", FAILING)
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert bench.run == run
    assert bench.twins.on
    save(folder / "one_neuron.py", EXAMPLE.replace("learning_rate", "rate"))
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)
    assert not bench.twins.on
    assert still_trains(bench, qtbot)


def test_an_error_in_a_step_names_its_line(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    yields = 'yield "backward"'
    (folder / "one_neuron.py").write_text(EXAMPLE.replace(yields, "self.nothing"), encoding="utf-8")
    bench = bench_of(open_window("mine.one_neuron"))
    bench.step_once()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    line = 1 + EXAMPLE[: EXAMPLE.index(yields)].count("\n")
    assert bench.trouble.startswith(f"one_neuron.py, line {line}: AttributeError")


def test_a_lab_is_copied_and_opened(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    window = open_window("dense_network", values={"layers": 1, "width_1": 3})
    bench = bench_of(window)
    bench.code_action.setChecked(True)
    bench.code.copy.click()
    dialog = bench.findChild(QInputDialog)
    assert isinstance(dialog, QInputDialog)
    assert dialog.textValue() == "my_dense_network"
    dialog.setTextValue("one neuron")
    dialog.accept()
    assert "There is a lab of that name already" in bench.trouble
    bench.code.copy.click()
    dialog = next(each for each in bench.findChildren(QInputDialog) if each.isVisible())
    dialog.setTextValue("my net")
    dialog.accept()
    qtbot.waitUntil(lambda: window.workbench is not None and window.workbench.lab_id == "mine.my_net", timeout=PATIENCE)
    mine = bench_of(window)
    qtbot.waitUntil(lambda: mine.ready or bool(mine.trouble), timeout=PATIENCE)
    assert mine.trouble == ""
    assert mine.info is not None
    assert mine.info.source == folder / "my_net.py"
    assert mine.info.title == "Dense network (mine)"
    learn(mine, qtbot, 5)
    assert newest(mine) >= 5


def test_the_guide_lies_beside_the_file(folder: Path) -> None:
    path = folder / "one_neuron.py"
    assert guide_of("mine.one_neuron", path) == ""  # the docstring stands in
    path.with_suffix(".md").write_text("# Mine", encoding="utf-8")
    assert guide_of("mine.one_neuron", path) == "# Mine"
    assert guide_of("lenet", find_card("lenet").path).startswith("# ")


def test_the_editor(open_window: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "vim")
    monkeypatch.delenv("VISUAL", raising=False)
    assert editor() == []  # it would need a terminal
    monkeypatch.setenv("VISUAL", "env --wait")
    assert editor() == ["env", "--wait"]
    monkeypatch.setenv("VISUAL", "no-such-editor-anywhere")
    bench = bench_of(open_window("mine.one_neuron"))
    bench.code_action.setChecked(True)
    asked: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(asked.append(url.toLocalFile())))
    monkeypatch.setattr("sys.platform", "linux")
    bench.code.edit.click()
    assert asked == [str(folder / "one_neuron.py")]
    assert str(folder / "one_neuron.py") in bench.trouble  # none could be started: the path is told


@pytest.mark.usefixtures("folder")
def test_the_code_folds_and_goes_where_it_is_asked(open_window: Opener, qtbot: QtBot) -> None:
    bench = bench_of(open_window("mine.one_neuron"))
    bench.code_action.setChecked(True)
    side, text = bench.code, bench.code.text
    places = [side.places.itemText(index) for index in range(side.places.count())]
    assert places == ["build", "step", "plane", "forget"]

    def hidden() -> int:
        document = text.document()
        return sum(not document.findBlockByNumber(n).isVisible() for n in range(document.blockCount()))

    assert hidden() == 0
    side.folding.click()
    bodies = hidden()
    assert bodies >= 15
    side.places.activated.emit(places.index("step"))
    line = text.textCursor().blockNumber()
    assert text.textCursor().block().text() == "    def step(self) -> Step:"
    assert text.document().findBlockByNumber(line + 1).isVisible()
    assert 0 < hidden() < bodies
    side.folding.click()
    side.folding.click()
    bench.activateWindow()
    bench.grid.panels["plane"].view.setFocus()
    qtbot.waitUntil(lambda: side.places.itemText(0) == "View in focus: plane", timeout=PATIENCE)
    side.places.activated.emit(0)
    assert text.textCursor().block().text().startswith('    @view(Field("What the neuron says"')


def test_the_settings_name_another_folder(folder: Path, open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "elsewhere.py").write_text(EXAMPLE, encoding="utf-8")
    window = open_window()
    assert shows(window, qtbot, "mine.one_neuron")
    dialog = SettingsDialog(window.settings)
    qtbot.addWidget(dialog)
    assert dialog._labs.accessibleName() == "My labs"
    assert dialog._labs.placeholderText() == str(folder)
    dialog._labs.setText(str(tmp_path / "nowhere"))
    dialog._labs.editingFinished.emit()
    assert "no such folder" in dialog._labs_hint.text()
    assert window.settings.labs_folder == ""
    dialog._labs.setText(str(other))
    dialog._labs.editingFinished.emit()
    assert "1 file in it" in dialog._labs_hint.text()
    assert shows(window, qtbot, "mine.elsewhere")
    assert "mine.one_neuron" not in window.gallery.shown()


def test_a_layout_that_names_an_unknown_view_is_said_in_a_line(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    path = folder / "one_neuron.py"
    wrong = EXAMPLE.replace('"loss plane plane"', '"loss plane plain"')
    path.write_text(wrong, encoding="utf-8")
    bench = bench_of(open_window("mine.one_neuron"))
    said = "the layout names 'plain', and the lab has no such view (it has: loss, plane)"
    assert said in bench.trouble
    assert "\n" not in bench.trouble
    assert "Building" not in bench.building.text.text()
    assert bench.building.line.isHidden()
    save(path, EXAMPLE)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    run = bench.run
    save(path, wrong)
    qtbot.waitUntil(lambda: said in bench.trouble, timeout=PATIENCE)
    assert bench.run == run
    assert still_trains(bench, qtbot)


def test_a_metric_that_is_a_word_is_said_in_a_line(folder: Path, open_window: Opener, qtbot: QtBot) -> None:
    text = EXAMPLE.replace('return {"loss": loss.detach()}', 'return {"loss": "low"}')
    (folder / "one_neuron.py").write_text(text, encoding="utf-8")
    bench = bench_of(open_window("mine.one_neuron"))
    bench.step_once()
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "step() returned 'low' for the metric 'loss'; a metric is a number" in bench.trouble
    assert "\n" not in bench.trouble
