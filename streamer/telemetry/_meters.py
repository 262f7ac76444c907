"""The loop's histograms, by the names they have in snapshots and in Prometheus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.telemetry._histogram import Histogram, log_edges
from streamer.wire import HistogramData

_LATENCY = log_edges(10e-6, 10.0)
_SLACK_ABOVE = log_edges(10e-6, 1.0, 6)
_SLACK = [*(-edge for edge in reversed(_SLACK_ABOVE)), 0.0, *_SLACK_ABOVE]
_COUNTS = [float(2**power) for power in range(17)]


class Meters:
    """Every histogram of the loop. Times are in seconds, sizes in cells."""

    def __init__(self) -> None:
        self.latency_from_arrival = Histogram(_LATENCY)
        self.latency_from_trigger = Histogram(_LATENCY)
        self.deadline_slack = Histogram(_SLACK)
        self.batch_size = Histogram(_COUNTS)
        self.queue_depth = Histogram([0.0, *_COUNTS])
        self.engine = Histogram(_LATENCY)

    def decided(
        self,
        now_ns: int,
        arrival_ns: NDArray[np.int64],
        trigger_ns: NDArray[np.int64],
        deadline_ns: NDArray[np.int64] | None,
    ) -> None:
        """Count the latencies, and with deadlines the slack, of cells decided at `now_ns`."""
        self.latency_from_arrival.add_many((now_ns - arrival_ns) * 1e-9)
        self.latency_from_trigger.add_many((now_ns - trigger_ns) * 1e-9)
        if deadline_ns is not None:
            self.deadline_slack.add_many((deadline_ns - now_ns) * 1e-9)

    def decided_one(self, now_ns: int, arrival_ns: int, trigger_ns: int, deadline_ns: int | None) -> None:
        """Count what `decided` counts, of a single cell."""
        self.latency_from_arrival.add((now_ns - arrival_ns) * 1e-9)
        self.latency_from_trigger.add((now_ns - trigger_ns) * 1e-9)
        if deadline_ns is not None:
            self.deadline_slack.add((deadline_ns - now_ns) * 1e-9)

    def batch(self, cells: int, waiting: int, seconds: float) -> None:
        """Count one batch: its size, how many cells waited behind it, its time on the engine."""
        self.batch_size.add(cells)
        self.queue_depth.add(waiting)
        self.engine.add(seconds)

    def data(self) -> dict[str, HistogramData]:
        """Return all histograms by name."""
        return {
            "latency_from_arrival_seconds": self.latency_from_arrival.data(),
            "latency_from_trigger_seconds": self.latency_from_trigger.data(),
            "deadline_slack_seconds": self.deadline_slack.data(),
            "batch_size_cells": self.batch_size.data(),
            "queue_depth_cells": self.queue_depth.data(),
            "engine_seconds": self.engine.data(),
        }
