"""The engine alone: cells that lie in memory, as many batches under way as it takes, nothing around it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine
from engines.errors import EngineError

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Offline:
    """How many cells in how many seconds, and the processor seconds meanwhile: of this process, of this thread."""

    cells: int
    seconds: float
    cpu_seconds: float
    own_seconds: float

    @property
    def cells_per_s(self) -> float:
        """The rate."""
        return self.cells / self.seconds


def run_offline(engine: Engine, frames: NDArray[np.generic], seconds: float, batch: int | None = None) -> Offline:
    """Keep the engine's `capacity` batches under way for so long; they are of the top rung unless `batch` is given.

    Parameters
    ----------
    frames
        `(k, C, H, W)`, taken in turn; k is at least the batch.

    Raises
    ------
    EngineError
        A batch failed or was not done within a minute.
    """
    top = batch or engine.ladder[-1]
    room = len(frames) // top
    done = under_way = turn = 0
    cpu, own, began = time.process_time(), time.thread_time(), time.perf_counter()
    while under_way or not turn or time.perf_counter() - began < seconds:
        while engine.ready and (not turn or time.perf_counter() - began < seconds):
            at = turn % room * top
            engine.submit(frames[at : at + top])
            under_way += 1
            turn += 1
        if not under_way:
            break  # the time ran out between the two looks at the clock
        if engine.collect(PATIENCE_S) is None:
            raise EngineError(f"{engine.name}: a batch of {top} was not done after {PATIENCE_S:g} s")
        under_way -= 1
        done += top
    took = time.perf_counter() - began
    return Offline(done, took, time.process_time() - cpu, time.thread_time() - own)
