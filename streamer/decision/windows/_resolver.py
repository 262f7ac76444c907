"""The streaming resolver of sort windows: cells and verdicts in, fates out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.decision.windows._judge import NEVER, WAITS, Fate, Rules, closed_before, judge_few, judge_many
from streamer.decision.windows._order import Kept, SeqOrder
from streamer.decision.windows._rules import SortRule, Timing
from streamer.decision.windows._table import LONG_AGO, CellTable

FEW = 12
"""Up to this many open cells are judged one by one; from there on all at once is quicker."""


class Resolved(NamedTuple):
    """Cells whose fate is fixed, `(n,)` each, in no order but the one asked for among those kept."""

    seq: NDArray[np.uint64]
    way: NDArray[np.uint8]
    """The way of its verdict, 0 for unwanted; a cell that is not kept goes to waste whatever stands here."""
    fate: NDArray[np.uint8]
    """`Fate`."""

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which of the cells are kept."""
        keep: NDArray[np.bool_] = self.fate == np.uint8(Fate.KEEP)
        return keep


class WindowResolver:
    """Fixes the fate of every cell of a series by the rules of its way, as soon as nothing can change it.

    Unwanted cells are fixed by their verdict. A wanted cell is kept at once in yield mode; otherwise when its window is
    closed (nothing that is still to come can lie in it) and every cell in it has a verdict that its mode allows. It is
    coincident as soon as one is there that its mode does not allow, or when its deadline forces it while the window
    is open or a neighbour undecided. Times are those of one clock and never go back.

    Memory is bounded by the cells the caller has undecided, and those of the longest window, reorder span and transport
    allowance.

    Parameters
    ----------
    rules
        Of way 1, 2, …
    timing
        Promises of the transport, and margins.
    in_order
        Kept cells come out in ascending seq within each way; otherwise at once.

    Attributes
    ----------
    stragglers
        Cells that came later than `timing` promises. What was fixed stays fixed; their own windows count.
    """

    def __init__(self, rules: Sequence[SortRule], timing: Timing, *, in_order: bool = False) -> None:
        self._rules = Rules(rules, timing)
        self._table = CellTable(max((rule.leading_ns for rule in rules), default=0))
        self._timing = timing
        self._order = SeqOrder(len(rules), timing) if in_order else None
        self._waiting: list[int] = []
        self._unwanted: list[int] = []
        self._high_ns = LONG_AGO
        self._due_ns = NEVER
        self.stragglers = 0

    def __len__(self) -> int:
        """Return the number of cells that have arrived and whose fate is open."""
        return len(self._table.at) + (0 if self._order is None else len(self._order))

    def arrive(self, seq: NDArray[np.uint64], trigger_ns: NDArray[np.int64], deadline_ns: NDArray[np.int64]) -> None:
        """Take in cells that were seen, classified or not: each counts as a neighbour from now on.

        `(n,)` each; a deadline of INT64_MAX is none. No seq may be here twice.
        """
        if not len(seq):
            return
        table = self._table
        table.add(seq, trigger_ns, deadline_ns)
        low, high = (trigger_ns.item(),) * 2 if len(seq) == 1 else (int(trigger_ns.min()), int(trigger_ns.max()))
        self._high_ns = max(self._high_ns, high)
        if low < table.closed_ns:
            self.stragglers += int((trigger_ns < table.closed_ns).sum())
        if self._order is not None:
            self._order.arrive(seq.tolist(), deadline_ns.tolist())

    def verdict(self, seq: NDArray[np.uint64], way: NDArray[np.uint8]) -> None:
        """Say for which way cells that have arrived are wanted; 0 for none, whatever the reason. Once per cell."""
        table = self._table
        at, base, ways = table.at, table.base, table.ways
        waiting, unwanted = self._waiting.append, self._unwanted.append
        for number, code in zip(seq.tolist(), way.tolist(), strict=True):
            if code:
                ways[at[number] - base] = code
                waiting(number)
            else:
                ways[at.pop(number) - base] = 0
                unwanted(number)

    def resolve(self, now_ns: int) -> Resolved:
        """Return every cell whose fate has been fixed since the last call."""
        table = self._table
        table.closed_ns = max(table.closed_ns, closed_before(self._high_ns, now_ns, self._timing))
        seqs, self._unwanted = self._unwanted, []
        n = len(seqs)
        ways, fates = [0] * n, [int(Fate.UNWANTED)] * n
        self._due_ns = NEVER
        if self._waiting:
            self._judge(now_ns, seqs, ways, fates)
        if self._order is not None:
            for seq, way, fate in self._order.release(table, self._waiting, now_ns):
                seqs.append(seq)
                ways.append(way)
                fates.append(int(fate))
            self._due_ns = min(self._due_ns, self._order.due_ns)
        if not seqs:
            return _NONE
        return Resolved(np.array(seqs, np.uint64), np.array(ways, np.uint8), np.array(fates, np.uint8))

    def next_due_ns(self) -> int | None:
        """Return when `resolve` must be called again although nothing has arrived; None: nothing waits for the clock.

        As of the last call of `resolve`.
        """
        return None if self._due_ns == NEVER else self._due_ns

    def close(self) -> None:
        """Take note that no cell is to come any more: every window is closed."""
        self._table.closed_ns = NEVER

    def _judge(self, now_ns: int, seqs: list[int], ways: list[int], fates: list[int]) -> None:
        table, order = self._table, self._order
        at, base = table.at, table.base
        where = [at[seq] - base for seq in self._waiting]
        judge = judge_few if len(where) <= FEW else judge_many
        judged, self._due_ns = judge(table, self._rules, where, now_ns)
        waiting = []
        for seq, index, fate in zip(self._waiting, where, judged, strict=True):
            if fate == WAITS:
                waiting.append(seq)
                continue
            del at[seq]
            way = table.ways[index]
            if order is not None and fate == Fate.KEEP:
                order.hold(way, Kept(seq, table.triggers[index], table.deadlines[index]))
                continue
            seqs.append(seq)
            ways.append(way)
            fates.append(int(fate))
        self._waiting = waiting


_NONE = Resolved(np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.zeros(0, np.uint8))
