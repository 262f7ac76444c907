"""How many threads, and on which cores."""

from __future__ import annotations

import os
from typing import Literal

Mode = Literal["latency", "throughput"]
"""All threads on one batch, or a batch under way per thread."""


def cores() -> tuple[int, ...]:
    """Return the processors this process may use, by the system's numbers."""
    return tuple(sorted(os.sched_getaffinity(0)))


def threads_for(mode: Mode, threads: int) -> int:
    """Return `threads`, or for 0 one per core; in latency mode one core is left to the loop."""
    return threads or max(1, len(cores()) - (mode == "latency"))


def pin_thread(core: int) -> None:
    """Keep the calling thread on this core."""
    os.sched_setaffinity(0, {core})  # 0 is the calling thread, not the process
