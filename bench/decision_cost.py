"""What deciding costs beside the engine: gates, verdicts and sort windows per cell, in one run with the engine's time.

python -m bench.decision_cost --json bench/results/decision-cost.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.machine import machine, versions
from engines.backends import Engine, Predictions, open_engine
from engines.bundle import load_bundle, pretrained
from engines.cells import open_cells
from streamer.config import GateSection, parse_config
from streamer.decision import Gates, decide
from streamer.decision.windows import Mode, Timing, WindowResolver, in_time

BATCHES = (1, 64)
ROUNDS = 400
MITOTIC = "Prophase+Metaphase+Anaphase+Telophase"


def main() -> None:
    """Measure and print; write JSON where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--json", type=Path, help="write the figures here")
    chosen = options.parse_args()
    bundle = load_bundle(pretrained("digital"))
    engine = open_engine(bundle, ladder=BATCHES, threads=1)
    try:
        engine.warm()
        cells = open_cells("digital:256")
        frames = cells.select(bundle.manifest.input.channels)
        gates = Gates(_gates(), bundle.manifest)
        rows = [_measure(engine, frames[:n], gates, n) for n in BATCHES]
    finally:
        engine.close()
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if chosen.json is not None:
        result: dict[str, object] = {"command": "python -m bench.decision_cost", "bundle": bundle.sha256, "rows": rows}
        result |= {"machine": machine(), "versions": versions("cellgate", "numpy", "openvino")}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")


def _gates() -> tuple[GateSection, ...]:
    tree: dict[str, object] = {
        "streamer": {"bundle": "-"},
        "gate": [{"name": "m", "way": "left", "where": {MITOTIC: {"min": 0.5}}}],
    }
    return parse_config(tree, "bench", Path()).gate


def _measure(engine: Engine, frames: NDArray[np.generic], gates: Gates, n: int) -> dict[str, float]:
    predictions: list[Predictions] = []

    def infer() -> None:
        engine.submit(frames)
        found = engine.collect(10.0)
        if found is None:
            raise RuntimeError("the engine did not answer")
        predictions[:] = [found]

    engine_us = _median_us(infer)
    in_time_ = np.ones(n, np.bool_)
    verdict_us = _median_us(lambda: decide(predictions[0], in_time_, gates, min_confidence=0.5, armed=True))
    windows_us = _median_us(_windows(n))
    per_cell = {"engine": engine_us / n, "gates_and_verdict": verdict_us / n, "windows": windows_us / n}
    decision = per_cell["gates_and_verdict"] + per_cell["windows"]
    return {
        "batch": n,
        **{f"{name}_us_per_cell": round(value, 2) for name, value in per_cell.items()},
        "decision_us_per_cell": round(decision, 2),
        "decision_over_engine": round(decision / per_cell["engine"], 3),
    }


def _windows(n: int) -> Callable[[], None]:
    """Return one round of a purity stream at λw = 0.5, a tenth of the cells wanted: arrive, verdict, resolve."""
    rng = np.random.default_rng(1)
    resolver = WindowResolver([in_time(Mode.PURITY, 75.0, 75.0)], Timing(transport_ns=1_000_000))
    state = {"turn": 0, "now": 0}

    gaps = rng.exponential(300_000, (ROUNDS, n)).cumsum(1).astype(np.int64)
    ways = (rng.random((ROUNDS, n)) < 0.1).astype(np.uint8)

    def round_() -> None:
        turn, state["turn"] = state["turn"], state["turn"] + 1
        seq = np.arange(turn * n, (turn + 1) * n, dtype=np.uint64)
        trigger = state["now"] + gaps[turn]
        state["now"] = int(trigger[-1])
        resolver.arrive(seq, trigger, trigger + 50_000_000)
        resolver.verdict(seq, ways[turn])
        resolver.resolve(state["now"])

    return round_


def _median_us(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - started)
    return float(np.median(times[ROUNDS // 10 :])) / 1e3


if __name__ == "__main__":
    main()
