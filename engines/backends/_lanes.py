"""Lanes: where one batch of one size runs, with memory of its own. Every embedded engine is a set of them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.backends._checks import last_line
from engines.backends._interface import Frames

Done = Callable[[], None]
Outputs = tuple[NDArray[np.float32], ...]


class Lane(Protocol):
    """A batch size compiled once, and its own memory.

    `run`, `start` and `finish` raise `RuntimeError` when the device fails; the lane can be used again afterwards.
    """

    @property
    def frames(self) -> Frames:
        """Where the frames of a batch are put before it is run, `(rung, C, H, W)`."""
        ...

    @property
    def outputs(self) -> Outputs:
        """Where the answers are when it is done: probabilities, embedding and measurements of `rung` cells."""
        ...

    def run(self) -> None:
        """Run on the calling thread."""
        ...

    def start(self, done: Done) -> None:
        """Run elsewhere, then call `done` from any thread, also after a failure."""
        ...

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for what `start` began; return whether it is over, well or badly."""
        ...

    def finish(self) -> None:
        """Raise what went wrong in what `start` began and is over."""
        ...


class Worker:
    """A thread that runs jobs one after the other.

    Parameters
    ----------
    name
        Of the thread.
    begin
        Called first on the new thread: to pin it, say.
    """

    def __init__(self, name: str, begin: Callable[[], None] | None = None) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._begin = begin
        # A daemon: an engine that hangs must not keep the process for ever.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None]) -> None:
        """Run `job`, which must not raise, when those before it are done."""
        self._jobs.put(job)

    def close(self) -> None:
        """Let the thread end after the jobs it has, and wait for it."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        if self._begin is not None:
            self._begin()
        while (job := self._jobs.get()) is not None:
            job()


class WorkerLane(ABC):
    """A lane of a library that only knows how to run on the calling thread; a `Worker` calls it.

    Parameters
    ----------
    worker
        What runs it when it is started.
    frames, outputs
        The memory; see `Lane`.
    """

    def __init__(self, worker: Worker, frames: Frames, outputs: Outputs) -> None:
        self._worker = worker
        self.frames, self.outputs = frames, outputs
        self._over = threading.Event()
        self._over.set()  # nothing was started yet, so there is nothing to wait for
        self._error: str | None = None

    @abstractmethod
    def run(self) -> None:
        """Run on the calling thread."""

    def start(self, done: Done) -> None:
        """Let the worker run it; see `Lane.start`."""
        self._over.clear()
        self._worker.put(lambda: self._work(done))

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the worker; see `Lane.wait`."""
        return self._over.wait(timeout_s)

    def finish(self) -> None:
        """Raise what went wrong on the worker."""
        error, self._error = self._error, None
        if error is not None:
            raise RuntimeError(error)

    def _work(self, done: Done) -> None:
        try:
            self._complete()
        except Exception as error:  # noqa: BLE001 - libraries raise what they like, and the worker must live on
            self._error = last_line(error)
        self._over.set()
        done()

    def _complete(self) -> None:
        """Do the worker's part: all of it, unless a lane begins on the calling thread."""
        self.run()
