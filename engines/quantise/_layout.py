"""Keep a graph's layout in one piece: what processors lose where two memory layouts meet."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

FEW = 16
"""Maps below this number are pooled in another layout than convolutions leave theirs in."""


def keep_layout(model: onnx.ModelProto) -> None:
    """Put a convolution that changes nothing behind each max pool of the frames themselves that is joined with others.

    Where a convolution's maps are joined with a few pooled ones, OpenVINO turns the many into the layout of the few and
    back for the next convolution: a sixth of the time of `deepflow` in int8. Behind a 1×1 convolution with the identity
    for weights the few come in the layout of the many. Each value is multiplied by 1 and summed with zeros: the answers
    stay what they are.

    Parameters
    ----------
    model
        With shapes inferred; changed in place.
    """
    graph = model.graph
    maps = {value.name: _maps(value) for value in (*graph.value_info, *graph.input)}
    joined = {name for node in graph.node if node.op_type == "Concat" for name in node.input}
    raw = {graph.input[0].name}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if raw.isdisjoint(node.input) or node.op_type in ("Conv", "Gemm", "Concat"):
            continue
        raw.update(node.output)
        if node.op_type == "MaxPool" and node.output[0] in joined and 0 < maps.get(node.output[0], 0) < FEW:
            nodes.append(_same(graph, node, maps[node.output[0]]))
    del graph.node[:]
    graph.node.extend(nodes)


def _same(graph: onnx.GraphProto, pool: onnx.NodeProto, maps: int) -> onnx.NodeProto:
    """Return the convolution between a pool and those who read it."""
    name, output = f"{pool.name}/same", pool.output[0]
    identity = np.eye(maps, dtype=np.float32).reshape(maps, maps, 1, 1)
    graph.initializer.append(numpy_helper.from_array(identity, f"{name}/identity"))
    pool.output[0] = f"{output}/pooled"
    return helper.make_node("Conv", [pool.output[0], f"{name}/identity"], [output], name=name, kernel_shape=[1, 1])


def _maps(value: onnx.ValueInfoProto) -> int:
    """Return the number of maps, 0 where it is open."""
    sides = value.type.tensor_type.shape.dim
    return int(sides[1].dim_value) if len(sides) == 4 else 0
