"""Whether a streamer is well, judged from its last snapshot."""

from __future__ import annotations

from streamer.wire import Snapshot

_LEAST_STALE_S = 2.0


def complaints(snapshot: Snapshot | None, age_s: float) -> list[str]:
    """Return what is wrong, a sentence each; empty when the streamer is well.

    It is well when it was heard from lately (see `is_fresh`), an engine is in use, its journal has no fault and its
    accounts add up.
    Disarmed is a state, not an illness.
    """
    if snapshot is None:
        return ["no snapshot received yet"]
    found = []
    if not is_fresh(snapshot, age_s):
        found.append(f"the last snapshot is {age_s:.1f} s old")
    if snapshot.engine_out:
        found.append(f"engine: {snapshot.engine_out}")
    if snapshot.journal.fault:
        found.append(f"journal: {snapshot.journal.fault}")
    found += [f"account: {text}" for text in snapshot.account.balance()]
    found += [f"account since start: {text}" for text in snapshot.lifetime.balance()]
    return found


def is_fresh(snapshot: Snapshot | None, age_s: float) -> bool:
    """Tell whether a snapshot still speaks for the present: younger than three intervals, or than 2 s."""
    return snapshot is not None and age_s < max(_LEAST_STALE_S, 3 * snapshot.interval_s)
