"""Which cells are to be recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.vocabulary import Reason
from streamer.wire import What

Seqs = NDArray[np.uint64]
_Mask = NDArray[np.bool_]


class Choice:
    """One of `all`, `kept`, `wanted` and `sample`, put to cells by their reasons and seqs.

    A sample is drawn by the seq and the seed alone (SplitMix64, Steele, Lea and Flood 2014): every cell has the same
    chance, whatever became of it, and both ends of a connection draw the same.
    """

    def __init__(self, what: What, fraction: float = 1.0, seed: int = 0) -> None:
        self.what = what
        self.text = f"a sample of {fraction:g}, by seed {seed}" if what == "sample" else what
        """For people."""
        self.by_fate = what in ("kept", "wanted")
        """Whether it depends on what became of a cell."""
        self._below = np.uint64(min(int(fraction * 2.0**53), 1 << 53))
        self._seed = np.uint64(seed)

    def of(self, seqs: Seqs, reasons: NDArray[np.uint8]) -> _Mask | None:
        """Tell for each cell whether it is asked for; None where all are."""
        return self.of_fates(reasons) if self.by_fate else self.of_seqs(seqs)

    def of_fates(self, reasons: NDArray[np.uint8]) -> _Mask:
        """Tell by what became of the cells."""
        mask: _Mask = (_KEPT if self.what == "kept" else _WANTED)[reasons]
        return mask

    def of_seqs(self, seqs: Seqs) -> _Mask | None:
        """Tell by their seqs; None where all are asked for."""
        if self.what != "sample":
            return None
        mask: _Mask = _mixed(seqs, self._seed) >> np.uint64(11) < self._below
        return mask


def _mixed(seqs: Seqs, seed: np.uint64) -> Seqs:
    """Return numbers that look drawn evenly from all of uint64, the same for the same seq and seed."""
    x = _round(np.full(1, seed, np.uint64)) + (seqs + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return _round(x)


def _round(x: Seqs) -> Seqs:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_KEPT = np.zeros(256, np.bool_)
_KEPT[Reason.KEPT] = True
_WANTED = _KEPT.copy()
_WANTED[[Reason.COINCIDENT, Reason.DISARMED, Reason.TARGET_REACHED, Reason.HARDWARE_ABORT, Reason.RATE_LIMIT]] = True
