"""What tests of the workbench and of the whole window share: a small lab, and how a person drives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.hyperparameters import Value
from gui.knobs import NumberKnob
from gui.main_window import MainWindow
from gui.workbench import Workbench

LAB = "dense_network"
SMALL: dict[str, Value] = {"layers": 1, "width_1": 3}
PATIENCE = 60_000  # milliseconds

BenchOpener = Callable[..., Workbench]
WindowOpener = Callable[..., MainWindow]


def step_of(bench: Workbench) -> int:
    return int(bench.transport.where.text().split()[1].replace(",", ""))


def until_trained(bench: Workbench, qtbot: QtBot, steps: int = 20) -> None:
    qtbot.waitUntil(
        lambda: bench.transport.where.text().startswith("step") and step_of(bench) >= steps, timeout=PATIENCE
    )


def take_keyboard(bench: Workbench, qtbot: QtBot) -> None:
    bench.activateWindow()
    bench.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is bench)


def bench_of(window: MainWindow) -> Workbench:
    assert window.workbench is not None
    return window.workbench


def full_speed(bench: Workbench) -> None:
    """Train as fast as it goes, also in a lab that begins slowly."""
    bench.transport.show_speed(None)
    bench.transport.speed_chosen.emit(None)


def newest(bench: Workbench) -> int:
    """The step of the newest point of the curves."""
    assert bench.run is not None
    span = bench.bridge.history(bench.run).span()
    return span[1] if span else 0


def learn(bench: Workbench, qtbot: QtBot, more: int = 50) -> None:
    """Start training, and wait for so many steps."""
    begin = newest(bench)
    bench.toggle_play()
    qtbot.waitUntil(lambda: newest(bench) >= begin + more, timeout=PATIENCE)


def still_trains(bench: Workbench, qtbot: QtBot) -> bool:
    if not bench.transport.playing:
        bench.toggle_play()
    begin = newest(bench)
    qtbot.waitUntil(lambda: newest(bench) > begin + 25, timeout=PATIENCE)
    return bench.transport.playing


def type_value(bench: Workbench, qtbot: QtBot, name: str, text: str) -> NumberKnob:
    """Type into the field of a knob, as a person does."""
    knob = bench.controls.knobs[name]
    assert isinstance(knob, NumberKnob)
    qtbot.mouseClick(knob.field, Qt.MouseButton.LeftButton)
    knob.field.selectAll()
    qtbot.keyClicks(knob.field, text)
    qtbot.keyClick(knob.field, Qt.Key.Key_Return)
    return knob


def until_opened(window: MainWindow, qtbot: QtBot, ask: Callable[[], object]) -> None:
    """Ask for a session file, and wait until the window has opened its lab or said why not."""
    answered: list[object] = []
    ready = window._opening.ready.connect(lambda path, _spec: answered.append(path))
    refused = window._opening.refused.connect(answered.append)
    ask()
    qtbot.waitUntil(lambda: bool(answered), timeout=PATIENCE)
    window._opening.ready.disconnect(ready)
    window._opening.refused.disconnect(refused)


def open_file(window: MainWindow, qtbot: QtBot, path: Path) -> None:
    """Open a session file, and wait until the window has opened its lab or said why not."""
    until_opened(window, qtbot, lambda: window.open_session(path))
