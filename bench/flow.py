"""A streamer fed as fast as it takes cells: what it comes to, and what it costs the processor by stage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.live import How, Load, Streaming, play, spent, thread_seconds
from bench.tables import make_table
from engines.bundle import Bundle

UNDER_WAY = 8
"""So many top rungs, or messages where those are larger, are under way: the engine never waits, queues stay short."""
LEAST_CELLS = 256


@dataclass
class Flow:
    """One way of sending, and what it came to so far.

    `alone` is, in the figures, the rate that each turn's rate is compared with.
    """

    per_message: int
    frames: NDArray[np.generic]
    senders: int = 1
    cells: int = 0
    seconds: float = 0.0
    missing: int = 0
    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def cells_per_s(self) -> float:
        """The rate over all turns."""
        return self.cells / self.seconds

    def turn(self, streamer: Streaming, top: int, rate: float, seconds: float, alone: float | None = None) -> None:
        """Send about what takes `seconds` at `rate` cells per second, with top rungs of `top`; compare with `alone`."""
        window = UNDER_WAY * max(top, self.per_message)
        cells = max(LEAST_CELLS, window, int(rate * seconds))
        height, width = self.frames.shape[2:]
        target = msgspec.structs.replace(streamer.target(), shape=(height, width))
        before = thread_seconds(streamer.pid)
        load = Load(cells, per_message=self.per_message, window=window, senders=self.senders)
        outcome = play(target, self.frames, load)
        used = spent(before, thread_seconds(streamer.pid), streamer.pid) | {"client": outcome.client_cpu_s}
        self.cells += cells
        self.seconds += cells / outcome.steady_cells_per_s
        self.rates.append(outcome.steady_cells_per_s)
        if alone is not None:
            self.ratios.append(outcome.steady_cells_per_s / alone)
        self.missing += outcome.missing
        self.errors += outcome.errors()
        self.cpu = {name: self.cpu.get(name, 0.0) + value for name, value in used.items()}

    def figures(self) -> dict[str, object]:
        """Return them as JSON-able values."""
        found: dict[str, object] = {
            "per_message": self.per_message,
            "senders": self.senders,
            "frame_shape": self.frames.shape[1:],
            "sent": self.cells,
            "missing": self.missing,
            "account_errors": self.errors,
            "cells_per_s": round(self.cells_per_s, 1),
            "bytes_per_s": round(self.cells_per_s * self.frames[0].nbytes),
            "cells_per_s_by_turn": [round(rate, 1) for rate in self.rates],
            "cpu_us_per_cell": {name: round(value / self.cells * 1e6, 2) for name, value in self.cpu.items()},
        }
        if self.ratios:
            found["over_engine"] = round(float(np.median(self.ratios)), 4)
            found["over_engine_by_turn"] = [round(ratio, 4) for ratio in self.ratios]
        return found


def stages(bundle: Bundle, how: How, flow: Flow, rate: float, seconds: float) -> dict[str, object]:
    """Return processor microseconds per cell by stage, from a run of its own whose loop is sampled.

    The loop's own time is shared out by the samples that did not find it waiting; other threads are as measured.
    `flow` is a fresh one: the way of sending.
    """
    with Streaming(bundle, replace(how, profile=True)) as streamer:
        flow.turn(streamer, how.top, rate, seconds)
        streamer.stop()
        found: dict[str, Any] = streamer.profile()
    samples: dict[str, int] = found["samples"]
    busy = {name: count for name, count in samples.items() if name != "waiting"}
    per_cell = {name: value / flow.cells * 1e6 for name, value in flow.cpu.items()}
    total = max(1, sum(busy.values()))
    shares = sorted(busy.items(), key=lambda pair: -pair[1])
    return {
        "per_message": flow.per_message,
        "cells_per_s": round(flow.cells_per_s, 1),
        "loop_us_per_cell": {name: round(per_cell["loop"] * count / total, 2) for name, count in shares},
        "zmq_us_per_cell": round(per_cell["zmq"], 2),
        "other_threads_us_per_cell": round(per_cell["others"], 2),
        "samples": sum(samples.values()),
        "samples_waiting": samples.get("waiting", 0),
    }


def stages_table(found: dict[str, Any]) -> Table:
    """Return what `stages` found as a table."""
    rows: list[tuple[object, ...]] = [(f"loop: {name}", value) for name, value in found["loop_us_per_cell"].items()]
    rows += [("ZeroMQ's thread", found["zmq_us_per_cell"]), ("other threads", found["other_threads_us_per_cell"])]
    return make_table(f"Where the time goes, {found['per_message']} per message", ("", "CPU µs/cell"), rows)
