"""Draw a stream of cells: when they pass, what they are, what they are called, and when that is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.sortsim._setting import Setting


class Stream(NamedTuple):
    """Cells `(n,)` in the order of their measured triggers; times in nanoseconds.

    Attributes
    ----------
    position
        When each truly passes.
    trigger
        When it was measured to.
    verdict
        When it is known what it is called.
    wanted, called
        What it is and what it is called.
    in_time
        The verdict comes before the deadline and margin; what does not is `late`, before any window is looked at.
    """

    position: NDArray[np.int64]
    trigger: NDArray[np.int64]
    verdict: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    called: NDArray[np.bool_]
    in_time: NDArray[np.bool_]


def draw_stream(setting: Setting, rng: np.random.Generator) -> Stream:
    """Draw the setting's cells."""
    n = setting.cells
    position = np.cumsum(rng.exponential(1e9 / setting.rate, n))
    measured = position
    if setting.trigger_jitter_ns:
        measured = position + rng.normal(0, setting.trigger_jitter_ns, n)
        order = np.argsort(measured, kind="stable")
        measured, position = measured[order], position[order]
    wanted = rng.random(n) < setting.wanted
    called = rng.random(n) < np.where(wanted, setting.sensitivity, 1 - setting.specificity)
    latency = setting.latency.draw(rng, n)
    after = setting.deadline_after_ns
    trigger, taken = np.rint(measured).astype(np.int64), np.rint(latency).astype(np.int64)
    in_time = np.ones(n, np.bool_) if after is None else taken <= after - setting.margin_ns
    return Stream(np.rint(position).astype(np.int64), trigger, trigger + taken, wanted, called, in_time)
