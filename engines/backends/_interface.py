"""The engine interface: what the loop (or an offline caller) can ask of any backend."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle

Frames = NDArray[np.generic]

DEFAULT_LADDER = (1, 2, 4, 8, 16, 32)
"""Batch sizes an engine is compiled for unless told otherwise."""


class Predictions(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What an engine says of one batch.

    Attributes
    ----------
    probabilities
        `(n, classes)` float32, calibrated; each row sums to 1.
    embedding
        `(n, E)` float32.
    measurements
        `(n, M)` float32, named by the bundle's `outputs.measurements`. NaN where the engine was built without them.
    seconds
        Time the batch spent on the device, in seconds.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    measurements: NDArray[np.float32]
    seconds: float


class Engine(Protocol):
    """A bundle compiled for one device.

    Batches are asynchronous: `submit` returns at once, `collect` gives the result when it is there. One batch may be
    under way at a time per unit of `capacity`; results come in the order of submission. All methods belong to one
    thread.
    """

    @property
    def bundle(self) -> Bundle:
        """The bundle it was compiled from."""
        ...

    @property
    def name(self) -> str:
        """Backend, device and precision in one line, for reports."""
        ...

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes it was compiled for, ascending."""
        ...

    @property
    def capacity(self) -> int:
        """How many batches may be under way at a time."""
        ...

    def warm(self) -> dict[int, float]:
        """Run every rung until its buffers are allocated; return the best time of each rung in seconds."""
        ...

    def take(self, waiting: int) -> int:
        """Return how many of `waiting` cells (1 or more) the next batch should hold."""
        ...

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        ...

    def submit(self, frames: Frames) -> None:
        """Start a batch of `(n, C, H, W)` raw counts, 1 ≤ n ≤ the top rung.

        The memory of `frames` must stay as it is until the batch was collected. Raises `EngineError`.
        """
        ...

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the oldest batch's predictions, or None if it is not done after `timeout_s`.

        Raises `EngineError` if the batch failed; the batch is then gone.
        """
        ...

    def fileno(self) -> int:
        """Return a file descriptor that is readable while a finished batch waits to be collected."""
        ...

    def close(self) -> None:
        """Wait for what is under way and free the device; may be called at any moment, and twice."""
        ...
