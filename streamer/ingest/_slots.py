"""Preallocated slots: where a cell's frame waits for the engine and stays until its decision is out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.generic]
Slots = NDArray[np.intp]


FACTS = np.dtype(
    [("seq", "<u8"), ("ticks", "<u8"), ("trigger_ns", "<i8"), ("arrival_ns", "<i8"), ("deadline_ns", "<i8")]
)
"""What is known of a cell besides its frame. The times are in the streamer's monotonic clock; `deadline_ns` is
INT64_MAX without a deadline."""
Facts = NDArray[np.void]
"""`(n,)` of `FACTS`: one row per cell, so that a batch's worth is taken or put in one go."""


REWIND_AFTER = 64
"""So many slots are used before a pool that is all free begins anew, as putting its ring in order costs a little."""


class SlotPool:
    """A fixed number of slots, each for one cell fitted to the engine's input.

    Slots are handed out in the order in which they came back, so under steady load a batch of consecutive cells lies
    in consecutive slots and the engine can read it in place. Whenever all are free it begins anew at the first: under
    light load the same few slots are used again, which the processor still has in its cache.

    Attributes
    ----------
    frames
        `(slots, C, H, W)` of the bundle's dtype.
    facts
        `(slots,)` of `FACTS`: what is known of the cell in each slot.
    """

    def __init__(self, slots: int, frame_shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> None:
        self.size = slots
        # Touched now (zeros alone are mapped on first use), so that no page fault waits for the first cells.
        self.frames: Frames = np.empty((slots, *frame_shape), dtype)
        self.frames.fill(0)
        self.facts: Facts = np.zeros(slots, FACTS)
        self._order: Slots = np.arange(slots, dtype=np.intp)
        self._ring = self._order.copy()
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

    def acquire_one(self) -> int:
        """Take a free slot; there must be one. It is `acquire` for a lone cell."""
        if not self.free:
            raise ValueError("a slot asked for, none free")
        slot = int(self._ring[self._head])
        self._head = (self._head + 1) % self.size
        self.free -= 1
        return slot

    def release(self, slots: Slots) -> None:
        """Give slots back."""
        n = len(slots)
        start = (self._head + self.free) % self.size
        first = min(n, self.size - start)
        self._ring[start : start + first] = slots[:first]
        if first < n:
            self._ring[: n - first] = slots[first:]
        self.free += n
        if self.free == self.size and self._head >= REWIND_AFTER:
            self._ring[:] = self._order
            self._head = 0

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
