"""One client of a bench, in a process of its own: it sends a load and notes when each cell was decided.

python -m bench.live.client JOB.json RESULT.npz
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from bench.live._drive import Message, flat_out, open_loop, sleep_sharply, wait_for
from bench.live._links import BareLink, Link, StreamerLink, Target
from bench.live._peer_links import peer_link
from engines.errors import CellgateError
from streamer.simulator import make_plan
from streamer.wire import DECISION

LEAD_NS = 50_000_000
LEAD_NS_PER_CELL = 1_000
"""From the moment all is ready to the start of the load: the longer the load, the longer its lists take to be made."""
AWAKE_S = 0.2
READY, BEGIN = "ready-{}", "begin"


class Job(msgspec.Struct, frozen=True):
    """What to send and where; `bench.live.Load` explains the fields. Of several senders, this is number `sender`.

    Several senders begin together: each says in `directory` that it is ready, and waits for the word there.
    """

    target: Target
    series: str
    frames: str
    cells: int
    per_message: int
    rate: float | None
    window: int
    seed: int
    sender: int
    senders: int
    directory: str


def main() -> None:
    """Read the job, do it, write the result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bench that started this ends it
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    try:
        _run(job, Path(sys.argv[2]))
    except CellgateError as error:
        sys.exit(str(error))


def _run(job: Job, file: Path) -> None:
    """Send, receive, and write what happened.

    Of several senders the others stay until they are ended: what they have queued may not have left yet.
    """
    sleep_sharply()
    first = job.sender == 0
    frames = np.load(job.frames)
    blocks = _blocks(job, frames)
    plan = _plan(job)
    starts = np.arange(job.sender * job.per_message, job.cells, job.senders * job.per_message)
    last = np.minimum(starts + job.per_message, job.cells) - 1
    # Only now: a receiver that is silent for as long as a long plan takes would be dropped.
    link = _link(job, listen=first)
    try:
        lead_ns = LEAD_NS + LEAD_NS_PER_CELL * job.cells
        begin_ns = time.monotonic_ns() + lead_ns if job.senders == 1 else _agreed(job)
        ticks = (plan + begin_ns).astype(np.uint64)
        due_ns = ticks[last].astype(np.int64)  # a message is due when its last cell passes
        messages = _messages(job, starts.tolist(), ticks, frames, blocks)
        gc.collect()
        gc.freeze()
        gc.disable()
        _await(link, begin_ns)
        cpu = time.process_time()
        if job.rate is None:
            sent_ns = flat_out(link, messages, job.window if first else sys.maxsize, job.senders)
        else:
            sent_ns = open_loop(link, messages, due_ns.tolist())
        totals = None
        if first:
            wait_for(link, job.cells)
            totals = link.end(job.cells)
        result: dict[str, NDArray[np.generic]] = {
            "first": starts,
            "n": last - starts + 1,
            "due_ns": due_ns if job.rate is not None else sent_ns,
            "sent_ns": sent_ns,
            "received_ns": np.array([at for at, _ in link.received], np.int64),
            "received_n": np.array([len(records) // DECISION.itemsize for _, records in link.received], np.int64),
            "records": np.frombuffer(b"".join(records for _, records in link.received), DECISION),
            "cpu_s": np.array(time.process_time() - cpu),
            "totals": np.frombuffer(msgspec.json.encode(totals), np.uint8),
        }
        unfinished = file.with_suffix(".part.npz")
        np.savez(unfinished, **result)  # type: ignore[arg-type]
        unfinished.rename(file)
        if not first:
            signal.pause()
    finally:
        link.close()


def _await(link: Link, begin_ns: int) -> None:
    """Wait for the beginning and say meanwhile that this receiver is there."""
    while (left_ns := begin_ns - time.monotonic_ns()) > 0:
        link.receive()
        time.sleep(min(left_ns * 1e-9, AWAKE_S))


def _link(job: Job, *, listen: bool) -> Link:
    if job.target.speaks is not None:
        return peer_link(job.target)
    if job.target.decisions is None:
        return BareLink(job.target)
    return StreamerLink(job.target, job.series, listen=listen)


def _agreed(job: Job) -> int:
    """Say that this sender is ready and return when all begin."""
    directory = Path(job.directory)
    (directory / READY.format(job.sender)).touch()
    while not (directory / BEGIN).exists():
        time.sleep(0.005)
    return int((directory / BEGIN).read_text())


def _plan(job: Job) -> NDArray[np.int64]:
    """Return when each cell of the whole load passes the camera, after its start."""
    if job.rate is None:
        return np.zeros(job.cells, np.int64)
    seconds = job.cells / job.rate * 1.1 + 1
    while True:  # the number of Poisson arrivals in a span is random, and must be enough
        plan = make_plan(1, rate=job.rate, seconds=seconds, seed=job.seed, limit=job.cells)
        if len(plan) == job.cells:
            return plan.trigger_ns
        seconds *= 1.5


def _blocks(job: Job, frames: NDArray[np.generic]) -> list[zmq.Frame]:
    """Return whole messages' frames, which are sent again and again.

    Wrapped once: what a sender copies, it takes from the processor of what is measured.
    """
    room = len(frames) // job.per_message
    return [_block(frames[at * job.per_message : (at + 1) * job.per_message]) for at in range(room)]


def _messages(
    job: Job, starts: list[int], ticks: NDArray[np.uint64], frames: NDArray[np.generic], blocks: list[zmq.Frame]
) -> Iterator[Message]:
    """Yield this sender's messages, each with the next of the frames."""
    room = len(blocks)
    for place, start in enumerate(starts):
        end = min(start + job.per_message, job.cells)
        block = blocks[place % room] if end - start == job.per_message else _block(frames[: end - start])
        yield Message(start, ticks[start:end], block)


def _block(frames: NDArray[np.generic]) -> zmq.Frame:
    return zmq.Frame(frames.reshape(-1).view(np.uint8).data, copy=False)


if __name__ == "__main__":
    main()
