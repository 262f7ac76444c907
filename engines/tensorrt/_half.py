"""Rewrite an FP32 graph so that its network computes in FP16, and everything around it stays FP32.

A strongly typed TensorRT network computes in the types its graph states. Raw counts go to 65535, where FP16 knows only
every 32nd integer, so the arithmetic on counts, the measurements and the softmax keep FP32.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from engines.errors import EngineError, MissingExtraError

OUTPUT = "probabilities"
LARGEST = float(np.finfo(np.float16).max)

LAYERS = ("Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Sub", "Mul")
ACTIVATIONS = ("Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Relu", "Sigmoid", "Tanh")
POOLS = ("AveragePool", "GlobalAveragePool", "MaxPool")
MOVES = ("Concat", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
SAFE = frozenset((*LAYERS, *ACTIVATIONS, *POOLS, *MOVES))
"""Operators that may compute in FP16; others between them stay FP32, with casts on either side."""


def half_inside(model: bytes) -> bytes:
    """Return the model with FP16 between its first convolutions and its softmax.

    What is cast: the nodes from each convolution or fully connected layer with constant weights that `probabilities`
    depends on, down to the softmax, as far as they are in `SAFE`. Casts are put where a value enters or leaves them,
    weights are stored as FP16. Inputs, outputs and their types stay as they are.

    Raises
    ------
    MissingExtraError
        onnx is not installed.
    EngineError
        The graph has no such layer, quantises (its scales are FP32), or holds a weight that FP16 cannot.
    """
    onnx = _onnx()
    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in proto.graph.node):
        raise EngineError("fp16: the graph is quantised; build it as int8")
    _constants_to_initialisers(onnx, proto.graph)
    chosen = _chosen(proto.graph)
    if not chosen:
        raise EngineError(f"fp16: no convolution or fully connected layer leads to '{OUTPUT}'")
    _Rewrite(onnx, proto.graph, chosen).run()
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))


class _Rewrite:
    """One pass over the nodes, which are in topological order, writing them anew with casts between."""

    def __init__(self, onnx: Any, graph: Any, chosen: set[int]) -> None:
        self._onnx, self._graph, self._chosen = onnx, graph, chosen
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        values = (*graph.value_info, *graph.input, *graph.output)
        self._floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
        self._floats |= {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
        self._nodes: list[Any] = []
        self._halved: dict[str, str] = {}

    def run(self) -> None:
        outputs = {output.name for output in self._graph.output}
        wanted = outputs | {n for i, node in enumerate(self._graph.node) if i not in self._chosen for n in node.input}
        for place, node in enumerate(self._graph.node):
            if place not in self._chosen:
                self._nodes.append(node)
                continue
            made = self._onnx.NodeProto()
            made.CopyFrom(node)
            for i, name in enumerate(node.input):
                if name in self._floats:
                    made.input[i] = self._half(name)
            for i, name in enumerate(node.output):
                if name in self._floats:
                    made.output[i] = self._halved[name] = f"{name}/half"
            self._nodes.append(made)
            # Cast back at once: what reads it in FP32 comes later.
            for name in node.output:
                if name in wanted and name in self._floats:
                    self._cast(self._halved[name], name, self._onnx.TensorProto.FLOAT)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        self._drop_unread_weights()

    def _half(self, name: str) -> str:
        """Return the name of the FP16 form of a float value, made here where there is none yet."""
        if name not in self._halved:
            self._halved[name] = f"{name}/half"
            if name in self._weights:
                self._graph.initializer.append(self._half_weight(self._weights[name]))
            else:
                self._cast(name, self._halved[name], self._onnx.TensorProto.FLOAT16)
        return self._halved[name]

    def _half_weight(self, tensor: Any) -> Any:
        values = self._onnx.numpy_helper.to_array(tensor)
        largest = float(np.abs(values).max(initial=0.0))
        if not largest <= LARGEST:
            raise EngineError(f"fp16: '{tensor.name}' holds {largest:g}, FP16 goes to {LARGEST:g}; build it as fp32")
        return self._onnx.numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}/half")

    def _cast(self, source: str, target: str, kind: int) -> None:
        self._nodes.append(self._onnx.helper.make_node("Cast", [source], [target], name=f"cast:{target}", to=kind))

    def _drop_unread_weights(self) -> None:
        read = {name for node in self._graph.node for name in node.input}
        for tensor in [tensor for tensor in self._graph.initializer if tensor.name not in read]:
            self._graph.initializer.remove(tensor)


def _chosen(graph: Any) -> set[int]:
    """Return the places of the nodes that become FP16."""
    weights = {tensor.name for tensor in graph.initializer}
    needed = {OUTPUT}
    leading: set[int] = set()
    for place in range(len(graph.node) - 1, -1, -1):
        node = graph.node[place]
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            leading.add(place)
    reached: set[str] = set()
    chosen: set[int] = set()
    for place, node in enumerate(graph.node):
        is_layer = node.op_type in ("Conv", "Gemm") and len(node.input) > 1 and node.input[1] in weights
        if place not in leading or not (is_layer or not reached.isdisjoint(node.input)):
            continue
        reached.update(node.output)
        if node.op_type in SAFE:
            chosen.add(place)
    return chosen


def _constants_to_initialisers(onnx: Any, graph: Any) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if value is None:
            continue
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def _onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("rewriting a graph", "gpu") from error
