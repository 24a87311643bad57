"""Who looks at a run, and what it costs: visible views, each rendered as often as its share of the budget allows."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from engine.interruption import Interrupted
from engine.lab import views_of
from engine.messages import Frame
from engine.payloads import Payload
from engine.watch import rendering

if TYPE_CHECKING:
    from engine.run import Run

FRAME_INTERVAL = 1 / 30  # while training no view is drawn more often: drawing takes the interpreter from the steps
FAILED_INTERVAL = 0.5  # seconds until a view that raised is tried again
SHARE_WINDOW = 2.0  # seconds over which the share spent watching is told
MOST_DEBT = 0.05  # seconds: what first pictures and gestures cost beyond that is forgiven, or views would stand still


class Watcher:
    """Renders the visible views of a run, within the budget.

    Time to watch accrues at the budget's share of real time, and each rendering, and what the window spends on drawing
    it, is paid from it. Who comes next is decided as in fair queueing: the view that has had the least time, weighed,
    so that a cheap view stays fluent beside a costly one, and nothing of the budget is wasted. A view never seen
    is rendered on credit: nobody should look at an empty panel. What the viewer does is answered first: after a gesture
    all visible views are owed, and rendered whatever the budget says, which is paid off afterwards.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.visible: tuple[str, ...] = ()
        self._version = 0
        self._shown: dict[str, int] = {}  # the version that each view was last rendered at
        self._next: dict[str, float] = {}  # when a view may be rendered again
        self._had: dict[str, float] = {}  # the weighed time that each view has had since others came into sight
        self._owed: dict[str, int] = {}  # views to be rendered at once, and the version that a gesture made
        self._stopped: set[str] = set()  # views that did not end: not rendered again until they are asked for
        self._parts: set[str] = set()  # those owed of which a part is shown already
        self._poked = ""  # the view of the latest gesture
        self._gesture = 0  # the version that the latest gesture made
        self._gestures = 0  # how many there were
        self._slices: dict[str, tuple[Generator[Payload | None, None, Payload], int, int]] = {}
        self._cost: dict[str, float] = {}
        self._spent: list[tuple[float, float]] = []
        self._credit = 0.0
        self._counted = time.perf_counter()

    def changed(self, *, restart: bool = False) -> None:
        """There is something new to see; `restart` also begins anew what is half rendered, and draws it at once."""
        self._version += 1
        if restart:
            self._slices.clear()
            self._parts.clear()
            self._next.clear()
            self._credit = max(self._credit, 0.0)

    def answer(self, view: str = "") -> None:
        """The viewer changed something, by a gesture in `view` or elsewhere: all visible views are owed.

        What an earlier gesture still owes is finished first: in a long drag a costly view would otherwise never be. One
        that has shown a part of its answer begins again: it shows a part of the new one just as soon.
        """
        self._version += 1
        self._gestures += 1
        self._gesture, self._poked = self._version, view
        self._stopped.discard(view)
        for name in self.visible:
            if (name not in self._owed or name in self._parts) and name not in self._stopped:
                self._slices.pop(name, None)
                self._parts.discard(name)
                self._owed[name] = self._version

    def owed(self) -> str | None:
        """The view to render first: of those owed longest one that shows nothing of the answer yet, and of these the
        cheapest, or that of the gesture unless it is costly."""

        def rank(name: str) -> tuple[int, bool, float]:
            weight = 0.1 if name == self._poked else 1.0
            return self._owed[name], name in self._parts, self._cost.get(name, 0.0) * weight

        return min(self._owed, key=rank, default=None)

    def look(self, views: tuple[str, ...], drawn: dict[str, float]) -> None:
        """Which views are visible, and what the window spent on drawing them since last time."""
        known = views_of(self.run.lab)
        views = tuple(name for name in views if name in known)
        fresh = set(views) - set(self.visible)
        if views != self.visible:
            self.visible = views
            self._had = dict.fromkeys(self.visible, 0.0)  # all start level, those that were enlarged alone included
            self._owed = {name: version for name, version in self._owed.items() if name in self.visible}
        for name in fresh:
            self._shown.pop(name, None)
        self._stopped -= fresh
        for name in set(self._slices) - set(self.visible):
            del self._slices[name]
        self._parts.intersection_update(self._owed)
        now = time.perf_counter()
        for name, seconds in drawn.items():
            self._pay(name, now, seconds)

    def wait(self, now: float, idle: bool = False) -> float:
        """Seconds until a visible view may be rendered; infinite where all are fresh. `idle` as for next_due."""
        stale = self.stale()
        if not stale:
            return math.inf
        if not self.run.playing or self._owed:
            return 0.0
        self.accrue(now)
        until = 0.0 if idle else max(0.0, -self._credit / self.run.budget)
        return min(max(0.0 if self._unseen(name) else until, self._next.get(name, 0.0) - now, 0.0) for name in stale)

    def next_due(self, now: float, idle: bool = False) -> str | None:
        """The view to render next, if one may be rendered now; when the worker is `idle`, the budget does not count."""
        if (owed := self.owed()) is not None:
            return owed
        stale = self.stale()
        if not self.run.playing:
            # cheap views first; what takes long follows in slices
            return min(stale, key=lambda name: (name in self._slices, self._cost.get(name, 0.0)), default=None)
        affordable = self.accrue(now) >= 0 or idle
        ready = [name for name in stale if self._next.get(name, 0.0) <= now and (affordable or self._unseen(name))]
        # what nobody has seen yet comes first; training meanwhile gets as much time (Session._render)
        return min(ready, key=lambda name: (not self._unseen(name), self._had.get(name, 0.0)), default=None)

    def stale(self) -> list[str]:
        """The visible views that have something new to show, or are half rendered."""
        shown = (name for name in self.visible if name not in self._stopped)
        return [name for name in shown if name in self._slices or self._shown.get(name) != self._version]

    def half(self, name: str) -> bool:
        """Whether some slices of a view are rendered, and others are not."""
        return name in self._slices

    def _unseen(self, name: str) -> bool:
        return name not in self._shown

    def accrue(self, now: float) -> float:
        """Bring the credit up to date: seconds that may be spent, below zero those that are owed."""
        self._credit = min(FRAME_INTERVAL, self._credit + self.run.budget * (now - self._counted))
        self._counted = now
        return self._credit

    def render(self, name: str) -> Frame | None:
        """Render one slice of a view; a Frame once it is complete. Raises what the view raises."""
        begun = time.perf_counter()
        slices, version, gestures = self._slices.pop(name, (None, self._version, self._gestures))
        if slices is None:
            slices = rendering(self.run.lab, name, parts=name in self._owed)
            self._cost[name] = 0.0
        complete, owed = False, name in self._owed
        try:
            payload = next(slices)
            self._slices[name] = (slices, version, gestures)
            if payload is not None:
                self._parts.add(name)
        except StopIteration as stop:
            payload, complete = stop.value, True
            self._show(name, version)
        except BaseException as error:
            self._show(name, version)  # a view that raises is tried again only when the run has changed
            if isinstance(error, Interrupted):
                self._stopped.add(name)
                self._owed.pop(name, None)
            self._next[name] = time.perf_counter() + FAILED_INTERVAL
            raise
        now = time.perf_counter()
        self._cost[name] += now - begun
        self._pay(name, now, now - begun, owed=owed)
        if complete:
            self._next[name] = begun + FRAME_INTERVAL
        if payload is None:
            return None
        lab = self.run.lab
        seconds = self._cost[name]
        return Frame(self.run.number, name, lab.step_count, self.run.phase, payload, seconds, gestures, complete)

    def _show(self, name: str, version: int) -> None:
        self._shown[name] = version
        self._parts.discard(name)
        if version >= self._gesture:
            self._owed.pop(name, None)
        elif name in self._owed:
            self._owed[name] = self._gesture  # another gesture came meanwhile: once more, after the others

    def _pay(self, name: str, now: float, seconds: float, *, owed: bool = False) -> None:
        # weighed by the root of what a rendering costs: between equal time for all, in which a text of many slices
        # would be half a minute old, and equal intervals, in which a cheap view would wait for the costliest;
        # what the viewer asked for does not put a view behind the others
        if not owed:
            weight = math.sqrt(max(self._cost.get(name, 0.0), seconds, 1e-4))
            self._had[name] = self._had.get(name, 0.0) + seconds / weight
        self._spent.append((now, seconds))
        while now - self._spent[0][0] > SHARE_WINDOW:
            self._spent.pop(0)
        if self.run.playing:
            self._credit = max(-MOST_DEBT, self._credit - seconds)

    def share(self, now: float) -> float:
        """The share of the last seconds that went into rendering and drawing."""
        return sum(seconds for at, seconds in self._spent if now - at <= SHARE_WINDOW) / SHARE_WINDOW


class Rate:
    """Steps per second over the last second, or over the last two turns where they lie further apart."""

    def __init__(self) -> None:
        self._done: list[tuple[float, int]] = []

    def begin(self) -> None:
        """Training begins or goes on: what was done before does not count."""
        self._done.clear()

    def add(self, steps: int) -> None:
        if not steps:
            return
        now = time.perf_counter()
        self._done.append((now, steps))
        while len(self._done) > 3 and now - self._done[0][0] > 1.0:
            self._done.pop(0)

    def per_second(self, now: float) -> float:
        recent = [(at, steps) for at, steps in self._done if now - at <= 1.0]
        if len(recent) < 3:
            recent = self._done[-3:]
        if len(recent) < 2:
            return 0.0
        span = max(recent[-1][0] - recent[0][0], now - recent[-1][0], 1e-9)
        return sum(steps for _, steps in recent[1:]) / span
