"""Give a graph the bytes of 16-bit frames: for backends that know no unsigned 16-bit input (TensorRT).

A little-endian uint16 is two bytes, low and high; taking the same memory as pairs of uint8 costs nothing, and
low + 256 · high inside the graph is exact in float32 for every count.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError, MissingExtraError


def byte_pairs(model: bytes) -> bytes:
    """Return an ONNX model whose input is uint8 `(n, C, H, W, 2)` in place of uint16 `(n, C, H, W)`.

    Names, outputs and answers stay as they are. A model whose input is not uint16 is returned as it is.

    Raises
    ------
    MissingExtraError
        onnx is not installed.
    EngineError
        The model does something else with its counts first than casting them to float32.
    """
    onnx = _onnx()
    graph_proto = onnx.load_from_string(model)
    graph = graph_proto.graph
    frames = graph.input[0]
    if frames.type.tensor_type.elem_type != onnx.TensorProto.UINT16:
        return model
    readers = [node for node in graph.node if frames.name in node.input]
    if not readers or any(not _is_float_cast(node, onnx) for node in readers):
        found = ", ".join(node.op_type for node in readers) or "nothing"
        raise EngineError(f"byte pairs: the graph's first step on '{frames.name}' is {found}, not a cast to float32")
    frames.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    frames.type.tensor_type.shape.dim.add().dim_value = 2
    made = _combine(onnx, frames.name)
    for node in readers:
        made.append(onnx.helper.make_node("Identity", ["cellgate_counts"], [node.output[0]]))
        graph.node.remove(node)
    for place, node in enumerate(made):
        graph.node.insert(place, node)
    graph.initializer.extend(
        [
            onnx.numpy_helper.from_array(np.array([1, 256], np.float32), "cellgate_place_values"),
            onnx.numpy_helper.from_array(np.array([-1], np.int64), "cellgate_last_axis"),
        ]
    )
    onnx.checker.check_model(graph_proto, full_check=True)
    return bytes(graph_proto.SerializeToString())


def as_byte_pairs(frames: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return `(n, C, H, W)` counts as `(n, C, H, W, 2)` bytes, low first; the same memory where it is contiguous."""
    little = np.ascontiguousarray(frames, dtype="<u2")
    return little.view(np.uint8).reshape(*frames.shape, 2)


def _combine(onnx: Any, name: str) -> list[Any]:
    node = onnx.helper.make_node
    return [
        node("Cast", [name], ["cellgate_bytes"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["cellgate_bytes", "cellgate_place_values"], ["cellgate_parts"]),
        node("ReduceSum", ["cellgate_parts", "cellgate_last_axis"], ["cellgate_counts"], keepdims=0),
    ]


def _is_float_cast(node: Any, onnx: Any) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i == onnx.TensorProto.FLOAT for a in node.attribute)


def _onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("rewriting a graph", "train") from error
