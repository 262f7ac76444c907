"""The probabilities that kept cells are what was wanted, as running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXACT_CELLS = 256
"""Up to so many cells every probability is remembered, for the exact distribution."""


class Chances:
    """What an interval needs of the probabilities of n cells; memory does not grow with n.

    Attributes
    ----------
    cells
        n.
    total, squares, cubes
        Σp, Σp², Σp³.
    """

    __slots__ = ("_first", "cells", "cubes", "squares", "total")

    def __init__(self) -> None:
        self.cells = 0
        self.total = self.squares = self.cubes = 0.0
        self._first = np.empty(EXACT_CELLS)

    def add(self, chances: NDArray[np.float64]) -> None:
        """Take `(k,)` probabilities; what rounding put outside [0, 1] is brought back, and a NaN counts as 0."""
        n = len(chances)
        if not n:
            return
        p = np.fmin(np.fmax(chances, 0.0), 1.0)
        if self.cells < EXACT_CELLS:
            room = p[: EXACT_CELLS - self.cells]
            self._first[self.cells : self.cells + len(room)] = room
        self.cells += n
        square = p * p
        self.total += float(p.sum())
        self.squares += float(square.sum())
        self.cubes += float((square * p).sum())

    def add_one(self, chance: float) -> None:
        """Take one probability; quicker than an array of one."""
        p = min(chance, 1.0) if chance > 0.0 else 0.0
        if self.cells < EXACT_CELLS:
            self._first[self.cells] = p
        self.cells += 1
        square = p * p
        self.total += p
        self.squares += square
        self.cubes += square * p

    @property
    def each(self) -> NDArray[np.float64] | None:
        """Every probability, `(n,)`; None beyond `EXACT_CELLS`."""
        return self._first[: self.cells] if self.cells <= EXACT_CELLS else None

    @property
    def mean(self) -> float:
        """Σp / n, in [0, 1]; 0 without cells."""
        return min(self.total / self.cells, 1.0) if self.cells else 0.0

    @property
    def variance(self) -> float:
        """Σp(1 − p): the variance of the number of wanted cells among the n."""
        return max(self.total - self.squares, 0.0)

    @property
    def third_moment(self) -> float:
        """Σp(1 − p)(1 − 2p): the third central moment of that number."""
        return self.total - 3 * self.squares + 2 * self.cubes
