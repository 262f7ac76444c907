"""What people write by hand: receive frames, make a batch, run it, answer. Nothing is shed.

python -m bench.live.policy ENDPOINT BATCH WAIT_MS OPTIONS.json

A batch goes when it is full, or `WAIT_MS` after its first cell; BATCH 1 is the plain loop. The engine is the one the
streamer uses, opened alike, and a batch is padded by it to its rungs alike.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import zmq

from engines.backends import Arithmetic, Engine, open_engine
from engines.bundle import Bundle, load_bundle
from streamer.wire import DECISION

KEEP_ABOVE = 0.5


class Setup(msgspec.Struct, frozen=True):
    """The engine to open."""

    bundle: str
    engine: str
    precision: Arithmetic
    threads: int
    ladder: tuple[int, ...]


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    endpoint, batch, wait_ms, options = sys.argv[1:]
    setup = msgspec.json.decode(Path(options).read_bytes(), type=Setup)
    bundle = load_bundle(setup.bundle)
    engine = open_engine(
        bundle,
        setup.engine,
        precision=setup.precision,
        threads=setup.threads,
        ladder=setup.ladder,
        measure=False,  # as the streamer it is compared with
    )
    engine.warm()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(endpoint)
        print(f"ready: batch {batch}, {wait_ms} ms", flush=True)
        while True:
            _answer(socket, engine, bundle, _gather(socket, int(batch), float(wait_ms)))


def _gather(socket: zmq.Socket[bytes], batch: int, wait_ms: float) -> list[list[bytes]]:
    """Return messages `[peer, records, frames]` of one cell each: a full batch, or what has come in the time."""
    messages = [socket.recv_multipart()]
    until = time.monotonic() + wait_ms / 1000
    while len(messages) < batch:
        left = until - time.monotonic()
        if left <= 0 or not socket.poll(int(left * 1000) + 1):
            break
        messages.append(socket.recv_multipart())
    return messages


def _answer(socket: zmq.Socket[bytes], engine: Engine, bundle: Bundle, messages: list[list[bytes]]) -> None:
    frames = np.frombuffer(b"".join(frame for *_, frame in messages), bundle.dtype)
    engine.submit(frames.reshape(len(messages), *bundle.frame_shape))
    predictions = engine.collect(60.0)
    if predictions is None:
        sys.exit("no answer of the engine for a minute")
    keep = predictions.probabilities[:, 0] >= KEEP_ABOVE
    for place, (peer, records, _) in enumerate(messages):
        answer = np.frombuffer(records, DECISION).copy()
        answer["way"] = keep[place]
        answer["reason"] = 0 if keep[place] else 1
        answer["class_"] = predictions.probabilities[place].argmax()
        socket.send_multipart((peer, answer.tobytes()))


if __name__ == "__main__":
    main()
