"""Watching never changes the experiment, even from a real window with every view open; and a window that is clicked
all over, faster than anybody can, neither raises nor falls silent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QDesktopServices, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from engine import checkpoint
from engine.discovery import catalogue, load_lab
from engine.hyperparameters import make_params
from engine.lab import Lab, advance, start
from engine.messages import Changed
from gui.main_window import MainWindow
from gui.workbench import Workbench

PATIENCE = 60_000
LOOKED_AT = {"shown", "drawing"}  # what a probe chose to look at is kept with a run, but is no part of the experiment

Opener = Callable[..., MainWindow]


def bench_of(window: MainWindow) -> Workbench:
    assert window.workbench is not None
    return window.workbench


# ------------------------------------------------------------------ bit for bit


def bare_loop(spec: checkpoint.RunSpec, steps: int, changes: dict[int, float]) -> Lab:
    """No session, no window. The learning rate changes before the step that follows each of `changes`."""
    torch.set_num_threads(1)
    lab_class = load_lab(spec.lab)
    values = dict(spec.hyperparameters)
    lab = start(lab_class, make_params(lab_class.Params, values), dataset=spec.dataset, seed=spec.seed)
    for step in range(steps):
        if step in changes:
            values["learning_rate"] = changes[step]
            lab.hp = make_params(lab_class.Params, values)
            lab.changed("learning_rate")
        advance(lab)
    return lab


@pytest.mark.parametrize(("lab", "steps"), [("dense_network", 500), ("lenet", 60)])
def test_a_watched_run_equals_the_bare_loop(
    open_window: Opener, qtbot: QtBot, tmp_path: Path, lab: str, steps: int
) -> None:
    window = open_window(lab, values={}, seed=5)
    bench = bench_of(window)
    assert bench.run is not None
    assert bench.info is not None
    begin = bench.runs.spec
    assert begin is not None
    changes: dict[int, float] = {}

    def note(event: object) -> None:
        if isinstance(event, Changed):
            changes[event.step] = float(event.new)

    bench.bridge.happened.connect(note)
    frames: dict[str, int] = {}
    bench.bridge.frame.connect(lambda frame: frames.update({frame.view: frames.get(frame.view, 0) + 1}))
    reached = [0]
    bench.bridge.status.connect(lambda status: reached.append(status.step))
    bench.explain_action.setChecked(True)
    bench.toggle_play()
    qtbot.waitUntil(lambda: reached[-1] >= steps // 3, timeout=PATIENCE)
    bench.runs.choose("learning_rate", 0.004)
    for name in bench.info.probes:  # looking closer is no experiment either
        qtbot.mouseClick(bench.grid.panels[name].view, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: reached[-1] >= 2 * steps // 3 and bool(changes), timeout=PATIENCE)
    bench.toggle_play()
    bench.micro_step()
    bench.step_once()
    bench.toggle_play()
    rendered = {name for name, view in bench.info.views.items() if view.kind != "curves"}
    qtbot.waitUntil(lambda: reached[-1] >= steps and frames.keys() >= rendered, timeout=PATIENCE)
    bench.toggle_play()
    path = tmp_path / "run.deepscope"
    bench.saving._write(path)
    qtbot.waitUntil(lambda: bench.toast.text.text() == "Saved run.deepscope", timeout=PATIENCE)
    window.close()  # the bare loop draws from the same generator

    spec, snapshot, _ = checkpoint.load(path)
    assert snapshot.step >= steps
    assert spec.hyperparameters["learning_rate"] == 0.004
    alone = bare_loop(begin, snapshot.step, changes)
    kept = checkpoint.take(alone, {}, (torch.get_rng_state(), None))
    other = {name for name in kept.state if not checkpoint.same(kept.state[name], snapshot.state[name])}
    assert other <= LOOKED_AT
    assert checkpoint.same(kept.rng[0], snapshot.rng[0])


# ------------------------------------------------------------------ clicking everything

LETTERS = "spnrfabcxyz0123456789"
KEYS = (
    *(Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return),
    *(Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Delete, Qt.Key.Key_Home, Qt.Key.Key_End),
    *(Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_F1, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_F),
)
WITH_CONTROL = (Qt.Key.Key_Z, Qt.Key.Key_Y, Qt.Key.Key_C, Qt.Key.Key_S, Qt.Key.Key_O, Qt.Key.Key_F, Qt.Key.Key_Comma)
SPARED = ("Quit", "Full screen")  # the window must stay to be clicked on


class Monkey(QObject):
    """Presses something every few milliseconds. Each turn begins the next one before it acts: menus and dialogs run
    loops of their own, and must be pressed too."""

    def __init__(self, window: MainWindow, seed: int, seconds: float) -> None:
        super().__init__()
        self.window, self.chance, self.turns = window, random.Random(seed), 0
        self.end, self.done, self.last = time.monotonic() + seconds, False, ""
        QTimer.singleShot(0, self, self.turn)

    def turn(self) -> None:
        popup, modal = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        if time.monotonic() >= self.end and popup is None and modal is None:
            self.done = True
            return
        QTimer.singleShot(self.chance.choice((0, 0, 0, 5, 20)), self, self.turn)
        self.turns += 1
        if popup is not None:
            self.in_popup(popup)
        elif modal is not None:
            self.in_dialog(modal)
        else:
            act = self.chance.choice((self.click, self.click, self.click, self.key, self.wheel, self.drag, self.resize))
            act()

    def pick(self, root: QWidget) -> QWidget:
        found = [w for w in root.findChildren(QWidget) if w.isVisible() and w.isEnabled() and w.window() is root]
        return self.chance.choice(found) if found else root

    def place(self, widget: QWidget) -> QPoint:
        return QPoint(self.chance.randrange(max(1, widget.width())), self.chance.randrange(max(1, widget.height())))

    def in_popup(self, popup: QWidget) -> None:
        self.last = f"in {popup}"
        actions = [a for a in popup.actions() if a.isEnabled() and a.text() not in SPARED]
        if isinstance(popup, QMenu) and actions and self.chance.random() < 0.6:
            QTest.mouseClick(
                popup,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
                popup.actionGeometry(self.chance.choice(actions)).center(),
            )
        else:
            QTest.keyClick(popup, self.chance.choice((Qt.Key.Key_Escape, Qt.Key.Key_Escape, Qt.Key.Key_Down)))

    def in_dialog(self, dialog: QWidget) -> None:
        self.last = f"in {dialog}"
        if isinstance(dialog, QFileDialog | QMessageBox) or self.chance.random() < 0.3:
            dialog.close()
        else:
            widget = self.pick(dialog)
            QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=self.place(widget))

    def click(self) -> None:
        widget = self.pick(self.window)
        if self.chance.random() < 0.3:  # what is meant to be pressed
            widget = self.chance.choice(
                [w for w in self.window.findChildren(QWidget) if isinstance(w, QAbstractButton | QComboBox | QLineEdit)]
            )
        if not (widget.isVisible() and widget.isEnabled()):
            return
        self.last = f"click {widget} {widget.accessibleName()}"
        button = self.chance.choice((*[Qt.MouseButton.LeftButton] * 5, Qt.MouseButton.RightButton))
        press = QTest.mouseDClick if self.chance.random() < 0.15 else QTest.mouseClick
        press(widget, button, pos=self.place(widget))

    def key(self) -> None:
        target = QApplication.focusWidget() or self.window
        self.last = f"key {target}"
        kind = self.chance.random()
        if kind < 0.2:
            QTest.keyClick(target, self.chance.choice(WITH_CONTROL), Qt.KeyboardModifier.ControlModifier)
        elif kind < 0.6:
            QTest.keyClicks(target, self.chance.choice(LETTERS))
        else:
            QTest.keyClick(target, self.chance.choice(KEYS))

    def wheel(self) -> None:
        widget = self.pick(self.window)
        self.last = f"wheel {widget}"
        at, turned = QPointF(self.place(widget)), QPoint(0, self.chance.choice((-240, -120, 120, 240)))
        everywhere = widget.mapToGlobal(at)
        none = Qt.MouseButton.NoButton
        wheel = QWheelEvent(
            at, everywhere, QPoint(), turned, none, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False
        )
        QApplication.sendEvent(widget, wheel)

    def drag(self) -> None:
        widget = self.pick(self.window)
        if isinstance(widget, QAbstractButton):
            return
        self.last = f"drag {widget}"
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=self.place(widget))
        for _ in range(4):
            QTest.mouseMove(widget, self.place(widget))
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=self.place(widget))

    def resize(self) -> None:
        if self.chance.random() < 0.2:
            self.window.resize(self.chance.randrange(960, 1500), self.chance.randrange(600, 900))


def let_loose(window: MainWindow, qtbot: QtBot, seed: int, seconds: float) -> int:
    """Returns how often something was pressed."""
    window.activateWindow()
    monkey = Monkey(window, seed, seconds)
    qtbot.waitUntil(lambda: monkey.done, timeout=int(1000 * seconds) + PATIENCE)
    return monkey.turns


def assert_alive(window: MainWindow, qtbot: QtBot) -> None:
    """The session answers, and a lab can be opened and trained."""
    assert window.isVisible()
    assert not window.notice.isVisible(), window.notice.text()
    window.open_lab("dense_network", values={}, seed=0)
    bench = bench_of(window)
    qtbot.waitUntil(lambda: bench.ready or bool(bench.trouble), timeout=PATIENCE)
    assert bench.trouble == ""
    assert bench.bridge._session is not None
    assert bench.bridge._session.alive
    reached = [0]
    bench.bridge.status.connect(lambda status: reached.append(status.step) if status.run == bench.run else None)
    bench.toggle_play()
    qtbot.waitUntil(lambda: reached[-1] > 50, timeout=PATIENCE)


@pytest.fixture
def shut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """No browser, no network, no file outside the test's folder; returns what was to be opened in a browser."""
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True)
    monkeypatch.setenv("DEEPSCOPE_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return opened


@pytest.mark.usefixtures("shut_off")
def test_clicking_everything_fast_harms_nothing(open_window: Opener, qtbot: QtBot) -> None:
    window = open_window("dense_network", values={})
    assert let_loose(window, qtbot, seed=1, seconds=6) > 50
    assert_alive(window, qtbot)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("shut_off")
@pytest.mark.parametrize("lab", [card.id for card in catalogue()])
def test_soak_clicking_everything_in_every_lab(open_window: Opener, qtbot: QtBot, lab: str) -> None:
    window = open_window(lab, values={})
    for seed in range(4):
        let_loose(window, qtbot, seed, seconds=15)
        window.open_lab(lab)
        window.show()
    assert_alive(window, qtbot)
