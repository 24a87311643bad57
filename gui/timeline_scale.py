"""Where a step lies on the timeline: on a logarithmic or a linear scale, the whole run or a stretch of it.

On the logarithmic scale the first 100 of 100,000 steps take two fifths of the line: a network changes most in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NARROWEST = 8  # steps that can still be told apart


@dataclass
class Scale:
    """Maps steps to shares of the line, 0..1, and back."""

    first: int = 0
    last: int = 0
    log: bool = True
    window: tuple[float, float] | None = None  # the stretch that is shown, in steps; None is the whole run

    def span(self, first: int, last: int) -> None:
        """The run reaches from `first` to `last`."""
        self.first, self.last = first, last
        if self.window is not None and not (first <= self.window[0] and self.window[1] <= last):
            self.window = None  # the run went back, or another one is shown

    @property
    def ends(self) -> tuple[float, float]:
        """The steps at both ends of the line."""
        return self.window or (self.first, self.last)

    def _warp(self, step: float) -> float:
        return math.log1p(max(0.0, step - self.first)) if self.log else step - self.first

    def _unwarp(self, place: float) -> float:
        return self.first + (math.expm1(place) if self.log else place)

    def share(self, step: float) -> float:
        """Where a step lies; below 0 or above 1 it is outside of what is shown."""
        low, high = (self._warp(end) for end in self.ends)
        return (self._warp(step) - low) / (high - low) if high > low else 0.0

    def step(self, share: float) -> int:
        """The step at a place of the line."""
        low, high = (self._warp(end) for end in self.ends)
        found = self._unwarp(low + min(1.0, max(0.0, share)) * (high - low))
        return min(self.last, max(self.first, round(found)))

    def zoom(self, share: float, factor: float) -> None:
        """Show less of the run (`factor` below 1) or more; what lies at `share` stays there."""
        low, high = (self._warp(end) for end in self.ends)
        at = low + share * (high - low)
        self._show(at - factor * (at - low), at + factor * (high - at))

    def pan(self, shares: float) -> None:
        """Move the stretch that is shown by so many times its length."""
        low, high = (self._warp(end) for end in self.ends)
        if self.window is not None:
            moved = min(max(shares * (high - low), self._warp(self.first) - low), self._warp(self.last) - high)
            self._show(low + moved, high + moved)

    def reveal(self, step: int) -> None:
        """Move the stretch that is shown so far that a step lies in it."""
        share = self.share(step)
        if not 0 <= share <= 1:
            self.pan(share - 0.5)

    def _show(self, low: float, high: float) -> None:
        low, high = max(low, self._warp(self.first)), min(high, self._warp(self.last))
        window = self._unwarp(low), self._unwarp(high)
        if low <= self._warp(self.first) and high >= self._warp(self.last):
            self.window = None
        elif window[1] - window[0] >= NARROWEST:
            self.window = window

    def ticks(self, most: int) -> list[int]:
        """Round steps to label, about so many at most: powers of ten on a logarithmic scale of several, else even."""
        low, high = self.ends
        if high - low < 2 or most < 1:
            return []
        if self.log and high - self.first >= 10 * max(1.0, low - self.first):
            base = self.first
            decades = [base + 10**k for k in range(19) if low <= base + 10**k <= high]
            return ([base] if low <= base else []) + decades
        raw = (high - low) / most
        unit = 10.0 ** math.floor(math.log10(max(raw, 1.0)))
        stride = max(1, round(next((unit * k for k in (1, 2, 5, 10) if unit * k >= raw), unit * 10)))
        return list(range(math.ceil(low / stride) * stride, math.floor(high) + 1, stride))
