"""What a sort report says, as types; its JSON has the same names. `docs/sort-report.md` explains every field."""

from __future__ import annotations

import msgspec

from streamer.vocabulary import Account

HARDWARE_ABORTS = frozenset({"hardware_abort"})
"""Reasons that lie in the sorter's hardware (its dead time); all others are software's or those of the cells."""


class Purity(msgspec.Struct, frozen=True):
    """The expected share of right cells among those sorted, and its 95 % interval; all in [0, 1].

    `cells` is how many the estimate rests on.
    """

    estimate: float
    low: float
    high: float
    cells: int


class Aborts(msgspec.Struct, frozen=True):
    """In-gate cells that were not sorted, by reason."""

    hardware: dict[str, int]
    software: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.hardware.values()) + sum(self.software.values())


class WayReport(msgspec.Struct, frozen=True, kw_only=True):
    """One way: `in_gate` = `sorted` + all aborts."""

    name: str
    gates: list[str]
    mode: str | None
    window_us: float | None
    """The whole sort window, leading and trailing."""
    target: int | None
    in_gate: int
    """Cells that a gate would send this way."""
    sorted: int
    sort_rate_per_s: float
    efficiency_percent: float | None
    """Sorted of in-gate; None where there were none."""
    aborts: Aborts
    purity: Purity | None
    purity_why: str
    """Why there is no estimate; empty where there is one."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in µs, keyed as in `journal.Summary`.

    `exact`: each is a time that occurred. Otherwise they are edges of the loop's histogram buckets, on the side that
    does not flatter.
    """

    latency_us: dict[str, float]
    """Arrival to decision."""
    slack_us: dict[str, float]
    """Deadline minus decision, of the cells that had a deadline."""
    with_deadline: int
    deadline_misses: int
    exact: bool


class SortReport(msgspec.Struct, frozen=True, kw_only=True):
    """The sort report of one series."""

    series: str
    ended: str
    """By what the series ended: end, lost, stopped or replaced; empty while it runs, or where that is not known."""
    started_unix_ns: int
    elapsed_s: float
    info: dict[str, str]
    bundle: str
    bundle_sha256: str
    engine: str
    software: str
    sort_delay_us: float | None
    actuation_lead_us: float | None
    total_events: int
    """Cells the cytometer is known to have sent."""
    processed_percent: float | None
    """Cells the engine answered for, of all sent; None where none were sent."""
    ways: list[WayReport]
    account: Account
    missing: int
    account_errors: list[str]
    """Sums that do not hold; empty when all is well."""
    timing: Timing | None
    notes: list[str]
