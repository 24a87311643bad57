"""Escape closes what is on top, layer by layer, and never leaves a lab; keys of their own do that."""

from __future__ import annotations

import pytest
from helpers import PATIENCE, SMALL, WindowOpener, bench_of
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow

LAB = "dense_network"
KEY, CONTROL, ALT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """As the system delivers it: to the popup that is open, else to the widget that has the focus."""
    target = QApplication.activePopupWidget() or QApplication.focusWidget() or QApplication.activeWindow()
    assert target is not None
    QTest.keyClick(target, key, modifier)


def activate(window: MainWindow, qtbot: QtBot, focus: QWidget) -> None:
    window.activateWindow()
    focus.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is focus, timeout=PATIENCE)


def test_layer_by_layer(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window("gpt", values={"layers": 1, "width": "32"})
    bench = bench_of(window)
    prompt = bench.grid.panels["writing"].view.prompt  # type: ignore[attr-defined]
    activate(window, qtbot, bench)
    press(KEY.Key_F11)
    qtbot.waitUntil(window.isFullScreen, timeout=PATIENCE)
    bench.grid.enlarge("writing")
    activate(window, qtbot, prompt)
    QTest.keyClicks(prompt, "To be")

    press(KEY.Key_Escape)  # the prompt box
    assert not prompt.hasFocus()
    assert bench.grid.enlarged == "writing"
    bench.setFocus()
    press(KEY.Key_H)
    qtbot.waitUntil(bench.earlier.list.isVisible, timeout=PATIENCE)
    press(KEY.Key_Escape)  # the popup
    assert not bench.earlier.list.isVisible()
    assert bench.grid.enlarged == "writing"
    press(KEY.Key_Escape)  # the enlarged view
    assert bench.grid.enlarged == ""
    assert window.isFullScreen()
    press(KEY.Key_Escape)  # full screen
    assert not window.isFullScreen()
    for _ in range(3):
        press(KEY.Key_Escape)
    assert window.in_lab


@pytest.mark.parametrize("panel", ["explain", "code"])
def test_a_side_panel_keeps_the_lab(open_window: WindowOpener, qtbot: QtBot, panel: str) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    getattr(bench, f"{panel}_action").setChecked(True)
    inside = bench.explain if panel == "explain" else bench.code.text
    activate(window, qtbot, inside)
    press(KEY.Key_Escape)
    assert window.in_lab


def test_an_editor_over_a_view(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    network = bench.grid.panels["network"].view
    qtbot.waitUntil(lambda: network.payload is not None, timeout=PATIENCE)
    bench.grid.enlarge("network")
    network.editor.open("weight", 0.5, network.rect().center().toPointF())  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: network.editor.isVisible(), timeout=PATIENCE)  # type: ignore[attr-defined]
    activate(window, qtbot, network.editor.number)  # type: ignore[attr-defined]
    press(KEY.Key_Escape)
    assert bench.grid.enlarged == "network"
    assert window.in_lab


def test_nothing_open_nothing_happens(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window(LAB, values=SMALL)
    bench = bench_of(window)
    knob = bench.controls.knobs["learning_rate"]
    for focus in (bench, knob.field, bench.transport.play, window.header.explain):  # type: ignore[attr-defined]
        activate(window, qtbot, focus)
        press(KEY.Key_Escape)
        press(KEY.Key_Escape)
        assert window.in_lab
    assert bench.ready


def test_in_the_gallery_it_ends_a_search_and_then_full_screen(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window()
    window.showFullScreen()
    window.header.search.setText("image")
    activate(window, qtbot, window.header.search)
    press(KEY.Key_Escape)
    assert window.header.search.text() == ""
    assert window.isFullScreen()
    press(KEY.Key_Escape)
    assert not window.isFullScreen()


@pytest.mark.parametrize(("key", "modifier"), [(KEY.Key_G, CONTROL), (KEY.Key_Home, ALT)])
def test_the_keys_that_leave_a_lab(
    open_window: WindowOpener, qtbot: QtBot, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    window = open_window(LAB, values=SMALL)
    activate(window, qtbot, bench_of(window))
    press(key, modifier)
    assert not window.in_lab
    press(key, modifier)
    assert not window.in_lab
    assert bench_of(window).ready
