"""Several engines as one: batches go to the least loaded, answers come in the order of submission."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence

from engines.backends._interface import Engine, Frames, Predictions
from engines.bundle import Bundle
from engines.errors import EngineError, InputError

FAULTS_IN_A_ROW = 3
"""When so many batches in a row fail on one of them, it gets no more."""


def one_per_device(devices: Sequence[int], open_one: Callable[[int], Engine]) -> Engine:
    """Return the engine of one device, or one of all of them; if one cannot be opened, none stays open.

    Raises what `open_one` raises, and `InputError` for no or a repeated device.
    """
    if not devices or len(set(devices)) != len(devices):
        raise InputError("engine", "devices", list(devices), "one or more different GPUs")
    engines: list[Engine] = []
    try:
        for device in devices:
            engines.append(open_one(device))  # noqa: PERF401 - what is open by then must be closed on failure
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return engines[0] if len(engines) == 1 else MultiEngine(engines)


class MultiEngine:
    """One engine per device behind the same interface; they must have the same bundle and ladder.

    An engine that refuses a batch is passed over as long as another takes it, one whose last batch failed comes last,
    and one that fails again and again gets no more. It owns the engines: closing it closes them.
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
        self._faults = [0] * len(engines)
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
        """The first one's name, how many there are, and how many of them are left where some are out of order."""
        total, left = len(self._engines), len(self._left())
        return f"{total if left == total else f'{left} of {total}'} × {self._engines[0].name}"

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes they were compiled for, ascending."""
        return self._engines[0].ladder

    @property
    def capacity(self) -> int:
        """How many batches may be under way at a time, on all of them together."""
        return sum(self._engines[i].capacity for i in self._left())

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
        return not self._closed and any(self._engines[i].ready for i in self._left())

    def submit(self, frames: Frames) -> None:
        """Start a batch on the least loaded engine that takes it; see `Engine.submit`."""
        if self._closed:
            raise EngineError(f"{self.name}: closed")
        refusal: EngineError | None = None
        for i in sorted(self._left(), key=lambda i: (self._faults[i], self._loads[i])):
            if not self._engines[i].ready:
                continue
            try:
                self._engines[i].submit(frames)
            except EngineError as error:
                refusal = error
                self._faults[i] += 1
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
            self._faults[i] += 1
            self._drop_oldest()
            raise
        if predictions is not None:
            self._faults[i] = 0
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

    def _left(self) -> list[int]:
        return [i for i, faults in enumerate(self._faults) if faults < FAULTS_IN_A_ROW]

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
