"""A thread that waits for batches on the GPU and wakes the loop, which can only poll descriptors."""

from __future__ import annotations

import time
from queue import SimpleQueue
from threading import Condition, Thread

from engines.backends import Wakeup
from engines.errors import EngineError
from engines.tensorrt._device import Gpu
from engines.tensorrt._lane import Lane


class Flight:
    """A batch under way: `n` cells on a lane since `started`; `fault` says why it failed."""

    __slots__ = ("done", "fault", "finished", "lane", "n", "started")

    def __init__(self, lane: Lane, n: int, started: float) -> None:
        self.lane, self.n, self.started = lane, n, started
        self.finished = 0.0
        self.fault: str | None = None
        self.done = False


class Waiter:
    """Marks flights done in the order they are given, and keeps a descriptor readable while one waits.

    Descriptor and mark change together under one lock: neither a wake-up without a result nor a result without a
    wake-up can stay behind.
    """

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._wakeup = Wakeup()
        self._landed = Condition()
        self._flights: SimpleQueue[Flight | None] = SimpleQueue()
        # A daemon: a GPU that hangs must not keep the process from ending.
        self._thread = Thread(target=self._run, name="cellgate-gpu", daemon=True)
        self._thread.start()

    def watch(self, flight: Flight) -> None:
        """Wait for this flight after those before it."""
        self._flights.put(flight)

    def landed(self, flight: Flight, timeout_s: float) -> bool:
        """Return whether the flight is done, waiting so long."""
        with self._landed:
            if flight.done or timeout_s <= 0:
                return flight.done
            return self._landed.wait_for(lambda: flight.done, timeout_s)

    def taken(self, following: Flight | None) -> None:
        """Say that the oldest flight was collected and which one is now the oldest."""
        with self._landed:
            self._wakeup.clear()
            if following is not None and following.done:
                self._wakeup.set()

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._wakeup.fileno()

    def close(self, timeout_s: float) -> bool:
        """End the thread; return False where it still waits for the GPU after so long."""
        self._flights.put(None)
        self._thread.join(timeout_s)
        ended = not self._thread.is_alive()
        with self._landed:  # a thread that was not waited for may be writing to it
            self._wakeup.close()
        return ended

    def _run(self) -> None:
        while (flight := self._flights.get()) is not None:
            fault = self._wait(flight)
            with self._landed:
                flight.finished = time.perf_counter()
                flight.fault = fault
                flight.done = True
                self._wakeup.set()
                self._landed.notify_all()

    def _wait(self, flight: Flight) -> str | None:
        cuda = self._gpu.cuda
        try:
            with self._gpu:
                flight.lane.event.synchronize()
        except (cuda.Error, EngineError) as error:
            return str(error)
        return None
