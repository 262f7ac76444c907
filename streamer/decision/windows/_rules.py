"""What a way asks of the neighbours of its cells, and the spans of time that a decision may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from engines.errors import InputError

DROP_STEPS = 32
"""Parts of a window given in drops are whole numbers of 1/32 drop."""
MAX_WINDOW_NS = 60_000_000_000


class Mode(StrEnum):
    """What may lie in the window of a cell that is sorted."""

    YIELD = "yield"
    """Anything: a wanted cell is always sorted."""
    PURITY = "purity"
    """Nothing unwanted; a cell wanted for another way is unwanted for this one."""
    SINGLE = "single"
    """Nothing at all."""


@dataclass(frozen=True)
class SortRule:
    """The mode and the window of a way.

    The window of a cell triggered at t is the closed span [t − leading, t + trailing]: a neighbour exactly on an edge
    is inside, as a span that is physically sorted has edges of finite width. w = leading + trailing.
    """

    mode: Mode
    leading_ns: int
    trailing_ns: int

    @property
    def span_ns(self) -> int:
        """The whole window, w."""
        return self.leading_ns + self.trailing_ns


@dataclass(frozen=True)
class Timing:
    """How long cells may take to arrive, and how early a decision must be made. Nanoseconds.

    Attributes
    ----------
    reorder_ns
        Once a cell triggered at t has arrived, none triggered before t − reorder will.
    transport_ns
        At the time now, every cell triggered before now − transport has arrived.
    margin_ns
        A decision to keep made later than deadline − margin is late.
    ahead_ns
        A cell is forced this long before that, so that the caller, who wakes a little late, still makes it.
    """

    reorder_ns: int = 0
    transport_ns: int = 0
    margin_ns: int = 0
    ahead_ns: int = 0


def in_time(mode: Mode, leading_us: float, trailing_us: float, source: str = "window") -> SortRule:
    """Return the rule of a window given in microseconds; `InputError` unless 0 ≤ part ≤ 60 s."""
    return SortRule(mode, _ns(leading_us, source, "leading_us"), _ns(trailing_us, source, "trailing_us"))


def in_drops(
    mode: Mode, leading_drops: float, trailing_drops: float, drop_frequency_hz: float, source: str = "window"
) -> SortRule:
    """Return the rule of a window given in drops, in steps of 1/32 drop.

    A part of d drops lasts d / frequency, rounded up to a nanosecond. `InputError` for a part that is not a number of
    whole steps, or a frequency that is not positive.
    """
    if not (drop_frequency_hz > 0 and math.isfinite(drop_frequency_hz)):
        raise InputError(source, "drop_frequency_hz", drop_frequency_hz, "above 0")
    parts = []
    for field, drops in (("leading_drops", leading_drops), ("trailing_drops", trailing_drops)):
        steps = drops * DROP_STEPS
        if not (math.isfinite(steps) and steps >= 0 and steps == int(steps)):
            raise InputError(source, field, drops, f"a whole number of 1/{DROP_STEPS} drops, 0 or more")
        parts.append(_ns(steps / DROP_STEPS / drop_frequency_hz * 1e6, source, field))
    return SortRule(mode, *parts)


def check_rule(
    rule: SortRule, timing: Timing, sort_delay_us: float | None, actuation_lead_us: float, source: str, way: str
) -> None:
    """Refuse a window that cannot be seen to its end before a decision is due.

    A wanted cell with no neighbour is kept when its window is known to be empty, trailing + transport after its
    trigger at the latest; that must come before it is forced, at sort delay − lead − margin − ahead.

    Raises
    ------
    InputError
        The window is too long for the sort delay. Without a sort delay, and in yield mode, which waits for nothing,
        any window will do.
    """
    if sort_delay_us is None or rule.mode is Mode.YIELD:
        return
    left_us = sort_delay_us - actuation_lead_us - (timing.margin_ns + timing.ahead_ns + timing.transport_ns) / 1e3
    if rule.trailing_ns / 1e3 >= left_us:
        needs = "sort delay − actuation lead − publish margin − transport allowance"
        raise InputError(
            source,
            f"way {way}: trailing window",
            f"{rule.trailing_ns / 1e3:g} µs",
            f"below {left_us:g} µs, which is {needs}",
        )


def _ns(micros: float, source: str, field: str) -> int:
    if not (math.isfinite(micros) and 0 <= micros * 1e3 <= MAX_WINDOW_NS):
        raise InputError(source, field, micros, f"0 to {MAX_WINDOW_NS / 1e3:g} µs")
    # Up, to the safe side; but 150.0 µs that came out as 150.0000000001 are not 150.001.
    return math.ceil(round(micros * 1e3, 3))
