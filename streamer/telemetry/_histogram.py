"""Histograms that cost the loop a microsecond."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.wire import HistogramData


class Histogram:
    """Counts of values in buckets with ascending inclusive upper `edges`, and one bucket above the last edge."""

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = tuple(float(edge) for edge in edges)
        self._array = np.array(self._edges)
        self._counts = np.zeros(len(self._edges) + 1, np.int64)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._edges, value)] += 1
        self._sum += value

    def add_many(self, values: NDArray[np.floating]) -> None:
        """Count `(n,)` values."""
        if len(values) == 1:
            self.add(float(values[0]))
            return
        where = self._array.searchsorted(values, "left")
        self._counts += np.bincount(where, minlength=len(self._counts))
        self._sum += float(values.sum())

    def data(self) -> HistogramData:
        """Return what was counted so far."""
        return HistogramData(self._edges, tuple(self._counts.tolist()), self._sum)


def log_edges(low: float, high: float, per_decade: int = 12) -> list[float]:
    """Return edges from `low` to `high`, evenly spaced on a log scale, rounded to three digits."""
    steps = round(np.log10(high / low) * per_decade)
    return [float(f"{edge:.3g}") for edge in np.geomspace(low, high, steps + 1)]
