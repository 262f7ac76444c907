"""What a network costs: parameters, multiply-adds, and the maps each layer puts out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer, as it ran on one cell.

    Attributes
    ----------
    name
        Where it is in the network, as `named_modules` says.
    output
        `(maps, height, width)` of a convolution, `(features,)` of a linear layer.
    parameters
        Weights and biases.
    multiply_adds
        Products per cell; a product and its sum are one, biases are none.
    """

    name: str
    kind: Literal["convolution", "linear"]
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Cost:
    """The cost of one cell.

    Attributes
    ----------
    parameters
        All that is learned, batch norm's scales and shifts included.
    multiply_adds
        Of the convolutions and linear layers. Batch norm, ReLU and pooling are not counted: the engines fold the
        first two away and the third has no products.
    layers
        In the order they ran.
    """

    parameters: int
    multiply_adds: int
    layers: tuple[Layer, ...]


def cost(network: nn.Module, channels: int, height: int, width: int) -> Cost:
    """Run a network once on an empty frame and count.

    Parameters
    ----------
    network
        Takes `(1, channels, height, width)` float32. It is left as it was: weights, running means, modes.
    """
    layers: list[Layer] = []
    modes = [(module, module.training) for module in network.modules()]
    hooks = [
        module.register_forward_hook(partial(_count, layers, name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    weight = next(network.parameters())
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros((1, channels, height, width), device=weight.device, dtype=weight.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, sum(layer.multiply_adds for layer in layers), tuple(layers))


def _count(
    layers: list[Layer], name: str, module: nn.Conv2d | nn.Linear, _inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    kind: Literal["convolution", "linear"] = "convolution" if isinstance(module, nn.Conv2d) else "linear"
    # A kernel is applied once per pixel of a map, whatever its stride, and `weight` knows of groups.
    places = output[0, 0].numel() if kind == "convolution" else 1
    parameters = sum(parameter.numel() for parameter in module.parameters())
    layers.append(Layer(name, kind, tuple(output.shape[1:]), parameters, module.weight.numel() * places))
