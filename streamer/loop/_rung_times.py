"""How long a batch of each size takes at present."""

from __future__ import annotations

from collections.abc import Mapping

MAX_SLOWDOWN = 50.0


class RungTimes:
    """The best time of each rung, times a slowdown that follows how the engine does at present.

    Parameters
    ----------
    best_seconds
        The best time of each rung, as `Engine.warm` measured it.
    """

    def __init__(self, best_seconds: Mapping[int, float]) -> None:
        self._best_ns = {rung: int(seconds * 1e9) for rung, seconds in best_seconds.items()}
        self.smallest, self.top = min(self._best_ns), max(self._best_ns)
        self._slowdown = 1.0

    def of(self, n: int) -> int:
        """Return what a batch of `n` cells is expected to take, in ns."""
        return int(self._best_ns[self._rung(n)] * self._slowdown)

    def below(self, n: int) -> int:
        """Return the largest rung below `n`, which is above the smallest."""
        return max(rung for rung in self._best_ns if rung < n)

    def follow(self, n: int, seconds: float) -> None:
        """Take note of what a batch of `n` cells has taken."""
        ratio = seconds * 1e9 / max(1, self._best_ns[self._rung(n)])
        self._slowdown += 0.1 * (min(max(ratio, 1.0), MAX_SLOWDOWN) - self._slowdown)

    def recover(self) -> None:
        """Expect a little less: an estimate that sheds everything would never be corrected by a new measurement."""
        self._slowdown = max(1.0, self._slowdown * 0.98)

    def _rung(self, n: int) -> int:
        return min((rung for rung in self._best_ns if rung >= n), default=self.top)
