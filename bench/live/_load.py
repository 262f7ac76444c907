"""Play a load from processes of their own and collect what became of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.live._links import Target
from bench.live._outcome import Outcome, read_outcome
from bench.live.client import BEGIN, READY, Job
from engines.errors import CellgateError
from streamer.demo import Child

TOGETHER_NS = 200_000_000
"""From the moment all senders are ready to the moment they begin together."""
START_S = 60.0
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
                directory=str(directory),
            )
            file, result = directory / f"job-{sender}.json", directory / f"result-{sender}.npz"
            file.write_bytes(msgspec.json.encode(job))
            results.append(result)
            arguments = [str(file), str(result)]
            child = Child(f"sender-{sender}", arguments, directory, module="bench.live.client")
            children.append(stack.enter_context(child))
        if load.senders > 1:
            _begin_together(children, directory)
        _wait(children, results, load.expected_s + limit_s)
        return read_outcome(results, load.cells, series)


def _begin_together(children: list[Child], directory: Path) -> None:
    """Give the word once every sender is connected: none may send before the first of them listens."""
    ready = [directory / READY.format(sender) for sender in range(len(children))]
    _until(lambda: all(file.exists() for file in ready), children, START_S)
    word = directory / "word"
    word.write_text(str(time.monotonic_ns() + TOGETHER_NS))
    word.rename(directory / BEGIN)


def _wait(children: list[Child], results: list[Path], limit_s: float) -> None:
    """Wait until the first sender, who receives, is done; the others stay until they are ended, after this."""
    _until(lambda: not children[0].running and all(file.exists() for file in results), children, limit_s)


def _until(done: Callable[[], bool], children: list[Child], limit_s: float) -> None:
    """Wait; `CellgateError` if a sender fails, or it takes longer than `limit_s`."""
    until = time.monotonic() + limit_s
    while not done():
        for child in children:
            if not child.running and child.code != 0:
                raise child.failure()
        if time.monotonic() > until:
            raise CellgateError(f"bench: a load was not done within {limit_s:g} s")
        time.sleep(0.02)
