"""The history of metrics, in bounded memory, drawn equally fast however long it is.

Each metric is a pyramid. Level 0 holds the points themselves; an entry of level k stands for 2**k consecutive points:
their first step, lowest and highest value, mean, and how many of them were NaN or infinite. A curve is drawn from the
level that has about one entry per pixel, so drawing 10 million points costs as much as drawing a thousand.

Memory: every level keeps its newest `keep` entries (65,536). So a run of up to 65,536 points is kept whole; beyond
that the points older than the newest 65,536 are kept in pairs, those older than 131,072 in fours, and so on: about
3 MB per metric at 65,536 points, 26 MB at 10 million, and 3 MB for each further doubling. A window that spans at
least 1/30 of the time from its start until now is still drawn at one entry per pixel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

KEEP = 1 << 16

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Decimated(NamedTuple):
    """Entries in order. `low`, `high` and `mean` are over the finite values of an entry, NaN where it has none;
    `bad` counts its NaN and infinite values."""

    steps: Ints  # the first step of each entry
    low: Floats
    high: Floats
    mean: Floats
    bad: Ints

    def every(self, start: int, stride: int) -> Decimated:
        """Every `stride`-th entry, from `start`."""
        cut = slice(start, None, stride)
        return Decimated(self.steps[cut], self.low[cut], self.high[cut], self.mean[cut], self.bad[cut])


EMPTY = Decimated(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))


class _Columns:
    """Parallel arrays that grow at the end and are dropped from the front, both in amortised O(1) per entry."""

    def __init__(self, *dtypes: type[Any]) -> None:
        self._buffers = [np.empty(64, dtype) for dtype in dtypes]
        self._start = self._stop = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def total(self) -> int:
        """How many entries there ever were, those dropped included."""
        return self.dropped + len(self)

    def __getitem__(self, column: int) -> npt.NDArray[Any]:
        return self._buffers[column][self._start : self._stop]

    def push(self, *columns: npt.NDArray[Any]) -> None:
        live, added = len(self), len(columns[0])
        if self._stop + added > len(self._buffers[0]):
            room = live + added + max(64, (live + added) // 4)
            for i, buffer in enumerate(self._buffers):
                fresh = np.empty(room, buffer.dtype)
                fresh[:live] = buffer[self._start : self._stop]
                self._buffers[i] = fresh
            self._start, self._stop = 0, live
        for buffer, column in zip(self._buffers, columns, strict=True):
            buffer[self._stop : self._stop + added] = column
        self._stop += added

    def drop_front(self, keep: int) -> None:
        surplus = max(0, len(self) - keep)
        self._start += surplus
        self.dropped += surplus

    def truncate(self, total: int) -> None:
        """Keep the first `total` entries, counted from the beginning of time."""
        if total >= self.dropped:
            self._stop = min(self._stop, self._start + total - self.dropped)
        else:
            self._start = self._stop = 0
            self.dropped = total


class _Series:
    """One metric: its points and the pyramid over them."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.levels = [_Columns(np.int64, np.float64)]  # steps, values; above it steps, low, high, mean, bad
        self.lowest: tuple[int, float] | None = None
        self.highest: tuple[int, float] | None = None

    def append(self, steps: Ints, values: Floats) -> None:
        for start in range(0, len(steps), self.keep):
            stop = start + self.keep
            self.levels[0].push(steps[start:stop], values[start:stop])
            if len(self.levels[0]) > 2 * self.keep:
                self.settle()
        finite = np.isfinite(values)
        if not finite.any():
            return
        least, most = int(np.where(finite, values, np.inf).argmin()), int(np.where(finite, values, -np.inf).argmax())
        if self.lowest is None or values[least] < self.lowest[1]:
            self.lowest = int(steps[least]), float(values[least])
        if self.highest is None or values[most] > self.highest[1]:
            self.highest = int(steps[most]), float(values[most])

    def entries(self, level: int, start: int, stop: int) -> Decimated:
        """Stored entries start:stop of a level."""
        columns = self.levels[level]
        if level:
            return Decimated(*(columns[c][start:stop] for c in range(5)))
        values: Floats = columns[1][start:stop]
        finite = np.isfinite(values)
        if not finite.all():
            values = np.where(finite, values, np.nan)
        return Decimated(columns[0][start:stop], values, values, values, (~finite).astype(np.int64))

    def settle(self) -> None:
        """Bring the pyramid up to date with the points, then drop what is beyond `keep`."""
        level = 0
        while True:
            below = self.levels[level]
            if level + 1 == len(self.levels):
                if below.total < 2:
                    break
                self.levels.append(_Columns(np.int64, np.float64, np.float64, np.float64, np.int64))
            above = self.levels[level + 1]
            done, due = above.total, below.total // 2
            if due == done:
                break
            pairs = self.entries(level, 2 * done - below.dropped, 2 * due - below.dropped)
            above.push(*_merge_pairs(pairs, 1 << level))
            level += 1
        for columns in self.levels:
            columns.drop_front(self.keep)

    def finest(self, step: int) -> int:
        """The finest level that reaches back to `step`."""
        for level, columns in enumerate(self.levels):
            if columns.dropped == 0 or (len(columns) and columns[0][0] <= step):
                return level
        return len(self.levels) - 1

    def range(self, level: int, first: int, last: int) -> tuple[int, int]:
        """Entries of a level from the one that holds `first` (or comes before it) to the one after `last`."""
        steps = self.levels[level][0]
        start, stop = np.searchsorted(steps, (first, last), side="right").tolist()
        return max(0, start - 1), min(len(steps), stop + 1)

    def decimated(self, first: int, last: int, buckets: int) -> Decimated:
        self.settle()
        top = len(self.levels) - 1
        level = self.finest(first)
        start, stop = self.range(level, first, last)
        if stop - start > buckets + 2:
            level = min(top, level + math.ceil(math.log2((stop - start) / (buckets + 2))))
            start, stop = self.range(level, first, last)
            while stop - start > buckets + 2 and level < top:
                level += 1
                start, stop = self.range(level, first, last)
        found = self.entries(level, start, stop)
        if stop == len(self.levels[level]) and (rest := self._rest(level)) is not None:
            found = Decimated(*(np.append(a, b) for a, b in zip(found, rest, strict=True)))
        return found

    def _rest(self, level: int) -> tuple[int, float, float, float, int] | None:
        """The newest points, which do not yet fill an entry of `level`, as one entry. They are the entries of the
        levels below that no pair has taken up: one for each bit set in their number."""
        count = self.levels[0].total
        parts = [k for k in range(level - 1, -1, -1) if (count >> k) & 1]
        if not parts:
            return None
        low, high, mean, finite, bad, step = math.inf, -math.inf, 0.0, 0, 0, 0
        for k in reversed(parts):  # the newest first, so that the oldest gives the step
            size = len(self.levels[k])
            step, least, most, part, wrong = (column[0].item() for column in self.entries(k, size - 1, size))
            good = (1 << k) - wrong
            bad += wrong
            if good:
                low, high = min(low, least), max(high, most)
                finite += good
                mean += (part - mean) * (good / finite)
        return (step, low, high, mean, bad) if finite else (step, math.nan, math.nan, math.nan, bad)

    def cut(self, step: int) -> None:
        self.settle()
        level = self.finest(step)
        kept = int(np.searchsorted(self.levels[level][0], step, side="right")) + self.levels[level].dropped
        if level and kept and not self._ends_by(level, kept, step):
            kept -= 1  # some of this entry's points are later than `step`, and can no longer be told apart
        count = kept << level
        for k, columns in enumerate(self.levels):  # each bit of the count is an entry not yet paired: it must be there
            if (count >> k) & 1 and (count >> k) - 1 < columns.dropped:
                count = (count >> (k + 1)) << (k + 1)
        for k, columns in enumerate(self.levels):
            columns.truncate(count >> k)
        self.levels = [c for k, c in enumerate(self.levels) if k == 0 or c.total]
        if self.lowest is not None and self.lowest[0] > step:
            self.lowest = self._extreme(lowest=True)
        if self.highest is not None and self.highest[0] > step:
            self.highest = self._extreme(lowest=False)

    def _ends_by(self, level: int, kept: int, step: int) -> bool:
        """Whether the first `kept` entries of a level end at or before `step`: only where nothing comes after."""
        newest = self.levels[0]
        return bool(kept << level == newest.total and len(newest) and newest[0][-1] <= step)

    def _extreme(self, lowest: bool) -> tuple[int, float] | None:
        """The best point, found anew: exact among the points kept, else the first step of its entry."""
        best: tuple[int, float] | None = None
        for level, columns in enumerate(self.levels):
            entries = self.entries(level, 0, len(columns))
            values = entries.low if lowest else -entries.high
            if len(values) and not np.isnan(values).all():
                place = int(np.nanargmin(values))
                value = float(values[place]) if lowest else -float(values[place])
                if best is None or (value < best[1] if lowest else value > best[1]):
                    best = int(entries.steps[place]), value
        return best


def _merge_pairs(entries: Decimated, size: int) -> Decimated:
    """Merge neighbours two by two; each stood for `size` points."""
    even, odd = entries.every(0, 2), entries.every(1, 2)
    finite_even, finite_odd = size - even.bad, size - odd.bad
    finite = finite_even + finite_odd
    share = finite_odd / np.maximum(finite, 1)
    mean = np.where(finite_even > 0, even.mean, 0) * (1 - share) + np.where(finite_odd > 0, odd.mean, 0) * share
    mean[finite == 0] = np.nan
    return Decimated(even.steps, np.fmin(even.low, odd.low), np.fmax(even.high, odd.high), mean, even.bad + odd.bad)


class MetricHistory:
    """Metrics by name, append-only but for `cut`. The module docstring says what is kept and for how long."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._series: dict[str, _Series] = {}
        self.version = 0  # rises with every change: whoever draws can tell whether to draw again

    def append(self, name: str, steps: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Add points. Steps rise; one that does not means that the run went back: this metric is cut before it."""
        steps, values = np.asarray(steps, np.int64).ravel(), np.asarray(values, np.float64).ravel()
        if len(steps) != len(values):
            raise ValueError(f"{name}: {len(steps)} steps, {len(values)} values")
        if not len(steps):
            return
        if (series := self._series.get(name)) is None:
            series = self._series[name] = _Series(self._keep)
        for start, stop in _rising(steps):
            newest = series.levels[0]
            if len(newest) and steps[start] <= newest[0][-1]:
                series.cut(int(steps[start]) - 1)
            series.append(steps[start:stop], values[start:stop])
        self.version += 1

    def names(self) -> tuple[str, ...]:
        """The metrics that have at least one point, in the order in which they first came."""
        return tuple(name for name, series in self._series.items() if series.levels[0].total)

    def decimated(self, name: str, first_step: int, last_step: int, buckets: int) -> Decimated:
        """The metric from `first_step` to `last_step` in at most about `buckets` entries, and one to either side
        where there is one. Takes time O(buckets), whatever the length of the run."""
        series = self._series.get(name)
        return series.decimated(first_step, last_step, max(1, buckets)) if series else EMPTY

    def thinned(self, points: int) -> dict[str, tuple[Ints, Floats]]:
        """Steps and means of every metric in at most `points` entries (at least 4), the newest point among them: what
        is kept with a checkpoint. Shorter histories are whole."""
        first, newest = self.span() or (0, 0)
        kept: dict[str, tuple[Ints, Floats]] = {}
        for name in self.names():
            found = self.decimated(name, first, newest, points - 4)
            step, value = self.last(name) or (0, 0.0)
            steps, means = found.steps.copy(), found.mean.copy()
            if steps[-1] < step:
                steps, means = np.append(steps, step), np.append(means, value)
            kept[name] = steps, means
        return kept

    def span(self, names: tuple[str, ...] = ()) -> tuple[int, int] | None:
        """The first and the last step of some metrics (of all), None where there is no point."""
        found = [self._series[name] for name in names or self.names() if name in self._series]
        firsts = [int(s.levels[s.finest(-1)][0][0]) for s in found if s.levels[0].total]
        lasts = [self._last_step(s) for s in found if s.levels[0].total]
        return (min(firsts), max(lasts)) if firsts else None

    def last(self, name: str) -> tuple[int, float] | None:
        """The newest step and value."""
        series = self._series.get(name)
        if series is None or not series.levels[0].total:
            return None
        newest = series.levels[0]
        if len(newest):
            return int(newest[0][-1]), float(newest[1][-1])
        entry = next(series.entries(k, len(c) - 1, len(c)) for k, c in enumerate(series.levels) if len(c))
        return int(entry.steps[0]), float(entry.mean[0])

    def _last_step(self, series: _Series) -> int:
        return int(next(columns[0][-1] for columns in series.levels if len(columns)))

    def at(self, name: str, step: int) -> float | None:
        """The newest value at or before `step` (where points were merged, their mean); None before the first."""
        series = self._series.get(name)
        if series is None or not series.levels[0].total:
            return None
        series.settle()
        level = series.finest(step)
        steps = series.levels[level][0]
        place = int(np.searchsorted(steps, step, side="right")) - 1
        if place < 0:
            return None
        return float(series.levels[level][3 if level else 1][place])

    def steps(self) -> Ints:
        """The steps at which something was measured; where points were merged, the first of each group."""
        found = [np.empty(0, np.int64)]
        for series in self._series.values():
            series.settle()
            found.append(series.levels[series.finest(-1)][0])
        return np.unique(np.concatenate(found))

    def best(self, name: str, lowest: bool = True) -> tuple[int, float] | None:
        """The step and value of the lowest (or highest) finite point, the first of equals."""
        series = self._series.get(name)
        return None if series is None else (series.lowest if lowest else series.highest)

    def cut(self, step: int) -> None:
        """Drop all that came after `step`: the run went back. Where single points are no longer kept, the newest one
        or two entries before `step` go with it."""
        for series in self._series.values():
            series.cut(step)
        self.version += 1


def _rising(steps: Ints) -> list[tuple[int, int]]:
    """The stretches in which steps rise."""
    breaks = (np.flatnonzero(np.diff(steps) <= 0) + 1).tolist()
    return list(zip([0, *breaks], [*breaks, len(steps)], strict=True))
