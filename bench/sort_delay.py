"""From trigger to actuation in a bench that loads a network fully: a deadline that it can meet."""

from __future__ import annotations

LEAST_US = 20_000.0
TOP_BATCHES = 4


def sort_delay_for(top: int, cells_per_s: float) -> float:
    """Return the time that `TOP_BATCHES` of the largest batches take, `LEAST_US` at least; in microseconds.

    Parameters
    ----------
    top
        The largest batch.
    cells_per_s
        The most that the streamer carries.
    """
    return max(LEAST_US, TOP_BATCHES * top / cells_per_s * 1e6)
