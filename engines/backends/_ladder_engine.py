"""What embedded engines have in common: batches on lanes, in the order of submission, and their whole life."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from engines.backends._checks import check_frames, last_line
from engines.backends._cores import cores
from engines.backends._inline import inline_rungs
from engines.backends._interface import Frames, Predictions
from engines.backends._lanes import Lane
from engines.backends._wakeup import Wakeup
from engines.bundle import Bundle
from engines.errors import EngineError

_SILENT_S = 0.05
"""A batch that takes longer is asked whether it is over: of one that failed the word may never come."""


class LadderEngine:
    """A bundle on lanes: for each rung as many as batches may be under way at a time.

    Parameters
    ----------
    bundle
        What was compiled.
    name
        Backend, device and precision in one line.
    lanes
        By rung, each rung with the same number of lanes, which is the engine's `capacity`.
    release
        Called once at the end, when nothing is under way.
    inline
        Whether the calling thread may run batches that are so quick that handing them over would cost more.
    """

    def __init__(
        self,
        bundle: Bundle,
        name: str,
        lanes: Mapping[int, Sequence[Lane]],
        release: Callable[[], None] | None = None,
        *,
        inline: bool = True,
    ) -> None:
        self._bundle, self._name = bundle, name
        # Kept beside the bundle, which makes them anew each time: a lone cell waits for every microsecond.
        self._frame_shape, self._dtype = bundle.frame_shape, bundle.dtype
        self._lanes = dict(lanes)
        self._ladder = tuple(sorted(lanes))
        self._release = release
        self._capacity = min(len(row) for row in lanes.values())
        self._free = deque(range(self._capacity))
        self._running: deque[_Batch] = deque()
        self._closed = False
        # With several under way the others would wait for the one that the calling thread runs.
        self._may_inline = inline and self._capacity == 1
        self._inline: frozenset[int] = frozenset()
        self._wakeup = Wakeup()
        # That a batch is over and the word of it are one: between them the loop would clear a word that comes later.
        self._lock = threading.Lock()

    @property
    def bundle(self) -> Bundle:
        """The bundle it was compiled from."""
        return self._bundle

    @property
    def name(self) -> str:
        """Backend, device and precision in one line."""
        return self._name

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes it was compiled for, ascending."""
        return self._ladder

    @property
    def capacity(self) -> int:
        """How many batches may be under way at a time."""
        return self._capacity

    def warm(self, repeats: int = 5) -> dict[int, float]:
        """Run every rung a few times; return the best time of each in seconds.

        It also settles which rungs are so quick that they are run on the calling thread; see `inline_rungs`.
        """
        best = {}
        self._inline = frozenset()
        for rung in self._ladder:
            frames = np.zeros((rung, *self._bundle.frame_shape), self._bundle.dtype)
            times = []
            for _ in range(repeats * self._capacity):  # slots take turns, so that each gets its share
                self.submit(frames)
                predictions = self.collect(timeout_s=60.0)
                if predictions is None:
                    raise EngineError(f"{self.name}: a batch of {rung} was not done after 60 s of warm-up")
                times.append(predictions.seconds)
            best[rung] = min(times)
        if self._may_inline:
            self._inline = inline_rungs(best, len(cores()))
        return best

    def take(self, waiting: int) -> int:
        """Return the largest rung that is filled: on a CPU time grows with the batch, so padding buys nothing."""
        return max((rung for rung in self._ladder if rung <= waiting), default=waiting)

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        return not self._closed and bool(self._free)

    def submit(self, frames: Frames) -> None:
        """Start a batch; see `Engine.submit`."""
        if self._closed or not self._free:
            raise EngineError(f"{self.name}: {'closed' if self._closed else 'a batch is under way already'}")
        n, top = len(frames), self._ladder[-1]
        if not 1 <= n <= top or frames.shape[1:] != self._frame_shape or frames.dtype != self._dtype:
            check_frames(self.name, self._bundle, frames, top)  # which says what is wrong
        size = self._ladder[bisect_left(self._ladder, n)]
        slot = self._free[0]
        lane = self._lanes[size][slot]
        # Copied rather than shared: it costs a hundredth of the inference at most, and the lane owns its memory.
        if n == size:
            lane.frames[...] = frames
        else:
            lane.frames[:n] = frames
            lane.frames[n:] = 0
        batch = _Batch(lane, slot, n, self._wakeup, self._lock)
        try:
            if size in self._inline:
                lane.run()
                batch.over()
            else:
                lane.start(batch.over)
        except RuntimeError as error:
            raise EngineError(f"{self.name}: {last_line(error)}") from error
        self._free.popleft()
        self._running.append(batch)

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the oldest batch if it is finished, or None; see `Engine.collect`."""
        if not self._running:
            return None
        batch = self._running[0]
        if batch.finished is None and not self._over(batch, timeout_s):
            return None
        self._running.popleft()
        self._free.append(batch.slot)
        with self._lock:
            self._wakeup.clear()
            if self._running and self._running[0].is_over():
                self._wakeup.set()  # it may have been done before this one
        try:
            batch.lane.finish()
        except RuntimeError as error:
            raise EngineError(f"{self.name}: {last_line(error)}") from error
        n = batch.n
        probabilities, embedding, measurements = batch.lane.outputs
        seconds = (batch.finished or 0.0) - batch.started
        return Predictions(probabilities[:n].copy(), embedding[:n].copy(), measurements[:n].copy(), seconds)

    def _over(self, batch: _Batch, timeout_s: float) -> bool:
        """Return whether the oldest batch, which was not, is finished, after waiting for it for as long."""
        # Not before `_SILENT_S`: a loop that only looks should not pay for it.
        if (timeout_s > 0 or batch.age() > _SILENT_S) and batch.lane.wait(timeout_s):
            batch.over()  # the word of it, if it still comes, is ignored
        elif len(self._running) > 1:
            with self._lock:
                if not batch.is_over():
                    self._wakeup.clear()  # a later one may have set it; when the oldest is done it is set again
        return batch.is_over()

    def fileno(self) -> int:
        """Return the descriptor that is readable while a finished batch waits."""
        return self._wakeup.fileno()

    def close(self) -> None:
        """Wait for what is under way, then free everything."""
        if self._closed:
            return
        self._closed = True
        for batch in self._running:
            batch.lane.wait(None)
        self._running.clear()
        self._lanes.clear()
        if self._release is not None:
            self._release()
        with self._lock:  # the word of a batch may still come, and the descriptor be another file's by then
            self._wakeup.close()


class _Batch:
    """What is under way: n cells on a lane since `started`."""

    __slots__ = ("_lock", "_wakeup", "finished", "lane", "n", "slot", "started")

    def __init__(self, lane: Lane, slot: int, n: int, wakeup: Wakeup, lock: threading.Lock) -> None:
        self.lane, self.slot, self.n = lane, slot, n
        self._wakeup, self._lock = wakeup, lock
        self.finished: float | None = None
        self.started = time.perf_counter()

    def is_over(self) -> bool:
        """Return whether it is done, well or badly."""
        return self.finished is not None

    def age(self) -> float:
        """Return for how many seconds it has been under way."""
        return time.perf_counter() - self.started

    def over(self) -> None:
        """Note that it is done, from whichever thread learns it, and wake the loop; only the first time counts."""
        with self._lock:
            if self.finished is None:
                self.finished = time.perf_counter()
                self._wakeup.set()
