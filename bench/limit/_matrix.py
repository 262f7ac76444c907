"""How many multiply-adds a second the processor's best library reaches: large products and convolutions in OpenVINO."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from engines.quiet_openvino import ov

Arithmetic = Literal["fp32", "bf16", "int8"]
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)

_WARM = 3
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""An int8 graph says what is int8 by itself, and what is not is FP32, as in the engine."""


class MatrixRate(NamedTuple):
    """The best that was seen.

    Attributes
    ----------
    ops_per_s
        A multiply-add is two.
    case
        Which product it was.
    kernel
        Whose name the library gives to what it ran, which tells the instructions: `amx`, `avx512`, `avx2`.
    """

    ops_per_s: float
    case: str
    kernel: str


def matrix_rate(arithmetic: Arithmetic, threads: int, seconds: float, *, tiny: bool = False) -> MatrixRate:
    """Measure several products and convolutions, and return the quickest run of the best of them.

    They are of sizes that stay in a core's caches, several in a row, as in a network; weights are constants. The
    int8 ones have uint8 activations and int8 weights per channel, as Cellgate's int8 graphs have.

    Parameters
    ----------
    threads
        Of the library's pool.
    seconds
        For all of them together, after their warm-up.
    tiny
        Small ones, which show that it runs and measure nothing.
    """
    cases = _TINY if tiny else _CASES
    core = ov.Core()
    best: MatrixRate | None = None
    for case, build, operations in cases:
        compiled = core.compile_model(
            build(arithmetic == "int8"),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": _HINTS[arithmetic],
            },
        )
        rate = operations / _quickest(compiled, seconds / len(cases))
        if best is None or rate > best.ops_per_s:
            best = MatrixRate(rate, case, _kernel(compiled))
    assert best is not None  # noqa: S101 - there are cases
    return best


def _quickest(compiled: Any, seconds: float) -> float:
    """Return the time of the quickest run; the best, as a peak is what could be done were nothing else there."""
    request = compiled.create_infer_request()
    request.get_input_tensor(0).data[...] = np.random.default_rng(0).uniform(0, 255, compiled.input(0).shape)
    for _ in range(_WARM):
        request.infer()
    best, until = math.inf, time.perf_counter() + seconds
    while best == math.inf or time.perf_counter() < until:
        began = time.perf_counter()
        request.infer()
        best = min(best, time.perf_counter() - began)
    return best


def _kernel(compiled: Any) -> str:
    """Return the name of the last product's kernel."""
    found = "unknown"
    for operator in compiled.get_runtime_model().get_ordered_ops():
        about = operator.get_rt_info()
        if about["layerType"].value in ("Convolution", "FullyConnected", "MatMul"):
            found = str(about["primitiveType"].value)
    return found


def _products(side: int, depth: int) -> tuple[str, Callable[[bool], Any], int]:
    def build(quantised: bool) -> Any:
        ops: Any = ov.opset13
        given = ops.parameter([side, side], np.float32)
        value = given
        for _ in range(depth):
            weights = _weights((side, side), (1, side), quantised)
            value = ops.relu(ops.matmul(_activations(value, quantised), weights, False, False))
        return ov.Model([ops.result(value)], [given], "products")

    return f"{depth} products of {side}×{side}", build, 2 * side**3 * depth


def _convolutions(cells: int, maps: int, side: int, depth: int) -> tuple[str, Callable[[bool], Any], int]:
    def build(quantised: bool) -> Any:
        ops: Any = ov.opset13
        given = ops.parameter([cells, maps, side, side], np.float32)
        value = given
        for _ in range(depth):
            weights = _weights((maps, maps, 3, 3), (maps, 1, 1, 1), quantised)
            value = ops.convolution(_activations(value, quantised), weights, [1, 1], [1, 1], [1, 1], [1, 1])
            value = ops.relu(value)
        # Only a mean goes out, so that the copy of the answer is not measured along.
        return ov.Model([ops.result(ops.reduce_mean(value, [2, 3], True))], [given], "convolutions")

    name = f"{depth} convolutions 3×3 of {maps} maps, {cells}×{side}×{side}"
    return name, build, 2 * cells * maps * maps * 9 * side * side * depth


def _activations(value: Any, quantised: bool) -> Any:
    if not quantised:
        return value
    least, most = np.float32(0), np.float32(255)
    return ov.opset13.fake_quantize(value, least, most, least, most, 256)


def _weights(shape: tuple[int, ...], scales: tuple[int, ...], quantised: bool) -> Any:
    ops: Any = ov.opset13
    random = np.random.default_rng(0)
    # Small enough for the values to stay finite from one layer to the next.
    small = 1 / math.prod(shape)
    if not quantised:
        return ops.constant(random.normal(0, small, shape).astype(np.float32))
    whole = ops.constant(random.integers(-127, 128, shape).astype(np.int8))
    return ops.multiply(ops.convert(whole, np.float32), ops.constant(np.full(scales, small, np.float32)))


_CASES = (_products(512, 8), _products(1024, 4), _convolutions(8, 64, 32, 4), _convolutions(4, 256, 16, 4))
_TINY = (_products(32, 2), _convolutions(1, 16, 8, 2))
