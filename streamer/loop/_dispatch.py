"""From the waiting line to the engine and back: work-conserving batches, and shedding what cannot be saved."""

from __future__ import annotations

import time

import numpy as np

from engines.errors import EngineError
from streamer.loop._live import Batch, Live
from streamer.loop._settle import settle_classified, settle_unclassified
from streamer.vocabulary import Reason

MAX_SLOWDOWN = 50.0


class Dispatch:
    """Keeps the engine busy.

    When the engine is free and cells wait, they go at once, as many as fit and can still be in time; no timer holds a
    cell back. A cell that could not be in time even in a batch of its own is shed before the engine.

    Parameters
    ----------
    best_seconds
        The best time of each rung, as `Engine.warm` measured it. How much slower the engine is at present is followed
        while it runs.
    """

    def __init__(self, live: Live, best_seconds: dict[int, float]) -> None:
        self._live = live
        self._best_ns = {rung: int(seconds * 1e9) for rung, seconds in best_seconds.items()}
        self._slowdown = 1.0

    def collect(self, timeout_s: float = 0.0) -> bool:
        """Settle the batch on the engine if it is done; return whether one was."""
        live = self._live
        batch = live.batch
        if batch is None:
            return False
        try:
            predictions = live.engine.collect(timeout_s)
        except EngineError as error:
            self._fault(batch, error)
            return True
        if predictions is None:
            return False
        live.batch = None
        settle_classified(live, batch.series, live.pool.facts.at(batch.slots), predictions)
        live.pool.release(batch.slots)
        n = len(batch.slots)
        live.meters.batch(n, len(live.waiting), predictions.seconds)
        self._follow(n, predictions.seconds)
        return True

    def start(self) -> bool:
        """Put the next batch on the engine if it is free and cells wait; return whether one was."""
        live = self._live
        series = live.series
        if live.batch is not None or series is None or not len(live.waiting):
            return False
        n = live.engine.take(len(live.waiting))
        if series.deadline_after_ns is not None:
            self._shed_hopeless()
            if not len(live.waiting):
                return False
            n = self._in_time(live.engine.take(len(live.waiting)))
        slots = live.waiting.pop(n)
        batch = Batch(series, slots)
        try:
            live.engine.submit(live.pool.gather(slots))
        except EngineError as error:
            self._fault(batch, error)
            return False
        live.batch = batch
        return True

    def abandon(self, reason: Reason) -> None:
        """Send everything undecided to waste: for the very end, as slots on the engine are not given back."""
        live = self._live
        if live.batch is not None:
            settle_unclassified(live, live.batch.series, live.pool.facts.at(live.batch.slots), reason)
            live.batch = None
        if live.series is not None and len(live.waiting):
            slots = live.waiting.pop(len(live.waiting))
            settle_unclassified(live, live.series, live.pool.facts.at(slots), reason)
            live.pool.release(slots)
        while live.backlog:
            chunk = live.backlog.popleft()
            settle_unclassified(live, chunk.series, chunk.facts, reason)

    def _shed_hopeless(self) -> None:
        live = self._live
        waiting = live.waiting.peek(len(live.waiting))
        deadlines = live.pool.facts.deadline_ns[waiting]
        last_moment = time.monotonic_ns() + self._estimate_ns(self._smallest) + self._margin_ns
        hopeless = deadlines < last_moment
        if not hopeless.any():
            return
        # An estimate that sheds everything would never be corrected by a new measurement: let it recover.
        self._slowdown = max(1.0, self._slowdown * 0.98)
        slots = live.waiting.take_where(hopeless)
        assert live.series is not None  # noqa: S101 - cells only wait while their series is open
        settle_unclassified(live, live.series, live.pool.facts.at(slots), Reason.LATE)
        live.pool.release(slots)

    def _in_time(self, n: int) -> int:
        """Return the largest batch up to `n` whose cells would all be in time."""
        live = self._live
        now = time.monotonic_ns() + self._margin_ns
        earliest = np.minimum.accumulate(live.pool.facts.deadline_ns[live.waiting.peek(n)])
        for size in sorted({rung for rung in self._best_ns if rung < n} | {n}, reverse=True):
            if earliest[size - 1] >= now + self._estimate_ns(size):
                return size
        return min(n, self._smallest)

    @property
    def _smallest(self) -> int:
        return min(self._best_ns)

    @property
    def _margin_ns(self) -> int:
        return int(self._live.config.timing.publish_margin_us * 1000)

    def _estimate_ns(self, n: int) -> int:
        rung = min((rung for rung in self._best_ns if rung >= n), default=max(self._best_ns))
        return int(self._best_ns[rung] * self._slowdown)

    def _follow(self, n: int, seconds: float) -> None:
        rung = min((rung for rung in self._best_ns if rung >= n), default=max(self._best_ns))
        ratio = seconds * 1e9 / max(1, self._best_ns[rung])
        self._slowdown += 0.1 * (min(max(ratio, 1.0), MAX_SLOWDOWN) - self._slowdown)

    def _fault(self, batch: Batch, error: EngineError) -> None:
        live = self._live
        live.batch = None
        live.log.warning("engine", error)
        settle_unclassified(live, batch.series, live.pool.facts.at(batch.slots), Reason.ENGINE_FAULT)
        live.pool.release(batch.slots)
