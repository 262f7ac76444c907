"""A few seconds of snapshots, so that 'now' is a rate over a span and not the jitter of one interval."""

from __future__ import annotations

from collections import deque

from streamer.wire import Snapshot


class SnapshotWindow:
    """The snapshots of the last seconds; `previous` is the one that 'now' is measured against.

    Parameters
    ----------
    span_s
        How far back to reach, by the streamer's own clock.
    """

    def __init__(self, span_s: float = 2.0) -> None:
        self._span_ns = int(span_s * 1e9)
        self._kept: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot | None) -> None:
        """Take the latest snapshot; one seen before changes nothing, one of a restarted streamer starts anew."""
        if snapshot is None:
            return
        kept = self._kept
        if kept and not follows(snapshot, kept[-1]):
            if snapshot.started_ns == kept[-1].started_ns and snapshot.number == kept[-1].number:
                return
            kept.clear()
        kept.append(snapshot)
        while len(kept) > 2 and kept[1].time_ns <= snapshot.time_ns - self._span_ns:
            kept.popleft()

    @property
    def previous(self) -> Snapshot | None:
        """The oldest snapshot of the window, at least the span old once that much was seen; None with only one."""
        return self._kept[0] if len(self._kept) > 1 else None


def follows(now: Snapshot, before: Snapshot | None) -> bool:
    """Tell whether `before` is an earlier snapshot of the same run of the streamer, so that the two compare."""
    return (
        before is not None
        and before.started_ns == now.started_ns
        and before.number < now.number
        and before.time_ns < now.time_ns
    )
