"""Cellgate's own rows: what its engine gives alone, and what the streamer makes of it under the same loads."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.live import How, Streaming
from bench.peers._measure import Frames, Work, carries, latencies, latency_at
from engines.backends import DEFAULT_LADDER, Engine, open_engine
from engines.bundle import Bundle, Precision

WINDOW = 512
"""Cells under way when the most is asked for: enough for full batches, with the next ones waiting."""


def how(work: Work) -> How:
    """Return how the streamer is run: as delivered, but for the engine's name, which is the peers'."""
    return How(engine="openvino", precision=work.precision, threads=work.threads)


def measure_cellgate(work: Work) -> dict[str, Any]:
    """Return the streamer's maximum with a cell in a message, and its latencies at shares of it."""
    with Streaming(work.bundle, how(work)) as streamer:
        maximum = carries(streamer.target(), work.frames, work.seconds, WINDOW)
        return {"cells_per_s": round(maximum, 1), "latency": latencies(streamer.target(), work, maximum)}


def cellgate_at(work: Work, rate: float) -> dict[str, Any]:
    """Return the streamer's latency at a rate in cells per second."""
    with Streaming(work.bundle, how(work)) as streamer:
        return latency_at(streamer.target(), work, rate)


def engine_alone(
    bundle: Bundle, frames: Frames, *, threads: int, precision: Precision, seconds: float, check: int
) -> tuple[str, float, NDArray[np.float32]]:
    """Return the engine's name, its cells per second at its best rung, and its answers on the first `check` frames.

    Batch after batch with nothing around it: no server with this engine and as many threads can do more.
    """
    engine = open_engine(bundle, "openvino", precision=precision, threads=threads)
    with closing(engine):
        engine.warm()
        answers = [_run(engine, frames[at : at + 1]) for at in range(check)]
        rates = [_rate(engine, frames, rung, seconds / len(DEFAULT_LADDER)) for rung in engine.ladder]
        return engine.name, max(rates), np.concatenate(answers)


def _rate(engine: Engine, frames: Frames, rung: int, seconds: float) -> float:
    done = 0
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        at = done % (len(frames) - rung + 1)
        _run(engine, frames[at : at + rung])
        done += rung
    return done / (now - began)


def _run(engine: Engine, frames: Frames) -> NDArray[np.float32]:
    engine.submit(frames)
    while (found := engine.collect(1.0)) is None:
        pass
    return found.probabilities
