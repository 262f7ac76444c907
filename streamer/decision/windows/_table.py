"""The cells a decision may still depend on, in the order of their triggers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONG_AGO = -(2**62)
UNDECIDED = -1


class CellTable:
    """Columns in trigger order, `[0:end]` in use. Cells come and go at the ends, rarely in between.

    Memory holds the cells whose fate is open and those triggered less than `leading_ns` before any cell that is open
    or may still arrive; it is given free when room is needed.

    Attributes
    ----------
    trigger, deadline, way, seq
        `(capacity,)`; way is `UNDECIDED` until the verdict.
    at
        Position of every cell whose fate is open, as index + `base`.
    triggers, deadlines, ways
        The same memory as the columns, for reading single values, which NumPy is slow at.
    closed_ns
        No cell triggered before this is to come; kept up to date by the owner.
    forgotten_ns
        The latest trigger among cells no longer here.
    """

    def __init__(self, leading_ns: int, capacity: int = 1024) -> None:
        self._leading_ns = leading_ns
        self.end = self.base = 0
        self.closed_ns = self.forgotten_ns = LONG_AGO
        self.at: dict[int, int] = {}
        self.trigger = np.empty(0, np.int64)
        self.deadline = np.empty(0, np.int64)
        self.way = np.empty(0, np.int8)
        self.seq = np.empty(0, np.uint64)
        self._allocate(capacity)

    def add(self, seq: NDArray[np.uint64], trigger: NDArray[np.int64], deadline: NDArray[np.int64]) -> None:
        """Take in cells; they may come in any order of trigger, most quickly in ascending order."""
        n = len(seq)
        if self.end + n > len(self.trigger):
            self._make_room(n)
        old, end = self.end, self.end + n
        self.trigger[old:end] = trigger
        self.deadline[old:end] = deadline
        self.seq[old:end] = seq
        self.way[old:end] = UNDECIDED
        self.end = end
        if n == 1:
            self.at[seq.item()] = self.base + old
            ordered = not old or self.triggers[old - 1] <= self.triggers[old]
        else:
            self.at.update(zip(seq.tolist(), range(self.base + old, self.base + end), strict=True))
            tail = self.trigger[max(0, old - 1) : end]
            ordered = bool((tail[1:] >= tail[:-1]).all())
        if not ordered:
            self._sort_from(int(self.trigger[:old].searchsorted(self.trigger[old:end].min(), "right")))

    def _sort_from(self, start: int) -> None:
        where = slice(start, self.end)
        order = np.argsort(self.trigger[where], kind="stable")
        for column in (self.trigger, self.deadline, self.way, self.seq):
            column[where] = column[where][order]
        for position, seq in enumerate(self.seq[where].tolist(), self.base + start):
            if seq in self.at:
                self.at[seq] = position

    def _make_room(self, n: int) -> None:
        horizon = self.closed_ns
        if self.at:
            horizon = min(horizon, self.triggers[min(self.at.values()) - self.base])
        gone = int(self.trigger[: self.end].searchsorted(horizon - self._leading_ns, "left"))
        if gone:
            self.forgotten_ns = max(self.forgotten_ns, self.triggers[gone - 1])
        live = self.end - gone
        capacity = len(self.trigger)
        # At least half empty afterwards, so that the copying costs each cell its share and no more.
        while capacity < 2 * (live + n):
            capacity *= 2
        self._allocate(capacity, gone)
        self.base += gone
        self.end = live

    def _allocate(self, capacity: int, gone: int = 0) -> None:
        live = self.end - gone
        for name in ("trigger", "deadline", "way", "seq"):
            old = getattr(self, name)
            new = old if len(old) == capacity else np.zeros(capacity, old.dtype)
            new[:live] = old[gone : self.end].copy()
            setattr(self, name, new)
        self.triggers, self.deadlines, self.ways = self.trigger.data, self.deadline.data, self.way.data
