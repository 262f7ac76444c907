"""Read an ONNX graph into plain values: nodes, their attributes, and the constants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from engines.backends import check_signature, last_line
from engines.bundle import Bundle, Precision
from engines.errors import EngineError

_LEAST_OPSET = 13
"""Before it, Softmax and others meant something else."""


@dataclass(frozen=True)
class Node:
    """One operator: what it is called, what goes in ('' for an input left out), what comes out."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A bundle's graph, checked against its manifest.

    Attributes
    ----------
    source
        The file, for messages.
    input
        Name of the frames.
    nodes
        In an order in which they can be run.
    constants
        Weights and other constants, on the CPU.
    """

    source: Path
    input: str
    nodes: tuple[Node, ...]
    constants: dict[str, torch.Tensor]


def read_graph(bundle: Bundle, precision: Precision) -> Graph:
    """Return the graph; `EngineError` where the file is no graph, `BundleError` where it is not the manifest's."""
    source = bundle.graph(precision)
    try:
        model = onnx.load_from_string(source.read_bytes())
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            raise EngineError(f"PyTorch cannot run {source}: its weights are in another file")
        onnx.checker.check_model(model)
        constants = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
        nodes = tuple(_node(node) for node in model.graph.node)
    except (DecodeError, onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise EngineError(f"PyTorch cannot compile {source}: {last_line(error)}") from error
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < _LEAST_OPSET:
        raise EngineError(f"PyTorch cannot run {source}: opset {opset}; expected {_LEAST_OPSET} or newer")
    given = [value for value in model.graph.input if value.name not in constants]
    check_signature(
        bundle,
        source,
        [(_dtype(value), _shape(value)) for value in given],
        {value.name: _shape(value) for value in model.graph.output},
    )
    return Graph(source, given[0].name, nodes, constants)


def _node(node: onnx.NodeProto) -> Node:
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    attributes = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = _tensor(value)
        elif isinstance(value, bytes):
            value = value.decode()
        attributes[attribute.name] = value
    return Node(kind, node.name, tuple(node.input), tuple(node.output), attributes)


def _tensor(tensor: onnx.TensorProto) -> torch.Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(tensor)))


def _dtype(value: onnx.ValueInfoProto) -> np.dtype[np.generic]:
    try:
        found: np.dtype[np.generic] = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    except KeyError:
        return np.dtype(np.void)
    return found


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(side.dim_value if side.HasField("dim_value") else None for side in value.type.tensor_type.shape.dim)
