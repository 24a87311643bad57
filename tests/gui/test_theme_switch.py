"""Switching the theme: everything that is shown follows, and it costs little."""

from __future__ import annotations

import time
from collections.abc import Callable

from helpers import PATIENCE, bench_of
from helpers import WindowOpener as Opener
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from gui import style
from gui.theme import DARK, LIGHT, Theme


def colour_of(widget: QWidget, x: int, y: int) -> QColor:
    return widget.grab().toImage().pixelColor(x, y)


def light(colour: QColor) -> bool:
    return colour.lightnessF() > 0.5


def cpu(do: Callable[[], object]) -> float:
    begun = time.thread_time()
    do()
    return time.thread_time() - begun


def test_all_that_is_shown_and_all_that_comes_later_follows(
    open_window: Opener, qtbot: QtBot, application: QApplication
) -> None:
    window = open_window("losses", values={})
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready, timeout=PATIENCE)
    parts = (bench.transport.seed, bench.controls, bench.side, bench.timeline)  # the third is hidden
    for setting, chosen in (("light", LIGHT), ("dark", DARK), ("light", LIGHT)):
        style.apply(application, setting)
        for part in parts:
            assert light(colour_of(part, 8, 8)) == (chosen is LIGHT)
        box = QMessageBox(window)
        box.setText("Later")
        button = QPushButton("Later", bench)
        for later in (box, button):
            later.ensurePolished()
            assert light(colour_of(later, 8, 8)) == (chosen is LIGHT)
        box.deleteLater()
        button.deleteLater()
    alone = QLineEdit()
    qtbot.addWidget(alone)
    style.dress(alone)
    alone.resize(80, 30)
    assert light(colour_of(alone, 40, 6))


def test_it_costs_a_part_of_what_the_whole_application_does(
    open_window: Opener, qtbot: QtBot, application: QApplication
) -> None:
    window = open_window("losses", values={})
    qtbot.waitUntil(lambda: bench_of(window).ready, timeout=PATIENCE)
    themes: tuple[Theme, ...] = (LIGHT, DARK)
    ours = min(cpu(lambda name=each.name: style.apply(application, name)) for each in themes)  # type: ignore[misc]
    sheets = [style.style_sheet(each) for each in themes]
    whole = min(cpu(lambda sheet=each: application.setStyleSheet(sheet)) for each in sheets)  # type: ignore[misc]
    assert ours < 0.6 * whole
