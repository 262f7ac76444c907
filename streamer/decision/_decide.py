"""From an engine's predictions to a verdict on each cell of a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.decision._features import Cells
from streamer.decision._gates import Gates
from streamer.decision._spec import UNFAMILIARITY
from streamer.vocabulary import Reason


class Verdicts(NamedTuple):
    """The verdict on each of n cells; the codes are those of `wire.DECISION`."""

    class_: NDArray[np.int16]
    confidence: NDArray[np.float32]
    gate: NDArray[np.int16]
    way: NDArray[np.uint8]
    reason: NDArray[np.uint8]


class Verdict(NamedTuple):
    """The verdict on one cell, in plain numbers."""

    class_: int
    confidence: float
    gate: int
    way: int
    reason: int


def decide(
    cells: Cells,
    in_time: NDArray[np.bool_] | None,
    gates: Gates,
    *,
    min_confidence: float,
    armed: bool,
    max_unfamiliarity: float | None = None,
) -> Verdicts:
    """Decide on a batch of classified cells.

    The first rule a cell breaks is its reason: it must be in time, its class certain enough, the cell familiar
    enough, it must lie in a gate that does not lead to waste, and the sorter must be armed. A cell that breaks none is
    kept.

    Parameters
    ----------
    cells
        The engine's predictions, or probabilities `(n, classes)` alone where neither a gate nor `max_unfamiliarity`
        looks at more.
    in_time
        `(n,)` bool; None where there are no deadlines.
    min_confidence
        Least probability of the top class.
    max_unfamiliarity
        Most of the bundle's measurement `unfamiliarity`, see `check_abstention`; None for no limit.
    """
    probabilities = cells if isinstance(cells, np.ndarray) else cells.probabilities
    if len(probabilities) == 1:
        late = in_time is not None and not in_time[0]
        one = decide_one(
            cells, late, gates, min_confidence=min_confidence, armed=armed, max_unfamiliarity=max_unfamiliarity
        )
        # Views of what is there already: making five arrays of one would cost as much as the rules.
        return Verdicts(
            _CODES[one.class_ + 1 : one.class_ + 2],
            probabilities[0, one.class_ : one.class_ + 1],
            _CODES[one.gate + 1 : one.gate + 2],
            _BYTES[one.way : one.way + 1],
            _BYTES[one.reason : one.reason + 1],
        )
    class_ = probabilities.argmax(axis=1).astype(np.int16)
    confidence = probabilities.max(axis=1)
    gate = gates.assign(cells)
    way = gates.way_of[gate]
    # From the last rule to the first, so that the first one broken is what stays.
    reason = np.zeros(len(class_), np.uint8) if armed else np.full(len(class_), Reason.DISARMED, np.uint8)
    reason[way == 0] = Reason.WASTE_GATE
    reason[gate < 0] = Reason.NOT_IN_GATE
    if max_unfamiliarity is not None:
        reason[_unfamiliar(cells, gates, max_unfamiliarity)] = Reason.UNFAMILIAR
    # `not (p >= least)` rather than `p < least`: a NaN is never confident.
    reason[~(confidence >= min_confidence)] = Reason.UNCERTAIN
    if in_time is not None:
        reason[~in_time] = Reason.LATE
    way[reason != Reason.KEPT] = 0
    return Verdicts(class_, confidence, gate, way, reason)


def decide_one(
    cells: Cells,
    late: bool,
    gates: Gates,
    *,
    min_confidence: float,
    armed: bool,
    max_unfamiliarity: float | None = None,
) -> Verdict:
    """Decide on a single cell: the rules of `decide`, in its order, at a third of the cost of arrays of one."""
    probabilities = cells[0] if isinstance(cells, np.ndarray) else cells.probabilities[0]
    class_ = int(probabilities.argmax())
    confidence = probabilities[class_]  # float32 as it is: a bar is compared with it as with many cells
    gate = gates.assign_one(cells)
    way = gates.way_codes[gate]
    if late:
        reason = Reason.LATE
    elif not confidence >= min_confidence:
        reason = Reason.UNCERTAIN
    elif max_unfamiliarity is not None and _unfamiliar(cells, gates, max_unfamiliarity)[0]:
        reason = Reason.UNFAMILIAR
    elif gate < 0:
        reason = Reason.NOT_IN_GATE
    elif way == 0:
        reason = Reason.WASTE_GATE
    elif not armed:
        reason = Reason.DISARMED
    else:
        return Verdict(class_, float(confidence), gate, way, int(Reason.KEPT))
    return Verdict(class_, float(confidence), gate, 0, int(reason))


def _unfamiliar(cells: Cells, gates: Gates, most: float) -> NDArray[np.bool_]:
    if isinstance(cells, np.ndarray):
        # Without measurements no cell is known to be familiar.
        return np.ones(len(cells), np.bool_)
    unfamiliarity = cells.measurements[:, gates.spec.measurements.index(UNFAMILIARITY)]
    familiar: NDArray[np.bool_] = unfamiliarity <= np.float32(most)
    return ~familiar


_CODES = np.arange(-1, 32_767, dtype=np.int16)
_BYTES = np.arange(256, dtype=np.uint8)
_CODES.flags.writeable = _BYTES.flags.writeable = False
