"""What recording costs the loop per batch: without a recorder, with one that takes the frames, with one that is behind.

python -m bench.recording_cost --json bench/results/recording-cost.json

What it costs when it is off is one comparison per batch and is not measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import zmq

from bench.machine import machine, versions
from streamer.ingest import SlotPool
from streamer.journal import record_dtype
from streamer.recorder import Handover
from streamer.wire import Frames, Record, Recording, Taken, What, decode_to_recorder, encode

BATCHES = (1, 8, 32)
SHAPE, CLASSES, ROUNDS = (3, 40, 40), 7, 2000
BUFFER = 64 << 20
Recorder = Literal["none", "taking", "behind"]


def main() -> None:
    """Measure and print; write JSON where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--json", type=Path, help="write the figures here")
    chosen = options.parse_args()
    recorders: tuple[Recorder, ...] = ("none", "taking", "behind")
    whats: tuple[What, ...] = ("all", "kept")
    rows = [_measure(n, what, recorder) for recorder in recorders for what in whats for n in BATCHES]
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if chosen.json is not None:
        result: dict[str, object] = {"command": "python -m bench.recording_cost", "frame": SHAPE, "rows": rows}
        result |= {"machine": machine(), "versions": versions("cellgate", "numpy", "pyzmq")}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")


def _measure(n: int, what: What, recorder: Recorder) -> dict[str, object]:
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    limit = BUFFER if recorder == "taking" else 1
    handover = Handover(socket, Recording(1, "", what, 1.0, 0, 1.0, limit))
    process = multiprocessing.get_context("spawn").Process(target=_take, args=(port, recorder == "taking"), daemon=True)
    try:
        if recorder != "none":
            process.start()
            socket.poll(30_000)
            handover.serve(time.monotonic_ns())
        handover.open_series(Recording(1, "s", what, 1.0, 0, 1.0, limit, shape=SHAPE))
        median, p99 = _time(_round(handover, n), handover)
        health = handover.health()
    finally:
        if process.is_alive():
            process.terminate()
            process.join()
        context.destroy(0)
    share = health.handed / max(1, health.offered)
    figures = {"median_us": round(median, 1), "p99_us": round(p99, 1), "handed_over_offered": round(share, 2)}
    return {"recorder": recorder, "what": what, "batch": n, **figures}


def _round(handover: Handover, n: int) -> Callable[[], None]:
    """Return one batch's worth: note the decisions, hand over the frames. A tenth of the cells is kept."""
    rng = np.random.default_rng(0)
    pool = SlotPool(4096, SHAPE, np.dtype(np.uint16))
    pool.frames[:] = rng.integers(0, 4096, pool.frames.shape)
    state = {"seq": 0}

    def round_() -> None:
        slots = pool.acquire(n)
        seqs = np.arange(state["seq"], state["seq"] + n)
        state["seq"] += n
        pool.facts["seq"][slots] = seqs
        records = np.zeros(n, record_dtype(CLASSES))
        records["seq"], records["reason"] = seqs, seqs % 10 != 0
        started = time.perf_counter_ns()
        handover.decided(records)
        handover.hand_over(pool, slots)
        _SPENT.append(time.perf_counter_ns() - started)
        pool.release(slots)

    return round_


def _time(round_: Callable[[], None], handover: Handover) -> tuple[float, float]:
    _SPENT.clear()
    for _ in range(ROUNDS):
        round_()
        handover.serve(time.monotonic_ns())
        time.sleep(0.0005)  # as between batches; the other end takes meanwhile
    spent = np.array(_SPENT[ROUNDS // 10 :]) / 1e3
    return float(np.median(spent)), float(np.percentile(spent, 99))


def _take(port: int, taking: bool) -> None:
    """Be a recorder that does nothing with what it gets; or one that never says it has taken it."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.send(encode(Record(1, "bench", "t")))
    taken = 0
    while True:
        header, *parts = socket.recv_multipart()
        message = decode_to_recorder(header)
        if taking and isinstance(message, Frames) and message.n:
            taken += len(parts[0]) + len(parts[2]) + 1024
            socket.send(encode(Taken(taken)))


_SPENT: list[int] = []

if __name__ == "__main__":
    main()
