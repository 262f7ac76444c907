"""A sorter that is not there: a thread that receives decisions and times them."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from streamer.client import DecisionReceiver, Decisions
from streamer.wire import Totals


class Sorter:
    """Receives every decision of one series. A context manager.

    Attributes
    ----------
    missed
        Decision messages that never came, seen by their numbers.
    kept_late
        Cells whose keep arrived here after their sort time: the way from socket to sorter took too long. A real sorter
        lets such a cell pass.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._latencies: list[NDArray[np.int64]] = []
        self.missed = 0
        self.received = 0
        self.kept_late = 0
        self.totals: Totals | None = None
        self._thread = threading.Thread(target=self._run, name="sorter", daemon=True)
        self._thread.start()

    def latencies_us(self) -> NDArray[np.floating]:
        """Return for each decision the time from planned trigger to receipt here, in microseconds."""
        return np.concatenate([np.zeros(0, np.int64), *self._latencies]) / 1e3

    def _run(self) -> None:
        with DecisionReceiver(self._endpoint, "demo sorter") as receiver:
            while not self._stop.is_set():
                message = receiver.receive(0.2)
                now = time.monotonic_ns()
                if isinstance(message, Decisions):
                    records = message.records
                    latency = now - records["ticks"].astype(np.int64)  # the simulator's ticks are nanoseconds
                    self._latencies.append(latency)
                    self.received += len(records)
                    legend = receiver.legend
                    if legend is not None and legend.sort_delay_us is not None:
                        kept = records["way"] != 0
                        self.kept_late += int((latency[kept] > legend.sort_delay_us * 1000).sum())
                elif isinstance(message, Totals):
                    self.totals = message
                self.missed = receiver.missed

    def __enter__(self) -> Sorter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5.0)
