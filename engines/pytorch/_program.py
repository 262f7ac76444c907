"""A graph made into a list of PyTorch calls, for one batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engines.backends import OUTPUTS, last_line
from engines.errors import EngineError
from engines.pytorch._graph import Graph, Node
from engines.pytorch._half import half_nodes
from engines.pytorch._operators import HOST, OPERATORS

_CHANNELS_LAST = ("Conv",)


@dataclass(frozen=True)
class _Step:
    """One call. `arguments` are constants, or a `_Value`; `spent` are the values nobody needs after it."""

    function: Callable[..., Any]
    attributes: dict[str, Any]
    arguments: tuple[Any, ...]
    outputs: tuple[str, ...]
    half: bool
    spent: tuple[str, ...]


@dataclass(frozen=True)
class _Value:
    """Stands among a step's arguments for what an earlier step gave."""

    name: str


class Program:
    """A graph for batches of one size on one device.

    Everything that does not depend on the cells is computed here, once: shapes, axes, constants. What is left only
    launches work on the device and waits for nothing, so that it can be captured as a CUDA graph.

    Parameters
    ----------
    graph
        What to run.
    example
        Frames `(rung, C, H, W)` on the CPU, of the dtype that `__call__` gets; their values do not matter.
    device
        Where to run.
    half
        Compute the network in float16: from the first convolution that leads to the probabilities on, up to the
        softmax. Backgrounds, sums over counts and measurements stay float32, which float16 cannot hold.

    Raises
    ------
    EngineError
        An operator is not supported, or the graph does not work on frames of this shape.
    """

    def __init__(self, graph: Graph, example: Tensor, device: torch.device, *, half: bool = False) -> None:
        self._graph, self._device = graph, device
        self._half = half_nodes(graph) if half else frozenset()
        known: dict[str, Tensor] = {name: value for name, value in graph.constants.items() if name}
        values = {graph.input: example}
        steps: list[tuple[int, Node]] = []
        for place, node in enumerate(graph.nodes):
            constant = node.kind == "Shape" or all(name in known for name in node.inputs if name)
            for name, value in _example(graph, node, known, values).items():
                (known if constant else values)[name] = value
            if not constant:
                steps.append((place, node))
        last = {name: place for place, node in steps for name in node.inputs if name in values}
        self._steps = [
            self._step(place, node, known, tuple(name for name in set(node.inputs) if last.get(name) == place))
            for place, node in steps
        ]
        self._fixed = {name: known[name].to(device) for name in OUTPUTS if name in known}

    def __call__(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities, embedding and measurements, float32 on the device, of frames on the device."""
        values: dict[str, Tensor] = {self._graph.input: frames}
        for step in self._steps:
            arguments = [
                _as(values[argument.name], half=step.half) if isinstance(argument, _Value) else argument
                for argument in step.arguments
            ]
            found = step.function(step.attributes, *arguments)
            values.update(zip(step.outputs, found if isinstance(found, tuple) else (found,), strict=False))
            for name in step.spent:
                if name not in OUTPUTS:
                    del values[name]
        return tuple(_as(self._fixed[name] if name in self._fixed else values[name], half=False) for name in OUTPUTS)

    def _step(self, place: int, node: Node, known: Mapping[str, Tensor], spent: tuple[str, ...]) -> _Step:
        half = place in self._half
        arguments: list[Any] = []
        for position, name in enumerate(node.inputs):
            if not name:
                arguments.append(None)
            elif name not in known:
                arguments.append(_Value(name))
            elif position in HOST.get(node.kind, ()):
                arguments.append(known[name].tolist())
            else:
                arguments.append(self._constant(node, known[name], half=half))
        return _Step(OPERATORS[node.kind], node.attributes, tuple(arguments), node.outputs, half, spent)

    def _constant(self, node: Node, value: Tensor, *, half: bool) -> Tensor:
        value = _as(value.to(self._device), half=half)
        # A convolution answers in the layout of its weights, and what follows keeps that.
        if self._device.type == "cuda" and node.kind in _CHANNELS_LAST and value.dim() == 4:
            value = value.contiguous(memory_format=torch.channels_last)
        return value


def _example(graph: Graph, node: Node, known: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Run one node on the example; return its outputs by name."""
    where = f"PyTorch cannot run {graph.source}: operator {node.kind}" + (f" ({node.name})" if node.name else "")
    if node.kind not in OPERATORS:
        raise EngineError(f"{where} is not supported: cannot compile; take another engine")
    arguments: list[Any] = []
    for position, name in enumerate(node.inputs):
        host = position in HOST.get(node.kind, ())
        if not name:
            arguments.append(None)
        elif host and name not in known:
            raise EngineError(f"{where}: input {position} depends on the cells, which is not supported")
        else:
            value = known[name] if name in known else values[name]
            arguments.append(value.tolist() if host else value)
    try:
        found = OPERATORS[node.kind](node.attributes, *arguments)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, KeyError) as error:
        raise EngineError(f"{where}: {last_line(error)}") from error
    outputs = found if isinstance(found, tuple) else (found,)
    if any(node.outputs[len(outputs) :]):
        raise EngineError(f"{where}: more than {len(outputs)} outputs is not supported")
    return {name: value for name, value in zip(node.outputs, outputs, strict=False) if name}


def _as(value: Tensor, *, half: bool) -> Tensor:
    """Return floats as the step wants them, and anything else as it is."""
    if half:
        return value.half() if value.dtype == torch.float32 else value
    return value.float() if value.dtype == torch.float16 else value
