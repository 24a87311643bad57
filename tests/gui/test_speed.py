"""How fast a lab trains: chosen, typed or stepped through by keys, and what the machine makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from helpers import PATIENCE, take_keyboard
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.messages import Speed, Status
from gui.transport_bar import TransportBar
from gui.workbench import Workbench

Opener = Callable[..., Workbench]


@pytest.fixture
def bar(qtbot: QtBot) -> TransportBar:
    bar = TransportBar()
    qtbot.addWidget(bar)
    bar.show()
    return bar


def type_speed(bar: TransportBar, qtbot: QtBot, text: str) -> None:
    field = bar.speed.field
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton)
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("text", "speed", "shown"),
    [
        ("60", 60, "60 steps/s"),
        ("1,234", 1234, "1,234 steps/s"),
        ("0.5", 0.5, "0.5 steps/s"),
        ("1 step/s", 1, "1 step/s"),
        ("12 steps/s", 12, "12 steps/s"),
        ("full", None, "Full speed"),
    ],
)
def test_any_speed_is_kept_as_typed(
    bar: TransportBar, qtbot: QtBot, text: str, speed: float | None, shown: str
) -> None:
    bar.show_speed(7.0)
    with qtbot.waitSignal(bar.speed_chosen) as chosen:
        type_speed(bar, qtbot, text)
    assert chosen.args == [speed]
    assert bar.chosen_speed == speed
    assert bar.speed.currentText() == shown
    assert not bar.speed.hasFocus()


@pytest.mark.parametrize("text", ["", "fast", "0", "-3", "nan", "inf", "1e9"])
def test_what_is_no_speed_is_put_back(bar: TransportBar, qtbot: QtBot, text: str) -> None:
    bar.show_speed(60.0)
    with qtbot.assertNotEmitted(bar.speed_chosen):
        type_speed(bar, qtbot, text)
    assert bar.chosen_speed == 60
    assert bar.speed.currentText() == "60 steps/s"


def test_a_speed_of_the_list_is_chosen_by_the_mouse(bar: TransportBar, qtbot: QtBot) -> None:
    index = bar.speed.findText("30 steps/s")
    with qtbot.waitSignal(bar.speed_chosen) as chosen:
        bar.speed.setCurrentIndex(index)
        bar.speed.activated.emit(index)
    assert chosen.args == [30]


def test_keys_go_slower_and_faster(open_bench: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = open_bench()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    take_keyboard(bench, qtbot)
    sent: list[float | None] = []
    send = bench.bridge.send

    def listen(command: object) -> None:
        if isinstance(command, Speed):
            sent.append(command.steps_per_second)
        send(command)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.bridge, "send", listen)
    bench.transport.show_speed(60.0)
    for key in (Qt.Key.Key_BracketRight, Qt.Key.Key_BracketRight, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketLeft):
        qtbot.keyClick(bench, key)
    assert sent == [100, 300, 100, 30]
    bench.transport.show_speed(1000.0)
    qtbot.keyClick(bench, Qt.Key.Key_BracketRight)
    assert sent[-1] is None


def status(real: float) -> Status:
    return Status(1, 100, None, "", True, real, 0.0, 0, "CPU")


def test_a_machine_that_does_not_keep_up_says_so(bar: TransportBar) -> None:
    bar.show_speed(1000.0)
    bar.show_where(status(62.0))
    assert bar.where.text() == "step 100 · 62 of 1,000 steps/s"
    bar.slower()  # at once to what would be felt
    assert bar.chosen_speed == 30
    bar.show_where(status(30.0))
    assert bar.where.text() == "step 100 · 30 steps/s"
    bar.show_speed(None)
    bar.show_where(status(6200.0))
    assert bar.where.text() == "step 100 · 6,200 steps/s"


def test_at_a_pace_with_time_to_spare_the_views_are_fluent(open_bench: Opener, qtbot: QtBot) -> None:
    bench = open_bench()
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    bench.bridge.set_budget(0.01)  # by itself that makes a frame or two a second
    type_speed(bench.transport, qtbot, "60")
    bench.toggle_play()
    qtbot.waitUntil(lambda: bench.transport.keeps_pace and bench.grid.leisure, timeout=PATIENCE)
    at: list[float] = []
    bench.bridge.frame.connect(lambda frame: at.append(time.monotonic()) if frame.view == "surface" else None)
    qtbot.waitUntil(lambda: len(at) > 20, timeout=PATIENCE)
    assert 20 / (at[20] - at[0]) > 3  # 20 a second and more on a machine that has nothing else to do
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
