"""How long it takes at present until a batch of each size is decided on."""

from __future__ import annotations

from collections.abc import Mapping

MAX_SLOWDOWN = 50.0
WEIGHT = 0.2
"""Of the newest measurement in what is expected."""


class RungTimes:
    """The best time of each rung, times a slowdown that follows how that rung does at present.

    Each has its own: where other work keeps the processors busy, a small batch takes many times its best, as it waits
    for its turn, and a large one little more than its best. With one slowdown for all, small batches would make large
    ones look hopeless, and only small ones would be tried.

    Parameters
    ----------
    best_seconds
        The best time of each rung, as `Engine.warm` measured it.
    """

    def __init__(self, best_seconds: Mapping[int, float]) -> None:
        self._best_ns = {rung: int(seconds * 1e9) for rung, seconds in best_seconds.items()}
        self.smallest, self.top = min(self._best_ns), max(self._best_ns)
        self._slowdown = dict.fromkeys(self._best_ns, 1.0)
        # Looked up several times for every batch, which may be of one cell.
        self._rungs = [min(rung for rung in self._best_ns if rung >= n) for n in range(self.top + 1)]

    def of(self, n: int) -> int:
        """Return what a batch of `n` cells is expected to take, in ns."""
        rung = self._rung(n)
        return int(self._best_ns[rung] * self._slowdown[rung])

    def below(self, n: int) -> int:
        """Return the largest rung below `n`, which is above the smallest."""
        return max(rung for rung in self._best_ns if rung < n)

    def follow(self, n: int, seconds: float) -> None:
        """Take note of what a batch of `n` cells has taken, from leaving for the engine to being looked at."""
        rung = self._rung(n)
        ratio = seconds * 1e9 / max(1, self._best_ns[rung])
        self._slowdown[rung] += WEIGHT * (min(max(ratio, 1.0), MAX_SLOWDOWN) - self._slowdown[rung])

    def recover(self) -> None:
        """Expect a little less: an estimate that sheds everything would never be corrected by a new measurement."""
        for rung, slowdown in self._slowdown.items():
            self._slowdown[rung] = max(1.0, slowdown * 0.98)

    def _rung(self, n: int) -> int:
        return self._rungs[n] if n < self.top else self.top
