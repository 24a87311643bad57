"""What goes wrong in labs and engine, through the real window: it is said where the viewer looks, and all goes on."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import LAB, PATIENCE, SMALL, bench_of, full_speed, learn, newest, still_trains, type_value
from helpers import WindowOpener as Opener
from PySide6.QtCore import Qt, QTimer
from pytestqt.qtbot import QtBot

from engine.discovery import catalogue, load_lab
from engine.lab import LabError, hyperparameters, views_of
from gui.knobs import NumberKnob

# ------------------------------------------------------------------ a loss that is no number


LEARNING = [card.id for card in catalogue() if "learning_rate" in hyperparameters(load_lab(card.id))]


@pytest.mark.parametrize("lab", LEARNING)
def test_every_lab_has_a_learning_rate_that_can_be_typed_far_too_large(lab: str) -> None:
    rate = hyperparameters(load_lab(lab))["learning_rate"]
    assert rate.live
    assert rate.check(1e6) == 1e6
    assert rate.high <= 10


def test_too_large_a_learning_rate_is_named_and_going_back_cuts_the_curves(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert bench.run is not None
    history = bench.bridge.history(bench.run)
    # long enough for a state that is known to be sound
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.toggle_play()
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 1000, timeout=PATIENCE)
    type_value(bench, qtbot, "learning_rate", "1e6")
    qtbot.waitUntil(lambda: bool(bench.trouble), timeout=PATIENCE)
    assert "became NaN at step " in bench.trouble or "became infinite at step " in bench.trouble
    assert "The learning rate, 1,000,000, is likely too large" in bench.trouble
    assert bench.banner.isVisible()
    step = int(bench.trouble.split("at step ")[1].split(".")[0].replace(",", ""))
    assert newest(bench) >= step
    qtbot.waitUntil(lambda: not bench.transport.playing)
    back = next(text for text in bench.banner.buttons() if text.startswith("Go back to step "))
    to = int(back.removeprefix("Go back to step ").replace(",", ""))
    assert to < step
    bench.banner.buttons()[back].click()
    qtbot.waitUntil(lambda: bench.trouble == "", timeout=PATIENCE)
    qtbot.waitUntil(lambda: newest(bench) <= to, timeout=PATIENCE)
    for _, values in history.thinned(4096).values():
        assert np.isfinite(values).all()
    assert bench.controls.knobs["learning_rate"].value == 0.03  # as it was then
    assert still_trains(bench, qtbot)
    assert bench.trouble == ""


@pytest.mark.parametrize("lab", LEARNING)
def test_views_of_a_ruined_network_are_drawn_all_the_same(open_window: Opener, qtbot: QtBot, lab: str) -> None:
    window = open_window(lab, values={"schedule": False} if lab == "gpt" else {})  # gpt's first steps are small
    bench = bench_of(window)
    full_speed(bench)
    bench.step_once()
    type_value(bench, qtbot, "learning_rate", "1e6")
    bench.toggle_play()
    # a loss of bounded slope moves the weights far, but never to infinity
    qtbot.waitUntil(lambda: bool(bench.trouble) or newest(bench) > 1000, timeout=PATIENCE)
    if bench.trouble:
        assert "learning rate, 1,000,000, is likely too large" in bench.trouble
    else:
        bench.toggle_play()
    shown: set[str] = set()
    bench.bridge.frame.connect(lambda frame: shown.add(frame.view))
    assert bench.info is not None
    rendered = {name for name in bench.grid.panels if bench.info.views[name].kind != "curves"}
    bench.step_once()  # all views are drawn anew
    panels = bench.grid.panels

    def complaints() -> dict[str, str]:
        return {name: panel.complaint.text() for name, panel in panels.items() if panel.complaint.isVisible()}

    qtbot.waitUntil(lambda: shown | complaints().keys() >= rendered, timeout=PATIENCE)
    assert all("The network's weights are no longer numbers" in text for text in complaints().values())
    assert len(complaints()) <= len(panels) / 2
    window.grab()
    bench.restart()
    run = bench.run
    qtbot.waitUntil(lambda: bench.run != run, timeout=PATIENCE)


# ------------------------------------------------------------------ what a lab gets wrong


def test_a_view_that_raises_harms_no_other(open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(views_of(load_lab("lenet"))["layer1"], "method", broken)
    window = open_window("lenet", values={})
    bench = bench_of(window)
    panels = bench.grid.panels
    qtbot.waitUntil(lambda: panels["layer1"].complaint.isVisible(), timeout=PATIENCE)
    assert "ZeroDivisionError: the cause" in panels["layer1"].complaint.text()
    assert "Traceback" in panels["layer1"].complaint.toolTip()
    assert still_trains(bench, qtbot)
    assert bench.info is not None
    others = [n for n in panels if n != "layer1" and bench.info.views[n].kind != "curves"]
    qtbot.waitUntil(lambda: all(panels[name].view.payload is not None for name in others), timeout=PATIENCE)
    assert [name for name, panel in panels.items() if panel.complaint.isVisible()] == ["layer1"]
    assert bench.trouble == ""
    assert not window.notice.isVisible()
    monkeypatch.undo()
    qtbot.waitUntil(lambda: not panels["layer1"].complaint.isVisible(), timeout=PATIENCE)


def test_a_view_of_the_wrong_shape_is_a_fault_of_that_view_alone(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_of(load_lab("lenet"))["layer1"], "method", lambda _: "no array")
    window = open_window("lenet", values={})
    panels = bench_of(window).grid.panels
    qtbot.waitUntil(lambda: panels["layer1"].complaint.isVisible(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: panels["canvas"].view.payload is not None, timeout=PATIENCE)
    assert bench_of(window).trouble == ""


@pytest.mark.parametrize(
    ("error", "told", "buttons"),
    [
        (
            LabError("There are no pictures of that size."),
            "There are no pictures of that size.",
            ["Start with the defaults", "Copy"],
        ),
        (RuntimeError("mat1 and mat2"), "RuntimeError: mat1 and mat2", ["Start with the defaults", "Details", "Copy"]),
        (
            MemoryError(),
            "Out of memory. Choose a smaller batch or network, or compute on the CPU.",
            ["Start with the defaults", "Details", "Copy"],
        ),
    ],
)
def test_a_lab_whose_build_raises_says_so_and_can_be_tried_again(
    open_window: Opener,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: str,
    buttons: list[str],
) -> None:
    def build(_: object) -> None:
        raise error

    monkeypatch.setattr(load_lab(LAB), "build", build)
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert bench.trouble == told
    assert list(bench.banner.buttons()) == buttons
    assert bench.run is None
    for press in (bench.toggle_play, bench.step_once, bench.micro_step, bench.saving.save):
        press()  # nothing stands: nothing happens
    window.show_gallery()
    window.open_lab(LAB)  # the lab is kept, and still says what is wrong
    assert bench_of(window) is bench
    monkeypatch.undo()
    bench.banner.buttons()["Start with the defaults"].click()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    assert bench.trouble == ""
    assert still_trains(bench, qtbot)


def test_a_lab_that_cannot_be_imported_says_so(open_window: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str) -> None:
        raise SyntaxError("invalid syntax", ("dense_network.py", 3, 1, "def", 3, 4))

    import engine.run

    monkeypatch.setattr(engine.run, "load_lab", load)
    bench = bench_of(open_window(LAB))
    assert "SyntaxError" in bench.trouble
    assert "dense_network.py" in bench.trouble


def test_an_action_or_edit_that_raises_leaves_the_run_training(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    learn(bench, qtbot)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(load_lab(LAB), "changed", broken)
    knob = type_value(bench, qtbot, "learning_rate", "0.5")
    qtbot.waitUntil(lambda: bench.trouble == "ZeroDivisionError: the cause", timeout=PATIENCE)
    qtbot.waitUntil(lambda: knob.value == 0.03, timeout=PATIENCE)  # the form shows what is in force
    monkeypatch.undo()
    assert still_trains(bench, qtbot)


# ------------------------------------------------------------------ what the viewer types


@pytest.mark.parametrize("text", ["1e7", "-1", "0", "nan", "inf", "1e999", "abc", "", "0x10", "1e-9", "1;2"])
def test_what_cannot_be_typed_is_said_under_the_field(open_window: Opener, qtbot: QtBot, text: str) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    knob = type_value(bench, qtbot, "learning_rate", text) if text else None
    if knob is None:
        found = bench.controls.knobs["learning_rate"]
        assert isinstance(found, NumberKnob)
        knob = found
        knob.field.setFocus()
        knob.field.clear()
        qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    assert knob.error.isVisible()
    assert "a number from 1e-5 to 1,000,000" in knob.error.text()
    assert knob.value == 0.03
    assert bench.trouble == ""
    type_value(bench, qtbot, "learning_rate", "0.5")
    assert not knob.error.isVisible()
    assert knob.value == 0.5
    assert still_trains(bench, qtbot)


@pytest.mark.parametrize("text", ["0", "65", "2.5", "1e3"])
def test_a_width_out_of_range_builds_nothing(open_window: Opener, qtbot: QtBot, text: str) -> None:
    bench = bench_of(open_window(LAB, values=SMALL))
    run = bench.run
    knob = type_value(bench, qtbot, "width_1", text)
    assert knob.error.isVisible()
    bench.step_once()
    qtbot.waitUntil(lambda: "step 1" in bench.transport.where.text(), timeout=PATIENCE)
    assert (bench.run, bench.runs.pending, knob.value) == (run, None, 3)


# ------------------------------------------------------------------ the engine itself


def test_an_engine_that_dies_is_told_and_the_window_closes(
    open_window: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    assert window.bridge is not None
    assert window.bridge._session is not None

    def die() -> None:
        raise SystemError("the thread is gone")

    monkeypatch.setattr(window.bridge._session, "_patience", die)
    bench.step_once()
    qtbot.waitUntil(lambda: "The engine stopped" in bench.trouble, timeout=PATIENCE)
    QTimer.singleShot(0, window.close)
    qtbot.waitUntil(lambda: not window.isVisible())
