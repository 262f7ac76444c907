"""From a bundle to the ONNX bytes that TensorRT parses."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from engines.bundle import Bundle
from engines.byte_pairs import byte_pairs
from engines.errors import BundleError, EngineError, InputError, MissingExtraError
from engines.tensorrt._half import half_inside

TrtPrecision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[TrtPrecision, ...] = get_args(TrtPrecision)


def graph_for(bundle: Bundle, precision: TrtPrecision) -> bytes:
    """Return the graph of this precision, of an input type TensorRT knows.

    `fp16` is the FP32 graph rewritten, `int8` the bundle's quantised graph for GPUs. A uint16 input becomes pairs of
    bytes.

    Raises
    ------
    InputError
        There is no such precision.
    BundleError
        The bundle has no int8 graph, or its file cannot be read.
    EngineError
        The graph cannot be rewritten, or the only quantised one is for processors.
    MissingExtraError
        onnx is not installed.
    """
    if precision not in PRECISIONS:
        raise InputError("TensorRT", "precision", precision, " or ".join(PRECISIONS))
    path = _int8_of(bundle) if precision == "int8" else bundle.graph()
    try:
        model = path.read_bytes()
    except OSError as error:
        raise BundleError(path, "file", error.strerror or str(error), "a readable file") from error
    if precision == "fp16":
        model = half_inside(model)
    elif precision == "int8":
        _require_symmetric(model, str(path))
    return byte_pairs(model)


def _int8_of(bundle: Bundle) -> Path:
    """Return the int8 graph for GPUs, or where there is none the other one, which may be symmetric all the same."""
    kinds = {(entry.precision, entry.target) for entry in bundle.manifest.graphs}
    return bundle.graph("int8", "any" if ("int8", "any") in kinds and ("int8", "gpu") not in kinds else "gpu")


def _require_symmetric(model: bytes, source: str) -> None:
    """Refuse what TensorRT refuses, with the remedy: zero points other than int8 zero."""
    onnx = _onnx()
    graph = onnx.load_from_string(model).graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    for node in pairs:
        point = values.get(node.input[2]) if len(node.input) > 2 else None
        # Without a zero point it is uint8 zero, by the operator's definition.
        symmetric = point is not None and point.data_type == onnx.TensorProto.INT8
        if not symmetric or np.any(onnx.numpy_helper.to_array(point)):
            raise EngineError(
                f"{source}: quantised for processors (zero points); TensorRT needs int8 around zero: "
                "cellgate quantise makes such a graph as well"
            )
    if not pairs:
        raise EngineError(f"{source}: the int8 graph has no quantise/dequantise pairs")


def _onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("reading a graph", "gpu") from error
