"""From hardware ticks to the streamer's own clock."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

SAMPLES = 64
JUMP_NS = 50_000_000
JUMP_SAMPLES = 3
DRIFT_SAMPLES = 16
DRIFT_ROUNDS = 4
MAX_DRIFT = 200e-6
"""Crystals are good to some 50 parts in a million; more than four times that is not drift."""


class TickClock:
    """Maps a series' hardware ticks to the streamer's monotonic clock, in nanoseconds.

    Each start or heartbeat message says what the counter was when it was sent; it arrives later by the transit time.
    The least difference over the last `SAMPLES` of them is the mapping's offset, so a mapped time is late by the
    least transit time (tens of microseconds on one machine) and never by a message that was held up. Two crystals
    drift apart by some microseconds per second: how fast is read off the least differences of the older and the newer
    half of the samples, and each sample is brought forward by it before the least is taken.

    Parameters
    ----------
    timebase
        Length of a tick in seconds, as `(numerator, denominator)`.

    Attributes
    ----------
    jumps
        How often the counter has jumped. Until a jump is made out, cells are late (backwards) or come from the future
        (forwards), and go to waste either way.
    jumped_ns
        By how much the jumps have moved the mapping, all together.
    """

    def __init__(self, timebase: tuple[int, int]) -> None:
        self._numerator = timebase[0] * 1_000_000_000
        self._denominator = timebase[1]
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)  # arrival, difference
        self._strange: deque[tuple[int, int]] = deque(maxlen=JUMP_SAMPLES)
        self._ns_is_ticks = self._numerator == self._denominator
        self.offset_ns = 0
        self.jumps = 0
        self.jumped_ns = 0

    def observe(self, ticks: int, arrival_ns: int) -> None:
        """Take note that a message sent at `ticks` arrived at `arrival_ns`.

        What differs from the mapping by more than `JUMP_NS` is a message that was held up, or a counter that has
        jumped. It is a jump when `JUMP_SAMPLES` in a row agree with each other; then the mapping starts anew.
        """
        sample = arrival_ns - ticks * self._numerator // self._denominator
        if self._samples and abs(sample - self.offset_ns) > JUMP_NS:
            self._strange.append((arrival_ns, sample))
            differences = [difference for _, difference in self._strange]
            if len(differences) < JUMP_SAMPLES or max(differences) - min(differences) > JUMP_NS:
                return
            self._samples = deque(self._strange, maxlen=SAMPLES)
            self.jumps += 1
            self.jumped_ns += min(differences) - self.offset_ns
        else:
            self._samples.append((arrival_ns, sample))
        self._strange.clear()
        drift = self._drift()
        now = self._samples[-1][0]
        self.offset_ns = min(difference + int(drift * (now - at)) for at, difference in self._samples)

    def _drift(self) -> float:
        """Return how much the difference grows per nanosecond, at most `MAX_DRIFT`; 0 while there are few samples."""
        samples = list(self._samples)
        if len(samples) < DRIFT_SAMPLES:
            return 0.0
        begin, half, drift = samples[0][0], len(samples) // 2, 0.0
        # Seen without drift, the least of a half is the sample with the least transit; with it, merely an early or a
        # late one. So what was found is taken out and the rest looked for again.
        for _ in range(DRIFT_ROUNDS):
            level = [(difference - drift * (at - begin), at) for at, difference in samples]
            (old, at_old), (new, at_new) = min(level[:half]), min(level[half:])
            drift += (new - old) / max(1, at_new - at_old)
            drift = max(-MAX_DRIFT, min(MAX_DRIFT, drift))
        return drift

    def to_host(self, ticks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the monotonic times, `(n,)` int64 nanoseconds, of these trigger times."""
        if self._ns_is_ticks:
            # Modulo 2^64, as counters count: exact wherever the result fits, and never an error.
            host = (ticks + np.uint64(self.offset_ns % 2**64)).view(np.int64)
            # Not np.clip, which looks up the type's limits each time and costs the live path ten microseconds.
            return np.minimum(np.maximum(host, _MIN), _MAX)
        # Exact in integers where that fits; the product of a 64-bit counter and a timebase may not.
        exact = [int(t) * self._numerator // self._denominator + self.offset_ns for t in ticks.tolist()]
        return np.array([min(max(value, int(_MIN)), int(_MAX)) for value in exact], np.int64)

    def to_host_one(self, ticks: int) -> int:
        """Return what `to_host` returns, for a single trigger time: the live path mostly has one."""
        if self._ns_is_ticks:
            host = (ticks + self.offset_ns) % 2**64
            host -= 2**64 if host >= 2**63 else 0
        else:
            host = ticks * self._numerator // self._denominator + self.offset_ns
        return min(max(host, -(2**62)), 2**62)

    def ticks_of(self, duration_ns: int) -> int:
        """Return the number of ticks in a duration, rounded down."""
        return duration_ns * self._denominator // self._numerator % 2**64


_MIN, _MAX = np.int64(-(2**62)), np.int64(2**62)
