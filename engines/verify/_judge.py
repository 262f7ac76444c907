"""What is decided on a cell: the least rule, and the shape of any other."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions


class Judge(Protocol):
    """Yes-or-no decisions on a cell from what an engine says of it: membership of gates, ways that are taken."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each decision is called."""
        ...

    def decide(self, cells: Predictions) -> NDArray[np.bool_]:
        """Return the decisions on n cells, `(n, len(names))`."""
        ...


class ClassGates:
    """A gate `probability ≥ threshold` for each class."""

    def __init__(self, classes: tuple[str, ...], threshold: float = 0.5) -> None:
        self._threshold = threshold
        self.names = tuple(f"p({name}) ≥ {threshold:g}" for name in classes)

    def decide(self, cells: Predictions) -> NDArray[np.bool_]:
        """Return which gates each of n cells is in, `(n, classes)`."""
        return cells.probabilities >= self._threshold
