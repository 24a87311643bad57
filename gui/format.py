"""Numbers as a person would write them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """0.05, 1.2 M, 61,706, 1e-4: three significant digits, no more zeros than needed."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    if value == 0:
        return "0"
    size = abs(value)
    if float(value).is_integer() and size < 1e6:
        return f"{int(value):,}"
    for limit, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size >= limit:
            return f"{value / limit:.3g} {suffix}"
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 1e-3:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def position(index: int, shown: int, real: int) -> str:
    """Which row or column is meant: "12", or "12–14" where `real` ones were averaged to `shown`."""
    many = -(-real // shown)
    return str(index) if many == 1 else f"{index * many:,}–{min(real, (index + 1) * many) - 1:,}"


def percent(share: float) -> str:
    """98.7 % for 0.987."""
    return f"{100 * share:.3g} %" if math.isfinite(share) else number(share)


def size(count: float) -> str:
    """Bytes: 340 MB."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
