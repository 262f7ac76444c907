"""Play a load from processes of their own and collect what became of it."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.live._links import Target
from bench.live._outcome import Outcome, read_outcome
from bench.live.client import Job
from engines.errors import CellgateError
from streamer.demo import Child

START_S = 4.0
"""What several senders get to start up, as they begin together."""
WINDOW_MESSAGES = 900
"""Below ZeroMQ's default of 1,000 messages, so that a sender never waits in a send while decisions come."""
_serial = iter(range(1, 1 << 62))


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes
    ----------
    cells
        How many.
    rate
        Cells per second: Poisson arrivals, planned before the first is sent. None sends as fast as it is taken.
    per_message
        Cells in a message.
    window
        Without a rate, the most cells under way.
    senders
        Processes that share the load, message by message.
    seed
        Of the plan.
    """

    cells: int
    rate: float | None = None
    per_message: int = 1
    window: int = 1024
    senders: int = 1
    seed: int = 0

    @property
    def expected_s(self) -> float:
        """Seconds the load is planned to take; 0 without a rate."""
        return self.cells / self.rate if self.rate else 0.0


def play(target: Target, frames: NDArray[np.generic], load: Load, *, limit_s: float = 300.0) -> Outcome:
    """Send the load to `target` and return what became of it.

    Parameters
    ----------
    frames
        `(k, C, H, W)` frames that are sent in turn; k is at least the cells in a message.
    limit_s
        How long it may take beyond its plan.

    Raises
    ------
    CellgateError
        A sender failed, or was not done in time; the text is the last thing it said.
    """
    if load.cells < 1 or load.per_message < 1 or load.senders < 1 or len(frames) < load.per_message:
        raise CellgateError(f"bench: found {load} and {len(frames)} frames, expected at least one of each")
    with tempfile.TemporaryDirectory(prefix="cg-") as scratch, ExitStack() as stack:
        directory = Path(scratch)
        np.save(directory / "frames.npy", frames)
        begin_ns = 0 if load.senders == 1 else time.monotonic_ns() + int(START_S * 1e9)
        series = f"bench-{time.time_ns()}-{next(_serial)}"
        children, results = [], []
        for sender in range(load.senders):
            job = Job(
                target=target,
                series=series,
                frames=str(directory / "frames.npy"),
                cells=load.cells,
                per_message=load.per_message,
                rate=load.rate,
                window=min(load.window, WINDOW_MESSAGES * load.per_message),
                seed=load.seed,
                sender=sender,
                senders=load.senders,
                begin_ns=begin_ns,
            )
            file, result = directory / f"job-{sender}.json", directory / f"result-{sender}.npz"
            file.write_bytes(msgspec.json.encode(job))
            results.append(result)
            arguments = [str(file), str(result)]
            child = Child(f"sender-{sender}", arguments, directory, module="bench.live.client")
            children.append(stack.enter_context(child))
        _wait(children, load.expected_s + limit_s)
        return read_outcome(results, load.cells, series)


def _wait(children: list[Child], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while any(child.running for child in children):
        if time.monotonic() > until:
            raise CellgateError(f"bench: a load was not done within {limit_s:g} s")
        if any(child.code not in (None, 0) for child in children):
            break
        time.sleep(0.02)
    for child in children:
        if child.code != 0 and not child.running:
            raise child.failure()
