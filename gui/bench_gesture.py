"""From a gesture to the views that answer it, in every lab while it trains at full speed."""

from __future__ import annotations

import random
import time
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtTest import QTest

from engine.messages import Event, Failed, Frame
from gui.bench import Window
from gui.views.base import ViewWidget
from gui.views.canvas import CanvasView
from gui.views.text import TextView

LONGEST = 10.0  # seconds after which a gesture counts as unanswered
TRIES = 40  # clicks that hit nothing, until a view is given up


class Watch(QObject):
    """Knows which views have been painted with a payload that follows the latest gesture."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._grid = window.workbench.grid
        self.sent = self.failed = 0
        self.at = 0.0  # when the first gesture since `begin` was made
        self._base = 0
        self._own: ViewWidget | None = None  # a canvas shows what is drawn at once, by itself
        self._answers: dict[str, int] = {}
        self._fresh: set[QObject] = set()
        self._painted: set[QObject] = set()
        self._views = {name: panel.view for name, panel in self._grid.panels.items()}
        for view in self._views.values():
            view.installEventFilter(self)
        self._grid.gesture.connect(self._gesture)
        window.workbench.bridge.frame.connect(self._frame)
        window.workbench.bridge.happened.connect(self._event)

    def begin(self, view: ViewWidget) -> None:
        """Something is about to be done in `view`; forget what was done before."""
        self._own = view if isinstance(view, CanvasView) else None
        self._base = max(self._answers.values(), default=0)
        self.sent = self.failed = 0
        self._fresh.clear()
        self._painted.clear()

    @property
    def answered(self) -> bool:
        """Whether all visible views show what was done."""
        visible = [self._views[name] for name in self._grid.visible_views()]
        return all(view in self._painted for view in visible if view.description.kind != "curves")

    def _gesture(self) -> None:
        if not self.sent:
            self.at = time.perf_counter()
        self.sent += 1
        self._fresh.clear()
        self._painted.clear()

    def _event(self, event: Event) -> None:
        if isinstance(event, Failed):
            self.failed += 1

    def _frame(self, frame: Frame) -> None:
        self._answers[frame.view] = max(self._answers.get(frame.view, 0), frame.answers)
        if frame.answers >= self._base + self.sent - self.failed:
            self._fresh.add(self._views[frame.view])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and (watched in self._fresh or watched is self._own):
            self._painted.add(watched)
        return False


def act(view: ViewWidget, chance: random.Random) -> None:
    """What a person does in such a view: type, click or drag."""
    button = Qt.MouseButton.LeftButton
    if isinstance(view, TextView) and view.prompt is not None and chance.random() < 0.5:
        view.prompt.setText(chance.choice(("the ", "a man ", "so it ", "in the ")))
        QTest.keyClick(view.prompt, Qt.Key.Key_Return)
        return
    begin = QPoint(chance.randrange(view.width()), chance.randrange(view.height()))
    end = begin + QPoint(chance.randint(-8, 8), chance.randint(-8, 8))
    QTest.mousePress(view, button, Qt.KeyboardModifier.NoModifier, begin)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, button, Qt.KeyboardModifier.NoModifier, end)
    QTest.keyClick(view, Qt.Key.Key_Escape)  # an editor that opened


def answers(lab: str, count: int) -> list[float]:
    """Seconds from each of so many gestures to the last view painted; [] where the lab takes no gestures."""
    chance, window = random.Random(0), Window(lab)
    window.train()
    window.live(2.0)
    watch, grid = Watch(window), window.workbench.grid
    views: list[Any] = [panel.view for panel in grid.panels.values() if panel.view.probes or panel.view.edits]
    deaf: dict[ViewWidget, int] = {}
    times: list[float] = []
    while len(times) < count and views:
        window.live(chance.uniform(0.05, 0.3))  # at any moment of a step
        view = chance.choice(views)
        watch.begin(view)
        act(view, chance)
        window.live(0.15, lambda: watch.sent > 0)  # some gather what is drawn before they send it
        if not watch.sent:
            deaf[view] = deaf.get(view, 0) + 1
            if deaf[view] > TRIES:
                views.remove(view)
            continue
        deaf.pop(view, None)
        deadline = watch.at + LONGEST
        while not watch.answered and time.perf_counter() < deadline:
            window.app.processEvents()
            time.sleep(0.001)
        if watch.failed < watch.sent:
            times.append(time.perf_counter() - watch.at)
    window.close()
    return times
