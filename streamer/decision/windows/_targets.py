"""What becomes of the cells that are to be kept: targets, rate limits, and the dead time of the actuator."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

SECOND_NS = 1_000_000_000
PULSES_REMEMBERED = 4096


class AtTarget(StrEnum):
    """What a way does once it has its cells."""

    STOP = "stop"
    CONTINUE = "continue"


@dataclass(frozen=True)
class Target:
    """What is asked of a way.

    Attributes
    ----------
    count
        How many cells are wanted; None: as many as come.
    at_target
        Sort on, or send further cells to waste.
    per_second
        At most this many cells in any second of actuation time; None: no limit.
    dead_time_ns
        The actuator cannot act twice within less than this.
    """

    count: int | None = None
    at_target: AtTarget = AtTarget.STOP
    per_second: int | None = None
    dead_time_ns: int = 0

    def check(self, source: str, way: str) -> None:
        """Refuse a target that cannot be met; `InputError` names the way and the field."""
        limits = (("count", self.count, 1), ("per_second", self.per_second, 1), ("dead_time_ns", self.dead_time_ns, 0))
        for field, value, least in limits:
            if value is not None and value < least:
                raise InputError(source, f"way {way}: {field}", value, f"at least {least}")
        if self.per_second is not None and self.per_second * self.dead_time_ns > SECOND_NS:
            most = SECOND_NS // self.dead_time_ns
            raise InputError(source, f"way {way}: per_second", self.per_second, f"at most {most}, by the dead time")


class AbortCodes(NamedTuple):
    """The reason codes of the aborts given here."""

    target_reached: int
    hardware_abort: int
    rate_limit: int


class Targets:
    """Counts the cells of each way and aborts those that are too many or come while the actuator is busy.

    The first that holds is the reason: target reached, hardware abort, rate limit. Cells are asked about in the order
    in which decisions leave; the dead time holds between neighbours in actuation time even if that order differs.

    Parameters
    ----------
    targets
        Of way 1, 2, …
    codes
        Reason codes.
    shared
        One actuator serves all ways (the charge of a droplet sorter), so that a pulse for one makes all busy; otherwise
        each has its own. A shared actuator's dead time is the longest.

    Attributes
    ----------
    sorted
        Cells sorted per way; index 0 is waste and stays 0.
    """

    def __init__(self, targets: Sequence[Target], codes: AbortCodes, *, shared: bool = True) -> None:
        self._targets = (Target(), *targets)
        self._codes = codes
        longest = max((target.dead_time_ns for target in targets), default=0)
        self._dead = [longest if shared else target.dead_time_ns for target in self._targets]
        actuators: list[list[int]] = [[]] if shared else [[] for _ in self._targets]
        self._pulses = [actuators[0 if shared else way] for way in range(len(self._targets))]
        self._recent: list[deque[int]] = [deque() for _ in self._targets]
        self.sorted = [0] * len(self._targets)

    def admit(self, way: NDArray[np.uint8], actuate_ns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return 0 for each cell that is sorted, and the reason code of its abort for each that is not.

        `(n,)` each: the way, from 1, and when the actuator would act, in one clock.
        """
        pairs = zip(way.tolist(), actuate_ns.tolist(), strict=True)
        return np.array([self._admit(code, time) for code, time in pairs], np.uint8)

    def take_over(self, other: Targets) -> None:
        """Go on where `other` is: what it has sorted counts, and so do the times at which its actuators acted."""
        self.sorted = list(other.sorted)
        self._pulses, self._recent = other._pulses, other._recent

    def reached(self, way: int) -> bool:
        """Tell whether a way has the cells it was to get."""
        count = self._targets[way].count
        return count is not None and self.sorted[way] >= count

    def _admit(self, way: int, time: int) -> int:
        target = self._targets[way]
        if target.at_target is AtTarget.STOP and self.reached(way):
            return self._codes.target_reached
        pulses, dead = self._pulses[way], self._dead[way]
        if dead:
            after = bisect_left(pulses, time)
            if (after and time - pulses[after - 1] < dead) or (after < len(pulses) and pulses[after] - time < dead):
                return self._codes.hardware_abort
        if target.per_second is not None and not self._below_limit(way, time, target.per_second):
            return self._codes.rate_limit
        if dead:
            insort(pulses, time)
            if len(pulses) > PULSES_REMEMBERED:
                del pulses[: PULSES_REMEMBERED // 2]
        self.sorted[way] += 1
        return 0

    def _below_limit(self, way: int, time: int, limit: int) -> bool:
        recent = self._recent[way]
        # A decision that leaves after a later cell's counts as of the same moment: the sum over a second still holds.
        time = max(time, recent[-1]) if recent else time
        while recent and time - recent[0] >= SECOND_NS:
            recent.popleft()
        if len(recent) >= limit:
            return False
        recent.append(time)
        return True
