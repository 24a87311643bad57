"""What a run looked like and where it stood, kept as it trains, in bounded memory: for scrubbing back and branching.

A Reel keeps items in the order of their steps. When it outgrows its capacity it is thinned: the items that lie closest
together go first, distances being measured so that the first steps, where a network changes most, and the latest,
which were just seen, stay dense.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from engine.messages import Frame

T = TypeVar("T")

RESERVES = 4  # the reserves of all recordings that share a capacity take one part of so many of it
THINNED = 0.2  # the share of the items that one thinning drops: seldom enough to cost nothing


class Reel(Generic[T]):
    """Items by rising step, within a capacity in bytes. Adding is O(1) amortised, finding O(log n)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.bytes = 0
        self._steps: list[int] = []
        self._sizes: list[int] = []
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(self._steps)

    def entries(self) -> list[tuple[int, T, int]]:
        """Steps, items and sizes."""
        return list(zip(self._steps, self._items, self._sizes, strict=True))

    @property
    def newest_size(self) -> int:
        """The size of the latest item; 0 where there is none."""
        return self._sizes[-1] if self._sizes else 0

    def items(self) -> list[T]:
        """The items alone."""
        return list(self._items)

    def add(self, step: int, item: T, size: int) -> None:
        """Keep an item; one of the same step is replaced. Steps must not fall."""
        if self._steps and step <= self._steps[-1]:
            self.cut(step - 1)
        self._steps.append(step)
        self._sizes.append(size)
        self._items.append(item)
        self.bytes += size
        while self.bytes > self.capacity and self.thin():
            pass

    def at(self, step: int) -> T | None:
        """The item of the latest step not after `step`; before the first there is none."""
        place = bisect_right(self._steps, step)
        return self._items[place - 1] if place else None

    def nearest(self, step: int) -> T | None:
        """The item of the latest step not after `step`, else the first of all."""
        return self.at(step) or (self._items[0] if self._items else None)

    def cut(self, step: int) -> None:
        """Forget what came after `step`."""
        place = bisect_left(self._steps, step + 1)
        self.bytes -= sum(self._sizes[place:])
        del self._steps[place:], self._sizes[place:], self._items[place:]

    def thin(self) -> bool:
        """Drop a part of the items, never the first or the last; False where there are no others."""
        if len(self._steps) <= 2:
            return False
        steps = np.array(self._steps, np.float64)
        warped = np.log1p(steps - steps[0]) - np.log1p(steps[-1] - steps)
        gaps = warped[2:] - warped[:-2]  # of item i + 1: how large a hole it would leave
        dropped: set[int] = set()
        for place in (np.argsort(gaps, kind="stable") + 1).tolist():
            if len(dropped) >= max(1, round(THINNED * len(steps))):
                break
            if place - 1 not in dropped and place + 1 not in dropped:
                dropped.add(place)
        kept = [place for place in range(len(steps)) if place not in dropped]
        self._steps = [self._steps[place] for place in kept]
        self._sizes = [self._sizes[place] for place in kept]
        self._items = [self._items[place] for place in kept]
        self.bytes = sum(self._sizes)
        return True


class Tape:
    """The frames of a run, by view. Each view has an equal part of the capacity."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._reels: dict[str, Reel[Frame]] = {}

    @property
    def bytes(self) -> int:
        return sum(reel.bytes for reel in self._reels.values())

    def resize(self, capacity: int) -> None:
        """Another capacity, for what is recorded from now on."""
        self.capacity = capacity
        for reel in self._reels.values():
            reel.capacity = capacity // len(self._reels)

    def thin(self) -> bool:
        """Drop a part of the frames of the view that takes most; False where each has only its first and last."""
        return any(reel.thin() for reel in sorted(self._reels.values(), key=lambda reel: -reel.bytes))

    def record(self, frame: Frame) -> None:
        """Keep a frame of a view, between two steps: a phase within one is not a place to come back to."""
        if frame.phase:
            return
        if frame.view not in self._reels:
            self._reels[frame.view] = Reel(self.capacity)
            self.resize(self.capacity)
        self._reels[frame.view].add(frame.step, frame, size_of(frame.payload))

    def at(self, view: str, step: int) -> Frame | None:
        """What a view showed at `step`: its latest frame not after it, else its first."""
        reel = self._reels.get(view)
        return reel.nearest(step) if reel else None

    def frames(self) -> tuple[tuple[Frame, int], ...]:
        """All frames with their sizes, view by view."""
        return tuple((frame, size) for reel in self._reels.values() for _, frame, size in reel.entries())

    def span(self) -> tuple[int, int] | None:
        """The first and the last step recorded."""
        ends = [(reel.steps[0], reel.steps[-1]) for reel in self._reels.values() if len(reel)]
        return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None

    def steps(self, views: Iterable[str]) -> list[int]:
        """The steps at which one of these views was recorded, in order."""
        return sorted({step for view in views if view in self._reels for step in self._reels[view].steps})

    def cut(self, step: int) -> None:
        """Forget what came after `step`: the run went back there."""
        for reel in self._reels.values():
            reel.cut(step)


class Recording(Protocol):
    """What `fit` can make smaller."""

    @property
    def bytes(self) -> int: ...

    def thin(self) -> bool: ...


def fit(groups: Sequence[Sequence[Recording]], capacity: int) -> None:
    """Bring the recordings of several runs within one capacity. Those of the first groups thin out first, down to a
    small reserve for each; within a group the largest does. The first and the last item of a reel always stay."""
    total = sum(recording.bytes for group in groups for recording in group)
    count = max(1, sum(map(len, groups)))
    for reserve in (capacity // (RESERVES * count), 0):
        for group in groups:
            able = list(group)
            while total > capacity and able:
                largest = max(able, key=lambda recording: recording.bytes)
                before = largest.bytes
                if before > reserve and largest.thin():
                    total += largest.bytes - before
                else:
                    able.remove(largest)


def size_of(value: Any) -> int:
    """About how many bytes a payload or a state takes."""
    if hasattr(value, "nbytes"):
        return int(value.nbytes) + 64
    if dataclasses.is_dataclass(value):
        return 64 + sum(size_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return 64 + sum(size_of(item) for item in value.values())
    if isinstance(value, list | tuple):
        return 64 + sum(size_of(item) for item in value)
    return 32 + (len(value) if isinstance(value, str) else 0)
