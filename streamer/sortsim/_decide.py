"""Put a drawn stream through the real decision code: windows, deadlines, targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.decision.windows import AbortCodes, Fate, Mode, Resolved, Targets, Timing, WindowResolver
from streamer.sortsim._setting import Setting
from streamer.sortsim._stream import Stream

CHUNK = 4096
NO_DEADLINE = 2**63 - 1
KEPT, UNWANTED, COINCIDENT, LATE, TARGET_REACHED, HARDWARE_ABORT, RATE_LIMIT = range(7)
REASONS = ("kept", "unwanted", "coincident", "late", "target_reached", "hardware_abort", "rate_limit")

Progress = Callable[[int], None]


def decide_stream(setting: Setting, stream: Stream, on_progress: Progress | None = None) -> NDArray[np.uint8]:
    """Return what became of each cell, `(n,)` indices into `REASONS`.

    Cells arrive and verdicts come at their times, and the resolver is asked at every moment at which its answer could
    depend on it: whenever a deadline could force a cell, else only every few thousand cells, which gives the same.
    """
    n = len(stream.trigger)
    timing = Timing(margin_ns=setting.margin_ns)
    resolver = WindowResolver([setting.rule], timing)
    targets = Targets([setting.target], AbortCodes(TARGET_REACHED, HARDWARE_ABORT, RATE_LIMIT))
    book = _Book(targets, stream, setting.sort_delay_ns or 0)
    way = (stream.called & stream.in_time).astype(np.uint8)
    deadline = _deadlines(setting, stream)
    seq = np.arange(n, dtype=np.uint64)
    by_verdict = np.argsort(stream.verdict, kind="stable").astype(np.uint64)
    moments = _moments(setting, stream, deadline)
    arrived = np.searchsorted(stream.trigger, moments, "right").tolist()
    known = np.searchsorted(stream.verdict[by_verdict], moments, "right").tolist()
    a = v = 0
    for now, a_next, v_next in zip(moments.tolist(), arrived, known, strict=True):
        resolver.arrive(seq[a:a_next], stream.trigger[a:a_next], deadline[a:a_next])
        cells = by_verdict[v:v_next]
        resolver.verdict(cells, way[cells])
        book.take(resolver.resolve(now))
        if on_progress is not None and a_next > a:
            on_progress(a_next)
        a, v = a_next, v_next
    resolver.close()
    book.take(resolver.resolve(int(moments[-1])))
    book.fate[stream.called & ~stream.in_time] = LATE
    return book.fate


class _Book:
    """Notes the fate of cells, and asks the targets about those that are to be kept."""

    def __init__(self, targets: Targets, stream: Stream, sort_delay_ns: int) -> None:
        self._targets, self._trigger, self._delay = targets, stream.trigger, sort_delay_ns
        self.fate = np.full(len(stream.trigger), UNWANTED, np.uint8)

    def take(self, resolved: Resolved) -> None:
        self.fate[resolved.seq] = _FATES[resolved.fate]
        # In the order of the cells: of many resolved at one moment the first is the first to be actuated.
        kept = np.sort(resolved.seq[resolved.keep])
        if len(kept):
            self.fate[kept] = self._targets.admit(np.ones(len(kept), np.uint8), self._trigger[kept] + self._delay)


def _deadlines(setting: Setting, stream: Stream) -> NDArray[np.int64]:
    """Return the deadlines of cells that theirs can force, and none for the others.

    A cell is forced while a neighbour of its call is undecided only if that neighbour's verdict, itself in time, comes
    after the cell's last moment: then it took all its time but a window or less. All else that forces a cell would
    have aborted it anyway. So it is cells within a window of such a slow one that need their deadlines.
    """
    none = np.full(len(stream.trigger), NO_DEADLINE, np.int64)
    after, rule = setting.deadline_after_ns, setting.rule
    if after is None or rule.mode is not Mode.PURITY:
        return none
    usable = after - setting.margin_ns
    slow = stream.called & stream.in_time & (stream.verdict - stream.trigger >= usable - rule.trailing_ns)
    if not slow.any():
        return none
    # In the window of a slow cell's neighbour lies the slow cell: its neighbours come up to `trailing` before it.
    times = stream.trigger[slow]
    nearest = np.searchsorted(times, stream.trigger, "left")
    next_slow = times[np.minimum(nearest, len(times) - 1)]
    near = (nearest < len(times)) & (next_slow - stream.trigger <= rule.trailing_ns)
    return np.where(near & stream.called & stream.in_time, stream.trigger + after, none)


def _moments(setting: Setting, stream: Stream, deadline: NDArray[np.int64]) -> NDArray[np.int64]:
    last = max(int(stream.verdict.max()), int(stream.trigger[-1])) + setting.rule.trailing_ns + 1
    timed = deadline != NO_DEADLINE
    # A cell with a deadline is asked about when its verdict comes, and at its last moment.
    exact = (stream.verdict[timed], deadline[timed] - setting.margin_ns)
    return np.unique(np.concatenate([stream.trigger[CHUNK - 1 :: CHUNK], *exact, [last]]))


_FATES = np.array([KEPT, UNWANTED, COINCIDENT, LATE], np.uint8)
assert [Fate.KEEP, Fate.UNWANTED, Fate.COINCIDENT, Fate.LATE] == [0, 1, 2, 3]  # noqa: S101 - what _FATES is indexed by
