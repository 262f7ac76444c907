"""The networks a bundle can hold, by name. Each maps standardised frames to (logits, embedding)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from engines.errors import InputError
from engines.networks.deepflow import DeepFlow
from engines.networks.student import Student, WideStudent

_MAKERS: dict[str, Callable[[int, int, int, int], nn.Module]] = {
    "deepflow": lambda channels, classes, _height, _width: DeepFlow(channels, classes),
    "student": Student,
    "student-wide": lambda channels, classes, _height, _width: WideStudent(channels, classes),
}

NETWORKS = tuple(_MAKERS)


def create(name: str, channels: int, classes: int, height: int, width: int) -> nn.Module:
    """Return a network with fresh weights.

    Its `forward` maps `(n, channels, height, width)` float32 to logits `(n, classes)` and an embedding `(n, E)`;
    its attribute `embedding` is E.

    Raises
    ------
    InputError
        No network has this name, or it does not work on frames of this size.
    """
    try:
        make = _MAKERS[name]
    except KeyError:
        raise InputError("networks", "network", name, " or ".join(NETWORKS)) from None
    try:
        return make(channels, classes, height, width)
    except ValueError as error:
        raise InputError("networks", name, f"{height}×{width} pixels", str(error)) from None


__all__ = ["NETWORKS", "DeepFlow", "Student", "WideStudent", "create"]
