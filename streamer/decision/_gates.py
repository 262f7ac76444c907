"""Gates over class probabilities, evaluated for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from streamer.config import GateSection
from streamer.vocabulary import WASTE
from streamer.wire import NO_GATE

MAX_WAYS = 7
"""Waste and up to six ways."""


class Gates:
    """The gates of a configuration, compiled for a bundle's classes.

    Each dimension of a gate is a sum of class probabilities between two bounds: the lower is inside, the upper
    outside (as in Gating-ML 2.0). A cell belongs to the first gate, in the order of the configuration, whose
    dimensions all hold it.

    Attributes
    ----------
    names, ways
        Gate names, and the names of all ways; way 0 is waste.
    way_of
        `(gates + 1,)` uint8: the way of each gate; the last entry, reached by gate -1, is waste.

    Raises
    ------
    InputError
        A gate names a class the bundle does not have, or there are more than six ways beside waste.
    """

    def __init__(self, gates: Sequence[GateSection], classes: Sequence[str]) -> None:
        self.names = tuple(gate.name for gate in gates)
        self.ways = (WASTE, *dict.fromkeys(gate.way for gate in gates if gate.way != WASTE))
        if len(self.ways) > MAX_WAYS:
            raise InputError("config", "gate.way", ", ".join(self.ways[1:]), f"at most {MAX_WAYS - 1} ways")
        self.way_of = np.array([*(self.ways.index(gate.way) for gate in gates), 0], np.uint8)
        dimensions = [(g, key, bound) for g, gate in enumerate(gates) for key, bound in gate.where.items()]
        self._sums = np.zeros((len(classes), len(dimensions)), np.float32)
        self._low = np.full(len(dimensions), -np.inf, np.float32)
        self._high = np.full(len(dimensions), np.inf, np.float32)
        self._gate_of = np.array([g for g, _, _ in dimensions], np.intp)
        self._first_of = np.searchsorted(self._gate_of, np.arange(len(gates)))
        for d, (g, key, bound) in enumerate(dimensions):
            for name in (part.strip() for part in key.split("+")):
                if name not in classes:
                    raise InputError("config", f"gate {gates[g].name}: where", name, f"one of {', '.join(classes)}")
                self._sums[list(classes).index(name), d] = 1
            if bound.min is not None:
                self._low[d] = bound.min
            if bound.max is not None:
                self._high[d] = bound.max

    def assign(self, probabilities: NDArray[np.float32]) -> NDArray[np.int16]:
        """Return the gate of each cell, `(n, classes)` → `(n,)` int16; -1 for a cell in none."""
        n = len(probabilities)
        if not self.names:
            return np.full(n, NO_GATE, np.int16)
        sums = probabilities @ self._sums
        inside = (sums >= self._low) & (sums < self._high)
        member = np.logical_and.reduceat(inside, self._first_of, axis=1)
        gate: NDArray[np.int16] = member.argmax(axis=1).astype(np.int16)
        gate[~member.any(axis=1)] = NO_GATE
        return gate
