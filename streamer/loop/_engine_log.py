"""What happens to the engine: in the log, and in the journal of the open series."""

from __future__ import annotations

import time
from typing import Literal, get_args

from streamer.loop._live import Live

What = Literal["fault", "hangs", "answers again", "rebuilding", "not rebuilt", "rebuilt"]

FAULT_EVENTS_NS = 100_000_000
"""Faults are events at most this often: an engine may fail a thousand batches a second."""


def tell_engine(live: Live, what: What, why: str) -> None:
    """Write down what has happened to the engine in force, and why."""
    text = f"{live.engine.name}: {what}: {why}" if why else f"{live.engine.name}: {what}"
    live.log.warning(_KEYS[what], text)
    now = time.monotonic_ns()
    if live.series is None:
        return
    if what == "fault":
        if now - live.engine_health.told_ns < FAULT_EVENTS_NS:
            return
        live.engine_health.told_ns = now
    live.series.journal.event(
        "engine",
        {
            "monotonic_ns": now,
            "what": what,
            "why": why,
            "engine": live.engine.name,
            "bundle": live.engine.bundle.manifest.name,
            "bundle_sha256": live.engine.bundle.sha256,
            "code": live.series.deciders.code,
            "faults": live.engine_health.faults,
        },
    )


_KEYS = {what: f"engine {what}" for what in get_args(What)}
