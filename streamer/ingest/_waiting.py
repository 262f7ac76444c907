"""The queue of slots that wait for the engine, oldest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.intp]


class WaitingLine:
    """A first-in-first-out line of slot numbers, at most `size` of them (as many as there are slots)."""

    def __init__(self, size: int) -> None:
        # Twice the size, so that the line can slide along and is moved back only once per `size` cells.
        self._line: Slots = np.empty(2 * size, np.intp)
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def push(self, slots: Slots) -> None:
        """Put slots at the end of the line."""
        n = len(slots)
        if self._end + n > len(self._line):
            waiting = self._line[self._start : self._end].copy()
            self._line[: len(waiting)] = waiting
            self._start, self._end = 0, len(waiting)
        self._line[self._end : self._end + n] = slots
        self._end += n

    def push_one(self, slot: int) -> None:
        """Put one slot at the end of the line."""
        if self._end == len(self._line):
            self.push(np.array([slot], np.intp))
            return
        self._line[self._end] = slot
        self._end += 1

    def peek(self, n: int) -> Slots:
        """Return the first `n` slots (or all, if fewer wait) without taking them."""
        return self._line[self._start : min(self._start + n, self._end)]

    def pop(self, n: int) -> Slots:
        """Take the first `n` slots (or all, if fewer wait)."""
        taken = self.peek(n).copy()
        self._start += len(taken)
        return taken

    def take_where(self, chosen: NDArray[np.bool_]) -> Slots:
        """Take the slots for which `chosen` (one per waiting slot) is True; the others keep their order."""
        waiting = self._line[self._start : self._end]
        taken, kept = waiting[chosen], waiting[~chosen]
        self._start = self._end - len(kept)
        self._line[self._start : self._end] = kept
        return taken
