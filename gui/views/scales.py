"""Axes and labels of the views that plot: values to pixels, few round ticks, names that fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QFont, QFontMetricsF

from engine.payloads import Array
from gui.format import number
from gui.views.parts import small
from gui.views.plane import ticks


@dataclass
class Axis:
    """Values low..high on the pixels start..end (end < start for an axis that points up)."""

    low: float = 0.0
    high: float = 1.0
    start: float = 0.0
    end: float = 1.0
    log: bool = False
    percent: bool = False
    whole: bool = False  # values are counts: no ticks between whole numbers, and on a log axis 0 stands at 1
    ticks: list[tuple[float, str]] = field(default_factory=list)

    def _ends(self) -> tuple[float, float]:
        if not self.log:
            return self.low, self.high
        least = 1.0 if self.whole else 1e-300
        low, high = math.log10(max(self.low, least)), math.log10(max(self.high, least))
        return (low, high) if high > low else (low, low + 1e-9)

    def pixels(self, values: Array) -> Array:
        """Values to pixels; NaN where a logarithmic axis has no place for one."""
        places = np.asarray(values, np.float64)
        low, high = self._ends()
        if self.log:
            places = np.maximum(places, 1.0) if self.whole else np.where(places > 0, places, np.nan)
            places = np.log10(places)
        return self.start + (places - low) * ((self.end - self.start) / (high - low))

    def pixel(self, value: float) -> float:
        low, high = self._ends()
        if self.log:
            if not self.whole and value <= 0:
                return math.nan
            value = math.log10(max(value, 1.0 if self.whole else value))
        return self.start + (value - low) * ((self.end - self.start) / (high - low))

    def value(self, pixel: float) -> float:
        low, high = self._ends()
        place = low + (pixel - self.start) / (self.end - self.start) * (high - low)
        return float(10.0**place) if self.log else place

    def choose_ticks(self, count: int, most: int = 0) -> None:
        """About `count` round values; at least three where there is room for `most`."""
        if self.log and self.high > 9 * max(self.low, 1e-300):
            self.ticks = _decades(max(self.low, 1.0 if self.whole else 0.0), self.high, count)
        elif self.percent:
            self.ticks = [(v / 100, f"{text} %") for v, text in ticks(100 * self.low, 100 * self.high, count, most)]
        else:
            self.ticks = ticks(self.low, self.high, count, most)
        if self.whole:
            self.ticks = [(v, f"{round(v):,}" if v < 1e6 else number(v)) for v, _ in self.ticks if v == round(v)]


def _decades(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Powers of ten in [low, high], every n-th where they are many, with 2 and 5 between where they are few."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / max(count, 1)))
    factors = (1, 2, 5) if 3 * (last - first + 1) <= count + 2 else (1,)
    found = [f * 10.0**power for power in range(first - 1, last + 1, stride) for f in factors]
    if stride > 1:
        found = [10.0**power for power in range(first, last + 1, stride)]
    return [(value, number(float(f"{value:.3g}"))) for value in found if low * 0.999 <= value <= high * 1.001]


def room_for(texts: Sequence[str], metrics: QFontMetricsF) -> float:
    """The width of the widest text."""
    return max((metrics.horizontalAdvance(text) for text in texts), default=0.0)


def label_font(font: QFont, size: QSize) -> QFont:
    """The font of names and ticks, larger in a large view: that is one on a projector."""
    result = small(font)
    result.setPixelSize(round(min(max(11.0, min(size.width() / 65, size.height() / 36)), 17.0)))
    return result


def countable(labels: Sequence[str]) -> bool:
    """Whether labels are numbers, of which some may be left out."""
    return all(label.strip().isdigit() for label in labels)


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the words that all of them begin or end with: "train loss", "validation loss" become "train",
    "validation"."""
    words = [name.split() for name in names]
    if len(names) < 2:
        return list(names)
    while all(len(w) > 1 for w in words) and len({w[-1] for w in words}) == 1:
        words = [w[:-1] for w in words]
    while all(len(w) > 1 for w in words) and len({w[0] for w in words}) == 1:
        words = [w[1:] for w in words]
    return [" ".join(w) for w in words]


def abbreviated(name: str, letters: int) -> str:
    """A name whose words are cut to so many letters and a dot, where that makes them shorter by two letters or more."""
    return " ".join(word if len(word) <= letters + 2 else f"{word[:letters]}." for word in name.split())


def spread_apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places as little as needed so that they lie `gap` apart within [low, high]."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [min(max(places[i], low), high) for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    if moved and moved[-1] > high:
        moved[-1] = high
        for i in range(len(moved) - 2, -1, -1):
            moved[i] = min(moved[i], moved[i + 1] - gap)
    result = [0.0] * len(places)
    for i, place in zip(order, moved, strict=True):
        result[i] = place
    return result
