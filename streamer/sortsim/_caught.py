"""What the actuator catches: not the cells that were meant, but those that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.decision.windows import SortRule


def caught(position: NDArray[np.int64], actuated: NDArray[np.int64], rule: SortRule) -> NDArray[np.bool_]:
    """Return which cells `(n,)` lie in the span actuated about any kept one, edges included.

    Parameters
    ----------
    position
        Where cells truly are, as trigger times.
    actuated
        `(k,)` about which times the actuator acted: measured triggers of kept cells with the actuator's jitter.
    """
    centres = np.sort(actuated)
    # All spans are of one length, so those that have begun and not yet ended are a run of the sorted ones.
    begun = np.searchsorted(centres, position + rule.leading_ns, "right")
    ended = np.searchsorted(centres, position - rule.trailing_ns, "left")
    inside: NDArray[np.bool_] = begun > ended
    return inside


def coincident(trigger: NDArray[np.int64], rule: SortRule) -> NDArray[np.bool_]:
    """Return which cells have another in their window; `trigger` ascends."""
    first = np.searchsorted(trigger, trigger - rule.leading_ns, "left")
    last = np.searchsorted(trigger, trigger + rule.trailing_ns, "right")
    crowded: NDArray[np.bool_] = last - first > 1
    return crowded
