"""Cellgate's own rows: what its engine gives alone, and what the streamer makes of it under the same loads."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.live import Streaming
from bench.offline import run_offline
from bench.peers._measure import TRY_SHARE, Work, carries, latencies, latency_at
from bench.subject import Subject
from engines.errors import EngineError

WINDOW_RUNGS = 8
"""Cells under way when the most is asked for, in top rungs: the engine never waits."""
PATIENCE_S = 60.0


def measure_cellgate(work: Work) -> dict[str, Any]:
    """Return the streamer's maximum with a cell in a message, and its latencies at shares of it."""
    subject = work.subject
    with Streaming(subject.bundle, subject.how) as streamer:
        maximum = carries(streamer.target(), subject.frames, work.seconds, WINDOW_RUNGS * subject.how.top)
        return {"cells_per_s": round(maximum, 1), "latency": latencies(streamer.target(), work, maximum)}


def cellgate_beside(work: Work, rate: float) -> dict[str, Any]:
    """Return the streamer's latency at a rate in cells per second, and its maximum and its engine's, all measured now.

    The machine may do other things by now than it did when the run began: a peer is compared with what comes next.
    """
    subject, seconds = work.subject, TRY_SHARE * work.seconds
    _, limit, _ = engine_alone(subject, seconds, 1)
    with Streaming(subject.bundle, subject.how) as streamer:
        maximum = carries(streamer.target(), subject.frames, seconds, WINDOW_RUNGS * subject.how.top)
        latency = latency_at(streamer.target(), work, rate)
    return {**latency, "cells_per_s": round(maximum, 1), "engine_cells_per_s": round(limit, 1)}


def engine_alone(subject: Subject, seconds: float, check: int) -> tuple[str, float, NDArray[np.float32]]:
    """Return the engine's name, its cells per second, and its answers on the first `check` frames.

    Batch after batch with nothing around it: no server with this engine and as many threads can do more.
    """
    with closing(subject.open()) as engine:
        answers = []
        for at in range(check):
            engine.submit(subject.frames[at : at + 1])
            found = engine.collect(PATIENCE_S)
            if found is None:
                raise EngineError(f"{engine.name}: a cell was not done after {PATIENCE_S:g} s")
            answers.append(found.probabilities)
        return engine.name, run_offline(engine, subject.frames, seconds).cells_per_s, np.concatenate(answers)
