"""A process and all that it has started: found through the system, so that none outlives a bench."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

STOP_S = 10.0
KILLED_S = 10.0
"""The most that is waited for the system to take down what was killed."""

Identity = tuple[int, int]
"""Process number, and when the process began: the number alone may be another's by the time it is used."""


def end_tree(process: subprocess.Popen[bytes], stop_s: float = STOP_S) -> None:
    """Ask a process to end, then make it and everything that it had started end."""
    members = family(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(stop_s / 2)
    _await_end(members, stop_s / 2)
    for number, began in members:
        if _began(number) == began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILLED_S)
    _await_end(members, KILLED_S)


def family(root: int) -> list[Identity]:
    """Return a process and its descendants, each before those that it started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, left = [], [root]
    while left:
        number = left.pop(0)
        began = _began(number)
        if began is not None:
            found.append((number, began))
        left += children.get(number, [])
    return found


def _await_end(members: list[Identity], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while time.monotonic() < until and any(_began(number) == began for number, began in members):
        time.sleep(0.05)


def _began(number: int) -> int | None:
    """Return when a process began; None if it is not there, or has ended and waits to be looked at."""
    fields = _stat(number)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def _stat(number: int) -> list[str]:
    """Return what `/proc` says of a process, from its state on; empty if it is gone."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
