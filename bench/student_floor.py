"""One cell through an engine on one core: how long it takes, and how much of that no network could save.

    python -m bench.student_floor --json result.json
    python -m bench.student_floor --network student --precision int8

For each library three contenders take turns in short blocks, so that what else the machine does falls on all alike:

- `bundle`: submit to collect of a batch of one through the engine, with one thread, on the calling thread, as the
  streamer builds it where no gate looks at a measurement;
- `measured`: the same with the measurements;
- `empty`: the same of a graph with the bundle's input and outputs that only takes the mean of the frame;
- `interface`: the same of an engine that computes nothing: Cellgate's own part.

`empty` is the library's floor. Run it on a machine that does nothing else; what counts is the median.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.fresh import fresh_network
from bench.live import frames_for
from bench.machine import machine, versions
from engines.backends import OUTPUTS, Done, Engine, Frames, LadderEngine, Outputs, open_engine
from engines.bundle import Bundle, Precision, find_bundle, load_bundle, write_bundle
from engines.errors import CellgateError, EngineError, MissingExtraError

LIBRARIES = ("openvino", "onnxruntime")
AIM_US = 60.0
BLOCK_S = 0.05
WARM_CALLS = 20
_CODES = {"uint8": 2, "uint16": 4, "float32": 1}  # as ONNX counts types


def measure(bundle: Bundle, frames: Frames, precision: Precision, seconds: float) -> dict[str, dict[str, float]]:
    """Return for each contender the times of a cell in microseconds: p10, p50, p99, and how many were taken.

    Parameters
    ----------
    frames
        `(k, C, H, W)`, sent one by one in turn.
    seconds
        For each contender.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        empty = empty_bundle(bundle, scratch / "empty")
        contenders: dict[str, Engine] = {}
        for library in LIBRARIES:
            for what, source, arithmetic in (
                ("bundle", bundle, precision),
                ("measured", bundle, precision),
                ("empty", empty, "fp32"),
            ):
                engine = open_engine(
                    source, library, precision=arithmetic, threads=1, ladder=(1,), measure=what == "measured"
                )
                contenders[f"{library} {what}"] = stack.enter_context(closing(engine))
        nothing = LadderEngine(bundle, "nothing", {1: [_NothingLane(bundle)]})
        contenders["interface"] = stack.enter_context(closing(nothing))
        return {name: _figures(taken) for name, taken in _take_turns(contenders, frames, seconds).items()}


def empty_bundle(bundle: Bundle, path: Path) -> Bundle:
    """Write a bundle with this one's input and outputs whose graph takes the mean of each channel, and no more.

    Raises `MissingExtraError` where onnx is not installed.
    """
    try:
        onnx: Any = import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("bench.student_floor", "train") from error
    helper, (channels, height, width) = onnx.helper, bundle.frame_shape
    widths = dict(zip(OUTPUTS, _widths(bundle), strict=True))
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[2, 3], keepdims=0),
        *(helper.make_node("MatMul", ["means", f"w:{name}"], [name]) for name in OUTPUTS),
    ]
    weights = [
        onnx.numpy_helper.from_array(np.full((channels, wide), 1e-3, np.float32), f"w:{name}")
        for name, wide in widths.items()
    ]
    taken = helper.make_tensor_value_info("frames", _CODES[bundle.dtype.name], ["n", channels, height, width])
    given = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", wide]) for name, wide in widths.items()]
    graph = helper.make_graph(nodes, "empty", [taken], given, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    manifest = bundle.manifest
    return write_bundle(
        path,
        name="empty",
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs={"fp32": (model.SerializeToString(), 17)},
    )


class _NothingLane:
    """A lane that is done before it begins."""

    def __init__(self, bundle: Bundle) -> None:
        self.frames: Frames = np.zeros((1, *bundle.frame_shape), bundle.dtype)
        self.outputs: Outputs = tuple(np.zeros((1, width), np.float32) for width in _widths(bundle))

    def run(self) -> None:
        pass

    def start(self, done: Done) -> None:
        done()

    def wait(self, timeout_s: float | None) -> bool:
        return True

    def finish(self) -> None:
        pass


def _widths(bundle: Bundle) -> tuple[int, int, int]:
    outputs = bundle.manifest.outputs
    return len(bundle.classes), outputs.embedding, len(outputs.measurements)


def _take_turns(contenders: dict[str, Engine], frames: Frames, seconds: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    cells = [frames[i : i + 1] for i in range(len(frames))]
    for engine in contenders.values():
        engine.warm()
    gc.collect()
    gc.freeze()  # as the streamer does before it is ready
    gc.disable()
    try:
        for _ in range(max(1, round(seconds / BLOCK_S))):
            for name, engine in contenders.items():
                _block(engine, cells, times[name])
    finally:
        gc.enable()
        gc.unfreeze()
    return times


def _block(engine: Engine, cells: Sequence[Frames], times: list[float]) -> None:
    for cell in cells[:WARM_CALLS]:  # what ran before has the caches
        engine.submit(cell)
        engine.collect(1.0)
    until, turn = time.perf_counter() + BLOCK_S, 0
    while (began := time.perf_counter()) < until:
        engine.submit(cells[turn % len(cells)])
        if engine.collect(1.0) is None:
            raise EngineError(f"{engine.name}: one cell was not done after 1 s")
        times.append(time.perf_counter() - began)
        turn += 1


def _figures(taken: Sequence[float]) -> dict[str, float]:
    micros: NDArray[np.float64] = np.array(taken) * 1e6
    p10, p50, p99 = (round(float(value), 2) for value in np.percentile(micros, (10, 50, 99)))
    return {"p10_us": p10, "p50_us": p50, "p99_us": p99, "cells": len(taken)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print it, and write it down."""
    options = argparse.ArgumentParser(prog="python -m bench.student_floor", description=__doc__)
    options.formatter_class = argparse.RawDescriptionHelpFormatter
    options.add_argument("--bundle", default="jurkat-student", metavar="DIR", help="default: the shipped student")
    options.add_argument("--network", metavar="NAME", help="a network with fresh weights instead; needs PyTorch")
    options.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    options.add_argument("--seconds", type=float, default=3.0, help="per contender")
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args(arguments)

    fresh = None if chosen.network is None else fresh_network(chosen.network, chosen.precision)
    bundle = load_bundle(find_bundle(chosen.bundle)) if fresh is None else fresh
    contenders = measure(bundle, frames_for(bundle)[:64], chosen.precision, chosen.seconds)
    best = min(contenders[f"{library} bundle"]["p50_us"] for library in LIBRARIES)
    report = {
        "bench": "student_floor",
        "date": time.strftime("%Y-%m-%d"),
        "bundle": bundle.manifest.name,
        "bundle_sha256": bundle.sha256,
        "frame_shape": bundle.frame_shape,
        "precision": chosen.precision,
        "seconds_per_contender": chosen.seconds,
        "one_cell_p50_us": best,
        "aim_us": AIM_US,
        "contenders": contenders,
        "machine": machine(),
        "versions": versions("cellgate", "numpy", "onnxruntime", "openvino"),
    }
    print(f"{'':<20} {'p10 µs':>8} {'p50 µs':>8} {'p99 µs':>8} {'cells':>8}")
    for name, figures in contenders.items():
        print(f"{name:<20} {' '.join(f'{value:>8,.1f}' for value in figures.values())}")
    print(f"one cell: {best:.1f} µs, aim {AIM_US:g} µs")
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


if __name__ == "__main__":
    try:
        main()
    except CellgateError as error:
        sys.exit(f"student_floor: {error}")
