"""Names and texts of labs, sessions and data are shown as they are written, whatever markup they hold."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from helpers import PATIENCE, SMALL, BenchOpener, bench_of, learn, open_file
from helpers import WindowOpener as Opener
from PySide6.QtCore import QPoint, QProcess, QUrl
from PySide6.QtGui import QPixmap, Qt, QTextDocument, QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QTableWidget, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from gui.data_preview import DataPreview
from gui.plain import plain, wrapped

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
BAD = '<img src=\\"file:///tmp/x.png\\"><b>x</b>'  # as it is written in Python
SHOWN = BAD.replace("\\", "")


@pytest.fixture
def hostile_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's example with markup in each of its texts."""
    source = EXAMPLE
    for text in (
        "One neuron",
        "A line between two clouds",
        "How far each step goes",
        "What the neuron says",
        "Forget",
        "Its output for every point of the plane",
        "Binary cross-entropy, averaged over all points",
        "blue",
        "Start again from small random weights",
        "A single neuron draws",
    ):
        assert text in source
        source = source.replace(text, f"{BAD} {text}")
    source = source.replace('"""One', '"""1').replace('"Loss"', f'"{BAD}Loss"')
    source += f'''
    def facts(self) -> dict[str, str]:
        return {{"{BAD}fact": "{BAD}value"}}

    @action("{BAD}Fail", help="{BAD}")
    def fail(self) -> None:
        raise ValueError("{BAD}")
'''
    folder = tmp_path / "labs"
    folder.mkdir()
    (folder / "bad.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("DEEPSCOPE_LABS", str(folder))
    return folder / "bad.py"


def check(*roots: QWidget) -> str:
    """Every label and tool tip; gives all that the labels say."""
    said = []
    for root in roots:
        for widget in [root, *root.findChildren(QWidget)]:
            tips = [widget.toolTip()]
            if isinstance(widget, QComboBox | QTableWidget):
                model = widget.model()
                places = product(range(model.rowCount()), range(model.columnCount()))
                tips += [str(model.index(*place).data(Qt.ItemDataRole.ToolTipRole) or "") for place in places]
            for tip in filter(Qt.mightBeRichText, tips):
                assert "<img" not in tip
                assert "<b>" not in tip
        for label in root.findChildren(QLabel):
            if label.isVisible() and label.metaObject().className() != "QTipLabel":
                assert label.textFormat() == Qt.TextFormat.PlainText, label.text()
                said.append(label.text())
    return "\n".join(said)


@pytest.mark.usefixtures("hostile_lab")
def test_a_lab_whose_texts_are_markup(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: "mine.bad" in window.gallery.shown(), timeout=PATIENCE)
    check(window)
    window.open_lab("mine.bad")
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    learn(bench, qtbot)
    bench.toast.say(f"{SHOWN} saved")
    window.notice.show_error(SHOWN, SHOWN)
    bench.banner.say(SHOWN)
    said = check(window)
    for part in ("fact", "value", " saved"):
        assert SHOWN + part in said
    assert f"Something went wrong: {SHOWN}" in said
    bench.controls.action_pressed.emit("fail")
    qtbot.waitUntil(lambda: "ValueError" in bench.trouble, timeout=PATIENCE)
    assert SHOWN in check(window)


def test_a_guide_shows_tags_and_loads_no_pictures(
    hostile_lab: Path, open_window: Opener, qtbot: QtBot, tmp_path: Path
) -> None:
    picture = QPixmap(8, 8)
    picture.fill(Qt.GlobalColor.red)
    assert picture.save(str(tmp_path / "x.png"))
    address = QUrl.fromLocalFile(str(tmp_path / "x.png"))
    guide = f"# Guide\n\n<b>bold?</b> ![there]({address.toString()})\n"
    hostile_lab.with_suffix(".md").write_text(guide, encoding="utf-8")
    bench = bench_of(open_window("mine.bad"))
    bench.explain_action.setChecked(True)
    qtbot.waitUntil(lambda: "Guide" in bench.explain.toPlainText(), timeout=PATIENCE)
    assert "<b>bold?</b>" in bench.explain.toPlainText()
    kind = QTextDocument.ResourceType.ImageResource.value
    QApplication.processEvents()  # it is painted
    assert bench.explain.document().resource(kind, address).width() == 1
    hostile_lab.with_suffix(".md").unlink()
    bench.explain.show_lab(bench.info)
    assert SHOWN in bench.explain.toPlainText()  # title and docstring stand in for a guide


def test_a_table_and_a_session_whose_names_are_markup(open_window: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    table = tmp_path / "<b>x<b>.csv"
    table.write_text(f"{SHOWN}1,two,{SHOWN}\n" + "".join(f"{i},{i % 7},<b>{i % 3}<b>\n" for i in range(40)))
    window = open_window("dense_network", values=SMALL)
    bench = bench_of(window)
    dialog = DataPreview(str(table), f"{SHOWN}lab", ("table",))
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.use.isEnabled, timeout=PATIENCE)
    assert "<b>x<b>.csv" in check(dialog)
    bench.runs.choose_dataset(str(table))
    qtbot.waitUntil(lambda: bench.ready and "csv" in (bench.runs.spec.dataset if bench.runs.spec else ""))
    qtbot.waitUntil(lambda: f"{SHOWN}1, 0 to 39" in check(window), timeout=PATIENCE)
    path = tmp_path / "<img src=x> <b>y<b>.deepscope"
    bench.runs.save(path)
    qtbot.waitUntil(path.exists, timeout=PATIENCE)
    qtbot.waitUntil(lambda: f"Saved {path.name}" in check(window), timeout=PATIENCE)
    path.write_bytes(b"damaged")
    open_file(window, qtbot, path)
    assert path.name in check(window)


def test_tool_tips_and_the_banner(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    view = next(iter(bench.grid.panels.values())).view
    view.tell(QPoint(5, 5), SHOWN)
    qtbot.waitUntil(QToolTip.isVisible)
    assert QTextDocumentFragment.fromHtml(QToolTip.text()).toPlainText() == SHOWN
    QToolTip.hideText()
    bench.banner.say(SHOWN, (SHOWN, lambda: None))
    assert SHOWN in check(bench.banner)
    assert plain("two\nlines") == "two\nlines"
    assert wrapped("") == ""


def test_the_editor_takes_no_name_for_an_option(
    open_bench: BenchOpener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    started: list[list[str]] = []
    monkeypatch.setenv("VISUAL", "env --wait")

    def start(_program: str, arguments: list[str]) -> tuple[bool, int]:
        started.append(arguments)
        return True, 1

    monkeypatch.setattr(QProcess, "startDetached", start)
    monkeypatch.chdir(tmp_path)
    bench.file.edit(Path("-c'touch x';.py"))
    assert started == [["--wait", str(tmp_path / "-c'touch x';.py")]]
