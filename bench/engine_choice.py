"""Which engine for the CPU: OpenVINO in FP32, OpenVINO as it comes, and ONNX Runtime, on the same graph and cells.

    python -m bench.engine_choice --bundle engines/pretrained/jurkat --cells jurkat.npz --json result.json

Contenders take turns within one run, in short blocks, so that what else the machine does falls on all of them alike;
compare the ratios rather than the milliseconds. OpenVINO as it comes computes in bfloat16 on processors that have it:
how far its probabilities then lie from FP32's is reported beside its speed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.machine import machine, versions
from engines.bundle import Bundle, load_bundle
from engines.cells import open_cells
from engines.errors import CellgateError, InputError, MissingExtraError
from engines.fit import fit_frames

Frames = NDArray[np.generic]
Probabilities = NDArray[np.float32]
Contender = Callable[[], Probabilities]

RUNGS = (1, 8, 32)
CELLS = 512
BLOCK_S = 0.1
WARM_CALLS = 5
REFERENCE = "openvino f32"


def compare(bundle: Bundle, frames: Frames, *, threads: int, seconds: float) -> dict[str, dict[str, object]]:
    """Measure every contender on every rung.

    Parameters
    ----------
    frames
        `(n, C, H, W)` raw counts of the bundle's dtype and size; n is a multiple of every rung.
    threads
        Threads per contender.
    seconds
        Time per contender and rung.

    Returns
    -------
    For each rung, as text, the figures by contender: times in microseconds, cells per second, the time over that of
    `REFERENCE`, and over all frames by how much its probabilities differ and how many cells get another top class.
    """
    makers = (_openvino_f32, _openvino_default, _onnxruntime)
    results: dict[str, dict[str, object]] = {}
    for rung in RUNGS:
        batch = frames[:rung].copy()
        contenders = dict(maker(bundle.graph(), batch, threads) for maker in makers)
        answers = _answers(contenders, batch, frames)
        times = _take_turns(contenders, seconds)
        reference = float(np.median(times[REFERENCE]))
        results[str(rung)] = {
            name: {
                "p50_us": round(float(np.median(taken)) * 1e6, 1),
                "p99_us": round(float(np.percentile(taken, 99)) * 1e6, 1),
                "cells_per_s": round(rung * len(taken) / float(taken.sum()), 1),
                "calls": len(taken),
                "p50_over_f32": round(float(np.median(taken)) / reference, 3),
                **_difference(answers[name], answers[REFERENCE]),
            }
            for name, taken in times.items()
        }
    return results


def _answers(contenders: dict[str, Contender], batch: Frames, frames: Frames) -> dict[str, Probabilities]:
    """Return what each contender says of all frames; `batch` is what they all read from."""
    answers: dict[str, list[Probabilities]] = {name: [] for name in contenders}
    for first in range(0, len(frames), len(batch)):
        batch[...] = frames[first : first + len(batch)]
        for name, call in contenders.items():
            answers[name].append(call().copy())
    return {name: np.concatenate(parts) for name, parts in answers.items()}


def _difference(found: Probabilities, reference: Probabilities) -> dict[str, float]:
    worst = np.abs(found - reference).max(axis=1)
    return {
        "probability_error_median": float(np.median(worst)),
        "probability_error_max": float(worst.max()),
        "changed_class_share": float((found.argmax(1) != reference.argmax(1)).mean()),
    }


def _take_turns(contenders: dict[str, Contender], seconds: float) -> dict[str, NDArray[np.float64]]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    while min(spent.values()) < seconds:
        for name, call in contenders.items():
            for _ in range(WARM_CALLS):  # the one before may still be winding down its threads
                call()
            until = time.perf_counter() + BLOCK_S
            begin = time.perf_counter()
            while begin < until:
                call()
                end = time.perf_counter()
                times[name].append(end - begin)
                spent[name] += end - begin
                begin = end
    return {name: np.array(taken) for name, taken in times.items()}


def _openvino_f32(graph: Path, batch: Frames, threads: int) -> tuple[str, Contender]:
    return REFERENCE, _openvino(graph, batch, {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})


def _openvino_default(graph: Path, batch: Frames, threads: int) -> tuple[str, Contender]:
    return "openvino default", _openvino(graph, batch, {"INFERENCE_NUM_THREADS": threads})


def _openvino(graph: Path, batch: Frames, options: dict[str, object]) -> Contender:
    from engines.quiet_openvino import ov

    core = ov.Core()
    model = core.read_model(graph)
    model.reshape(list(batch.shape))
    compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, **options})
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(batch, shared_memory=True))

    def run() -> Probabilities:
        request.infer()
        probabilities: Probabilities = request.get_tensor("probabilities").data
        return probabilities

    return run


def _onnxruntime(graph: Path, batch: Frames, threads: int) -> tuple[str, Contender]:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingExtraError("bench.engine_choice", "bench") from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session: Any = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: batch}

    def run() -> Probabilities:
        probabilities: Probabilities = session.run(["probabilities"], feed)[0]
        return probabilities

    return "onnxruntime", run


def _cells_for(bundle: Bundle, source: str | None) -> tuple[str, Frames]:
    """Return what was measured on, in words, and `CELLS` frames of the bundle's size."""
    spec = bundle.manifest.input
    if source is None:
        noise = np.random.default_rng(0).integers(100, 200, (CELLS, *bundle.frame_shape)).astype(bundle.dtype)
        return "noise, 100 to 199 counts", noise
    cells = open_cells(source)
    if cells.frames.dtype != bundle.dtype or not set(spec.channels) <= set(cells.channels):
        found = f"{cells.frames.dtype.name} {', '.join(cells.channels)}"
        raise InputError(source, "cells", found, f"{bundle.dtype.name} {', '.join(spec.channels)}")
    chosen = cells.subset(np.random.default_rng(0).integers(0, len(cells), CELLS)).select(spec.channels)
    return cells.name.rpartition("/")[2], fit_frames(chosen, spec.height, spec.width, spec.fit)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison, print it, and write it down."""
    options = argparse.ArgumentParser(prog="python -m bench.engine_choice", description=__doc__)
    options.formatter_class = argparse.RawDescriptionHelpFormatter
    options.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    options.add_argument("--cells", metavar="CELLS", help="an .npz of recorded cells, or digital[:N]; noise by default")
    options.add_argument("--threads", type=int, default=0, help="per contender; 0 (default) takes one per core")
    options.add_argument("--seconds", type=float, default=3.0, help="per contender and rung")
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args(arguments)

    bundle = load_bundle(chosen.bundle)
    source, frames = _cells_for(bundle, chosen.cells)
    where = machine()
    cores = where["cores"]
    threads = chosen.threads or (cores if isinstance(cores, int) else 1)
    results = compare(bundle, frames, threads=threads, seconds=chosen.seconds)
    report = {
        "bench": "engine_choice",
        "date": time.strftime("%Y-%m-%d"),
        "bundle": bundle.manifest.name,
        "bundle_sha256": bundle.sha256,
        "frame_shape": bundle.frame_shape,
        "cells": source,
        "cells_compared": len(frames),
        "threads": threads,
        "seconds_per_contender_and_rung": chosen.seconds,
        "machine": where,
        "versions": versions("cellgate", "numpy", "onnxruntime", "openvino"),
        "rungs": results,
    }
    _show(results)
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _show(results: dict[str, dict[str, object]]) -> None:
    heads = f"{'batch':>5}  {'engine':<18} {'p50 µs':>10} {'p99 µs':>10} {'cells/s':>10}"
    print(f"{heads} {'× f32':>7} {'max error':>9} {'class ≠':>8}")
    for rung, contenders in results.items():
        for name, figures in contenders.items():
            assert isinstance(figures, dict)  # noqa: S101 - made by compare
            print(
                f"{rung:>5}  {name:<18} {figures['p50_us']:>10,.1f} {figures['p99_us']:>10,.1f} "
                f"{figures['cells_per_s']:>10,.1f} {figures['p50_over_f32']:>7.2f} "
                f"{figures['probability_error_max']:>9.1e} {figures['changed_class_share']:>8.2%}"
            )


if __name__ == "__main__":
    try:
        main()
    except CellgateError as error:
        sys.exit(f"engine_choice: {error}")
