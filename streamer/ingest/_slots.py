"""Preallocated slots: where a cell's frame waits for the engine and stays until its decision is out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.generic]
Slots = NDArray[np.intp]


class Facts(NamedTuple):
    """What is known of n cells besides their frames; times are in the streamer's monotonic clock."""

    seq: NDArray[np.uint64]
    ticks: NDArray[np.uint64]
    trigger_ns: NDArray[np.int64]
    arrival_ns: NDArray[np.int64]
    deadline_ns: NDArray[np.int64]

    def at(self, where: NDArray[np.generic] | slice) -> Facts:
        """Return the facts of some of the cells: indices, booleans or a slice."""
        return Facts(
            self.seq[where], self.ticks[where], self.trigger_ns[where], self.arrival_ns[where], self.deadline_ns[where]
        )


class SlotPool:
    """A fixed number of slots, each for one cell fitted to the engine's input.

    Slots are handed out in the order in which they came back, so under steady load a batch of consecutive cells lies
    in consecutive slots and the engine can read it in place.

    Attributes
    ----------
    frames
        `(slots, C, H, W)` of the bundle's dtype.
    facts
        What is known of the cell in each slot, `(slots,)` each; `deadline_ns` is INT64_MAX without a deadline.
    """

    def __init__(self, slots: int, frame_shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> None:
        self.size = slots
        # Touched now (zeros alone are mapped on first use), so that no page fault waits for the first cells.
        self.frames: Frames = np.empty((slots, *frame_shape), dtype)
        self.frames.fill(0)
        self.facts = Facts(
            seq=np.zeros(slots, np.uint64),
            ticks=np.zeros(slots, np.uint64),
            trigger_ns=np.zeros(slots, np.int64),
            arrival_ns=np.zeros(slots, np.int64),
            deadline_ns=np.zeros(slots, np.int64),
        )
        self._ring: Slots = np.arange(slots, dtype=np.intp)
        self._head = 0
        self.free = slots

    def acquire(self, n: int) -> Slots:
        """Take `n` free slots; there must be as many (`free`)."""
        if n > self.free:
            raise ValueError(f"{n} slots asked for, {self.free} free")
        taken = _wrapped(self._ring, self._head, n)
        self._head = (self._head + n) % self.size
        self.free -= n
        return taken

    def release(self, slots: Slots) -> None:
        """Give slots back."""
        n = len(slots)
        start = (self._head + self.free) % self.size
        first = min(n, self.size - start)
        self._ring[start : start + first] = slots[:first]
        if first < n:
            self._ring[: n - first] = slots[first:]
        self.free += n

    def note(self, slots: Slots, facts: Facts) -> None:
        """Write down the facts of the cells in these slots."""
        for column, values in zip(self.facts, facts, strict=True):
            column[slots] = values

    def gather(self, slots: Slots) -> Frames:
        """Return the frames in these slots as one contiguous array: a view where they lie in a row, else a copy."""
        first, n = int(slots[0]), len(slots)
        if n == 1 or (int(slots[-1]) - first == n - 1 and bool((slots[1:] - slots[:-1] == 1).all())):
            return self.frames[first : first + n]
        return self.frames[slots]


def _wrapped(ring: Slots, start: int, n: int) -> Slots:
    end = start + n
    if end <= len(ring):
        return ring[start:end].copy()
    return np.concatenate([ring[start:], ring[: end - len(ring)]])
