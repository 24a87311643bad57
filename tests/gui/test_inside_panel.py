"""Inside the step: the panel that P opens below the views, with the tensors of each layer."""

from __future__ import annotations

import pytest
from helpers import PATIENCE, BenchOpener, WindowOpener, bench_of, take_keyboard, until_trained
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from engine.discovery import catalogue
from engine.messages import Frame, Paused
from gui import style
from gui.layer_strip import LABEL_WIDTH, LARGE, ROWS, SMALL, LayerStrip, number, percent
from gui.workbench import Workbench

NETWORKS = {"dense_network", "lenet", "vae", "diffusion", "gpt"}  # each phase of these brings tensors


def phase(bench: Workbench, qtbot: QtBot, name: str) -> None:
    """Press Phase, and wait until that phase is shown."""
    bench.micro_step()
    until_seen(bench, qtbot, name)


def until_seen(bench: Workbench, qtbot: QtBot, name: str) -> None:
    def seen() -> bool:
        shown = bench.inside.panel.seen
        return shown is not None and shown.phase == name

    qtbot.waitUntil(seen, timeout=PATIENCE)


def until_paused(bench: Workbench, qtbot: QtBot, step: int) -> None:
    qtbot.waitUntil(lambda: bench.transport.where.text().startswith(f"step {step} "), timeout=PATIENCE)


def middle(strip: LayerStrip, column: int, row: int) -> QPoint:
    return strip._rect(column, row).center().toPoint()


def test_p_opens_it_and_each_phase_lights_its_row(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    take_keyboard(bench, qtbot)
    panel, before = bench.inside.panel, bench.grid.height()
    assert not bench.inside.open
    for name, lit in (("forward", 0), ("backward", 1), ("", 2)):
        qtbot.keyClick(bench, Qt.Key.Key_P)
        until_seen(bench, qtbot, name)
        assert bench.inside.open
        assert panel.strip.lit == ROWS[lit]
        assert [layer.name for layer in panel.strip.layers] == ["layer 1", "layer 2"]
        for row in range(3):  # what came before stays, what is to come is not there
            assert bool(panel.strip.words(0, row)) == (row <= lit)
    assert panel.where.text().startswith("step 1 · done")
    assert 0.5 * before < bench.grid.height() < before
    phase(bench, qtbot, "forward")
    assert panel.where.text() == "step 1 · after forward"
    assert panel.strip.words(0, 1) == panel.strip.words(0, 2) == []


def test_escape_closes_it_until_training_has_gone_on(open_window: WindowOpener, qtbot: QtBot) -> None:
    window = open_window("dense_network")
    bench = bench_of(window)
    take_keyboard(bench, qtbot)
    phase(bench, qtbot, "forward")
    bench.grid.enlarge("loss")
    qtbot.keyClick(bench, Qt.Key.Key_Escape)  # the view first
    assert bench.inside.open
    assert not bench.grid.enlarged
    qtbot.keyClick(bench, Qt.Key.Key_Escape)
    assert not bench.inside.open
    assert window.in_lab
    with qtbot.waitSignal(bench.bridge.happened, timeout=PATIENCE):
        bench.micro_step()
    until_paused(bench, qtbot, 0)
    assert not bench.inside.open
    bench.toggle_play()
    until_trained(bench, qtbot)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.transport.playing, timeout=PATIENCE)
    bench.micro_step()
    qtbot.waitUntil(lambda: bench.inside.open, timeout=PATIENCE)
    bench.toggle_play()
    qtbot.waitUntil(lambda: not bench.inside.open, timeout=PATIENCE)
    qtbot.keyClick(bench, Qt.Key.Key_Escape)
    assert window.in_lab  # Escape never leaves a lab


def test_the_close_button_closes_it_and_gives_the_keyboard_back(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    take_keyboard(bench, qtbot)
    phase(bench, qtbot, "forward")
    bench.inside.panel.close_button.setFocus()
    qtbot.waitUntil(bench.inside.panel.close_button.hasFocus)
    qtbot.keyClick(bench.inside.panel.close_button, Qt.Key.Key_Space)
    assert not bench.inside.open
    assert QApplication.focusWidget() is bench


def test_step_ends_the_step_and_a_whole_step_leaves_it_empty(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    panel = bench.inside.panel
    phase(bench, qtbot, "forward")
    bench.step_once()
    until_seen(bench, qtbot, "")
    assert panel.strip.lit == "change"
    bench.step_once()
    qtbot.waitUntil(lambda: panel.seen is None, timeout=PATIENCE)
    assert bench.inside.open
    assert panel.stack.currentWidget() is panel.empty
    assert panel.where.text() == ""
    phase(bench, qtbot, "forward")
    assert panel.stack.currentWidget() is panel.area
    bench.restart()
    qtbot.waitUntil(lambda: not bench.inside.open, timeout=PATIENCE)


def test_keys_and_pointer_tell_the_numbers(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    panel, strip = bench.inside.panel, bench.inside.panel.strip
    phase(bench, qtbot, "forward")
    phase(bench, qtbot, "backward")
    bench.activateWindow()
    strip.setFocus()
    qtbot.waitUntil(strip.hasFocus)
    assert strip.cell == (0, 1)  # where the phase just done is
    assert panel.detail.text().startswith("layer 1, gradient of weights (3 × 3): ")
    assert "of the weights’" in panel.detail.text()
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert strip.cell == (1, 1)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Up)
    assert strip.cell == (1, 0)
    assert strip.accessibleDescription() == panel.detail.text()
    assert panel.detail.text().startswith("layer 2, activation (10 × 1): ")
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert strip.cell == (0, 0)
    qtbot.keyClick(strip, Qt.Key.Key_Down)
    qtbot.keyClick(strip, Qt.Key.Key_Down)
    qtbot.keyClick(strip, Qt.Key.Key_Down)
    assert strip.cell == (0, 2)
    assert bench.transport.where.text().startswith("step 0 ")  # the right arrow was not a step
    bench.setFocus()
    assert panel.detail.text() == "blue below zero · red above"

    qtbot.mouseMove(strip, middle(strip, 1, 1))
    qtbot.waitUntil(lambda: panel.detail.text().startswith("layer 2, gradient of weights (1 × 4): "))
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=middle(strip, 1, 0))
    assert strip.cell == (1, 0)
    at = middle(strip, 1, 0)
    QApplication.sendEvent(strip, QHelpEvent(QHelpEvent.Type.ToolTip, at, strip.mapToGlobal(at)))
    assert "layer 2, activation" in QToolTip.text()
    QToolTip.hideText()


def test_more_layers_than_there_is_room_for(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench(values={"layers": 8})
    panel, strip = bench.inside.panel, bench.inside.panel.strip
    phase(bench, qtbot, "forward")
    bar = panel.area.horizontalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert strip.width() > panel.width()
    down, here = QPoint(0, -120), QPointF(200, 60)
    wheel = QWheelEvent(
        here,
        strip.mapToGlobal(here),
        QPoint(),
        down,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(panel.area.viewport(), wheel)
    assert bar.value() == 120
    bench.activateWindow()
    strip.setFocus()
    qtbot.waitUntil(strip.hasFocus)
    qtbot.keyClick(strip, Qt.Key.Key_End)
    assert bar.value() == bar.maximum()
    assert strip.cell[0] == len(strip.layers) - 1
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert bar.value() <= LABEL_WIDTH


def test_pictures_are_larger_where_there_is_room(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    phase(bench, qtbot, "forward")
    assert bench.inside.panel.strip.row_height == SMALL
    low = bench.inside.panel.height()
    bench.resize(1440, 860)
    assert bench.inside.panel.strip.row_height == LARGE
    assert bench.inside.panel.height() > low


def test_it_says_which_run_of_a_comparison_it_shows(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    first = bench.run
    bench.twins.action.setChecked(True)
    qtbot.waitUntil(lambda: bench.ready and bench.run != first, timeout=PATIENCE)
    phase(bench, qtbot, "forward")
    assert bench.inside.panel.title.text() == "Inside the step of A"
    assert bench.inside.panel.seen is not None
    assert bench.inside.panel.seen.run == bench.run


@pytest.mark.parametrize("lab_id", [card.id for card in catalogue()])
def test_every_lab(lab_id: str, open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench(lab_id, values=None)
    strip, paused = bench.inside.panel.strip, list[Paused]()
    bench.bridge.happened.connect(lambda event: paused.append(event) if isinstance(event, Paused) else None)
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    for press in range(1, 9):
        bench.micro_step()
        qtbot.waitUntil(lambda press=press: len(paused) == press, timeout=PATIENCE)  # type: ignore[misc]
        assert bench.inside.open or lab_id not in NETWORKS
        if strip.lit:
            for name in ("dark", "light"):
                style.apply(app, name)
                assert len(colours(strip, ROWS.index(strip.lit))) > 5  # a picture, bars and numbers
        if not paused[-1].phase:
            break
    assert paused[-1].phase == ""
    assert strip.lit == "change" or lab_id not in NETWORKS


def colours(strip: LayerStrip, row: int) -> set[int]:
    """Those in the first cell of a row that holds something."""
    column = next(i for i in range(len(strip.layers)) if strip.words(i, row))
    picture, area = strip.grab().toImage(), strip._rect(column, row).toRect().adjusted(2, 2, -2, -2)
    return {picture.pixel(x, y) for x in range(area.left(), area.right()) for y in range(area.top(), area.bottom())}


def test_views_are_drawn_anew_at_each_phase(open_bench: BenchOpener, qtbot: QtBot) -> None:
    bench = open_bench()
    phases: dict[str, set[str]] = {}

    def note(frame: Frame) -> None:
        phases.setdefault(frame.phase, set()).add(frame.view)

    bench.bridge.frame.connect(note)
    visible = {name for name in bench.grid.visible_views() if bench.info and bench.info.views[name].kind != "curves"}
    assert visible == {"network", "surface"}
    for name in ("forward", "backward"):
        bench.micro_step()
        qtbot.waitUntil(lambda name=name: phases.get(name) == visible, timeout=PATIENCE)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.25, "−0.25"), (1.2345, "1.2"), (123.4, "120"), (1e-5, "1e−5"), (float("nan"), "NaN")],
)
def test_numbers_take_little_room(value: float, text: str) -> None:
    assert number(value) == text


def test_shares() -> None:
    assert percent(0.021) == "2.1 %"
    assert percent(1.5) == "150 %"
