"""Up to four runs beside each other: the same bits as alone, added, taken away, failing, rewound, and their table."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import PATIENCE, SMALL, learn, newest, still_trains
from helpers import BenchOpener as Opener
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.discovery import load_lab
from engine.hyperparameters import Value, make_params
from engine.lab import advance, start
from engine.messages import Opened, Pause, Play, RunSpec, Save, Saved, Set
from engine.payloads import PointPick
from engine.views import Curves
from gui.knobs import NumberKnob
from gui.session_bridge import SessionBridge
from gui.twins_table import best_of, direction
from gui.workbench import Workbench

APART: list[dict[str, Value]] = [{"learning_rate": 0.3}, {"width_1": 5}, {"activation": "sigmoid", "batch_size": 4}]


@pytest.fixture
def four(open_bench: Opener, qtbot: QtBot) -> Callable[..., Workbench]:
    """``four(3)`` opens a comparison of three runs."""

    def make(count: int = 4) -> Workbench:
        bench = open_bench()
        former = bench.run
        bench.twins.action.trigger()
        stand(bench, qtbot, former)
        for _ in range(count - 2):
            former = bench.run
            qtbot.mouseClick(bench.twins.bar.more, Qt.MouseButton.LeftButton)
            stand(bench, qtbot, former)
        return bench

    return make


def stand(bench: Workbench, qtbot: QtBot, former: int | None) -> None:
    qtbot.waitUntil(lambda: bench.run != former and bench.ready, timeout=PATIENCE)
    twins = bench.twins.runs
    qtbot.waitUntil(lambda: all(bench.bridge.latest(run) for run in twins), timeout=PATIENCE)


def pause(bench: Workbench, qtbot: QtBot) -> None:
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    qtbot.waitUntil(lambda: len(spans(bench)) == 1, timeout=PATIENCE)


def spans(bench: Workbench) -> set[tuple[int, int] | None]:
    return {bench.bridge.history(run).span() for run in (bench.run or 0, *bench.twins.runs)}


# ------------------------------------------------------------------ the same bits


def test_each_of_four_has_the_weights_that_it_has_alone(qtbot: QtBot, tmp_path: Path) -> None:
    bridge = SessionBridge(threads=1)
    opened: list[Opened] = []
    saved: list[Saved] = []
    bridge.opened.connect(opened.append)
    bridge.happened.connect(lambda event: saved.append(event) if isinstance(event, Saved) else None)
    spec = RunSpec("dense_network", {**SMALL, "learning_rate": 0.03}, seed=7)
    run = bridge.open(spec)
    runs = (run, *bridge.tie(run, APART))
    qtbot.waitUntil(lambda: len(opened) == 4, timeout=PATIENCE)
    bridge.watch(run, ("network", "surface"))
    bridge.send(Play(run))
    qtbot.waitUntil(lambda: (bridge.history(runs[3]).span() or (0, 0))[1] > 200, timeout=PATIENCE)
    bridge.send(Pause(run))
    for each in runs:
        bridge.send(Save(each, tmp_path / f"{each}"))
    qtbot.waitUntil(lambda: len(saved) == 4, timeout=PATIENCE)
    bridge.shutdown()  # the bare loop draws from the same generator
    steps = set()
    for each, apart in zip(runs, [{}, *APART], strict=True):
        _, snapshot, _ = checkpoint.load(tmp_path / f"{each}")
        torch.set_num_threads(1)
        lab_class = load_lab("dense_network")
        alone = start(lab_class, make_params(lab_class.Params, {**spec.hyperparameters, **apart}), seed=7)
        for _ in range(snapshot.step):
            advance(alone)
        kept = checkpoint.take(alone, {}, (torch.get_rng_state(), None))
        assert checkpoint.same(kept.state, snapshot.state)
        assert checkpoint.same(kept.rng[0], snapshot.rng[0])
        steps.add(snapshot.step)
    assert len(steps) == 1
    assert steps.pop() > 200


# ------------------------------------------------------------------ adding and taking away


def test_c_and_d_come_along_each_with_a_difference_of_its_own(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four()
    bar = bench.twins.bar
    assert [list(its) for its in bar.differences()] == [["learning_rate"]] * 3
    rates = [its["learning_rate"] for its in bar.differences()]
    assert rates == [pytest.approx(0.3), pytest.approx(0.003), pytest.approx(0.1)]
    assert bar.more.isHidden()
    assert not bench.transport.playing
    learn(bench, qtbot, 60)
    pause(bench, qtbot)
    network, loss = bench.grid.panels["network"], bench.grid.panels["loss"]
    assert list(network.twins) == list(loss.view.twins) == ["B", "C", "D"]  # type: ignore[attr-defined]
    sizes = {(view.width(), view.height()) for view in (network.view, *network.twins.values())}
    assert len(sizes) == 1
    losses = [bench.bridge.history(run).last("train loss") for run in (bench.run or 0, *bench.twins.runs)]
    assert len(set(losses)) == 4
    qtbot.waitUntil(lambda: len(bar.figures.columns) == 5)
    assert bar.figures.columns[0].texts == ("0.03", "0.3", "0.003", "0.1")
    assert all(len(column.texts) == 4 for column in bar.figures.columns)
    lines = []
    for letters in ("BCD", "BC", "B", ""):
        loss.view.set_twins({k: v for k, v in loss.view.twins.items() if k in letters})  # type: ignore[attr-defined]
        lines.append(loss.view.grab().toImage())
    assert all(a != b for a, b in itertools.pairwise(lines))


def test_one_that_is_taken_away_lets_the_others_go_on(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four()
    learn(bench, qtbot, 40)
    run, (b, c, d) = bench.run, bench.twins.runs
    at = newest(bench)
    qtbot.mouseClick(bench.twins.bar.runs[1].drop, Qt.MouseButton.LeftButton)
    assert bench.run == run
    assert bench.twins.runs == (b, d)
    assert newest(bench) >= at  # nobody began anew
    network = bench.grid.panels["network"]
    assert list(network.twins) == ["B", "C"]
    latest = next(frame for frame in bench.bridge.latest(d) if frame.view == "network")
    assert network.twins["C"].payload is latest.payload
    with pytest.raises(KeyError):
        bench.bridge.history(c)
    assert bench.twins.bar.more.text() == "Add D"
    assert still_trains(bench, qtbot)
    qtbot.mouseClick(bench.twins.bar.runs[0].drop, Qt.MouseButton.LeftButton)
    assert bench.twins.runs == (d,)
    assert bench.twins.bar.runs[0].drop.isHidden()  # the last one is taken away by closing the comparison
    assert still_trains(bench, qtbot)
    pause(bench, qtbot)


def test_what_is_no_value_is_told_and_changes_nothing(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four(3)
    run = bench.run
    knob = bench.twins.bar.runs[1].rows[0].knob
    assert isinstance(knob, NumberKnob)
    knob.field.setFocus()
    knob.field.selectAll()
    qtbot.keyClicks(knob.field, "much")
    qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert "“much” is not" in bench.toast.text.text()
    assert bench.twins.bar.differences()[1] == {"learning_rate": pytest.approx(0.003)}
    assert bench.run == run
    assert bench.ready


def test_the_table_has_room_for_all_that_matters_at_1280(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four()
    learn(bench, qtbot, 30)
    pause(bench, qtbot)
    figures = bench.twins.bar.figures
    qtbot.waitUntil(lambda: len(figures.columns) == 5)
    metrics = QFontMetricsF(figures.font())
    assert bench.width() == 1280
    assert len(figures._shown(metrics, metrics)) == 5


# ------------------------------------------------------------------ what acts on all, and what goes wrong


def test_a_place_that_is_clicked_is_looked_at_in_all_on_one_scale(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four()
    learn(bench, qtbot, 20)
    pause(bench, qtbot)
    surface = bench.grid.panels["surface"]
    surface.twins["C"].gesture.emit(PointPick(0.5, 0.25), False)

    def cursors() -> list[object]:
        return [view.payload.points.cursor for view in (surface.view, *surface.twins.values())]

    qtbot.waitUntil(lambda: cursors() == [(0.5, 0.25)] * 4, timeout=PATIENCE)
    assert surface.view.joint.keys() == {"x", "y", "values"}
    assert all(view.joint == surface.view.joint for view in surface.twins.values())


def test_scrubbing_moves_all_and_a_branch_ends_the_comparison(four: Callable[..., Workbench], qtbot: QtBot) -> None:
    bench = four(3)
    learn(bench, qtbot, 300)
    pause(bench, qtbot)
    network = bench.grid.panels["network"]
    bench.rewinding.scrub(bench.timeline.track.last // 2)
    for letter, run in zip("BC", bench.twins.runs, strict=True):
        past = bench.bridge.tape(run).at("network", bench.rewinding.step)
        assert past is not None
        assert network.twins[letter].payload is past.payload
    former = bench.run
    bench.rewinding.branch()
    qtbot.waitUntil(lambda: bench.run != former and bench.ready, timeout=PATIENCE)
    assert not bench.twins.on
    assert "the comparison has ended" in bench.toast.text.text()
    assert network.twins == {}


def test_one_that_cannot_be_built_is_named_and_the_others_stand(
    four: Callable[..., Workbench], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = four(3)
    apart = bench.twins.bar.differences()
    monkeypatch.setattr(bench.twins.bar, "differences", lambda: [{"width_1": 10**9}, apart[1]])
    former = bench.run
    bench.restart()
    qtbot.waitUntil(lambda: bench.run != former and "B could not be built" in bench.trouble, timeout=PATIENCE)
    assert "the others go on without it" in bench.trouble
    assert list(bench.grid.panels["network"].twins) == ["C"]
    assert still_trains(bench, qtbot)
    qtbot.waitUntil(lambda: len(bench.twins.bar.figures.columns) > 2)
    assert all(column.texts[1] == "–" for column in bench.twins.bar.figures.columns if column.metric)


@pytest.mark.parametrize("which", [0, 2])
def test_what_diverges_is_named_by_its_letter(four: Callable[..., Workbench], qtbot: QtBot, which: int) -> None:
    bench = four(3)
    learn(bench, qtbot, 50)
    run = (bench.run or 0, *bench.twins.runs)[which]
    bench.bridge._session.send(Set(run, "activation", "ReLU"))  # type: ignore[union-attr]
    bench.bridge._session.send(Set(run, "learning_rate", 1e6))  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: f"{'ABC'[which]}'s " in bench.trouble, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    back = next(text for text in bench.banner.buttons() if text.startswith("Go back to step "))
    to = int(back.removeprefix("Go back to step ").replace(",", ""))
    bench.banner.buttons()[back].click()
    qtbot.waitUntil(lambda: {span[1] if span else 0 for span in spans(bench)} == {to}, timeout=PATIENCE)


# ------------------------------------------------------------------ who does best


def test_which_way_a_metric_is_best() -> None:
    view = Curves("Some", metrics=("a",), help="h")
    assert direction(view, "validation loss") == direction(view, "train −ELBO") == "low"
    assert direction(view, "test accuracy") == "high"
    assert direction(view, "predicted") == ""
    assert direction(replace(view, best="high"), "predicted") == "high"


def test_the_best_are_those_that_read_alike() -> None:
    values = [0.301, 0.25, 0.2501, None]
    texts = ["0.301", "0.25", "0.25", "–"]
    assert best_of(values, texts, "low") == {1, 2}
    assert best_of(values, texts, "high") == {0}
    assert best_of(values, texts, "") == frozenset()
    assert best_of([0.5, 0.5], ["0.5", "0.5"], "low") == frozenset()
    assert best_of([float("nan"), 0.5, 0.7], ["NaN", "0.5", "0.7"], "low") == {1}
