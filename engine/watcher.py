"""Who looks at a run, and what it costs: visible views, each rendered as often as its share of the budget allows."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from engine.lab import views_of
from engine.messages import Frame
from engine.payloads import Payload
from engine.watch import rendering

if TYPE_CHECKING:
    from engine.run import Run

FRAME_INTERVAL = 1 / 30  # while training no view is drawn more often: drawing takes the interpreter from the steps


class Watcher:
    """Renders the visible views of a run, each as often as its share of the budget allows."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.visible: tuple[str, ...] = ()
        self._version = 0
        self._shown: dict[str, int] = {}  # the version that each view was last rendered at
        self._due: dict[str, float] = {}
        self._slices: dict[str, tuple[Generator[None, None, Payload], int]] = {}
        self._cost: dict[str, float] = {}
        self._spent: list[tuple[float, float]] = []

    def changed(self, *, restart: bool = False) -> None:
        """There is something new to see; `restart` also begins anew what is half rendered, and draws it at once."""
        self._version += 1
        if restart:
            self._slices.clear()
            self._due.clear()

    def look(self, views: tuple[str, ...], drawn: dict[str, float]) -> None:
        """Which views are visible, and what the window spent on drawing them since last time."""
        known = views_of(self.run.lab)
        fresh = set(views) - set(self.visible)
        self.visible = tuple(name for name in views if name in known)
        for name in fresh:
            self._shown.pop(name, None)
        for name in set(self._slices) - set(self.visible):
            del self._slices[name]
        now = time.perf_counter()
        for name, seconds in drawn.items():
            self._spend(now, seconds)
            if name in self._due:
                self._due[name] += seconds * max(1, len(self.visible)) / self.run.budget

    def wait(self, now: float) -> float:
        """Seconds until a visible view that shows something old may be rendered; infinite where all are fresh."""
        stale = [name for name in self.visible if name in self._slices or self._shown.get(name) != self._version]
        if stale and not self.run.playing:
            return 0.0
        return max(0.0, min((self._due.get(name, 0.0) for name in stale), default=math.inf) - now)

    def next_due(self, now: float) -> str | None:
        """The view to render next, if one may be rendered now."""
        if not self.run.playing:
            stale = [name for name in self.visible if self._shown.get(name) != self._version]
            half = [name for name in stale if name in self._slices]
            # cheap views first; what takes long follows in slices
            return min(stale, key=lambda n: (n in half, self._cost.get(n, 0.0))) if stale else None
        ready = [
            name
            for name in self.visible
            if self._due.get(name, 0.0) <= now and (name in self._slices or self._shown.get(name) != self._version)
        ]
        return min(ready, key=lambda name: self._due.get(name, 0.0)) if ready else None

    def render(self, name: str) -> Frame | None:
        """Render one slice of a view; a Frame once it is complete. Raises what the view raises."""
        begun = time.perf_counter()
        slices, version = self._slices.pop(name, (None, self._version))
        if slices is None:
            slices = rendering(self.run.lab, name)
            self._cost[name] = 0.0
        payload = None
        try:
            next(slices)
            self._slices[name] = (slices, version)
        except StopIteration as stop:
            payload = stop.value
            self._shown[name] = version
        except BaseException:
            self._shown[name] = version  # a view that raises is tried again only when the run has changed
            self._postpone(name, time.perf_counter() - begun + 0.1)
            raise
        spent = time.perf_counter() - begun
        self._cost[name] += spent
        self._spend(begun, spent)
        self._postpone(name, spent)
        if payload is None:
            return None
        return Frame(self.run.number, name, self.run.lab.step_count, self.run.phase, payload, self._cost[name])

    def _postpone(self, name: str, spent: float) -> None:
        interval = spent * len(self.visible) / self.run.budget
        interval = interval if name in self._slices else max(FRAME_INTERVAL, interval)
        self._due[name] = time.perf_counter() + interval

    def _spend(self, now: float, seconds: float) -> None:
        self._spent.append((now, seconds))
        while self._spent and now - self._spent[0][0] > 2.0:
            self._spent.pop(0)

    def share(self, now: float) -> float:
        """The share of the last two seconds that went into rendering and drawing."""
        return sum(seconds for at, seconds in self._spent if now - at <= 2.0) / 2.0


class Rate:
    """Steps per second over the last second."""

    def __init__(self) -> None:
        self._done: list[tuple[float, int]] = []

    def add(self, steps: int) -> None:
        now = time.perf_counter()
        self._done.append((now, steps))
        while self._done and now - self._done[0][0] > 1.0:
            self._done.pop(0)

    def per_second(self, now: float) -> float:
        recent = [(at, steps) for at, steps in self._done if now - at <= 1.0]
        if len(recent) < 2:
            return 0.0
        span = max(recent[-1][0] - recent[0][0], 1e-9)
        return sum(steps for _, steps in recent[1:]) / span
