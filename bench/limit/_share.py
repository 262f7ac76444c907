"""A throughput beside the limit."""

from __future__ import annotations

from typing import Literal

from bench.limit._cuda import measure_gpu_peaks
from bench.limit._matrix import matrix_rate
from bench.limit._peaks import Peaks, Reach
from bench.limit._work import multiply_adds
from engines.backends import threads_for
from engines.bundle import Bundle


def share_of_peak(
    bundle: Bundle,
    engine: str,
    precision: Literal["fp32", "fp16", "int8"],
    cells_per_s: float,
    *,
    threads: int = 0,
    peaks: Peaks | None = None,
    seconds: float = 1.0,
) -> dict[str, object]:
    """Return what an engine's throughput is of the matrix rate of what it runs on, as JSON-able values.

    Parameters
    ----------
    engine, precision, threads
        The engine's name, which says where it runs; its arithmetic, whose peak its throughput is compared with; its
        threads on the processor, 0 as the engines take it. On a GPU the peak is that of bfloat16, whatever the
        precision.
    cells_per_s
        What the engine gave.
    peaks
        The processor's, where they have been measured. Else the one that is needed is, in about `seconds`.

    Returns
    -------
    `multiply_adds_per_cell`, `ops_per_s` (two per multiply-add), `peak_ops_per_s`, `peak` in words, and
    `share_of_peak`, between 0 and 1. An int8 graph's layers that stay in float count as int8.
    """
    work = multiply_adds(bundle)
    if " CPU " in f" {engine} ":
        arithmetic: Literal["fp32", "int8"] = "int8" if precision == "int8" else "fp32"
        count = threads_for("latency", threads)
        reach = peaks.reach(arithmetic, count) if peaks else Reach(*matrix_rate(arithmetic, count, seconds), count)
        peak, words = reach.ops_per_s, f"{arithmetic}, threads {reach.threads}, {reach.kernel}, {reach.case}"
    else:
        gpu = measure_gpu_peaks(seconds)
        peak, words = gpu.bf16_ops_per_s, f"bf16, {gpu.device}, {gpu.case}"
    achieved = 2.0 * work * cells_per_s
    return {
        "multiply_adds_per_cell": work,
        "ops_per_s": achieved,
        "peak_ops_per_s": peak,
        "peak": words,
        "share_of_peak": achieved / peak,
    }
