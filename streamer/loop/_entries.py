"""The journal's records of decided cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.decision import Verdict
from streamer.ingest import Facts
from streamer.journal import Records, record_dtype
from streamer.loop._rows import Rows
from streamer.loop._series import NO_DEADLINE

_SAME = ("seq", "ticks", "arrival_ns", "class_", "gate", "way", "reason", "bundle", "probabilities")


def entries_of(rows: Rows, classes: int, now: int) -> Records:
    """Return the records of cells decided at `now`."""
    entries = np.zeros(len(rows), record_dtype(classes))
    for name in _SAME:
        entries[name] = rows[name]
    deadline = rows["deadline_ns"]
    entries["decided_ns"] = now
    entries["slack_ns"] = np.where(deadline == NO_DEADLINE, NO_DEADLINE, deadline - now)
    return entries


def entry_of_one(facts: Facts, verdict: Verdict, probabilities: NDArray[np.float32], bundle: int, now: int) -> Records:
    """Return what `entries_of` returns, for a single cell and in one go; `bundle` is the code of what decided."""
    seq, ticks, _, arrival_ns, deadline_ns = facts.item(0)
    class_, _, gate, way, reason = verdict
    slack_ns = NO_DEADLINE if deadline_ns == NO_DEADLINE else deadline_ns - now
    entries = np.empty(1, record_dtype(probabilities.shape[1]))
    row = probabilities[0]
    entries[0] = (0, way, reason, bundle, gate, class_, seq, ticks, arrival_ns, now, slack_ns, row, 0)
    return entries
