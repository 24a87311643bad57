"""Runs that advance together, step for step, so that what differs between them can be seen at any moment.

They take turns as all runs of a session do, each with its own RNG, so each has the bits it would have alone. Between
two commands all have done equally many steps; only an error within a step leaves some of them one turn ahead, and
those behind go first when training goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from engine.messages import Event
from engine.run import Run

LONGEST_BURST = 64  # steps of one run before it is the next one's turn: taking turns costs tiny networks something


class Lockstep:
    """Moves its runs; a single one is the simplest case. Every method may raise what a step raises."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self._burst = 1
        self._moving: Run | None = None

    @property
    def playing(self) -> bool:
        return all(run.playing for run in self.runs)

    @property
    def watched(self) -> bool:
        """Whether somebody looks at one of them."""
        return any(run.watcher.visible for run in self.runs)

    def play(self, on: bool) -> None:
        """Let all train, or stand still."""
        for run in self.runs:
            if on and not run.playing:
                run.start_clock()
            run.playing = on

    def wait(self) -> float:
        """Seconds until the next step is due at the chosen speed."""
        return max(run.wait() for run in self.runs)

    # ------------------------------------------------------------------ what is seen of them

    def _deciding(self, now: float) -> list[Run]:
        """Those that say what is rendered next: of runs that train the one which owes most time, else all."""
        stale = [run for run in self.runs if run.watcher.stale()]
        return [min(stale, key=lambda run: run.watcher.accrue(now))] if stale and self.playing else stale

    def owed(self) -> bool:
        """Whether a gesture still waits to be answered by a view."""
        return any(run.watcher.owed() is not None for run in self.runs)

    def rest(self, now: float, idle: bool = False) -> float:
        """Seconds until a view may be rendered; infinite where all are fresh."""
        if self.owed():
            return 0.0
        return min((run.watcher.wait(now, idle) for run in self._deciding(now)), default=math.inf)

    def due(self, now: float, idle: bool = False) -> tuple[str, list[Run]] | None:
        """The view to render next, and in which runs: in all of them at one step, or what differs might be their age.
        Where it takes more slices in some, those finish theirs first. `idle`: the worker has nothing else to do."""
        for run in [run for run in self.runs if run.watcher.owed() is not None] or self._deciding(now):
            if (name := run.watcher.next_due(now, idle)) is not None:
                runs = [each for each in self.runs if name in each.watcher.stale()]
                return name, [each for each in runs if each.watcher.half(name)] or runs
        return None

    # ------------------------------------------------------------------ how they move

    def take_culprit(self) -> Run | None:
        """The run whose step raised, if that is why a method did."""
        culprit, self._moving = self._moving, None
        return culprit

    def _each(self, move: Callable[[Run], None], steps: int | None = None) -> None:
        """Move each run in its turn, or only those that have done fewer steps."""
        for run in self.runs:
            if steps is None or run.lab.step_count < steps:
                self._moving = run
                move(run)
        self._moving = None

    def _most(self) -> int:
        return max(run.lab.step_count for run in self.runs)

    def level(self) -> bool:
        """Bring all to the step of the foremost; False where they were there."""
        most = self._most()
        if all(run.lab.step_count == most for run in self.runs):
            return False
        self._each(lambda run: run.reach(most), most)
        return True

    def work(self, seconds: float, interrupted: Callable[[], bool]) -> None:
        """Train for about so long, in bursts of equally many steps. Commands are looked at only where all are level."""
        self.level()
        begun = time.perf_counter()
        paced = bool(self.runs[0].speed)
        left = self.runs[0].due(begun) if paced else 0
        while True:
            steps = min(self._burst, left) if paced else self._burst
            target, at = self._most() + steps, time.perf_counter()
            self._each(lambda run, target=target: run.reach(target))  # type: ignore[misc]
            for run in self.runs:
                run.paced(steps)
            left -= steps
            now = time.perf_counter()
            if now - at > seconds / 2:
                self._burst = max(1, self._burst // 2)
            elif (now - at) * 4 < seconds:
                self._burst = min(self._burst * 2, LONGEST_BURST)
            if (paced and left <= 0) or now - begun >= seconds or interrupted():
                return

    def finish_step(self) -> None:
        """Finish the steps under way."""
        self._each(Run.finish_step)
        self.level()

    def step_once(self) -> None:
        """Finish the step under way, or do one more; after an error, those behind catch up."""
        if not self.level():
            self._each(Run.step_once)

    def micro_step(self) -> None:
        """Go on to the next phase. Where one is at its step's end the others finish theirs."""
        if not self.level():
            self._each(Run.micro_step)
            self.level()

    def go_back(self, first: Run, step: int | None = None) -> list[Event]:
        """Return to a step of `first`, or to its last state known to be finite, all to the same step."""
        events = first.go_back(step)
        step = first.lab.step_count

        def follow(run: Run) -> None:
            if run is not first:
                events.extend(run.go_back(step))

        self._each(follow)
        return events
