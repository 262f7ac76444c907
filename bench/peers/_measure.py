"""Measure one peer: which setting carries most, how much that is, and how quickly it answers below it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.live import Load, Outcome, Target, play
from bench.peers._catalogue import Peer, Setting
from bench.peers._server import Server
from bench.subject import Say, Subject
from engines.backends import threads_for
from engines.bundle import Precision
from engines.errors import CellgateError

SHARES = (0.25, 0.5, 0.75)
"""Of its own maximum: the rates at which latency is measured."""
TRY_SHARE = 0.4
"""Of the seconds of a measurement: what a setting gets to show what it carries."""
NEAR = 0.1
"""Settings that carry so nearly as much as the best: of these the one that holds cells back least is taken."""
SAME = 1e-3
"""How far probabilities may lie from those of Cellgate's engine."""
MOST_UNDER_WAY = 256
LEAST_CELLS = 200
ATTEMPTS = 2
"""A setting that has worked is measured again where it fails the first time: on a busy machine a start may time out."""
FAILURES = 2
"""So many settings in a row that cannot be measured, and no more are tried."""

Frames = NDArray[np.generic]


@dataclass(frozen=True)
class Work:
    """What everyone is measured with: bundle, precision, threads and frames of `subject`.

    `expected` are the probabilities `(n, classes)` that Cellgate's engine gives the first frames; `seconds` are those
    of a measurement.
    """

    subject: Subject
    expected: NDArray[np.float32]
    seconds: float


def measure_peer(peer: Peer, work: Work, python: Path, say: Say) -> dict[str, Any]:
    """Return a peer's row; one that cannot be measured says why.

    Parameters
    ----------
    python
        The interpreter that has the peer.
    say
        Called with a line for each step.
    """
    row: dict[str, Any] = {"name": peer.name, "title": peer.title, "documents": peer.documents}
    tried = []
    for setting in peer.settings:
        say(f"{peer.title}: {setting}")
        tried.append(_try(peer, setting, work, python))
        if all("reason" in each for each in tried[-FAILURES:]) and len(tried) >= FAILURES:
            break  # it does not work here, and each further try would take as long as a server may to start
    row["tried"] = tried
    carried = {
        setting: float(each.get("cells_per_s", 0.0)) for setting, each in zip(peer.settings, tried, strict=False)
    }
    if not any(carried.values()):
        return {**row, "measured": False, "reason": str(tried[0]["reason"])}
    best = choose(carried)
    for _ in range(ATTEMPTS):
        say(f"{peer.title}: measured with {best}")
        try:
            figures = _measured(peer, best, work, python)
        except CellgateError as error:
            row["reason"] = str(error)
        else:
            row.pop("reason", None)
            return {**row, "measured": True, "setting": _as_json(best), **figures}
    return {**row, "measured": False}


def choose(carried: dict[Setting, float]) -> Setting:
    """Return the setting to measure: of those within `NEAR` of the most the one with the least wait and workers."""
    most = max(carried.values())
    near = [setting for setting, rate in carried.items() if rate >= (1 - NEAR) * most]
    return min(near, key=lambda setting: (setting.wait_ms, setting.workers, -carried[setting]))


def carries(target: Target, frames: Frames, seconds: float, window: int) -> float:
    """Return the cells per second with `window` cells always under way.

    A first load warms the server up and tells how many cells make `seconds`.
    """
    first = play(target, frames, Load(max(LEAST_CELLS, 4 * window), window=window))
    rate = _answered(first)
    outcome = play(target, frames, Load(max(LEAST_CELLS, round(rate * seconds)), window=window))
    return _answered(outcome)


def latencies(target: Target, work: Work, maximum: float) -> dict[str, Any]:
    """Return for each of `SHARES` of the maximum rate what `latency_at` returns."""
    return {f"{share:.0%}": latency_at(target, work, share * maximum) for share in SHARES}


def latency_at(target: Target, work: Work, rate: float) -> dict[str, Any]:
    """Return the figures of an open-loop Poisson load: planned sending to answer, in microseconds."""
    outcome = play(target, work.subject.frames, Load(max(LEAST_CELLS, round(rate * work.seconds)), rate=rate))
    return {"rate": round(rate, 1), "failed": len(outcome) - int(outcome.in_time.sum()), **outcome.figures()}


def _measured(peer: Peer, setting: Setting, work: Work, python: Path) -> dict[str, Any]:
    """Return what a peer carries with a setting, and its latencies; `CellgateError` if it fails or answers wrongly."""
    frames = work.subject.frames
    with _serve(peer, setting, work, python) as server:
        difference = float(np.abs(server.answers(frames[: len(work.expected)]) - work.expected).max())
        if not difference <= SAME:
            raise CellgateError(f"its probabilities differ by {difference:.2g} from those of Cellgate's engine")
        maximum = carries(server.target(), frames, work.seconds, _under_way(setting))
        latency = latencies(server.target(), work, maximum)
    return {"probability_difference": difference, "cells_per_s": round(maximum, 1), "latency": latency}


def _try(peer: Peer, setting: Setting, work: Work, python: Path) -> dict[str, Any]:
    try:
        with _serve(peer, setting, work, python) as server:
            rate = carries(server.target(), work.subject.frames, TRY_SHARE * work.seconds, _under_way(setting))
    except CellgateError as error:
        return {**_as_json(setting), "reason": str(error)}
    return {**_as_json(setting), "cells_per_s": round(rate, 1)}


def _serve(peer: Peer, setting: Setting, work: Work, python: Path) -> Server:
    how = work.subject.how
    precision: Precision = "int8" if how.precision == "int8" else "fp32"
    threads = threads_for("latency", how.threads)
    return Server(peer, setting, work.subject.bundle, python=python, threads=threads, precision=precision)


def _under_way(setting: Setting) -> int:
    """Return how many requests keep the server busy: a batch for each worker on the network, and one behind it."""
    return min(MOST_UNDER_WAY, max(16, 2 * setting.batch * setting.workers))


def _answered(outcome: Outcome) -> float:
    failed = len(outcome) - int(outcome.in_time.sum())
    if failed:
        raise CellgateError(f"{failed} of {len(outcome)} cells were refused or not answered")
    return outcome.steady_cells_per_s


def _as_json(setting: Setting) -> dict[str, Any]:
    return {"batch": setting.batch, "wait_ms": setting.wait_ms, "workers": setting.workers}
