"""What a benchmark yields. Needs no torch: the window's benchmarks share it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One ratio, its bar, and what it was made from."""

    name: str
    ratio: float
    bar: float
    higher: bool  # whether the ratio must be at least the bar, or at most
    detail: str

    @property
    def holds(self) -> bool:
        return self.ratio >= self.bar if self.higher else self.ratio <= self.bar

    def line(self) -> str:
        sign = ">=" if self.higher else "<="
        verdict = "ok    " if self.holds else "MISSED"
        return f"{verdict} {self.name:34} {self.ratio:7.3f} (bar: {sign} {self.bar:g})  {self.detail}"
