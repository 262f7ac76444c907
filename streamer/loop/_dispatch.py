"""From the waiting line to the engine and back: work-conserving batches, and shedding what cannot be saved."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from streamer.ingest import Slots
from streamer.loop._live import Batch, Live
from streamer.loop._series import Series
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
        self._smallest = min(self._best_ns)
        self._margin_ns = int(live.config.timing.publish_margin_us * 1000)
        self._slowdown = 1.0
        self._patience_ns = int(live.config.engine.patience_s * 1e9)
        self._started_ns = 0
        self._hung: Slots | None = None

    @property
    def hung(self) -> bool:
        """Whether the engine holds a batch that was given up."""
        return self._hung is not None

    def collect(self, timeout_s: float = 0.0) -> bool:
        """Settle the batch on the engine if it is done; return whether one was."""
        live = self._live
        batch = live.batch
        if self._hung is not None:
            self._look_after_hung(self._hung)
            return False
        if batch is None:
            return False
        try:
            predictions = live.engine.collect(timeout_s)
        except EngineError as error:
            self._fault(batch, error)
            return True
        if predictions is None:
            if time.monotonic_ns() - self._started_ns > self._patience_ns:
                self._give_up(batch)
            return False
        live.batch = None
        settle_classified(live, batch.series, live.pool.facts[batch.slots], predictions)
        if live.recording is not None:
            live.recording.hand_over(live.pool, batch.slots)
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
        if self._hung is not None:
            slots = live.waiting.pop(len(live.waiting))
            settle_unclassified(live, series, live.pool.facts[slots], Reason.ENGINE_FAULT)
            live.pool.release(slots)
            return False
        if series.deadline_after_ns is None:
            n = live.engine.take(len(live.waiting))
        else:
            n = self._in_time(series)
            if not n:
                return False
        slots = live.waiting.pop(n)
        batch = Batch(series, slots)
        try:
            live.engine.submit(live.pool.gather(slots))
        except EngineError as error:
            self._fault(batch, error)
            return False
        live.batch = batch
        self._started_ns = time.monotonic_ns()
        return True

    def abandon(self, reason: Reason) -> None:
        """Send everything undecided to waste: for the very end, as slots on the engine are not given back."""
        live = self._live
        if live.batch is not None:
            settle_unclassified(live, live.batch.series, live.pool.facts[live.batch.slots], reason)
            self._hung, live.batch = live.batch.slots, None
        if live.series is not None and len(live.waiting):
            slots = live.waiting.pop(len(live.waiting))
            settle_unclassified(live, live.series, live.pool.facts[slots], reason)
            live.pool.release(slots)
        while live.backlog:
            chunk = live.backlog.popleft()
            settle_unclassified(live, chunk.series, chunk.facts, reason)

    def _in_time(self, series: Series) -> int:
        """Shed the cells that cannot be in time any more; return the largest batch of the rest that can, 0 for none."""
        live = self._live
        waiting = live.waiting.peek(len(live.waiting))
        now = time.monotonic_ns() + self._margin_ns
        soonest = now + self._estimate_ns(self._smallest)
        if len(waiting) == 1 and live.pool.facts["deadline_ns"][waiting[0]] >= soonest:
            return 1
        deadlines = live.pool.facts["deadline_ns"][waiting]
        if int(deadlines.min()) < soonest:
            hopeless = deadlines < soonest
            self._shed(series, hopeless)
            deadlines = deadlines[~hopeless]
            if not len(deadlines):
                return 0
        n = live.engine.take(len(deadlines))
        earliest = int(deadlines[:n].min())
        while n > self._smallest and earliest < now + self._estimate_ns(n):
            n = max(rung for rung in self._best_ns if rung < n)
            earliest = int(deadlines[:n].min())
        return n

    def _shed(self, series: Series, hopeless: NDArray[np.bool_]) -> None:
        live = self._live
        # An estimate that sheds everything would never be corrected by a new measurement: let it recover.
        self._slowdown = max(1.0, self._slowdown * 0.98)
        slots = live.waiting.take_where(hopeless)
        settle_unclassified(live, series, live.pool.facts[slots], Reason.LATE)
        live.pool.release(slots)

    def _estimate_ns(self, n: int) -> int:
        rung = min((rung for rung in self._best_ns if rung >= n), default=max(self._best_ns))
        return int(self._best_ns[rung] * self._slowdown)

    def _follow(self, n: int, seconds: float) -> None:
        rung = min((rung for rung in self._best_ns if rung >= n), default=max(self._best_ns))
        ratio = seconds * 1e9 / max(1, self._best_ns[rung])
        self._slowdown += 0.1 * (min(max(ratio, 1.0), MAX_SLOWDOWN) - self._slowdown)

    def _give_up(self, batch: Batch) -> None:
        """Wait for this batch no longer; its slots stay with the engine, which may still read them."""
        live = self._live
        live.batch = None
        self._hung = batch.slots
        live.log.warning("engine", f"{live.engine.name}: no answer for {self._patience_ns / 1e9:g} s")
        settle_unclassified(live, batch.series, live.pool.facts[batch.slots], Reason.ENGINE_FAULT)

    def _look_after_hung(self, slots: Slots) -> None:
        try:
            if self._live.engine.collect() is None:
                return
        except EngineError as error:
            self._live.log.warning("engine", error)
        self._hung = None
        self._live.pool.release(slots)
        self._live.log.warning("engine", f"{self._live.engine.name} has answered again")

    def _fault(self, batch: Batch, error: EngineError) -> None:
        live = self._live
        live.batch = None
        live.log.warning("engine", error)
        settle_unclassified(live, batch.series, live.pool.facts[batch.slots], Reason.ENGINE_FAULT)
        live.pool.release(batch.slots)
