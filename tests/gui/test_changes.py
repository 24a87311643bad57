"""What changed a run, in the window: flags and list, also after saving, branching and running again."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import LAB, PATIENCE, SMALL, until_trained
from helpers import BenchOpener as Opener
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.discovery import load_lab
from engine.lab import LabError
from engine.messages import Mark, RunSpec, WentBack
from engine.payloads import WeightEdit
from gui.changes import beginning
from gui.workbench import Workbench


def rows_of(bench: Workbench) -> list[tuple[str, ...]]:
    table = bench.changes.list.table
    return [tuple(table.item(row, column).text() for column in range(4)) for row in range(table.rowCount())]


def steps(bench: Workbench, qtbot: QtBot, step: int) -> None:
    """Step until so many steps are done."""
    while bench.run is not None and f"step {step:,}" not in bench.transport.where.text():
        before = bench.transport.where.text()
        bench.step_once()
        qtbot.waitUntil(lambda before=before: bench.transport.where.text() != before, timeout=PATIENCE)


def changed_run(bench: Workbench, qtbot: QtBot) -> None:
    """Stands at step 8: a knob was turned after step 3, a weight edited after step 5."""
    steps(bench, qtbot, 3)
    bench.controls.knobs["learning_rate"].choose(0.2)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 1, timeout=PATIENCE)
    steps(bench, qtbot, 5)
    bench._gesture("network", WeightEdit(0, 1, 0, 0.5), True)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 2, timeout=PATIENCE)
    steps(bench, qtbot, 8)


ROWS = [("3", "Learning rate", "0.03", "0.2"), ("5", "Network", "", "")]


def test_the_list_shows_what_changed_goes_there_and_takes_it_back(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    button = bench.timeline.changes
    assert (button.text(), button.isEnabled()) == ("Changes", False)
    assert "Nothing changed yet" in button.toolTip()
    changed_run(bench, qtbot)
    assert button.text() == "Changes (2)"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    listed = bench.changes.list
    assert listed.isVisible()
    assert rows_of(bench) == ROWS
    assert listed.undo.isEnabled()
    table = listed.table
    place = table.visualItemRect(table.item(0, 1)).center()
    for click in (qtbot.mouseClick, qtbot.mouseDClick):
        click(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert bench.rewinding.step == 3
    assert table.currentRow() == 0
    qtbot.mouseClick(listed.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 3, timeout=PATIENCE)
    assert rows_of(bench) == [*ROWS, ("8", "Learning rate", "0.2", "0.03")]
    assert bench.controls.knobs["learning_rate"].value == 0.03
    assert not listed.undo.isEnabled()  # it is what it was
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert bench.rewinding.step == 3
    table.setCurrentCell(1, 0)  # the edit
    qtbot.mouseClick(listed.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(bench.flags.flags) == 4, timeout=PATIENCE)
    assert rows_of(bench)[-1] == ("8", "Undo: Network", "", "")
    assert not bench.rewinding.rewound
    qtbot.keyClick(listed, Qt.Key.Key_Escape)
    assert not listed.isVisible()


def test_changes_come_back_with_a_saved_run_and_with_a_branch(open_bench: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    bench = open_bench()
    changed_run(bench, qtbot)
    marks = bench.flags.marks
    path = tmp_path / "run.deepscope"
    bench.saving._write(path)
    qtbot.waitUntil(lambda: bench.toast.text.text() == "Saved run.deepscope", timeout=PATIENCE)
    again = open_bench(LAB, resume=path)
    assert again.flags.marks == marks
    shown = [(flag.step, flag.text) for flag in again.grid.panels["loss"].view.flags]  # type: ignore[attr-defined]
    assert shown == again.timeline.track.flags == [(3, "Learning rate: 0.2"), (5, "Network")]
    run = again.run
    again.rewinding.scrub(8)
    again.rewinding.branch()
    qtbot.waitUntil(lambda: again.run != run and again.ready, timeout=PATIENCE)
    assert again.flags.marks == marks
    again.restart()
    qtbot.waitUntil(lambda: again.flags.marks == (), timeout=PATIENCE)
    assert not again.timeline.changes.isEnabled()


def test_running_again_with_the_changes_gives_the_same_curves(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench(seed=4, values={**SMALL, "batch_size": 500})  # a loss at every step
    changed_run(bench, qtbot)
    first = bench.run
    assert first is not None
    losses = [bench.bridge.history(first).at("train loss", step) for step in range(1, 9)]
    marks = bench.flags.marks
    bench.changes.open()
    qtbot.mouseClick(bench.changes.list.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.run != first and bench.ready, timeout=PATIENCE)
    assert not bench.changes.list.isVisible()
    until_trained(bench, qtbot)
    assert bench.flags.marks == marks
    assert bench.run is not None
    assert bench.runs.spec is not None
    assert bench.runs.spec.seed == 4
    assert bench.controls.knobs["learning_rate"].value == 0.2
    assert [bench.bridge.history(bench.run).at("train loss", step) for step in range(1, 9)] == losses
    assert None not in losses


def test_trying_again_keeps_the_changes(open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = open_bench()
    changed_run(bench, qtbot)
    run, marks = bench.run, bench.flags.marks

    def build(_: object) -> None:
        raise LabError("Not today.")

    monkeypatch.setattr(load_lab(LAB), "build", build)
    bench.changes.run_again()
    qtbot.waitUntil(lambda: "Not today." in bench.trouble, timeout=PATIENCE)
    assert bench.flags.marks == marks  # the run before goes on
    monkeypatch.undo()
    bench.banner.buttons()["Try again"].click()
    qtbot.waitUntil(lambda: bench.run != run and bench.ready, timeout=PATIENCE)
    steps(bench, qtbot, 8)
    assert bench.flags.marks == marks


def test_turns_that_come_together_are_one_change(open_bench: Opener) -> None:
    bench = open_bench()
    assert bench.info is not None
    turns = [
        Mark(step, "set", "learning_rate", "", old, old + 0.1) for step, old in ((500, 0.1), (504, 0.2), (900, 0.3))
    ]
    bench.flags.restore(turns, 1000, bench.info)
    assert [(flag.step, flag.text) for flag in bench.flags.flags] == [
        (500, "Learning rate: 0.3"),
        (900, "Learning rate: 0.4"),
    ]
    assert rows_of(bench)[0] == ("500", "Learning rate", "0.1", "0.3")
    assert bench.run is not None
    bench.bridge.happened.emit(WentBack(bench.run, 600, tuple(turns[:2])))
    assert bench.flags.marks == tuple(turns[:2])


def test_a_run_begins_with_what_its_changes_changed() -> None:
    marks = (
        Mark(1, "set", "rate", "", 0.1, 0.2),
        Mark(2, "set", "rate", "", 0.2, 0.3),
        Mark(2, "action", "shake", ""),
    )
    assert beginning(RunSpec("lab", {"rate": 0.3, "width": 4}, seed=3), marks) == RunSpec(
        "lab", {"rate": 0.1, "width": 4}, seed=3
    )
