"""The other operators, and the table of all: ONNX name → function of attributes and inputs.

Inputs that say a shape, axes or bounds come as lists or numbers (`HOST`); all others as tensors. Source: the ONNX
operator specification, opset 13 to 20.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engines.pytorch import _layers as layers
from engines.pytorch._layers import Attributes

Ints = Sequence[int]

HOST: Mapping[str, tuple[int, ...]] = {
    "Clip": (1, 2),
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
}
"""Inputs that must be known before any cell is: shapes, axes and bounds."""

_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
}
"""ONNX's numbers of element types."""


def _cast(a: Attributes, x: Tensor) -> Tensor:
    if a["to"] not in _TYPES:
        raise NotImplementedError(f"type {a['to']}")
    return x.to(_TYPES[a["to"]])


def _div(_: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _clip(_: Attributes, x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    return x if low is None and high is None else x.clamp(low, high)


def _fold(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda _, *values: functools.reduce(function, values)


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda _, *values: function(*values)


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(a: Attributes, x: Tensor, axes: Ints | None = None) -> Tensor:
        axes = a.get("axes") if axes is None else axes
        if not axes and a.get("noop_with_empty_axes", 0):
            return x
        return function(x, dim=tuple(axes or range(x.dim())), keepdim=bool(a.get("keepdims", 1)))

    return run


def _reshape(a: Attributes, x: Tensor, shape: Ints) -> Tensor:
    if not a.get("allowzero", 0):
        shape = [x.shape[place] if side == 0 else side for place, side in enumerate(shape)]
    return x.reshape(tuple(shape))


def _flatten(a: Attributes, x: Tensor) -> Tensor:
    axis = a.get("axis", 1) % (x.dim() + 1)
    rows = 1
    for side in x.shape[:axis]:
        rows *= side
    return x.reshape(rows, -1)


def _unsqueeze(_: Attributes, x: Tensor, axes: Ints) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(_: Attributes, x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _slice(
    _: Attributes, x: Tensor, starts: Ints, ends: Ints, axes: Ints | None = None, steps: Ints | None = None
) -> Tensor:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        first, last, stride = slice(start, end, step).indices(x.shape[axis])
        if step > 0:
            index = [slice(None)] * x.dim()
            index[axis] = slice(first, max(first, last), stride)
            x = x[tuple(index)]
        else:
            # Backwards: the same places in rising order, then turned round.
            places = range(first, last, stride)
            index = [slice(None)] * x.dim()
            index[axis] = slice(places[-1], places[0] + 1, -stride) if places else slice(0, 0)
            x = x[tuple(index)].flip(axis)
    return x


def _gather(a: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = a.get("axis", 0) % x.dim()
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = x.index_select(axis, indices.reshape(-1))
    return taken.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _scatter(a: Attributes, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    places = torch.where(indices < 0, indices + x.shape[axis], indices)
    reduction = a.get("reduction", "none")
    if reduction == "add":
        return x.scatter_add(axis, places, updates)
    if reduction != "none":
        raise NotImplementedError(f"reduction {reduction}")
    return x.scatter(axis, places, updates)


def _gather_elements(a: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    return x.gather(axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def _cumulative_sum(a: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    if a.get("exclusive", 0) or a.get("reverse", 0):
        raise NotImplementedError("exclusive or reverse")
    return x.cumsum(int(axis))


def _top_k(a: Attributes, x: Tensor, k: Ints) -> tuple[Tensor, Tensor]:
    top = x.topk(k[0], dim=a.get("axis", -1), largest=bool(a.get("largest", 1)), sorted=True)
    return top.values, top.indices


def _split(a: Attributes, x: Tensor, sizes: Ints | None = None) -> tuple[Tensor, ...]:
    axis = a.get("axis", 0)
    if sizes is None:
        if "num_outputs" not in a:
            raise NotImplementedError("neither sizes nor a number of parts")
        return tuple(x.chunk(a["num_outputs"], dim=axis))
    parts: tuple[Tensor, ...] = torch.split(x, list(sizes), dim=axis)
    return parts


def _pad(a: Attributes, x: Tensor, pads: Ints, value: float | None = None, axes: Ints | None = None) -> Tensor:
    if a.get("mode", "constant") != "constant" or axes is not None:
        raise NotImplementedError("other than constant padding of all axes")
    rank = x.dim()
    # PyTorch wants pairs from the last axis on, ONNX all beginnings and then all ends.
    pairs = [pads[axis + end * rank] for axis in reversed(range(rank)) for end in (0, 1)]
    return torch.nn.functional.pad(x, pairs, value=value or 0.0)


def _expand(_: Attributes, x: Tensor, shape: Ints) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape)))  # type: ignore[no-untyped-call]


def _full(a: Attributes, shape: Ints) -> Tensor:
    value: Tensor | None = a.get("value")
    return torch.zeros(tuple(shape)) if value is None else value.reshape(()).expand(tuple(shape)).clone()


def _constant(a: Attributes) -> Tensor:
    for name, dtype in (("value_int", torch.int64), ("value_float", torch.float32)):
        if name in a:
            return torch.tensor(a[name], dtype=dtype)
    for name, dtype in (("value_ints", torch.int64), ("value_floats", torch.float32)):
        if name in a:
            return torch.tensor(list(a[name]), dtype=dtype)
    if "value" not in a:
        raise NotImplementedError("a constant of another kind")
    value: Tensor = a["value"]
    return value


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Abs": _plain(torch.abs),
    "Add": _plain(torch.add),
    "And": _plain(torch.logical_and),
    "AveragePool": layers.average_pool,
    "BatchNormalization": layers.batch_norm,
    "Cast": _cast,
    "Ceil": _plain(torch.ceil),
    "Clip": _clip,
    "Concat": lambda a, *values: torch.cat(values, dim=a["axis"]),
    "Constant": _constant,
    "ConstantOfShape": _full,
    "Conv": layers.conv,
    "DequantizeLinear": layers.dequantize,
    "CumSum": _cumulative_sum,
    "Div": _div,
    "Equal": _plain(torch.eq),
    "Exp": _plain(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _plain(torch.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Gemm": layers.gemm,
    "GlobalAveragePool": layers.global_average_pool,
    "GlobalMaxPool": layers.global_max_pool,
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Identity": lambda _, x: x,
    "LeakyRelu": lambda a, x: torch.nn.functional.leaky_relu(x, a.get("alpha", 0.01)),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Log": _plain(torch.log),
    "LogSoftmax": layers.log_softmax,
    "MatMul": _plain(torch.matmul),
    "Max": _fold(torch.maximum),
    "MaxPool": layers.max_pool,
    "Min": _fold(torch.minimum),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Not": _plain(torch.logical_not),
    "Or": _plain(torch.logical_or),
    "Pad": _pad,
    "Pow": _plain(torch.pow),
    "QuantizeLinear": layers.quantize,
    "Reciprocal": _plain(torch.reciprocal),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Round": _plain(torch.round),
    "ScatterElements": _scatter,
    "Shape": lambda a, x: torch.tensor(list(x.shape)[a.get("start", 0) : a.get("end")], dtype=torch.int64),
    "Sigmoid": _plain(torch.sigmoid),
    "Sign": _plain(torch.sign),
    "Slice": _slice,
    "Softmax": layers.softmax,
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Tile": lambda _, x, repeats: x.repeat(tuple(repeats)),
    "TopK": _top_k,
    "Transpose": lambda a, x: x.permute(tuple(a.get("perm", reversed(range(x.dim()))))),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(torch.where),
}
