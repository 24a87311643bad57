"""Numbers to colours: viridis for magnitudes, blue - white - red for signed values, grey for pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]

# matplotlib's viridis (van der Walt and Smith, CC0) and ColorBrewer's RdBu (Brewer, Apache 2.0), at equal distances
_ANCHORS = {
    "viridis": "440154 481668 482878 443983 3e4989 375a8c 31688e 2b758e 26828e 21918c 1f9e89 29af7f 40bd72 5ec962 "
    "84d44b addc30 d8e219 fde725",
    "diverging": "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f",
    "grey": "000000 ffffff",
}


@cache
def lookup_table(name: str) -> Rgb:
    """(256, 3) uint8."""
    anchors = np.array([list(bytes.fromhex(code)) for code in _ANCHORS[name].split()], dtype=np.float64)
    places = np.linspace(0, len(anchors) - 1, 256)
    columns = [np.interp(places, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    table: Rgb = np.stack(columns, axis=1).round().astype(np.uint8)
    table.setflags(write=False)
    return table


def limits(values: npt.NDArray[np.floating], name: str) -> tuple[float, float]:
    """The range that a colour map covers: symmetric about zero for signed data, NaN and infinities left out."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if name == "diverging":
        high = max(abs(low), abs(high))
        low = -high
    if high > low:
        return low, high
    return (low - 0.5, high + 0.5) if name == "diverging" else (low, low + 1.0)  # all alike: nothing stands out


def colourise(values: npt.NDArray[np.floating], name: str, low: float, high: float) -> Rgb:
    """Map (..., ) values in [low, high] to (..., 3) uint8; NaN becomes mid grey."""
    scaled = (values - low) * (255.0 / (high - low))
    index = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)
    rgb: Rgb = lookup_table(name)[index]
    missing = np.isnan(values)
    if missing.any():
        rgb[missing] = 128
    return rgb
