"""From probabilities to a verdict on each cell of a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.decision._gates import Gates
from streamer.vocabulary import Reason


class Verdicts(NamedTuple):
    """The verdict on each of n cells; the codes are those of `wire.DECISION`."""

    class_: NDArray[np.int16]
    confidence: NDArray[np.float32]
    gate: NDArray[np.int16]
    way: NDArray[np.uint8]
    reason: NDArray[np.uint8]


def decide(
    probabilities: NDArray[np.float32],
    in_time: NDArray[np.bool_] | None,
    gates: Gates,
    *,
    min_confidence: float,
    armed: bool,
) -> Verdicts:
    """Decide on a batch of classified cells.

    The first rule a cell breaks is its reason: it must be in time, its class certain enough, it must lie in a gate
    that does not lead to waste, and the sorter must be armed. A cell that breaks none is kept.

    Parameters
    ----------
    probabilities
        `(n, classes)`.
    in_time
        `(n,)` bool; None where there are no deadlines.
    min_confidence
        Least probability of the top class.
    """
    class_ = probabilities.argmax(axis=1).astype(np.int16)
    confidence = probabilities.max(axis=1)
    gate = gates.assign(probabilities)
    way = gates.way_of[gate]
    # From the last rule to the first, so that the first one broken is what stays.
    reason = np.zeros(len(class_), np.uint8) if armed else np.full(len(class_), Reason.DISARMED, np.uint8)
    reason[way == 0] = Reason.WASTE_GATE
    reason[gate < 0] = Reason.NOT_IN_GATE
    # `not (p >= least)` rather than `p < least`: a NaN is never confident.
    reason[~(confidence >= min_confidence)] = Reason.UNCERTAIN
    if in_time is not None:
        reason[~in_time] = Reason.LATE
    way[reason != Reason.KEPT] = 0
    return Verdicts(class_, confidence, gate, way, reason)
