"""How much memory there is to read cells into."""

from __future__ import annotations

import os
from pathlib import Path

_FALLBACK = 1 << 30


def available_memory() -> int:
    """Return the bytes of memory that this process can still take: of the machine, or of its control group if less."""
    machine = _of_machine()
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return machine if limit is None or used is None else max(0, min(machine, limit - used))


def _of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return _FALLBACK


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return None
