"""Boxes: every dimension of a gate between two bounds, all gates at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamer.config import Bound, GateSection, Log, Scale
from streamer.decision._scales import curve_of

_FINITE = np.finfo(np.float32)


def class_feature(gate: GateSection) -> str:
    """Return the feature of a gate's `classes`: 1 where the top class is one of them, else 0."""
    return f"class[{'+'.join(gate.classes or ())}]"


class Boxes:
    """The gates with `where` or `classes`: lower bounds inside, upper ones outside (Gating-ML 2.0).

    Features are float32 and so are bounds without a scale: at the float32 nearest to a bound a cell is on it. Bounds
    with a scale are brought back to data units, in float64. A value that is not finite is in no box.

    Attributes
    ----------
    gates
        `(boxes,)`: the numbers of these gates.
    """

    def __init__(self, gates: Sequence[GateSection], column: Mapping[str, int]) -> None:
        self.gates = np.array([g for g, gate in enumerate(gates) if _is_box(gate)], np.intp)
        columns: list[int] = []
        spans: list[tuple[float, float]] = []
        first: list[int] = []
        scaled = False
        for gate in (gates[g] for g in self.gates):
            first.append(len(columns))
            for dimension, bound in (gate.where or {}).items():
                scale = (gate.scale or {}).get(dimension)
                columns.append(column[dimension])
                spans.append(_span(bound) if scale is None else _data_span(bound, scale))
                scaled |= scale is not None
            if gate.classes is not None:
                columns.append(column[class_feature(gate)])
                spans.append((0.5, np.inf))
        with np.errstate(over="ignore"):
            # Rounded to float32 first, also where some other bound needs float64.
            low, high = np.array(spans, np.float64).reshape(-1, 2).T
            self._low = low if scaled else low.astype(np.float32)
            self._high = high if scaled else high.astype(np.float32)
        self._spans = [
            list(zip(columns[a:b], self._low[a:b].tolist(), self._high[a:b].tolist(), strict=True))
            for a, b in pairwise([*first, len(columns)])
        ]
        self._columns = None if columns == list(range(len(column))) else np.array(columns, np.intp)
        self._first = None if first == list(range(len(columns))) else np.array(first, np.intp)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell for each of n cells and each of these gates whether it holds the cell; `(n, boxes)`."""
        if self._columns is not None:
            values = values[:, self._columns]
        inside: NDArray[np.bool_] = (values >= self._low) & (values < self._high)
        if self._first is None:
            return inside
        return np.logical_and.reduceat(inside, self._first, axis=1)

    def holds(self, box: int, values: Sequence[float]) -> bool:
        """Tell whether one box, by its place in `gates`, holds the cell with these features: as for many cells."""
        return all(low <= values[column] < high for column, low, high in self._spans[box])


def _is_box(gate: GateSection) -> bool:
    return gate.where is not None or gate.classes is not None


def _span(bound: Bound) -> tuple[float, float]:
    with np.errstate(over="ignore"):
        low = float(_FINITE.min) if bound.min is None else float(np.float32(bound.min))
        return low, float("inf") if bound.max is None else float(np.float32(bound.max))


def _data_span(bound: Bound, scale: Scale) -> tuple[float, float]:
    """Return the bounds in data units; a log scale has no value below 0, and −∞ at 0."""
    curve = curve_of(scale)
    least = 0.0 if isinstance(scale, Log) else float(_FINITE.min)
    low = least if bound.min is None else curve.inverse(bound.min)
    return low, float("inf") if bound.max is None else curve.inverse(bound.max)
