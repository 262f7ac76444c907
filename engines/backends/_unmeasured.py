"""A bundle's ONNX graph without what only its measurements need."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from engines.backends._checks import OUTPUTS, last_line
from engines.bundle import Bundle
from engines.errors import EngineError, MissingExtraError

_MEASUREMENTS = OUTPUTS[-1]


def without_measurements(bundle: Bundle, graph: Path) -> bytes:
    """Return a graph of `bundle`, serialised, that ends in the other outputs.

    Raises
    ------
    MissingExtraError
        The package onnx is not installed.
    EngineError
        The file is no ONNX graph.
    """
    try:
        # By name, as the live path must not depend on it unless a configuration asks for an engine that does.
        onnx = import_module("onnx")
    except ImportError as error:
        raise MissingExtraError("an engine without measurements from ONNX graphs", "onnxruntime") from error
    try:
        model = onnx.load(str(graph))
    except Exception as error:  # protobuf's errors, which have no base of their own
        raise EngineError(f"{graph} of {bundle.manifest.name} is no ONNX graph: {last_line(error)}") from error
    whole, left = model.graph, onnx.ModelProto.FromString(model.SerializeToString())
    for field in ("output", "node", "initializer"):
        left.graph.ClearField(field)
    left.graph.output.extend(output for output in whole.output if output.name != _MEASUREMENTS)
    needed = {output.name for output in left.graph.output}
    nodes = []
    for node in reversed(whole.node):  # they lie in the order in which they can be computed
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    left.graph.node.extend(reversed(nodes))
    left.graph.initializer.extend(constant for constant in whole.initializer if constant.name in needed)
    return bytes(left.SerializeToString())
