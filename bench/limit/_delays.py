"""How late the machine is by itself: what no server on it, however well it is written, can answer before."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

import msgspec
import numpy as np

from engines.errors import CellgateError
from streamer.loop import Awake
from streamer.simulator import percentiles

PAUSE_S = 0.001
"""Between two messages: as at a thousand cells a second, whoever is woken has been asleep."""
GRACE_S = 60.0


class Delays(msgspec.Struct, frozen=True):
    """What the machine adds to any path; times in microseconds.

    Attributes
    ----------
    stopped_share, stopped_longest_us, stops_per_s
        Of all processors, each with a process that only looks at the clock: the share of the time in which it was not
        running though nothing else wanted to, how long it was gone at most, and how often each was gone for more
        than 20 µs. On hardware of one's own these are interrupts; on a virtual machine mostly other machines' turns.
    timer_us
        Percentiles of how late a sleeper is woken that asked for the sharpest timer, a thousand times a second.
    wake_us
        Percentiles of half a round trip of a byte between two processes on different processors, a thousand times a
        second: what it takes to send it and wake the other. A cell's way has six such steps.
    wake_awake_us
        The same with the processors held awake, as the streamer does it; None where that is not permitted.
    """

    stopped_share: float
    stopped_longest_us: float
    stops_per_s: float
    timer_us: dict[str, float]
    wake_us: dict[str, float]
    wake_awake_us: dict[str, float] | None


def measure_delays(seconds: float) -> Delays:
    """Measure all of them in about `seconds`; `CellgateError` if a process that measures fails."""
    cores, each = sorted(os.sched_getaffinity(0)), seconds / 4
    stops = _finish([_start("stops", core, each) for core in cores])
    (late,) = _finish([_start("timer", cores[-1], each)])
    asleep = _round_trips(cores, each)
    awake = Awake(wished=True)
    awake.hold()
    try:
        held = _round_trips(cores, each) if awake.held else None
    finally:
        awake.release()
    return Delays(
        stopped_share=round(sum(one["share"] for one in stops) / len(stops), 5),
        stopped_longest_us=round(max(one["longest_us"] for one in stops), 1),
        stops_per_s=round(sum(one["per_s"] for one in stops) / len(stops), 1),
        timer_us=percentiles(np.array(late)),
        wake_us=percentiles(np.array(asleep)),
        wake_awake_us=None if held is None else percentiles(np.array(held)),
    )


def _round_trips(cores: list[int], seconds: float) -> list[float]:
    """Send a byte to a process on the first processor from the last; return half of each round trip in µs."""
    before = os.sched_getaffinity(0)
    found: list[float] = []
    near, far = socket.socketpair()
    with far, _start("echo", cores[0], far.fileno(), pass_fds=(far.fileno(),)), near:  # the child ends once it is shut
        far.close()
        near.settimeout(GRACE_S)
        os.sched_setaffinity(0, {cores[-1]})
        try:
            _one(near)  # the other has started now
            until = time.monotonic() + seconds
            while not found or time.monotonic() < until:
                time.sleep(PAUSE_S)
                found.append(_one(near) / 2)
        except OSError as error:
            raise CellgateError(f"bench: the process that echoes does not answer ({error})") from error
        finally:
            os.sched_setaffinity(0, before)
    return found


def _one(near: socket.socket) -> float:
    began = time.perf_counter_ns()
    near.sendall(b"x")
    if not near.recv(1):
        raise OSError("it has ended")
    return (time.perf_counter_ns() - began) / 1e3


def _start(what: str, core: int, third: float, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.limit.delays", what, str(core), str(third)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=pass_fds)  # noqa: S603 - ours


def _finish(children: list[subprocess.Popen[bytes]]) -> list[Any]:
    found = []
    for child in children:
        said, complaint = child.communicate(timeout=GRACE_S + 3600)
        if child.returncode:
            raise CellgateError(f"bench: {child.args!r} failed: {complaint.decode(errors='replace').strip()}")
        found.append(json.loads(said))
    return found
