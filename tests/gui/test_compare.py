"""Two runs beside each other: opened, turned, scrubbed, restarted and closed as a person does it."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import PATIENCE, SMALL, bench_of, learn, newest, still_trains, take_keyboard
from helpers import BenchOpener as Opener
from helpers import WindowOpener as Windows
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.messages import Changed, Event, Opened, Set
from engine.payloads import PointPick
from gui import format
from gui.knobs import NumberKnob
from gui.twins_table import Column
from gui.workbench import Workbench


class Ear:
    """All that the session said."""

    def __init__(self, bench: Workbench) -> None:
        self.heard: list[Event] = []
        self.opened: list[Opened] = []
        bench.bridge.happened.connect(self.heard.append)
        bench.bridge.opened.connect(self.opened.append)

    def specs(self, *runs: int | None) -> list[Any]:
        return [event.spec for run in runs for event in self.opened if event.run == run]


def compare(bench: Workbench, qtbot: QtBot) -> int:
    """Begin a comparison; returns B's number once both stand and are seen."""
    former = bench.run
    bench.twins.action.trigger()
    return both_stand(bench, qtbot, former)


def both_stand(bench: Workbench, qtbot: QtBot, former: int | None) -> int:
    qtbot.waitUntil(lambda: bench.run != former and bench.ready, timeout=PATIENCE)
    twins = bench.twins.runs
    qtbot.waitUntil(lambda: all(bench.bridge.latest(twin) for twin in twins), timeout=PATIENCE)
    return twins[0]


def pause(bench: Workbench, qtbot: QtBot) -> None:
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    for twin in bench.twins.runs:
        qtbot.waitUntil(lambda twin=twin: level(bench, twin), timeout=PATIENCE)


def level(bench: Workbench, twin: int) -> bool:
    return bench.bridge.history(twin).span() == bench.bridge.history(bench.run or 0).span()


def losses(bench: Workbench, run: int | None, steps: int) -> list[float | None]:
    assert run is not None
    return [bench.bridge.history(run).at("train loss", step) for step in range(1, steps)]


def test_the_same_bits_alone_and_as_a_twin(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    ear = Ear(bench)
    learn(bench, qtbot, 150)
    pause(bench, qtbot)
    end = newest(bench)
    alone = losses(bench, bench.run, end)
    rate = bench.runs.values()["learning_rate"]
    twin = compare(bench, qtbot)
    assert bench.bridge.history(bench.run or 0).span() is None  # both begin at step 0
    assert not bench.transport.playing
    ours, theirs = ear.specs(bench.run, twin)
    assert ours.seed == theirs.seed
    assert {n for n, v in ours.hyperparameters.items() if theirs.hyperparameters[n] != v} == {"learning_rate"}
    assert theirs.hyperparameters["learning_rate"] == pytest.approx(10 * float(rate))
    learn(bench, qtbot, end)
    pause(bench, qtbot)
    assert losses(bench, bench.run, end) == alone
    assert losses(bench, twin, end) != alone


def test_both_are_seen_side_by_side_and_in_one_plot(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    twin = compare(bench, qtbot)
    learn(bench, qtbot, 60)
    pause(bench, qtbot)
    network, loss = bench.grid.panels["network"], bench.grid.panels["loss"]
    assert list(network.twins) == ["B"]
    assert network.twins["B"].size() == network.view.size()
    assert network.twins["B"].payload is not network.view.payload
    assert loss.twins == {}
    assert loss.view.twins == {"B": bench.bridge.history(twin)}  # type: ignore[attr-defined]
    single = loss.view.grab().toImage()
    loss.view.set_twins({})  # type: ignore[attr-defined]
    assert loss.view.grab().toImage() != single
    qtbot.waitUntil(lambda: len(bench.twins.bar.figures.columns) > 2)
    rate, *metrics = bench.twins.bar.figures.columns
    assert rate == Column("Learning rate", ("0.03", "0.3"))
    last = bench.bridge.history(twin).last("train loss")
    assert last is not None
    value = format.number(last[1])
    qtbot.waitUntil(lambda: ("train loss", value) in [(c.title, c.texts[1]) for c in bench.twins.bar.figures.columns])
    assert metrics


def test_what_is_turned_and_pointed_at_acts_on_both(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    ear = Ear(bench)
    twin = compare(bench, qtbot)
    learn(bench, qtbot, 20)
    bench.controls.chosen.emit("batch_size", 20)
    bench.controls.chosen.emit("learning_rate", 0.01)  # what they differ in stays B's own

    def changed(run: int | None) -> list[tuple[str, int]]:
        return [(e.name, e.step) for e in ear.heard if isinstance(e, Changed) and e.run == run]

    qtbot.waitUntil(lambda: len(changed(bench.run)) == 2 and len(changed(twin)) == 1, timeout=PATIENCE)
    assert changed(bench.run)[0] == changed(twin)[0]
    pause(bench, qtbot)
    surface = bench.grid.panels["surface"]
    for asked, view in enumerate((surface.view, surface.twins["B"]), 1):  # pointing at either is pointing at both
        view.gesture.emit(PointPick(0.5 * asked, 0.25), False)
        qtbot.waitUntil(lambda x=0.5 * asked: cursors(bench) == [x, x], timeout=PATIENCE)


def cursors(bench: Workbench) -> list[float]:
    """Where both networks have the point that their values are shown for."""
    surface = bench.grid.panels["surface"]
    views = (surface.view, *surface.twins.values())
    return [view.payload.points.cursor[0] for view in views if view.payload.points.cursor]


def test_closing_goes_on_with_a_as_it_was(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    twin = compare(bench, qtbot)
    run = bench.run
    learn(bench, qtbot, 40)
    qtbot.mouseClick(bench.twins.bar.close_button, Qt.MouseButton.LeftButton)
    assert not bench.twins.on
    assert bench.twins.bar.isHidden()
    assert bench.twins.runs == ()
    assert all(panel.twins == {} for panel in bench.grid.panels.values())
    assert bench.run == run
    assert bench.transport.playing
    assert still_trains(bench, qtbot)
    with pytest.raises(KeyError):
        bench.bridge.history(twin)
    network = bench.grid.panels["network"]
    assert network.view.isVisible()
    assert network.view.width() > network.width() * 0.8


def test_restart_seed_structure_and_undo_take_both_along(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    ear = Ear(bench)
    compare(bench, qtbot)
    learn(bench, qtbot, 20)
    for act in (
        bench.restart,
        bench.new_seed,
        lambda: bench.runs.choose_dataset("circle"),
        lambda: bench.controls.chosen.emit("width_1", 5),
        bench.undo.undo,
    ):
        former = bench.run
        act()
        twin = both_stand(bench, qtbot, former)
        ours, theirs = ear.specs(bench.run, twin)
        assert (ours.seed, ours.dataset) == (theirs.seed, theirs.dataset)
        assert ours.hyperparameters["width_1"] == theirs.hyperparameters["width_1"]
        assert theirs.hyperparameters["learning_rate"] == 0.3
        assert bench.grid.panels["loss"].view.twins["B"] is bench.bridge.history(twin)  # type: ignore[attr-defined]
    assert ours.hyperparameters["width_1"] == SMALL["width_1"]
    assert ours.seed == 1
    begin = newest(bench)  # it was training, and so are both now
    qtbot.waitUntil(lambda: newest(bench) > begin + 20, timeout=PATIENCE)


def test_the_bar_says_what_differs(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    ear = Ear(bench)
    compare(bench, qtbot)
    bar = bench.twins.bar
    former = bench.run
    (its,) = bar.runs
    names = its.rows[0].names
    names.setCurrentIndex(names.findData("activation"))
    names.activated.emit(names.currentIndex())
    assert list(its.differences()) == ["activation"]
    twin = both_stand(bench, qtbot, former)
    ours, theirs = ear.specs(bench.run, twin)
    assert ours.hyperparameters["learning_rate"] == theirs.hyperparameters["learning_rate"]
    assert theirs.hyperparameters["activation"] == its.differences()["activation"] != "ReLU"
    former = bench.run
    qtbot.mouseClick(its.add, Qt.MouseButton.LeftButton)
    assert list(its.differences()) == ["activation", "learning_rate"]
    knob = its.rows[1].knob
    assert isinstance(knob, NumberKnob)
    knob.field.setFocus()
    knob.field.selectAll()
    qtbot.keyClicks(knob.field, "0.5")
    qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    twin = both_stand(bench, qtbot, former)
    assert ear.specs(twin)[0].hyperparameters["learning_rate"] == 0.5
    former = bench.run
    qtbot.mouseClick(its.remove, Qt.MouseButton.LeftButton)
    both_stand(bench, qtbot, former)
    assert list(its.differences()) == ["activation"]
    assert not its.remove.isEnabled()


def test_rewinding_scrubs_both_and_a_branch_goes_on_alone(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    twin = compare(bench, qtbot)
    learn(bench, qtbot, 300)
    pause(bench, qtbot)
    network = bench.grid.panels["network"]
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    past = bench.bridge.tape(twin).at("network", bench.rewinding.step)
    assert past is not None
    assert network.twins["B"].payload is past.payload
    bench.rewinding.live()
    assert network.twins["B"].payload is next(f for f in bench.bridge.latest(twin) if f.view == "network").payload
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    former = bench.run
    bench.rewinding.branch()
    qtbot.waitUntil(lambda: bench.run != former and bench.ready, timeout=PATIENCE)
    assert not bench.twins.on
    assert network.twins == {}
    assert still_trains(bench, qtbot)


def test_a_twin_that_cannot_be_built_leaves_a_alone(
    open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    compare(bench, qtbot)
    former = bench.run
    monkeypatch.setattr(bench.twins.bar, "differences", lambda: [{"width_1": 10**9}])
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != former and "B could not be built" in bench.trouble, timeout=PATIENCE)
    assert all(panel.twins == {} for panel in bench.grid.panels.values())
    assert still_trains(bench, qtbot)
    monkeypatch.undo()
    former = bench.run
    bench.restart()
    both_stand(bench, qtbot, former)
    assert bench.trouble == ""
    assert list(bench.grid.panels["network"].twins) == ["B"]


def test_the_button_and_the_key_of_the_window(open_window: Windows, qtbot: QtBot) -> None:
    window = open_window("dense_network", values=SMALL)
    bench = bench_of(window)
    former = bench.run
    qtbot.mouseClick(window.header.compare, Qt.MouseButton.LeftButton)
    both_stand(bench, qtbot, former)
    assert window.header.compare.isChecked()
    take_keyboard(bench, qtbot)
    qtbot.keyClick(bench, Qt.Key.Key_T)
    assert not window.header.compare.isChecked()
    former = bench.run
    qtbot.keyClick(bench, Qt.Key.Key_T)
    assert window.header.compare.isChecked()
    both_stand(bench, qtbot, former)
    learn(bench, qtbot, 20)
    window.open_lab("dense_network", values=SMALL, seed=4)  # another lab in its place: nothing of the two is left
    fresh = bench_of(window)
    assert not window.header.compare.isChecked()
    qtbot.waitUntil(lambda: fresh.ready, timeout=PATIENCE)
    compare(fresh, qtbot)
    learn(fresh, qtbot, 20)


def test_where_b_diverges_both_stand_and_go_back_together(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    twin = compare(bench, qtbot)
    learn(bench, qtbot, 50)
    bench.bridge.send(Set(twin, "activation", "ReLU"))
    bench.bridge.send(Set(twin, "learning_rate", 1e6))
    qtbot.waitUntil(lambda: "B's " in bench.trouble, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    back = next(text for text in bench.banner.buttons() if text.startswith("Go back to step "))
    to = int(back.removeprefix("Go back to step ").replace(",", ""))
    bench.banner.buttons()[back].click()
    qtbot.waitUntil(lambda: newest(bench) == to, timeout=PATIENCE)
    spans = [(bench.bridge.history(run).span() or (0, 0))[1] for run in (bench.run or 0, twin)]
    assert spans == [to, to]
    assert still_trains(bench, qtbot)


def test_run_again_repeats_the_changes_in_both(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    ear = Ear(bench)
    twin = compare(bench, qtbot)
    learn(bench, qtbot, 20)
    bench.controls.chosen.emit("batch_size", 20)
    bench.controls.chosen.emit("learning_rate", 0.01)

    def changes(run: int | None) -> dict[str, int]:
        return {e.name: e.step for e in ear.heard if isinstance(e, Changed) and e.run == run}

    qtbot.waitUntil(lambda: len(changes(bench.run)) == 2 and len(changes(twin)) == 1, timeout=PATIENCE)
    former, steps = bench.run, changes(bench.run)
    bench.changes.run_again()
    twin = both_stand(bench, qtbot, former)
    qtbot.waitUntil(lambda: len(changes(bench.run)) == 2 and len(changes(twin)) == 1, timeout=PATIENCE)
    assert changes(bench.run) == steps
    assert changes(twin) == {"batch_size": steps["batch_size"]}


def test_asked_for_while_the_lab_is_being_built_it_begins_once_that_stands(open_window: Windows, qtbot: QtBot) -> None:
    window = open_window()
    window.open_lab("dense_network", values=SMALL)
    bench = bench_of(window)
    assert not bench.ready
    qtbot.mouseClick(window.header.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bench.ready and bool(bench.twins.runs), timeout=PATIENCE)
    assert window.header.compare.isChecked()
    assert bench.twins.bar.isVisible()
    qtbot.mouseClick(window.header.compare, Qt.MouseButton.LeftButton)
    assert bench.twins.runs == ()
