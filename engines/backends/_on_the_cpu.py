"""Which engine computes on the CPU where none is named."""

from __future__ import annotations

from importlib.util import find_spec

from engines.backends._cores import Mode
from engines.bundle import Bundle, Precision

SMALL_BYTES = 300_000
"""Up to here ONNX Runtime takes 0.65 to 0.9 of OpenVINO's time for a lone cell, and at most 1.04 of it for batches of
32; beyond, batches take it up to 1.28 (`docs/decisions/030-the-smallest-graphs.md`)."""


def engines_of_the_cpu(bundle: Bundle, precision: Precision, mode: Mode) -> tuple[str, ...]:
    """Return the engines to try, in order: ONNX Runtime first for a small graph in FP32, where it is installed.

    In throughput mode, and in int8, OpenVINO is ahead whatever the size.
    """
    light = precision == "fp32" and mode == "latency" and bundle.graph(precision).stat().st_size <= SMALL_BYTES
    return ("onnxruntime", "openvino") if light and onnxruntime_is_there() else ("openvino",)


def onnxruntime_is_there() -> bool:
    """Tell whether ONNX Runtime can be used, also without measurements."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None
