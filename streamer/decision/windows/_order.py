"""Hold sort decisions back until they can go out in the order of the cells, way by way."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from streamer.decision.windows._judge import NEVER, Fate
from streamer.decision.windows._rules import Timing
from streamer.decision.windows._table import UNDECIDED, CellTable


class Kept(NamedTuple):
    """A cell that is to be kept and waits for its turn; ordered by seq."""

    seq: int
    trigger_ns: int
    deadline_ns: int


class SeqOrder:
    """Lets the kept cells of each way out in ascending seq; cells that go to waste never wait.

    A kept cell waits for earlier ones that may still be kept for its way: undecided ones, those of its way whose fate
    is open, and those triggered before it that may still arrive. Its deadline forces it out; an earlier cell of its
    way that is cleared after that has been overtaken and is late.
    """

    def __init__(self, ways: int, timing: Timing) -> None:
        self._timing = timing
        self._held: list[list[Kept]] = [[] for _ in range(ways + 1)]
        self._undecided: list[tuple[int, int]] = []
        self._last = [-1] * (ways + 1)
        self.due_ns = NEVER

    def __len__(self) -> int:
        return sum(map(len, self._held))

    def arrive(self, seqs: Iterable[int], deadlines: Iterable[int]) -> None:
        """Take note of cells that others will have to wait for."""
        for entry in zip(seqs, deadlines, strict=True):
            heapq.heappush(self._undecided, entry)

    def hold(self, way: int, cell: Kept) -> None:
        """Take a cell that is to be kept."""
        heapq.heappush(self._held[way], cell)

    def release(self, table: CellTable, waiting: Iterable[int], now_ns: int) -> list[tuple[int, int, Fate]]:
        """Return `(seq, way, fate)` of the cells whose turn has come; `waiting` are the seqs whose fate is open."""
        self.due_ns = NEVER
        undecided = self._first_undecided(table, now_ns)
        first = [undecided] * len(self._held)
        for seq in waiting:
            way = table.ways[table.at[seq] - table.base]
            first[way] = min(first[way], seq)
        out: list[tuple[int, int, Fate]] = []
        for way, held in enumerate(self._held):
            self._release_way(way, held, first[way], table.closed_ns, now_ns, out)
        return out

    def _release_way(
        self, way: int, held: list[Kept], first: int, closed_ns: int, now_ns: int, out: list[tuple[int, int, Fate]]
    ) -> None:
        guard = self._timing.margin_ns + self._timing.ahead_ns
        forced = max((cell.seq for cell in held if now_ns >= cell.deadline_ns - guard), default=-1)
        while held:
            cell = held[0]
            if cell.seq > forced and (cell.seq > first or cell.trigger_ns >= closed_ns):
                break
            heapq.heappop(held)
            late = cell.seq < self._last[way] or now_ns > cell.deadline_ns - self._timing.margin_ns
            if not late:
                self._last[way] = cell.seq
            out.append((cell.seq, way, Fate.LATE if late else Fate.KEEP))
        for cell in held:
            closes = cell.trigger_ns + self._timing.transport_ns + 1 if cell.seq < first else NEVER
            self.due_ns = min(self.due_ns, cell.deadline_ns - guard, closes)

    def _first_undecided(self, table: CellTable, now_ns: int) -> int:
        """Return the lowest seq that is undecided and can still be kept."""
        heap, guard = self._undecided, self._timing.margin_ns + self._timing.ahead_ns
        while heap:
            seq, deadline = heap[0]
            position = table.at.get(seq)
            open_ = position is not None and table.ways[position - table.base] == UNDECIDED
            if open_ and now_ns < deadline - guard:
                return seq
            heapq.heappop(heap)
        return NEVER
