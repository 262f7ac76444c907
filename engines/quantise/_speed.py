"""Measure two engines against each other on this machine, whatever else it is doing."""

from __future__ import annotations

import time
from contextlib import closing
from statistics import median

import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine, open_engine
from engines.bundle import Bundle, Precision
from engines.errors import EngineError

RUNGS = (1, 8, 32)
_SECONDS = 1.0
_PATIENCE_S = 120.0


def speed(
    bundle: Bundle, frames: NDArray[np.generic], precision: Precision, *, threads: int = 0
) -> dict[int, tuple[float, float]]:
    """Return for batches of 1, 8 and 32 the cells per second of FP32 and of this precision.

    Medians of batches that take turns for a second per size, so that a load from elsewhere slows both down.
    `frames` are `(n, C, H, W)` as the bundle takes them, n ≥ 32.
    """
    with (
        closing(open_engine(bundle, threads=threads, ladder=RUNGS)) as first,
        closing(open_engine(bundle, precision=precision, threads=threads, ladder=RUNGS)) as second,
    ):
        for engine in (first, second):
            engine.warm()
        return {rung: _turns(first, second, frames[:rung]) for rung in RUNGS}


def _turns(first: Engine, second: Engine, frames: NDArray[np.generic]) -> tuple[float, float]:
    taken: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or not taken[0]:
        for engine, times in zip((first, second), taken, strict=True):
            engine.submit(frames)
            predictions = engine.collect(timeout_s=_PATIENCE_S)
            if predictions is None:
                raise EngineError(f"{engine.name}: a batch of {len(frames)} was not done after {_PATIENCE_S:.0f} s")
            times.append(predictions.seconds)
    return len(frames) / median(taken[0]), len(frames) / median(taken[1])
