"""The networks a bundle can hold, by name. Each maps standardised frames to (logits, embedding)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from engines.errors import InputError
from engines.networks.compact import Compact, CompactFine
from engines.networks.cost import Cost, Layer, cost
from engines.networks.deepflow import DeepFlow
from engines.networks.deepflow_released import DeepFlowReleased
from engines.networks.deeploc import DeepLoc
from engines.networks.student import DeepStudent, MicroStudent, Student, WideStudent
from engines.networks.yao import YaoConvNet

_MAKERS: dict[str, Callable[[int, int, int, int], nn.Module]] = {
    "deepflow": lambda channels, classes, _height, _width: DeepFlow(channels, classes),
    "compact": Compact,
    "compact-fine": CompactFine,
    "deepflow-released": lambda channels, classes, _height, _width: DeepFlowReleased(channels, classes),
    "deeploc": DeepLoc,
    "yao-convnet": YaoConvNet,
    "student": Student,
    "student-wide": WideStudent,
    "student-micro": MicroStudent,
    "student-deep": DeepStudent,
}

NETWORKS = tuple(_MAKERS)


def create(name: str, channels: int, classes: int, height: int, width: int) -> nn.Module:
    """Return a network with fresh weights.

    Its `forward` maps `(n, channels, height, width)` float32 to logits `(n, classes)` and an embedding `(n, E)`;
    its attribute `embedding` is E. Its last layer is an `nn.Linear` called `head`, which takes the embedding.

    Raises
    ------
    InputError
        No network has this name, or it does not work on frames of this size.
    """
    try:
        make = _MAKERS[name]
    except KeyError:
        raise InputError("networks", "network", name, " or ".join(NETWORKS)) from None
    for field, number in (("channels", channels), ("classes", classes), ("height", height), ("width", width)):
        if number < 1:
            raise InputError("networks", field, number, "1 or more")
    try:
        return make(channels, classes, height, width)
    except ValueError as error:
        raise InputError("networks", name, f"{height}×{width} pixels", str(error)) from None


__all__ = [
    "NETWORKS",
    "Compact",
    "CompactFine",
    "Cost",
    "DeepFlow",
    "DeepFlowReleased",
    "DeepLoc",
    "DeepStudent",
    "Layer",
    "MicroStudent",
    "Student",
    "WideStudent",
    "YaoConvNet",
    "cost",
    "create",
]
