"""Processor time of another process, thread by thread, to the nanosecond."""

from __future__ import annotations

import contextlib
from pathlib import Path


def thread_seconds(pid: int) -> dict[int, tuple[str, float]]:
    """Return for each thread of a process its name as the system knows it and the seconds it has run; Linux only.

    A thread that has ended is not there any more.
    """
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it may end while it is looked at
            name = (task / "comm").read_text().strip()
            found[int(task.name)] = name, int((task / "schedstat").read_text().split()[0]) * 1e-9
    return found


def spent(before: dict[int, tuple[str, float]], after: dict[int, tuple[str, float]], pid: int) -> dict[str, float]:
    """Return the seconds spent between two moments by `loop` (the main thread), `zmq` (its I/O) and `others`."""
    seconds = {"loop": 0.0, "zmq": 0.0, "others": 0.0}
    for thread, (name, until) in after.items():
        kind = "loop" if thread == pid else "zmq" if name.startswith("ZMQ") else "others"
        seconds[kind] += until - before.get(thread, ("", 0.0))[1]
    return seconds
