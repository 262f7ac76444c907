"""The arithmetic of planning: from what a cell costs to the most cells a second, and to what stands in the way."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Limit = Literal["engine", "ingest", "transport", "cores", "bandwidth", "link"]

COPIES = 4
"""How often a frame's bytes are copied on this machine: into ZeroMQ, out of it, into a slot, into the engine."""


class Costs(msgspec.Struct, frozen=True):
    """What one cell costs, in seconds.

    Attributes
    ----------
    loop_s
        Processor time of the streamer's loop: receiving, placing, deciding, publishing; without the engine.
    transport_s
        Of the streamer's other threads, mostly ZeroMQ's.
    sender_s
        Of a sender and receiver on the same machine; 0 where the cells come from another one.
    engine_s
        From one cell to the next on an engine that is never idle, in batches as large as pay.
    engine_own_s, engine_all_s
        Of those, processor time of the thread that submits and collects, which is the loop; and of all threads.
    """

    loop_s: float
    transport_s: float
    sender_s: float
    engine_s: float
    engine_own_s: float
    engine_all_s: float


class Machine(msgspec.Struct, frozen=True):
    """What there is: cores, memory copies in bytes per second, and a network link, if the cells come over one."""

    cores: int
    copy_bytes_per_s: float
    link_bytes_per_s: float | None = None


class Prediction(msgspec.Struct, frozen=True):
    """The most cells a second, and why no more.

    Attributes
    ----------
    limits
        Cells per second that each part would allow, were it alone.
    binds
        The least of them.
    maximum
        Cells per second: that least one.
    mostly
        What most of the time of the part that binds goes to; where the cores bind, that is what to change.
    """

    limits: dict[Limit, float]
    binds: Limit
    maximum: float
    mostly: Limit

    def met(self, rate: float) -> bool:
        """Return whether the machine keeps up with this rate."""
        return rate <= self.maximum

    def headroom(self, rate: float) -> float:
        """Return the maximum over the rate: 1 is full, 2 is half full."""
        return self.maximum / rate


def predict(costs: Costs, machine: Machine, frame_bytes: int) -> Prediction:
    """Return the most cells per second of a machine.

    Loop, transport and engine work at the same time, on cores of their own: the slowest one sets the pace, unless
    there are fewer cores than they keep busy together. What the loop does for the engine, handing over batches or
    running the small ones itself, is the loop's time.
    """
    loop = costs.loop_s + costs.engine_own_s
    parts: dict[Limit, float] = {
        "engine": costs.engine_all_s,
        "ingest": costs.loop_s,
        "transport": costs.transport_s + costs.sender_s,
    }
    limits: dict[Limit, float] = {
        "engine": _rate(costs.engine_s),
        "ingest": _rate(loop),
        "transport": _rate(costs.transport_s),
        "cores": machine.cores * _rate(sum(parts.values())),
        "bandwidth": machine.copy_bytes_per_s / (COPIES * frame_bytes),
    }
    if machine.link_bytes_per_s is not None:
        limits["link"] = machine.link_bytes_per_s / frame_bytes
    binds = min(limits, key=lambda name: limits[name])
    mostly = binds
    if binds == "cores":
        mostly = max(parts, key=lambda name: parts[name])
    elif binds == "ingest" and costs.engine_own_s > costs.loop_s:
        mostly = "engine"
    finite = {name: value for name, value in limits.items() if math.isfinite(value)}
    return Prediction(limits=finite, binds=binds, maximum=limits[binds], mostly=mostly)


def _rate(seconds: float) -> float:
    return 1 / seconds if seconds > 0 else math.inf
