"""Which batches are so quick that the loop runs them itself: to hand one over and be woken would cost more."""

from __future__ import annotations

from collections.abc import Mapping

BELOW_S = 300e-6
"""A batch that takes less is run on the calling thread wherever that is."""
CROWDED_BELOW_S = 1e-3
"""The same on `FEW_CORES` or less. There another thread has no processor of its own: it takes turns with the loop, the
sockets' threads and often the sender, each of which may run on for milliseconds."""
FEW_CORES = 2


def inline_rungs(best: Mapping[int, float], cores: int) -> frozenset[int]:
    """Return the batch sizes to run on the calling thread.

    Parameters
    ----------
    best
        By size, the best time of a batch in seconds.
    cores
        How many processors there are for the engine, the loop and what feeds it.

    Returns
    -------
    The sizes that take less than `BELOW_S`; on few cores also those that take less than `CROWDED_BELOW_S`, but not the
    largest. That one is what runs under full load, when the loop has the next cells to receive meanwhile.
    """
    largest = max(best)
    below_s = CROWDED_BELOW_S if cores <= FEW_CORES else BELOW_S
    return frozenset(size for size, took in best.items() if took < (BELOW_S if size == largest else below_s))
