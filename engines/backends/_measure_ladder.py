"""Choose the batch sizes by measurement: a rung is worth compiling if it makes cells cheaper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from engines.backends._interface import Engine

CANDIDATES = (1, 2, 4, 8, 16, 32, 64)
WORTH = 0.1
"""By what share a rung must raise the cells per second over the rung below it."""


def measure_ladder(
    build: Callable[[Sequence[int]], Engine], candidates: Sequence[int] = CANDIDATES, worth: float = WORTH
) -> tuple[int, ...]:
    """Return the candidates that pay on this machine.

    Parameters
    ----------
    build
        Compiles the engine for a ladder; it is called once, with all candidates, and what it returns is closed.
    candidates
        Batch sizes to try.
    worth
        As for `paying`.
    """
    with closing(build(candidates)) as engine:
        return paying(engine.warm(), worth)


def paying(times: Mapping[int, float], worth: float = WORTH) -> tuple[int, ...]:
    """Return the rungs that pay: the smallest, and each one that is `worth` quicker per cell than the last that paid.

    Parameters
    ----------
    times
        Seconds of a batch of each rung.
    worth
        The least gain in cells per second, as a share.
    """
    kept: list[int] = []
    rate = 0.0
    for rung in sorted(times):
        now = rung / times[rung]
        if not kept or now >= rate * (1 + worth):
            kept.append(rung)
            rate = now
    return tuple(kept)
