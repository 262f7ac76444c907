"""Compare an exported graph, run by OpenVINO, with the PyTorch module it was exported from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.quiet_openvino import ov
from engines.training._export import OUTPUTS

_BATCH = 256


def parity(
    model: bytes, frames: NDArray[np.generic], expected: tuple[NDArray[np.float32], ...]
) -> dict[str, int | float]:
    """Return how far the graph's answers are from the module's.

    Parameters
    ----------
    model
        Serialised ONNX.
    frames
        `(n, C, H, W)` raw counts, n ≥ 1.
    expected
        The module's probabilities, embedding and measurements of these frames.

    Returns
    -------
    `cells`, `max_probability_error`, `changed_classes`, and for the embedding and the measurements the largest
    error relative to the largest value of that output's column.
    """
    found = run(model, frames)
    probabilities, embedding, measurements = (found[name] for name in OUTPUTS)
    return {
        "cells": len(frames),
        "max_probability_error": float(np.abs(probabilities - expected[0]).max()),
        "changed_classes": int((probabilities.argmax(1) != expected[0].argmax(1)).sum()),
        "max_relative_embedding_error": _relative(embedding, expected[1]),
        "max_relative_measurement_error": _relative(measurements, expected[2]),
    }


def run(model: bytes, frames: NDArray[np.generic]) -> Mapping[str, NDArray[np.float32]]:
    """Return the outputs, by name, of a serialised ONNX model in float32 on the processor."""
    core = ov.Core()
    # Processors with bfloat16 would otherwise be free to use it, and this is about the graph, not about rounding.
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    parts = [compiled(frames[start : start + _BATCH]) for start in range(0, len(frames), _BATCH)]
    return {name: np.concatenate([np.array(part[name]) for part in parts]) for name in OUTPUTS}


def _relative(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    scale = np.maximum(np.abs(expected).max(axis=0), 1e-6)
    return float((np.abs(found - expected) / scale).max())
