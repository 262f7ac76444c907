"""Durations and windows as one types them: 150us, 0.15ms, 30drops."""

from __future__ import annotations

import math
import re

from engines.errors import InputError
from streamer.decision.windows import DROP_STEPS, Mode, SortRule, in_drops, in_time

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_QUANTITY = re.compile(r"^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-zµμ]+)\s*$")


def parse_duration(text: str, field: str, source: str = "simulate-sort") -> float:
    """Return a duration like `150us` in nanoseconds; `InputError` for what is none."""
    match = _QUANTITY.match(text)
    if match is None or match[2] not in _UNITS:
        raise InputError(source, field, text, "a number and a unit, as in 150us, 0.15ms or 1s")
    return float(match[1]) * _UNITS[match[2]]


def parse_window(
    text: str, mode: Mode, leading: float, drop_frequency_hz: float | None, source: str = "simulate-sort"
) -> SortRule:
    """Return the rule of a window given as its whole span, a duration or so many drops.

    `leading` is the leading part's share of it, in drops rounded to a step of 1/32.
    """
    if not 0 <= leading <= 1:
        raise InputError(source, "--leading", leading, "0 to 1")
    match = _QUANTITY.match(text)
    if match is None or match[2] not in ("drop", "drops"):
        span = parse_duration(text, "--window", source) / 1e3
        return in_time(mode, span * leading, span * (1 - leading), source)
    if drop_frequency_hz is None:
        raise InputError(source, "--drop-frequency", "nothing", "drops per second, as the window is in drops")
    steps = float(match[1]) * DROP_STEPS
    if not (math.isfinite(steps) and steps == int(steps)):
        raise InputError(source, "--window", text, f"a whole number of 1/{DROP_STEPS} drops")
    before = round(steps * leading)
    return in_drops(mode, before / DROP_STEPS, (steps - before) / DROP_STEPS, drop_frequency_hz, source)
