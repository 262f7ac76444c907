"""How many bytes a second memory can be copied."""

from __future__ import annotations

import math
import threading
import time
from itertools import cycle

import numpy as np

_TURNS = 8


def copy_rate(threads: int, seconds: float, *, size: int = 256 << 20) -> float:
    """Return bytes copied per second at best, by so many threads at a time; what is read and written counts once.

    Parameters
    ----------
    threads
        Each copies a part of its own.
    size
        Bytes of the array, of all threads together. Large beside the caches, or it is these that are measured. An
        eighth of it is copied at a time, in turn, so that a moment without neighbours is long enough.
    """
    source = np.ones(size, np.uint8)
    target = np.ones(size, np.uint8)  # written once, or the first copy would wait for the system to find the memory
    eighths = zip(np.array_split(source, _TURNS), np.array_split(target, _TURNS), strict=True)
    turns = cycle([list(zip(*(np.array_split(half, threads) for half in eighth), strict=True)) for eighth in eighths])
    best, until = math.inf, time.perf_counter() + seconds
    for turn, parts in enumerate(turns):
        if turn >= _TURNS and time.perf_counter() >= until:
            break
        # NumPy lets go of the interpreter while it copies. The clock starts when all are there.
        gate = threading.Barrier(threads + 1)
        workers = [threading.Thread(target=_copy, args=(gate, *part), daemon=True) for part in parts]
        for worker in workers:
            worker.start()
        gate.wait()
        began = time.perf_counter()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - began)
    return size / _TURNS / best


def _copy(gate: threading.Barrier, source: np.ndarray, target: np.ndarray) -> None:
    gate.wait()
    np.copyto(target, source)
