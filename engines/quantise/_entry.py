"""Quantisation's front door, which opens without onnx and ONNX Runtime and says so when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError, MissingExtraError

Target = Literal["cpu", "gpu"]
TARGETS: tuple[Target, ...] = get_args(Target)

CALIBRATION_CELLS = 512
"""More do not help: the range of an activation grows with its rarest values, and all others lose resolution."""


@dataclass(frozen=True)
class Quantised:
    """An int8 graph and how it was made.

    Attributes
    ----------
    model
        Serialised ONNX; same input, outputs and opset as the FP32 one.
    target
        Which kind of engine it is for.
    quantised, kept_float
        Names of the convolutions and fully connected layers, in the order of the graph.
    share
        Of the multiply-adds of one cell, what is in int8.
    calibration_cells
        How many frames the ranges are from.
    """

    model: bytes
    target: Target
    quantised: tuple[str, ...]
    kept_float: tuple[str, ...]
    share: float
    calibration_cells: int

    def figures(self) -> dict[str, object]:
        """Return all but the model, for a bundle's manifest."""
        return {
            "target": self.target,
            "quantised_layers": len(self.quantised),
            "kept_float": list(self.kept_float),
            "share_of_multiply_adds": self.share,
            "calibration_cells": self.calibration_cells,
        }


def quantise(
    model: bytes,
    calibration_frames: NDArray[np.generic],
    *,
    keep_float: Collection[str] | None = None,
    target: Target = "cpu",
) -> Quantised:
    """Return the int8 form of an FP32 graph: weights int8 per channel, ranges of the activations from real cells.

    Only the convolutions and fully connected layers that the probabilities depend on are quantised, with the ReLU,
    max pool and concatenation between them; the arithmetic on raw counts, the measurements, the last layer and the
    softmax stay as they are. Explicit quantise/dequantise pairs (QDQ), by ONNX Runtime's static quantisation with the
    least and largest value of each activation over the calibration frames.

    Parameters
    ----------
    model
        Serialised ONNX, raw counts in; see `docs/bundle.md`.
    calibration_frames
        `(n, C, H, W)` raw counts as the graph takes them, of cells the network was trained on. Of more than 512, as
        many are taken evenly.
    keep_float
        Beginnings of names of layers to leave in float besides the last. None: those whose inputs hold the frames
        themselves, as they come or through pools and joins, as long as they have no more than a tenth of the
        multiply-adds. Such inputs span the most, and everything after inherits the error.
    target
        `cpu`: activations are uint8 with a zero point, biases int32, as AVX-512 VNNI computes. `gpu`: activations
        are int8 around zero and biases stay float, as TensorRT asks.

    Raises
    ------
    MissingExtraError
        onnx or ONNX Runtime is not installed.
    InputError
        The model is none, has weights that are not finite or nothing to quantise; the frames do not fit it, are
        none, not finite or all flat; a name in `keep_float` is of no layer.
    """
    if target not in TARGETS:
        raise InputError("quantise", "target", target, " or ".join(TARGETS))
    require_extra()
    from engines.quantise._static import run

    return run(model, calibration_frames, keep_float, target)


def require_extra() -> None:
    """Raise `MissingExtraError` unless what quantising needs can be imported."""
    for module in ("onnx", "onnxruntime"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError("quantising", "train") from error
