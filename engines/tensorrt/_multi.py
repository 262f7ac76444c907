"""Several engines as one: batches go to the least loaded, answers come in the order of submission."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Sequence

from engines.backends import Engine, Predictions
from engines.bundle import Bundle
from engines.errors import EngineError, InputError
from engines.tensorrt._lane import Frames


class MultiEngine:
    """One engine per device behind the same interface; they must have the same bundle and ladder.

    An engine that refuses a batch is passed over as long as another takes it. It owns the engines: closing it closes
    them.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        if not engines:
            raise InputError("engines", "number", 0, "one or more")
        first = engines[0]
        for engine in engines[1:]:
            if engine.bundle.sha256 != first.bundle.sha256 or engine.ladder != first.ladder:
                raise InputError("engines", "bundle and ladder", engine.name, f"those of {first.name}")
        self._engines = tuple(engines)
        self._loads = [0] * len(engines)
        self._order: deque[int] = deque()
        # Only the engine with the oldest batch is polled: another's finished batch cannot be collected yet, and a
        # descriptor that stays readable meanwhile would make the loop spin.
        self._epoll = select.epoll()
        self._polled: int | None = None
        self._closed = False

    @property
    def bundle(self) -> Bundle:
        """The bundle they were compiled from."""
        return self._engines[0].bundle

    @property
    def name(self) -> str:
        """The first one's name, and how many there are."""
        return f"{len(self._engines)} × {self._engines[0].name}"

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes they were compiled for, ascending."""
        return self._engines[0].ladder

    @property
    def capacity(self) -> int:
        """How many batches may be under way at a time, on all of them together."""
        return sum(engine.capacity for engine in self._engines)

    def warm(self) -> dict[int, float]:
        """Warm all of them; return the slowest one's best time of each rung in seconds."""
        times = [engine.warm() for engine in self._engines]
        return {rung: max(best[rung] for best in times) for rung in self.ladder}

    def take(self, waiting: int) -> int:
        """Return how many of `waiting` cells the next batch should hold."""
        return self._engines[0].take(waiting)

    @property
    def ready(self) -> bool:
        """Whether one of them is."""
        return not self._closed and any(engine.ready for engine in self._engines)

    def submit(self, frames: Frames) -> None:
        """Start a batch on the least loaded engine that takes it; see `Engine.submit`."""
        if self._closed:
            raise EngineError(f"{self.name}: closed")
        refusal: EngineError | None = None
        for i in sorted(range(len(self._engines)), key=self._loads.__getitem__):
            if not self._engines[i].ready:
                continue
            try:
                self._engines[i].submit(frames)
            except EngineError as error:
                refusal = error
                continue
            self._loads[i] += 1
            self._order.append(i)
            self._poll_oldest()
            return
        raise refusal or EngineError(f"{self.name}: all are at work or out of order")

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the oldest batch of all, or None; see `Engine.collect`."""
        if not self._order:
            return None
        i = self._order[0]
        try:
            predictions = self._engines[i].collect(timeout_s)
        except EngineError:
            self._drop_oldest()
            raise
        if predictions is not None:
            self._drop_oldest()
        return predictions

    def fileno(self) -> int:
        """Return the descriptor that is readable while the oldest batch of all is finished."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Close all of them."""
        if self._closed:
            return
        self._closed = True
        self._epoll.close()
        self._order.clear()
        for engine in self._engines:
            engine.close()

    def _drop_oldest(self) -> None:
        self._loads[self._order.popleft()] -= 1
        self._poll_oldest()

    def _poll_oldest(self) -> None:
        oldest = self._order[0] if self._order else None
        if oldest == self._polled:
            return
        if self._polled is not None:
            self._epoll.unregister(self._engines[self._polled].fileno())
        if oldest is not None:
            self._epoll.register(self._engines[oldest].fileno(), select.EPOLLIN)
        self._polled = oldest
