"""From the waiting line to the engine and back: work-conserving batches, and shedding what cannot be saved."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions
from engines.errors import EngineError
from streamer.ingest import Slots
from streamer.loop._engine_log import tell_engine
from streamer.loop._live import Batch, Live
from streamer.loop._rung_times import RungTimes
from streamer.loop._series import Series
from streamer.loop._settle import settle_classified, settle_unclassified
from streamer.vocabulary import Reason

BRINK = 4
"""The time from trigger to deadline over the part of it that is kept in reserve while more comes than can go."""


HANDED_NS = 1_000_000
"""A full batch that takes longer surely runs on another thread (`engines.backends` runs the shortest on the caller's):
the next one is handed over before the answers to the one before it are looked at."""


class Dispatch:
    """Keeps the engine busy.

    When the engine can take a batch and cells wait, they go at once, as many as fit and can still be in time; no timer
    holds a cell back. A cell that could not be in time even in a batch of its own is shed before the engine. Up to
    `Engine.capacity` batches are under way.

    Parameters
    ----------
    best_seconds
        The best time of each rung, as `Engine.warm` measured it.

    Attributes
    ----------
    out
        Why the engine is not used any more, empty while it is: too many batches failed, or it hangs. Until another is
        there (`use`), all cells go to waste as `engine_fault`.
    hung
        Whether it is out because it does not answer; if it does before another is there, it is used again.
    hold
        Whether no batch may start: another engine takes over when nothing is under way.
    shed_ns
        When a cell was last shed.
    """

    def __init__(self, live: Live, best_seconds: dict[int, float]) -> None:
        self._live = live
        self._margin_ns = int(live.config.timing.publish_margin_us * 1000)
        self._patience_ns = int(live.config.engine.patience_s * 1e9)
        self._given_up: deque[Slots] = deque()
        self.shed_ns = 0
        self.use(best_seconds)

    def use(self, best_seconds: dict[int, float]) -> Slots:
        """Begin anew with the engine that is in `Live` now; nothing may be under way.

        Returns
        -------
        The slots that the one before it has not given back, and may still read.
        """
        assert not self._live.batches  # noqa: S101 - its caller waits for that
        self._times = RungTimes(best_seconds)
        self._capacity = self._live.engine.capacity
        self._faults = 0
        self.out, self.hung, self.hold = "", False, False
        left = np.concatenate([_NONE, *self._given_up])
        self._given_up.clear()
        return left

    def least_ns(self) -> int:
        """Return how long it takes from now, at present, until a decision on a cell can leave."""
        return self._margin_ns + self._times.of(self._times.smallest)

    def recover(self) -> None:
        """Cells were shed: expect a little less, as an estimate that sheds everything would never be corrected."""
        self.shed_ns = time.monotonic_ns()
        self._times.recover()

    @property
    def top(self) -> int:
        """The largest batch."""
        return self._times.top

    @property
    def unanswered(self) -> bool:
        """Whether the engine holds batches that were given up."""
        return bool(self._given_up)

    @property
    def can_start(self) -> bool:
        """Whether cells wait and `start` would do something about it."""
        return bool(len(self._live.waiting)) and (bool(self.out) or not self._live.batches or self._has_room())

    def collect(self, timeout_s: float = 0.0) -> bool:
        """Settle the batches that the engine has answered; return whether there was one."""
        if self._given_up:
            self._look_after_hung()
        live, settled = self._live, False
        for _ in range(min(self._capacity, len(live.batches))):
            if not live.batches or not self._collect_oldest(0.0 if settled else timeout_s):
                break
            settled = True
        return settled

    def start(self) -> bool:
        """Put batches on the engine while it can take one and cells wait; return whether one was."""
        started = False
        while self._start_one():
            started = True
        return started

    def abandon(self, reason: Reason) -> None:
        """Send everything undecided to waste: for the very end, as slots on the engine are not given back."""
        live = self._live
        self._give_up(reason)
        self._waste_waiting(reason)
        while live.backlog:
            chunk = live.backlog.popleft()
            settle_unclassified(live, chunk.series, chunk.facts, reason)

    def _collect_oldest(self, timeout_s: float) -> bool:
        live = self._live
        batch = live.batches[0]
        try:
            predictions = live.engine.collect(timeout_s)
        except EngineError as error:
            live.batches.popleft()
            self._failed(batch, error)
            return True
        if predictions is None:
            if time.monotonic_ns() - batch.started_ns > self._patience_ns:
                self.hung, self.out = True, f"no answer for {self._patience_ns / 1e9:g} s"
                tell_engine(live, "hangs", self.out)
                self._give_up(Reason.ENGINE_FAULT)
            return False
        live.batches.popleft()
        self._faults = 0
        if self._capacity > 1 or (len(live.waiting) >= self._times.top and self._times.of(self._times.top) > HANDED_NS):
            self.start()  # so that what has become free works while this batch is settled
        self._settle(batch, predictions)
        return True

    def _settle(self, batch: Batch, predictions: Predictions) -> None:
        live = self._live
        # With what the answer lay there until it was looked at, which is the loop's doing and counts all the same.
        took = max(predictions.seconds, (time.monotonic_ns() - batch.started_ns) * 1e-9)
        settle_classified(live, batch.series, live.pool.facts[batch.slots], predictions)
        if live.recording is not None:
            live.recording.hand_over(live.pool, batch.slots)
        live.pool.release(batch.slots)
        n = len(batch.slots)
        live.meters.batch(n, len(live.waiting), predictions.seconds)
        self._times.follow(n, took)

    def _has_room(self) -> bool:
        return not self.hold and len(self._live.batches) < self._capacity and self._live.engine.ready

    def _start_one(self) -> bool:
        live = self._live
        series = live.series
        if series is None or not len(live.waiting):
            return False
        if self.out:
            self._waste_waiting(Reason.ENGINE_FAULT)
            return False
        # With nothing under way an engine that is not ready is out of order, and `submit` says so.
        if self.hold or (live.batches and not self._has_room()):
            return False
        if series.deadline_after_ns is None:
            n = live.engine.take(len(live.waiting))
        else:
            n = self._in_time(series)
            if not n:
                return False
        slots = live.waiting.pop(n)
        try:
            live.engine.submit(live.pool.gather(slots))
        except EngineError as error:
            self._failed(Batch(series, slots, 0), error)
            return False
        live.batches.append(Batch(series, slots, time.monotonic_ns()))
        return True

    def _in_time(self, series: Series) -> int:
        """Shed the cells that cannot be in time any more; return the largest batch of the rest that can, 0 for none."""
        live, times = self._live, self._times
        waiting = live.waiting.peek(len(live.waiting))
        now = time.monotonic_ns() + self._margin_ns
        # Answers come in the order of submission: none before those of the batches under way.
        first = self._margin_ns
        if live.batches:
            first += max(batch.started_ns + times.of(len(batch.slots)) for batch in live.batches)
        soonest = max(first, now + times.of(times.smallest))
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
        if len(deadlines) > n:
            brink = self._on_the_brink(series, deadlines, n, max(first, now + times.of(n)))
            if brink is not None:
                self._shed(series, brink)
                deadlines = deadlines[~brink]
        # Where some are shed, others move up, and those may have no more time left.
        while (late := deadlines[:n] < max(first, now + times.of(n))).any():
            m = self._smaller(deadlines[:n], int(late.sum()), now)
            if m:
                return m
            shed = np.concatenate([late, np.zeros(len(deadlines) - n, np.bool_)])
            self._shed(series, shed)
            deadlines = deadlines[~shed]
            if not len(deadlines):
                return 0
            n = live.engine.take(len(deadlines))
        return n

    def _smaller(self, deadlines: NDArray[np.int64], late: int, now: int) -> int:
        """Return a smaller batch that saves the first cells of this one, 0 where that would lose others instead.

        A small batch saves who has the least time left, and takes its time from all that come after it. Where every
        cell has little left, small batches are all there would ever be, and the engine would do a fraction of what it
        can: so it must be that fewer are lost than the `late` of the whole batch.
        """
        times, n = self._times, len(deadlines)
        m, earliest = n, int(deadlines.min())
        while m > times.smallest and earliest < now + times.of(m):
            m = times.below(m)
            earliest = int(deadlines[:m].min())
        lost = int((deadlines[m:] < now + times.of(m) + times.of(n - m)).sum()) if m < n else late
        return m if lost < late else 0

    def _on_the_brink(
        self, series: Series, deadlines: NDArray[np.int64], n: int, done: int
    ) -> NDArray[np.bool_] | None:
        """Tell which cells to shed because as many of those that wait will be lost anyway; None for none.

        `done` is when a batch of `n` that goes now is decided. Served in their order the last ones would be late. If
        the first ones, which have the least time left, are shed in their place, the rest goes with time to spare; else,
        while too much comes, every cell would be decided at the last moment, and a hiccup lose them all.
        """
        least = (series.deadline_after_ns or 0) // BRINK
        brink = deadlines < done + least
        if not brink.any():
            return None
        turn = np.arange(len(deadlines)) // n
        lost = int((deadlines < done + turn * (self._times.of(n) // self._capacity)).sum())
        brink &= np.cumsum(brink) <= min(lost, len(deadlines) - n)
        return brink if brink.any() else None

    def _shed(self, series: Series, hopeless: NDArray[np.bool_]) -> None:
        live = self._live
        self.recover()
        slots = live.waiting.take_where(hopeless)
        settle_unclassified(live, series, live.pool.facts[slots], Reason.LATE)
        live.pool.release(slots)

    def _waste_waiting(self, reason: Reason) -> None:
        live = self._live
        if live.series is not None and len(live.waiting):
            slots = live.waiting.pop(len(live.waiting))
            settle_unclassified(live, live.series, live.pool.facts[slots], reason)
            live.pool.release(slots)

    def _give_up(self, reason: Reason) -> None:
        """Wait for what is under way no longer; its slots stay with the engine, which may still read them."""
        live = self._live
        while live.batches:
            batch = live.batches.popleft()
            settle_unclassified(live, batch.series, live.pool.facts[batch.slots], reason)
            self._given_up.append(batch.slots)

    def _look_after_hung(self) -> None:
        """Take slots back that were given up, if the engine lets go of them."""
        live = self._live
        try:
            if live.engine.collect() is None:
                return
        except EngineError as error:
            live.log.warning("engine", error)
        live.pool.release(self._given_up.popleft())
        if self.hung and not self._given_up:
            self.out, self.hung = "", False
            tell_engine(live, "answers again", "")

    def _failed(self, batch: Batch, error: EngineError) -> None:
        live = self._live
        self._faults += 1
        live.engine_health.faults += 1
        settle_unclassified(live, batch.series, live.pool.facts[batch.slots], Reason.ENGINE_FAULT)
        live.pool.release(batch.slots)
        tell_engine(live, "fault", str(error))
        if self._faults >= live.config.engine.faults_in_a_row:
            self.out = f"{self._faults} batches in a row failed, the last with: {error}"
            self._give_up(Reason.ENGINE_FAULT)


_NONE = np.zeros(0, np.intp)
