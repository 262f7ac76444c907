"""One open series: everything the loop knows about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.ingest import Placement, SequenceWindow, TickClock
from streamer.journal import JournalHeader, JournalWriter
from streamer.loop._deciders import Deciders
from streamer.loop._sorting import Sorting
from streamer.report import SortTally
from streamer.vocabulary import Account, Reason
from streamer.wire import NO_DEADLINE_SLACK, FrameLayout, HistogramData, Start

NO_DEADLINE = 2**63 - 1

Ended = Literal["end", "lost", "stopped", "replaced"]
"""By what a series ended; see `wire.Totals`."""


@dataclass
class Series:
    """The state of one acquisition, from its start message to its totals.

    Attributes
    ----------
    deadline_after_ns
        Deadline minus trigger (sort delay − actuation lead), None without a sort delay.
    sorting
        Where wanted cells wait for their sort windows; None where no way asks for one.
    tally
        What the sort report adds up, batch by batch.
    latency_before, slack_before
        The loop's histograms when the series began; they count on from series to series.
    deciders
        Which bundles and engines have decided.
    class_mix, way_mix
        Decided cells by class (classified ones only) and by way.
    last_seq
        What the end message said, or the highest seq known when the series ended without one; None while it runs.
    """

    start: Start
    peer: bytes
    journal: JournalWriter
    placement: Placement
    layout: FrameLayout
    clock: TickClock
    hash: int
    sort_delay_us: float | None
    actuation_lead_us: float
    heard_ns: int
    started_unix_ns: int
    header: JournalHeader
    tally: SortTally
    latency_before: HistogramData
    slack_before: HistogramData
    class_mix: NDArray[np.int64]
    way_mix: NDArray[np.int64]
    deciders: Deciders
    window: SequenceWindow = field(default_factory=SequenceWindow)
    account: Account = field(default_factory=Account)
    sorting: Sorting | None = None
    last_seq: int | None = None
    ended: Ended = "end"

    @property
    def id(self) -> str:
        """The series' name, unique in the journal directory."""
        return self.start.series

    @property
    def deadline_after_ns(self) -> int | None:
        """Nanoseconds from trigger to deadline; None where a series has no deadline."""
        if self.sort_delay_us is None:
            return None
        return int((self.sort_delay_us - self.actuation_lead_us) * 1000)

    @property
    def sort_delay_ticks(self) -> int:
        """The sort delay in hardware ticks; 0 without one."""
        return 0 if self.sort_delay_us is None else self.clock.ticks_of(int(self.sort_delay_us * 1000))

    def count_decided(self, reasons: NDArray[np.uint8]) -> None:
        """Move cells with these reasons from pending to decided."""
        account = self.account
        n = len(reasons)
        account.pending -= n
        account.decided += n
        counts = np.bincount(reasons)
        for code in np.flatnonzero(counts).tolist():
            self._count(code, int(counts[code]))

    def count_decided_one(self, reason: int) -> None:
        """Move a cell from pending to decided."""
        self.account.pending -= 1
        self.account.decided += 1
        self._count(reason, 1)

    def _count(self, code: int, cells: int) -> None:
        if code == Reason.KEPT:
            self.account.kept += cells
        else:
            label = _LABELS[code]
            self.account.not_kept[label] = self.account.not_kept.get(label, 0) + cells

    def finish(self, ended: Ended, last_seq: int | None = None) -> None:
        """Take no more cells; the series closes when those it has are decided."""
        self.ended = ended
        if self.sorting is not None:
            self.sorting.close()
        self.last_seq = self.window.high - 1 if last_seq is None else last_seq

    def update_sent(self) -> None:
        """Bring `sent` and the window's counts into the account."""
        account, window = self.account, self.window
        ended = 0 if self.last_seq is None else self.last_seq + 1
        account.sent = max(window.high, ended)
        account.received = window.received
        account.duplicates = window.duplicates
        account.disordered = window.disordered


def slack_us(deadline_ns: NDArray[np.int64], now_ns: int) -> NDArray[np.int32]:
    """Return deadline minus now in microseconds, saturated to int32; INT32_MAX without a deadline."""
    slack = (deadline_ns - now_ns) // 1000
    return np.minimum(np.maximum(slack, _SLACK_MIN), _SLACK_MAX).astype(np.int32)


def slack_us_one(deadline_ns: int, now_ns: int) -> int:
    """Return what `slack_us` returns, for a single deadline."""
    return min(max((deadline_ns - now_ns) // 1000, -(2**31)), NO_DEADLINE_SLACK)


_SLACK_MIN, _SLACK_MAX = np.int64(-(2**31)), np.int64(NO_DEADLINE_SLACK)
_LABELS = {int(reason): reason.label for reason in Reason}
