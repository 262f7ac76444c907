"""What is left after the boxes: polygons, ellipsoids, booleans and parents, one gate after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.config import GateSection
from streamer.decision._boxes import class_feature
from streamer.decision._regions import Axes, BooleanRegion, EllipsoidRegion, Part, PolygonRegion
from streamer.decision._scales import curve_of

Step = Callable[[NDArray[np.float32], NDArray[np.bool_]], None]
"""Fill one gate's column of `(n, gates)` from the features `(n, features)` and the columns it rests on."""


def features_used(gates: Sequence[GateSection]) -> dict[str, tuple[str, str]]:
    """Return each feature that some gate uses, with the gate and field that use it first."""
    uses: dict[str, tuple[str, str]] = {}
    for gate in gates:
        field = "polygon" if gate.polygon is not None else "ellipsoid" if gate.ellipsoid is not None else "where"
        for dimension in gate.dimensions:
            uses.setdefault(dimension, (gate.name, field))
        if gate.classes is not None:
            uses.setdefault(class_feature(gate), (gate.name, "classes"))
    return uses


def steps_of(gates: Sequence[GateSection], order: Sequence[int], column: Mapping[str, int]) -> list[Step]:
    """Return the steps that complete the boxes, in the order of evaluation."""
    number = {gate.name: g for g, gate in enumerate(gates)}
    rests_on: dict[int, frozenset[int]] = {}
    steps: list[Step] = []
    for g in order:
        gate = gates[g]
        parent = None if gate.parent is None else number[gate.parent]
        below = [number[name.removeprefix("!")] for name in gate.operands] + ([] if parent is None else [parent])
        rests_on[g] = frozenset(column[name] for name in features_used([gate])).union(*(rests_on[b] for b in below))
        if gate.operands:
            parts = tuple(_part(name, gate, number, rests_on) for name in gate.operands)
            steps.append(_boolean(g, BooleanRegion(parts, every=gate.any_of is None)))
        elif gate.polygon is not None:
            steps.append(_shape(g, PolygonRegion(gate.polygon, _axes(gate, column))))
        elif gate.ellipsoid is not None:
            steps.append(_shape(g, EllipsoidRegion(gate.ellipsoid, _axes(gate, column))))
        if parent is not None:
            steps.append(_within(g, parent))
    return steps


def _axes(gate: GateSection, column: Mapping[str, int]) -> Axes:
    scales = gate.scale or {}
    curves = tuple(curve_of(scales[name]) if name in scales else None for name in gate.dimensions)
    return Axes(np.array([column[name] for name in gate.dimensions], np.intp), curves)


def _part(name: str, gate: GateSection, number: Mapping[str, int], rests_on: Mapping[int, frozenset[int]]) -> Part:
    other = number[name.removeprefix("!")]
    complement = gate.none_of is not None or name.startswith("!")
    return Part(other, complement, np.array(sorted(rests_on[other]), np.intp))


def _shape(gate: int, region: PolygonRegion | EllipsoidRegion) -> Step:
    def step(values: NDArray[np.float32], member: NDArray[np.bool_]) -> None:
        member[:, gate] = region(values)

    return step


def _boolean(gate: int, region: BooleanRegion) -> Step:
    def step(values: NDArray[np.float32], member: NDArray[np.bool_]) -> None:
        member[:, gate] = region(values, member)

    return step


def _within(gate: int, parent: int) -> Step:
    def step(values: NDArray[np.float32], member: NDArray[np.bool_]) -> None:
        member[:, gate] &= member[:, parent]

    return step
