"""Which cells of a series have come: duplicates, disorder and gaps, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.vocabulary import Rejection
from streamer.wire import WireError

WINDOW = 65_536
"""How far back a cell may arrive late and still be told from a duplicate."""
MAX_JUMP = 1_048_576
"""How far ahead of the last known cell a message may be; further is taken for a corrupt seq."""


class SequenceWindow:
    """The seqs received, remembered over the last `WINDOW` of them.

    Attributes
    ----------
    high
        The highest seq received plus one: how many cells the sender is known to have sent.
    received, duplicates, disordered
        Counts of cells: accepted, set aside as known already, accepted after a higher seq.
    """

    def __init__(self, window: int = WINDOW, max_jump: int = MAX_JUMP) -> None:
        self._seen = np.zeros(window, np.bool_)
        self._window = window
        self._max_jump = max_jump
        self.high = 0
        self.received = 0
        self.duplicates = 0
        self.disordered = 0

    def admit(self, seq: int, n: int) -> NDArray[np.bool_] | None:
        """Take note of cells `seq … seq + n - 1` and tell which of them are new.

        Returns
        -------
        None where all are new (the common case), else `(n,)` bool, True where the cell is new.

        Raises
        ------
        WireError
            The cells are too old to tell from duplicates, or too far ahead to be true. Nothing was noted.
        """
        high, window = self.high, self._window
        if n > window:
            raise WireError(Rejection.OVERSIZED, "n", n, f"at most {window} cells in one message")
        if seq < high - window:
            raise WireError(Rejection.SEQ_RANGE, "seq", seq, f"{max(0, high - window)} or later")
        if seq > high + self._max_jump:
            raise WireError(Rejection.SEQ_RANGE, "seq", seq, f"at most {high + self._max_jump}")
        if seq == high and n == 1:
            # By far the most frequent case: the next cell, alone.
            self._seen[seq % window] = True
            self.high = seq + 1
            self.received += 1
            return None
        if seq >= high:
            self._advance(seq + n)
            self._mark(seq, n)
            self.received += n
            return None
        return self._admit_behind(seq, n)

    def _admit_behind(self, seq: int, n: int) -> NDArray[np.bool_] | None:
        behind = min(n, self.high - seq)
        self._advance(seq + n)
        where = np.arange(seq, seq + n) % self._window
        fresh = ~self._seen[where]
        if n > behind:  # what lies ahead of the old mark was cleared by _advance and is new by definition
            fresh[behind:] = True
        self._seen[where] = True
        accepted = int(fresh.sum())
        self.received += accepted
        self.duplicates += n - accepted
        self.disordered += int(fresh[:behind].sum())
        return None if accepted == n else fresh

    def _advance(self, high: int) -> None:
        """Move the window so that it ends at `high`, forgetting what falls out of it."""
        if high <= self.high:
            return
        gap = high - self.high
        if gap >= self._window:
            self._seen[:] = False
        else:
            self._fill(self.high, gap, value=False)
        self.high = high

    def _mark(self, seq: int, n: int) -> None:
        if n == 1:
            self._seen[seq % self._window] = True
        else:
            self._fill(seq, n, value=True)

    def _fill(self, seq: int, n: int, *, value: bool) -> None:
        start = seq % self._window
        end = start + n
        self._seen[start:end] = value
        if end > self._window:
            self._seen[: end - self._window] = value
