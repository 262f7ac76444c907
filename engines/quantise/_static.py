"""Quantise with ONNX Runtime's static quantisation."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from engines.errors import InputError
from engines.quantise._entry import CALIBRATION_CELLS, Quantised, Target
from engines.quantise._graph import BETWEEN, choose, read_graph
from engines.quantise._layout import keep_layout

_BATCH = 32
# Tells ONNX Runtime that shapes are inferred and batch norms folded; without it, it warns.
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")


def run(
    model: bytes, calibration_frames: NDArray[np.generic], keep_float: Collection[str] | None, target: Target
) -> Quantised:
    """Do what `engines.quantise.quantise` says."""
    graph = read_graph(model)
    frames = _checked(graph, calibration_frames)
    choice = choose(graph, keep_float)
    if target == "cpu":
        keep_layout(graph)
    made = _quantised(graph, frames, choice.nodes, target)
    return Quantised(
        model=made,
        target=target,
        quantised=tuple(layer.name for layer in choice.quantised),
        kept_float=tuple(layer.name for layer in choice.kept_float),
        share=choice.share,
        calibration_cells=len(frames),
    )


def _checked(graph: onnx.ModelProto, frames: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the frames to calibrate with."""
    taken = graph.graph.input[0].type.tensor_type
    sides = [dim.dim_value for dim in taken.shape.dim][1:]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(taken.elem_type)
    fits = frames.ndim == 4 and all(want in (0, have) for want, have in zip(sides, frames.shape[1:], strict=True))
    if not fits or frames.dtype != dtype or not frames.size:
        want = f"{dtype} (n, {', '.join(str(side or 'any') for side in sides)}), n at least 1"
        raise InputError("quantise", "calibration_frames", f"{frames.dtype} {frames.shape}", want)
    even = np.linspace(0, len(frames) - 1, min(len(frames), CALIBRATION_CELLS)).round().astype(np.intp)
    chosen = frames[even]
    if chosen.dtype.kind == "f" and not np.isfinite(chosen).all():
        raise InputError("quantise", "calibration_frames", "counts that are not finite", "finite counts")
    if (chosen.min(axis=(2, 3)) == chosen.max(axis=(2, 3))).all():
        raise InputError("quantise", "calibration_frames", "flat frames only", "frames with cells in them")
    return chosen


def _quantised(graph: onnx.ModelProto, frames: NDArray[np.generic], nodes: tuple[str, ...], target: Target) -> bytes:
    properties = {entry.key: entry.value for entry in graph.metadata_props}
    onnx.helper.set_model_props(graph, {**properties, _PREPARED[0]: _PREPARED[1]})
    # Biases: int32 at the product of the scales is what CPU kernels add; TensorRT reads float ones only.
    options = {} if target == "cpu" else {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
    with TemporaryDirectory() as directory:
        path = Path(directory) / "int8.onnx"
        quantize_static(
            graph,
            path,
            _Reader(graph.graph.input[0].name, frames),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", *BETWEEN],
            nodes_to_quantize=list(nodes),
            per_channel=True,
            activation_type=QuantType.QUInt8 if target == "cpu" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=options,
        )
        made = onnx.load(path)
    del made.metadata_props[:]
    made.metadata_props.extend(onnx.StringStringEntryProto(key=key, value=value) for key, value in properties.items())
    del made.graph.value_info[:]
    made.producer_name, made.producer_version = "cellgate", ""
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


class _Reader:
    """The frames, batch by batch, as ONNX Runtime asks for them."""

    def __init__(self, name: str, frames: NDArray[np.generic]) -> None:
        self._batches = iter({name: frames[start : start + _BATCH]} for start in range(0, len(frames), _BATCH))

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """Return the next batch, None after the last."""
        return next(self._batches, None)
