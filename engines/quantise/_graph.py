"""Read an FP32 graph: which layers it has, what they cost, and what may be quantised."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from engines.errors import InputError

OUTPUT = "probabilities"
BETWEEN = ("Relu", "MaxPool", "Concat", "Flatten")
"""Operators that int8 values go through unchanged but for a common scale."""
RAW_SHARE = 0.1
"""Of the multiply-adds, what layers that see the frames themselves may have and stay float."""


@dataclass(frozen=True)
class Layer:
    """A convolution or fully connected layer, and its products per cell."""

    name: str
    multiply_adds: int


@dataclass(frozen=True)
class Choice:
    """Which nodes are quantised, and which layers are and are not, by name."""

    nodes: tuple[str, ...]
    quantised: tuple[Layer, ...]
    kept_float: tuple[Layer, ...]

    @property
    def share(self) -> float:
        """Share of the multiply-adds that is quantised."""
        done = sum(layer.multiply_adds for layer in self.quantised)
        return done / max(1, done + sum(layer.multiply_adds for layer in self.kept_float))


def read_graph(model: bytes) -> onnx.ModelProto:
    """Return the checked model, shapes inferred, every node with a name of its own; `InputError` where it is none."""
    try:
        loaded = onnx.load_from_string(model)
        # Before the checker: it would open the files that a model names, wherever they are.
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in loaded.graph.initializer):
            raise InputError("quantise", "model", "weights in another file", "all weights in the model")
        onnx.checker.check_model(loaded, full_check=True)
        loaded = onnx.shape_inference.infer_shapes(loaded)
    except (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        lines = str(error).strip().splitlines()
        raise InputError("quantise", "model", lines[0] if lines else type(error).__name__, "an ONNX model") from error
    if OUTPUT not in {output.name for output in loaded.graph.output} or len(loaded.graph.input) != 1:
        raise InputError("quantise", "model", "other inputs or outputs", f"one input and the output '{OUTPUT}'")
    for tensor in loaded.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError("quantise", tensor.name, "weights that are not finite", "finite weights")
    taken: set[str] = set()
    for place, node in enumerate(loaded.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{place}"
        taken.add(node.name)
    return loaded


def choose(model: onnx.ModelProto, keep_float: Collection[str] | None) -> Choice:
    """Say what to quantise; `InputError` where that would be nothing, or a name to keep is of no layer."""
    layers = _layers(model)
    last = _last(model, layers)
    if keep_float is None:
        kept = _raw(model, layers) | last
    else:
        for start in keep_float:
            if not any(name.startswith(start) for name in layers):
                raise InputError("quantise", "keep_float", start, f"the beginning of one of {', '.join(layers)}")
        kept = {name for name in layers if name.startswith(tuple(keep_float))} | last
    quantised = tuple(layer for name, layer in layers.items() if name not in kept)
    if not quantised:
        found = f"{len(layers)} layers, all of which stay float" if layers else "no layer with constant weights"
        raise InputError("quantise", "model", found, "a network with layers to quantise")
    nodes = _with_what_is_between(model, {layer.name for layer in quantised})
    return Choice(nodes, quantised, tuple(layer for name, layer in layers.items() if name in kept))


def _layers(model: onnx.ModelProto) -> dict[str, Layer]:
    """Return the layers that the probabilities depend on, in the order of the graph."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    needed, found = {OUTPUT}, {}
    for node in reversed(model.graph.node):
        if needed.isdisjoint(node.output):
            continue
        needed.update(node.input)
        if node.op_type in ("Conv", "Gemm") and node.input[1] in weights:
            tensor = weights[node.input[1]]
            if tensor.data_type == onnx.TensorProto.FLOAT:
                places = _places(model, node.output[0]) if node.op_type == "Conv" else 1
                found[node.name] = Layer(node.name, prod(tensor.dims) * places)
    return dict(reversed(found.items()))


def _places(model: onnx.ModelProto, output: str) -> int:
    """Return the pixels of a convolution's maps."""
    for value in (*model.graph.value_info, *model.graph.output):
        if value.name == output:
            sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim[2:]]
            if sides and all(sides):
                return prod(sides)
    raise InputError("quantise", output, "a size that depends on the input", "frames of one size")


def _last(model: onnx.ModelProto, layers: dict[str, Layer]) -> set[str]:
    """Return the layers after which there is no other: those that give the logits."""
    reached: set[str] = set()
    after, last = False, set()
    for node in reversed(model.graph.node):
        after = not reached.isdisjoint(node.output)
        if node.name in layers and not after:
            last.add(node.name)
        if node.name in layers or after:
            reached.update(node.input)
    return last


def _raw(model: onnx.ModelProto, layers: dict[str, Layer]) -> set[str]:
    """Return the first layers whose inputs hold the frames themselves, as they come or through pools and joins."""
    room = RAW_SHARE * sum(layer.multiply_adds for layer in layers.values())
    raw = {model.graph.input[0].name}
    kept: set[str] = set()
    for node in model.graph.node:
        if raw.isdisjoint(node.input):
            continue
        if node.name not in layers:
            raw.update(node.output)
            continue
        room -= layers[node.name].multiply_adds
        if room < 0:
            break
        kept.add(node.name)
    return kept


def _with_what_is_between(model: onnx.ModelProto, layers: set[str]) -> tuple[str, ...]:
    """Add the operators that pass int8 values on. What the graph itself returns is left in float."""
    outputs = {output.name for output in model.graph.output}
    quantised: list[str] = []
    carried: set[str] = set()
    for node in model.graph.node:
        passes = node.op_type in BETWEEN and not carried.isdisjoint(node.input) and outputs.isdisjoint(node.output)
        if node.name in layers or passes:
            quantised.append(node.name)
            carried.update(node.output)
    return tuple(quantised)
