"""How late a processor is by itself, measured by a process of its own that does nothing else.

python -m bench.limit.delays stops|timer PROCESSOR SECONDS
python -m bench.limit.delays echo PROCESSOR DESCRIPTOR

The first two print JSON; `echo` answers what it is sent, byte for byte, until the other side closes.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from bench.live import sleep_sharply

STOP_NS = 20_000
"""Between two looks at the clock a program of its own does a twentieth of a microsecond's work. Where as much as this
has passed, something else had the processor."""
TIMER_NS = 1_000_000


def main() -> None:
    """Measure what the command line asks for, on the processor it names."""
    what, processor, third = sys.argv[1:4]
    os.sched_setaffinity(0, {int(processor)})
    if what == "echo":
        _echo(int(third))
        return
    measures = {"stops": _stops, "timer": _timer}
    print(json.dumps(measures[what](int(float(third) * 1e9))))


def _stops(span_ns: int) -> dict[str, float]:
    """Look at the clock without a pause: how much of the time was taken away, and how long at a time."""
    clock = time.perf_counter_ns
    began = last = clock()
    until = began + span_ns
    taken = longest = count = 0
    while last < until:
        now = clock()
        if now - last > STOP_NS:
            taken, longest, count = taken + now - last, max(longest, now - last), count + 1
        last = now
    return {
        "share": taken / (last - began),
        "longest_us": longest / 1e3,
        "per_s": count / (last - began) * 1e9,
    }


def _timer(span_ns: int) -> list[float]:
    """Ask to be woken every millisecond; return how many microseconds after the moment asked for that was."""
    sleep_sharply()
    due = time.monotonic_ns() + TIMER_NS
    late = []
    for _ in range(max(1, span_ns // TIMER_NS)):
        time.sleep(max(0, due - time.monotonic_ns()) * 1e-9)
        now = time.monotonic_ns()
        late.append((now - due) / 1e3)
        due = max(due, now) + TIMER_NS
    return late


def _echo(descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as other:
        while some := other.recv(64):
            other.sendall(some)


if __name__ == "__main__":
    main()
