"""When each cell passed from one stage of the streamer to the next, noted beside it and written at the end."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import zmq
from numpy.typing import NDArray

from engines.backends import Engine, Frames, Predictions
from engines.bundle import Bundle
from streamer.decision import Outlet
from streamer.wire import NO_CLASS


class Stamps:
    """Three moments of every cell that the engine has answered for: submitted, answered, published.

    They are taken around the engine and around the socket, so the loop between them is the one that is always run.
    """

    def __init__(self) -> None:
        self.submitted_ns: list[int] = []
        self._answered = (0, 0)
        self._left = 0
        self._rows: list[tuple[int, int, int, str, bytes]] = []

    def answered(self, cells: int) -> None:
        """Note that the oldest batch, of so many cells, has been collected."""
        self._answered, self._left = (self.submitted_ns.pop(0), time.monotonic_ns()), cells

    def published(self, series: str, records: NDArray[np.void]) -> None:
        """Note that these decisions are about to leave; those the engine was not asked for are left out.

        A batch may leave in several messages.
        """
        if self._left and records["class_"][0] != NO_CLASS:
            self._left -= len(records)
            self._rows.append((*self._answered, time.monotonic_ns(), series, records["seq"].tobytes()))

    def write(self, path: Path) -> None:
        """Write one row per cell: `series`, `seq` and the three moments."""
        counts = [len(row[-1]) // 8 for row in self._rows]
        columns: dict[str, NDArray[np.generic]] = {
            "series": np.repeat(np.array([row[3] for row in self._rows], np.str_), counts),
            "seq": np.frombuffer(b"".join(row[-1] for row in self._rows), "<u8"),
        }
        for place, name in enumerate(("submitted_ns", "answered_ns", "published_ns")):
            columns[name] = np.repeat(np.array([row[place] for row in self._rows], np.int64), counts)
        np.savez(path, **columns)  # type: ignore[arg-type]


class StampedEngine:
    """An engine whose batches are stamped; else it is the engine it is given."""

    def __init__(self, engine: Engine, stamps: Stamps) -> None:
        self._engine, self._stamps = engine, stamps
        self.warm, self.take, self.fileno, self.close = engine.warm, engine.take, engine.fileno, engine.close

    @property
    def bundle(self) -> Bundle:
        """See `Engine.bundle`."""
        return self._engine.bundle

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return self._engine.name

    @property
    def ladder(self) -> tuple[int, ...]:
        """See `Engine.ladder`."""
        return self._engine.ladder

    @property
    def capacity(self) -> int:
        """See `Engine.capacity`."""
        return self._engine.capacity

    @property
    def ready(self) -> bool:
        """See `Engine.ready`."""
        return self._engine.ready

    def submit(self, frames: Frames) -> None:
        """See `Engine.submit`."""
        now = time.monotonic_ns()
        self._engine.submit(frames)
        self._stamps.submitted_ns.append(now)

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """See `Engine.collect`."""
        found = self._engine.collect(timeout_s)
        if found is not None:
            self._stamps.answered(len(found.probabilities))
        return found


class StampedOutlet(Outlet):
    """The outlet, with a stamp on what leaves by it."""

    def __init__(self, socket: zmq.Socket[bytes], heartbeat_s: float, stamps: Stamps) -> None:
        super().__init__(socket, heartbeat_s)
        self._stamps = stamps

    def publish(self, series: str, records: NDArray[np.void]) -> None:
        """See `Outlet.publish`."""
        self._stamps.published(series, records)
        super().publish(series, records)
