"""The recorded timeline played again, out of sight: its pictures are painted here, a few milliseconds at a time, and
encoded elsewhere. Training and the window go on meanwhile."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from engine.export.animation import AnimationError, Stopped
from engine.export.recording import SAMPLES, Picture, Pixels
from engine.messages import Frame, LabInfo, Series
from engine.recorder import MetricHistory
from engine.tape import Tape
from gui import style, theme
from gui.recorder import WIDTH, pixels_of
from gui.view_grid import NEWEST, ViewGrid
from gui.view_panel import ViewPanel
from gui.views import make_view

SLICE = 0.006  # seconds of painting at a time; the window may then do as much for itself
WAITING = 4  # pictures painted and not yet encoded
CURVE_POINTS = 4096
CAPTION = 34  # pixels, under the views: what it is, and the step


@dataclass(frozen=True)
class Stretch:
    """From which step to which, how long that is to last in seconds, and with how many pictures a second."""

    first: int
    last: int
    seconds: int
    rate: int

    def steps(self) -> list[int]:
        """The step of each picture."""
        return [int(step) for step in np.linspace(self.first, self.last, max(2, self.seconds * self.rate)).round()]


def _scale(grid: ViewGrid) -> float:
    return min(grid.devicePixelRatioF(), WIDTH / max(1, grid.width()))


def size_of_pictures(grid: ViewGrid) -> QSize:
    """How large they will be, in pixels."""
    return (grid.size() + QSize(0, CAPTION)) * _scale(grid)


class Replay(QObject):
    """Of the views that `grid` shows, in copies of their size. After `start`, a thread takes `pictures`."""

    def __init__(
        self,
        grid: ViewGrid,
        tape: Tape,
        history: MetricHistory,
        flags: Sequence[tuple[int, str]],
        stretch: Stretch,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        assert grid.info is not None
        self.stretch = stretch
        self._info: LabInfo = grid.info
        self._flags = list(flags)
        self._tape = tape
        self._series: Series = history.thinned(CURVE_POINTS)
        self._places = {name: panel.geometry() for name, panel in grid.panels.items() if not panel.isHidden()}
        self._steps = stretch.steps()
        self._size = grid.size() + QSize(0, CAPTION)
        self._scale = _scale(grid)
        self._stage: QWidget | None = None
        self._waiting: queue.Queue[QImage | Exception] = queue.Queue(WAITING)
        self._work: Generator[float, None, None] = self._paint()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._slice)

    def __len__(self) -> int:
        return len(self._steps)

    def start(self, *, samples: bool) -> None:
        """Begin to paint; with `samples`, first some pictures from all parts of it (`samples` hands them over)."""
        if samples:
            places = np.linspace(0, len(self._steps) - 1, min(SAMPLES, len(self._steps))).round()
            self._work = self._paint([self._steps[int(place)] for place in places])
        self._timer.start(0)

    def end(self) -> None:
        """No more pictures are needed."""
        self._timer.stop()
        self._work.close()
        if self._stage is not None:
            self._stage.close()
            self._stage.deleteLater()
            self._stage = None

    # ------------------------------------------------------------------ on the thread that encodes

    def samples(self, stopped: Callable[[], bool]) -> list[Pixels]:
        """The first pictures, where `start` was asked for them."""
        return [pixels_of(self._next(stopped)) for _ in range(min(SAMPLES, len(self._steps)))]

    def pictures(self, stopped: Callable[[], bool]) -> Iterator[Picture]:
        """All pictures, as they come."""
        for _ in self._steps:
            yield Picture(pixels_of(self._next(stopped)), 1 / self.stretch.rate)

    def _next(self, stopped: Callable[[], bool]) -> QImage:
        while not stopped():
            try:
                found = self._waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(found, Exception):
                raise AnimationError(f"a view cannot be painted: {found}") from found
            return found
        raise Stopped

    # ------------------------------------------------------------------ on the window's thread

    def _slice(self) -> None:
        begun, pause = time.perf_counter(), 0.0
        try:
            pause = next(self._work)
            while not pause and time.perf_counter() - begun < SLICE:
                pause = next(self._work)
        except StopIteration:
            return
        except Exception as error:
            self._waiting = queue.Queue()
            self._waiting.put(error)
            return
        self._timer.start(max(1, round(1000 * max(pause, time.perf_counter() - begun))))

    def _paint(self, samples: Sequence[int] = ()) -> Generator[float, None, None]:
        """Everything there is to do, piece by piece; yields how long to wait before the next one."""
        plan: list[tuple[int, dict[str, Frame | None]]] = []
        for step in (*samples, *self._steps):  # held now: as training goes on, the tape is thinned
            plan.append((step, {name: self._tape.at(name, step) for name in self._places}))
            yield 0.0
        stage = self._stage = QWidget()
        style.dress(stage)
        stage.resize(self._size)
        panels: dict[str, ViewPanel] = {}
        for name, place in self._places.items():
            panels[name] = self._panel(name, stage)
            panels[name].setGeometry(place)
            panels[name].ensurePolished()
            yield 0.0
        image = QImage(self._size * self._scale, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(self._scale)
        image.fill(QColor(theme.current().window))
        shown: dict[str, Frame | None] = {}
        history, until = MetricHistory(), -1
        for step, frames in plan:
            if step < until:
                history, until = MetricHistory(), -1
            self._grow(history, until, step)
            until = step
            for name, panel in panels.items():
                frame = frames[name]
                if panel.view.description.kind == "curves":
                    panel.view.show_metrics(history, NEWEST)  # type: ignore[attr-defined]
                elif frame is not None and frame is not shown.get(name):
                    panel.show_frame(frame)
                elif name in shown:
                    continue
                shown[name] = frame
                yield 0.0
                panel.render(image, panel.pos())
                yield 0.0
            self._caption(image, step)
            while self._waiting.full():
                yield 0.01
            self._waiting.put(image.copy())
            yield 0.0

    def _panel(self, name: str, stage: QWidget) -> ViewPanel:
        from gui.views.curves import Flag

        view = make_view(self._info.views[name])
        panel = ViewPanel(name, view)
        panel.setParent(stage)
        if view.description.kind == "curves":
            view.set_flags([Flag(step, text) for step, text in self._flags])  # type: ignore[attr-defined]
        return panel

    def _grow(self, history: MetricHistory, after: int, step: int) -> None:
        """Let the curves grow, as they did."""
        for name, (steps, values) in self._series.items():
            start, stop = np.searchsorted(steps, (after, step), side="right").tolist()
            if stop > start:
                history.append(name, steps[start:stop], values[start:stop])

    def _caption(self, image: QImage, step: int) -> None:
        t = theme.current()
        painter = QPainter(image)
        room = QRectF(0, self._size.height() - CAPTION, self._size.width(), CAPTION)
        painter.fillRect(room, QColor(t.window))
        room.adjust(16, 0, -16, -8)
        painter.setFont(style.font())
        painter.setPen(QColor(t.muted))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._info.title)
        painter.setPen(QColor(t.text))
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"step {step:,}")
        painter.end()
