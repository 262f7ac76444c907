"""The plan of a simulated acquisition: which cell passes the camera when. Fixed before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

Arrivals = Literal["poisson", "even"]


@dataclass(frozen=True)
class Plan:
    """An open-loop plan: times do not depend on how the receiver keeps up.

    Attributes
    ----------
    cell
        `(n,)` which recorded cell is sent with seq i.
    trigger_ns
        `(n,)` int64, ascending: when it passes the camera, nanoseconds after the start.
    """

    cell: NDArray[np.intp]
    trigger_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cell)


def make_plan(
    recorded: int,
    *,
    rate: float,
    seconds: float,
    arrivals: Arrivals = "poisson",
    seed: int = 0,
    limit: int | None = None,
) -> Plan:
    """Plan an acquisition.

    Parameters
    ----------
    recorded
        How many different cells there are. Each is sent once, in random order, before any is sent again.
    rate
        Cells per second on average.
    seconds
        How long.
    arrivals
        `poisson`: independent cells, as in a stream; `even`: one every 1/rate.
    limit
        At most this many cells.

    Raises
    ------
    InputError
        A rate or duration that is not positive, no cells, or more than 100 million.
    """
    expected = rate * seconds
    if not (rate > 0 and seconds > 0 and np.isfinite(expected)):
        raise InputError("plan", "rate × seconds", f"{rate:g} × {seconds:g}", "both above 0")
    if expected > 1e8:
        raise InputError("plan", "rate × seconds", f"{expected:.3g} cells", "at most 100 million")
    if recorded < 1:
        raise InputError("plan", "cells", recorded, "at least one")
    for name, value in (("seed", seed), ("limit", limit)):
        if value is not None and value < 0:
            raise InputError("plan", name, value, "0 or more")
    rng = np.random.default_rng(seed)
    if arrivals == "even":
        trigger = np.arange(round(expected)) / rate
    else:
        # The number of a Poisson process in a span, and then its times: uniform, sorted.
        trigger = np.sort(rng.uniform(0, seconds, rng.poisson(expected)))
    trigger = trigger[:limit]
    rounds = -(-len(trigger) // recorded)
    order = np.concatenate([rng.permutation(recorded) for _ in range(rounds)]) if rounds else np.zeros(0, np.intp)
    return Plan(order[: len(trigger)].astype(np.intp), (trigger * 1e9).astype(np.int64))
