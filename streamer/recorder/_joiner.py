"""Frames and decisions brought together by seq: the ones come with their batch, the others when it is decided."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.journal import Records

MOST_WAITING_BYTES = 256 << 20

_Frames = NDArray[np.generic]


class Decided(NamedTuple):
    """Cells that are whole: n records, and their frames `(n, C, H, W)`."""

    records: Records
    frames: _Frames


class Joiner:
    """Keeps frames until their decisions come, in bounded memory: of too many the oldest go."""

    def __init__(self, most_bytes: int = MOST_WAITING_BYTES) -> None:
        self._most = most_bytes
        self._waiting: dict[int, _Frames] = {}
        self._bytes = 0
        self.dropped = 0
        """Frames that had to go before their decisions came."""

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, records: Records, seqs: NDArray[np.uint64], frames: _Frames) -> list[Decided]:
        """Take what a message brings; return the cells that are whole now, in the order of their records."""
        if len(records) == len(seqs) and bool((records["seq"] == seqs).all()):
            return [Decided(records, frames)] if len(seqs) else []
        for seq, frame in zip(seqs.tolist(), frames, strict=True):
            self._keep(seq, frame)
        whole = np.fromiter((seq in self._waiting for seq in records["seq"].tolist()), np.bool_, len(records))
        mine = records[whole]
        found = [self._waiting.pop(seq) for seq in mine["seq"].tolist()]
        self._bytes -= sum(frame.nbytes for frame in found)
        while self._bytes > self._most:
            self._bytes -= self._waiting.pop(next(iter(self._waiting))).nbytes
            self.dropped += 1
        return [Decided(mine, np.stack(found))] if found else []

    def give_up(self) -> None:
        """Drop what waits: no decision will come any more."""
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._bytes = 0

    def _keep(self, seq: int, frame: _Frames) -> None:
        # A copy: a view would keep the whole message in memory for one frame.
        self._waiting[seq] = frame.copy()
        self._bytes += frame.nbytes
