"""The sort stage of one series: wanted cells wait here until their windows, targets and deadlines have spoken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.config import Config
from streamer.decision.windows import Fate, WindowResolver, check_rule
from streamer.decision.windows import Targets as WayTargets
from streamer.ingest import Facts, TickClock
from streamer.loop._rows import Rows
from streamer.loop._way_rules import rules_of, targets_of, timing_of
from streamer.vocabulary import Reason

UNRESOLVED = 1024
"""Verdicts after which the resolver is asked even if no wanted cell waits, so that it forgets what is settled."""


class Sorting:
    """Keeps the wanted cells of a series back until nothing can change their fate, or their deadline forces it.

    Distances between cells are those of their hardware ticks. The mapping of ticks to the host's clock is refined with
    every heartbeat, and two cells mapped before and after would seem closer or further apart than they are; so the
    windows are kept in a time of their own, which the counter alone drives, and the host's time is brought to it.

    Parameters
    ----------
    config
        Its `way` sections say mode, window and target; the window rules hold for the whole series.
    clock
        The series' mapping of ticks to the host's clock.
    ways
        Names by code; way 0 is waste.

    Raises
    ------
    InputError
        A window is too long for the sort delay, or a target cannot be met.
    """

    def __init__(
        self,
        config: Config,
        ways: tuple[str, ...],
        clock: TickClock,
        sort_delay_us: float | None,
        actuation_lead_us: float,
    ) -> None:
        self._clock = clock
        self._base_ns = clock.offset_ns - clock.jumped_ns
        self._unresolved = 0
        timing = timing_of(config)
        rules = rules_of(config, ways)
        for way, rule in zip(ways[1:], rules, strict=False):
            check_rule(rule, timing, sort_delay_us, actuation_lead_us, "config", way)
        self._resolver = WindowResolver(rules, timing, in_order=config.actuator.in_order)
        self._targets = targets_of(config, ways)
        self._sort_delay_ns = int((sort_delay_us or 0.0) * 1000)
        self._pending: dict[int, Rows] = {}

    @property
    def pending(self) -> int:
        """How many wanted cells wait."""
        return len(self._pending)

    @property
    def due(self) -> bool:
        """Whether `release` has anything to do: for a cell that waits, or to let go of many that do not."""
        return bool(self._pending) or self._unresolved >= UNRESOLVED

    def arrive(self, facts: Facts, trigger_ns: NDArray[np.int64]) -> None:
        """Take note of cells that were seen: classified or not, they are neighbours.

        `trigger_ns` are their trigger times as they come out of the clock, not bounded by their arrival as those in
        `facts` are.
        """
        shift, deadline = self._shift_ns, facts["deadline_ns"]
        deadline = np.where(deadline == NO_DEADLINE, NO_DEADLINE, deadline - shift)
        self._resolver.arrive(facts["seq"], trigger_ns - shift, deadline)

    def take(self, rows: Rows) -> Rows:
        """Keep the wanted ones of these cells back; return the others, which are settled."""
        self._resolver.verdict(rows["seq"], rows["way"])
        self._unresolved += len(rows)
        wanted = rows["way"] != 0
        if not wanted.any():
            return rows
        for index in np.flatnonzero(wanted).tolist():
            self._pending[int(rows["seq"][index])] = rows[index : index + 1]
        rest: Rows = rows[~wanted]
        return rest

    def release(self, now_ns: int, *, armed: bool) -> Rows:
        """Return the cells whose fate is fixed now, with way and reason as they will be published."""
        self._unresolved = 0
        resolved = self._resolver.resolve(now_ns - self._shift_ns)
        mine = resolved.fate != Fate.UNWANTED  # the others have been published with their own reason
        seqs = resolved.seq[mine].tolist()
        if not seqs:
            return _NO_ROWS
        rows = np.concatenate([self._pending.pop(seq) for seq in seqs])
        rows["reason"] = _REASONS[resolved.fate[mine]]
        if not armed:
            rows["reason"][rows["reason"] == Reason.KEPT] = Reason.DISARMED
        kept = np.flatnonzero(rows["reason"] == Reason.KEPT)
        if len(kept):
            # In the order and at the distances of the counter, by which the actuator acts.
            counter_ns = self._clock.to_host(rows["ticks"][kept]) - self._shift_ns
            order = np.argsort(counter_ns, kind="stable")
            kept, actuate_ns = kept[order], counter_ns[order] + self._sort_delay_ns
            rows["reason"][kept] = self._targets.admit(rows["way"][kept], actuate_ns)
        rows["way"][rows["reason"] != Reason.KEPT] = 0
        return rows

    def next_due_ns(self) -> int | None:
        """Return when `release` must be called although nothing has come; None while nothing waits for the clock."""
        due = self._resolver.next_due_ns() if self._pending else None
        return None if due is None else due + self._shift_ns

    @property
    def _shift_ns(self) -> int:
        """How far the mapping has been refined since the series began; a jump of the counter is no refinement."""
        return self._clock.offset_ns - self._clock.jumped_ns - self._base_ns

    def close(self) -> None:
        """Take note that no more cells will come."""
        self._resolver.close()

    def retarget(self, config: Config, ways: tuple[str, ...]) -> None:
        """Take over new targets; what has been sorted counts."""
        targets: WayTargets = targets_of(config, ways)
        targets.take_over(self._targets)
        self._targets = targets


NO_DEADLINE = 2**63 - 1
_REASONS = np.zeros(4, np.uint8)
_REASONS[Fate.COINCIDENT], _REASONS[Fate.LATE] = Reason.COINCIDENT, Reason.LATE
_NO_ROWS: Rows = np.zeros(0, np.void)
