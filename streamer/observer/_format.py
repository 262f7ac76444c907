"""Numbers and names as the terminal shows them."""

from __future__ import annotations

import math

from streamer.observer._percentiles import histogram_max, histogram_percentile
from streamer.wire import HistogramData

ABSENT = "–"
_UNITS = ((1e6, "µs"), (1e3, "ms"), (1.0, "s"))


def count(value: float) -> str:
    """Return a whole number with thousands separated."""
    return f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else ABSENT


def seconds(value: float) -> str:
    """Return a span with three digits and the unit that suits it."""
    if math.isnan(value):
        return ABSENT
    factor, unit = next(((f, u) for f, u in _UNITS if abs(value) * f < 999.5), _UNITS[-1])
    scaled = value * factor
    digits = 0 if abs(scaled) >= 99.95 or not scaled else 1 if abs(scaled) >= 9.995 else 2
    return f"{scaled:,.{digits}f} {unit}"


def clock(value_s: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    whole = max(0, int(value_s))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def percentile(data: HistogramData | None, q: float) -> str:
    """Return a percentile of a histogram of seconds; one beyond its edges reads '>50 ms', not '50 ms'."""
    return ABSENT if data is None else _bounded(data, histogram_percentile(data, q))


def maximum(data: HistogramData | None) -> str:
    """Return the bound that no value of a histogram of seconds is above."""
    if data is None or not any(data.counts):
        return ABSENT
    text = _bounded(data, histogram_max(data))
    return text if text[0] in "<>" else f"≤{text}"


def printable(text: str, limit: int = 64) -> str:
    """Return a name that came over the wire without what could command a terminal, and not longer than this."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _bounded(data: HistogramData, value: float) -> str:
    if not math.isinf(value) or not data.edges:
        return seconds(value) if not math.isinf(value) else ABSENT
    return f">{seconds(data.edges[-1])}" if value > 0 else f"<{seconds(data.edges[0])}"
