"""How many multiply-adds a bundle's graph takes for one cell, counted in the graph itself."""

from __future__ import annotations

import math
from typing import Any

from engines.bundle import Bundle
from engines.quiet_openvino import ov


def multiply_adds(bundle: Bundle) -> int:
    """Return the multiply-adds of one cell: a product and its sum are one.

    Counted are the convolutions and matrix products of the FP32 graph, which the int8 graph has too, with everything
    that is in the graph beside the network: the distances behind `unfamiliarity`, and each of the symmetries. Not
    counted is what has no products to speak of: measurements, batch norm, ReLU, pools. OpenVINO reads the graph, so
    that neither PyTorch nor onnx is needed.

    Raises
    ------
    BundleError
        The bundle has no FP32 graph.
    """
    model = ov.Core().read_model(bundle.graph())
    model.reshape([1, *bundle.frame_shape])
    return sum(_products(operator) for operator in model.get_ordered_ops())


def _products(operator: Any) -> int:
    kind = operator.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "MatMul"):
        return 0
    results = math.prod(operator.output(0).shape)
    if kind == "MatMul":
        # Its first factor is (..., rows, inner) unless it is to be transposed.
        inner = -2 if operator.get_transpose_a() else -1
        return int(results * list(operator.input(0).get_shape())[inner])
    # Weights are (out, in, height, width), with the groups before them if there are any: each pixel of a result
    # takes all but the outputs.
    weights = list(operator.input(1).get_shape())
    return int(results * math.prod(weights[2 if kind == "GroupConvolution" else 1 :]))
