"""One open series: everything the loop knows about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine
from engines.errors import InputError
from streamer.config import Config
from streamer.decision import Gates
from streamer.ingest import Placement, SequenceWindow, TickClock
from streamer.journal import JournalHeader, JournalWriter
from streamer.loop._sorting import Sorting
from streamer.loop._way_rules import needs_sorting
from streamer.vocabulary import Account, Reason
from streamer.wire import NO_DEADLINE_SLACK, FrameLayout, Start, schema_hash

NO_DEADLINE = 2**63 - 1
TICK_MIN_S, TICK_MAX_S = 1e-12, 1.0

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
    class_mix: NDArray[np.int64]
    way_mix: NDArray[np.int64]
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
        if n == 1:
            self._count(int(reasons[0]), 1)
            return
        counts = np.bincount(reasons)
        for code in np.flatnonzero(counts).tolist():
            self._count(code, int(counts[code]))

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


def open_series(
    start: Start, peer: bytes, now_ns: int, engine: Engine, gates: Gates, config: Config, directory: Path
) -> Series:
    """Check a start message against the bundle, create the journal and put the series together.

    Raises
    ------
    InputError
        The bundle does not suit the series, or a journal of its name is there already. Nothing was opened.
    """
    timing = config.timing
    sort_delay = timing.sort_delay_us if start.sort_delay_us is None else start.sort_delay_us
    lead = timing.actuation_lead_us if start.actuation_lead_us is None else start.actuation_lead_us
    if sort_delay is not None and lead >= sort_delay:
        raise InputError("series", "actuation_lead_us", lead, f"below the sort delay, {sort_delay}")
    tick_s = start.schema.timebase[0] / start.schema.timebase[1]
    if not TICK_MIN_S <= tick_s <= TICK_MAX_S:
        raise InputError("series", "schema.timebase", f"ticks of {tick_s:g} s", f"{TICK_MIN_S:g} to {TICK_MAX_S:g} s")
    placement = Placement(start.schema, engine.bundle)
    clock = TickClock(start.schema.timebase)
    clock.observe(start.ticks, now_ns)
    sorting = Sorting(config, gates.ways, sort_delay, lead) if needs_sorting(config) else None
    unix_ns = time.time_ns()
    header = JournalHeader(
        series=start.series,
        started_unix_ns=unix_ns,
        started_monotonic_ns=time.monotonic_ns(),
        schema=start.schema,
        info=start.info,
        bundle=engine.bundle.manifest.name,
        bundle_sha256=engine.bundle.sha256,
        engine=engine.name,
        classes=engine.bundle.classes,
        gates=gates.names,
        ways=gates.ways,
        sort_delay_us=sort_delay,
        actuation_lead_us=lead,
        config=msgspec.to_builtins(config),
        software=f"cellgate {version('cellgate')}",
    )
    journal = JournalWriter(directory / f"{start.series}.journal", header, sync_interval_s=config.journal.sync_s)
    return Series(
        start=start,
        peer=peer,
        journal=journal,
        placement=placement,
        layout=FrameLayout(start.schema),
        clock=clock,
        hash=schema_hash(start.schema),
        sort_delay_us=sort_delay,
        actuation_lead_us=lead,
        heard_ns=now_ns,
        started_unix_ns=unix_ns,
        class_mix=np.zeros(len(engine.bundle.classes), np.int64),
        way_mix=np.zeros(len(gates.ways), np.int64),
        sorting=sorting,
    )


def slack_us(deadline_ns: NDArray[np.int64], now_ns: int) -> NDArray[np.int32]:
    """Return deadline minus now in microseconds, saturated to int32; INT32_MAX without a deadline."""
    slack = (deadline_ns - now_ns) // 1000
    return np.minimum(np.maximum(slack, _SLACK_MIN), _SLACK_MAX).astype(np.int32)


_SLACK_MIN, _SLACK_MAX = np.int64(-(2**31)), np.int64(NO_DEADLINE_SLACK)
_LABELS = {int(reason): reason.label for reason in Reason}
