"""Layers of networks as ONNX defines them, in PyTorch. Source: the ONNX operator specification, opset 13 to 20."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

Attributes = dict[str, Any]


def conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve `(n, C, H, W)`."""
    x, padding = _padded(a, x, 0.0)
    strides, dilations = a.get("strides", (1, 1)), a.get("dilations", (1, 1))
    return F.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), a.get("group", 1))


def max_pool(a: Attributes, x: Tensor) -> Tensor:
    """Take the largest value of each window."""
    x, padding = _padded(a, x, -torch.inf)
    return F.max_pool2d(
        x,
        tuple(a["kernel_shape"]),
        tuple(a.get("strides", (1, 1))),
        padding,
        tuple(a.get("dilations", (1, 1))),
        bool(a.get("ceil_mode", 0)),
    )


def average_pool(a: Attributes, x: Tensor) -> Tensor:
    """Average each window; padding counts only if the graph says so."""
    begin, end = _ends(a)
    if begin != end or tuple(a.get("dilations", (1, 1))) != (1, 1):
        raise NotImplementedError("uneven padding or dilation")
    return F.avg_pool2d(
        x,
        tuple(a["kernel_shape"]),
        tuple(a.get("strides", (1, 1))),
        begin,
        bool(a.get("ceil_mode", 0)),
        bool(a.get("count_include_pad", 0)),
    )


def global_average_pool(_: Attributes, x: Tensor) -> Tensor:
    """Average each map."""
    return x.mean(dim=tuple(range(2, x.dim())), keepdim=True)


def global_max_pool(_: Attributes, x: Tensor) -> Tensor:
    """Take the largest value of each map."""
    return x.amax(dim=tuple(range(2, x.dim())), keepdim=True)


def batch_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Normalise by the statistics of the training."""
    return F.batch_norm(x, mean, variance, scale, bias, training=False, eps=a.get("epsilon", 1e-5))


def gemm(a: Attributes, x: Tensor, y: Tensor, c: Tensor | None = None) -> Tensor:
    """Return alpha·x·y + beta·c."""
    product = (x.t() if a.get("transA", 0) else x) @ (y.t() if a.get("transB", 0) else y)
    if (alpha := a.get("alpha", 1.0)) != 1.0:
        product = product * alpha
    if c is None:
        return product
    return product + (c if (beta := a.get("beta", 1.0)) == 1.0 else c * beta)


def softmax(a: Attributes, x: Tensor) -> Tensor:
    """Return exp(x) over its sum along the axis."""
    return x.softmax(dim=a.get("axis", -1))


def log_softmax(a: Attributes, x: Tensor) -> Tensor:
    """Return the logarithm of the softmax."""
    return x.log_softmax(dim=a.get("axis", -1))


def quantize(a: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Return saturate(round(x / scale) + zero), halves rounded to even, as `zero` is typed; uint8 without one."""
    dtype = torch.uint8 if zero is None else zero.dtype
    limits = torch.iinfo(dtype)
    rounded = torch.round(x / _along(a, x, scale))
    if zero is not None:
        rounded = rounded + _along(a, x, zero).to(rounded.dtype)
    return rounded.clamp(limits.min, limits.max).to(dtype)


def dequantize(a: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Return (x − zero)·scale."""
    values = x.to(scale.dtype)
    if zero is not None:
        values = values - _along(a, x, zero).to(scale.dtype)
    return values * _along(a, x, scale)


def _along(a: Attributes, x: Tensor, values: Tensor) -> Tensor:
    """Return one value per place along the axis, so that it broadcasts against x."""
    if values.dim() == 0 or values.numel() == 1:
        return values.reshape(())
    if values.dim() > 1:
        raise NotImplementedError("scales by blocks")
    shape = [1] * x.dim()
    shape[a.get("axis", 1)] = -1
    return values.reshape(shape)


def _padded(a: Attributes, x: Tensor, value: float) -> tuple[Tensor, tuple[int, ...]]:
    """Return the input and what PyTorch's own padding is to add; uneven padding is added here."""
    begin, end = _ends(a)
    if begin == end:
        return x, begin
    return F.pad(x, (begin[1], end[1], begin[0], end[0]), value=value), (0, 0)


def _ends(a: Attributes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if a.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotImplementedError(f"auto_pad {a['auto_pad']}")
    pads: Sequence[int] = a.get("pads", (0, 0, 0, 0))
    if len(pads) != 4:
        raise NotImplementedError("other than two dimensions")
    return tuple(pads[:2]), tuple(pads[2:])
