"""Features: the columns that gates are drawn over, taken out of an engine's predictions."""

from __future__ import annotations

import re
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions
from engines.errors import InputError
from streamer.decision._spec import UNFAMILIARITY, Spec, no_unfamiliarity

Cells = Predictions | NDArray[np.float32]
"""Predictions, or probabilities `(n, classes)` alone where no gate looks at more."""

_INDEXED = re.compile(r"(embedding|class)\[(.*)\]")


class Features:
    """The features that some gate uses, each computed once per batch.

    Columns come as sums of probabilities, then embedding axes, measurements and what concerns the top class.

    Parameters
    ----------
    uses
        Feature name → where it is used, for errors; names that mean the same get columns of their own.
    spec
        What the bundle offers.

    Raises
    ------
    InputError
        A feature the bundle does not have.
    """

    def __init__(self, uses: dict[str, tuple[str, str]], spec: Spec) -> None:
        kinds: dict[str, list[tuple[str, list[int]]]] = {}
        for name, (gate, field) in uses.items():
            kind, indices = _resolve(name, spec, gate, field)
            kinds.setdefault(kind, []).append((name, indices))
        kind_order = ("sum", "embedding", "measurement", "top", "margin", "class")
        self.column = {name: c for c, name in enumerate(name for kind in kind_order for name, _ in kinds.get(kind, ()))}
        sums = [indices for _, indices in kinds.get("sum", ())]
        self._sums = np.zeros((len(spec.classes), len(sums)), np.float32)
        for s, indices in enumerate(sums):
            self._sums[indices, s] = 1
        self._embedding = np.array([i for _, (i,) in kinds.get("embedding", ())], np.intp)
        self._measurements = np.array([i for _, (i,) in kinds.get("measurement", ())], np.intp)
        self._top = [self.column[name] for name, _ in kinds.get("top", ())]
        self._margin = [self.column[name] for name, _ in kinds.get("margin", ())]
        self._members = np.zeros((len(spec.classes), len(kinds.get("class", ()))), np.float32)
        for c, (_, indices) in enumerate(kinds.get("class", ())):
            self._members[indices, c] = 1
        self._only_sums = len(sums) == len(uses)
        # Single classes need no arithmetic, so plain numbers give the same to the last bit.
        alone = self._only_sums and all(len(indices) == 1 for indices in sums)
        self._alone = [indices[0] for indices in sums] if alone else None

    @property
    def measured(self) -> bool:
        """Whether some of them are measurements."""
        return bool(len(self._measurements))

    def __call__(self, cells: Cells) -> NDArray[np.float32]:
        """Return the features of n cells, `(n, features)`, in the order of `column`."""
        if isinstance(cells, np.ndarray):
            if self._only_sums:
                return cells @ self._sums
            none = np.zeros((len(cells), 0), np.float32)
            cells = Predictions(cells, none, none, 0.0)
        elif self._only_sums:
            return cells.probabilities @ self._sums
        return self._all(cells)

    def of_one(self, cells: Cells) -> list[float]:
        """Return the features of a single cell."""
        if self._alone is not None:
            probabilities = cells if isinstance(cells, np.ndarray) else cells.probabilities
            row = probabilities[0].tolist()
            if isfinite(sum(row)):  # else one that is not finite makes all the sums so
                return [row[index] for index in self._alone]
        values: list[float] = self(cells)[0].tolist()
        return values

    def _all(self, cells: Predictions) -> NDArray[np.float32]:
        probabilities = cells.probabilities
        values = np.empty((len(probabilities), len(self.column)), np.float32)
        s, e, m = self._sums.shape[1], len(self._embedding), len(self._measurements)
        if s:
            np.matmul(probabilities, self._sums, out=values[:, :s])
        if e:
            values[:, s : s + e] = cells.embedding[:, self._embedding]
        if m:
            values[:, s + e : s + e + m] = cells.measurements[:, self._measurements]
        if self._top or self._margin:
            self._tops(probabilities, values)
        if members := self._members.shape[1]:
            classes = self._members[probabilities.argmax(axis=1)]
            # A NaN among the probabilities: the top class is not known.
            values[:, -members:] = classes
            values[np.isnan(probabilities.max(axis=1)), -members:] = np.nan
        return values

    def _tops(self, probabilities: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        if not self._margin:
            values[:, self._top] = probabilities.max(axis=1)[:, None]
            return
        last = np.partition(probabilities, -2, axis=1)[:, -2:]
        values[:, self._top] = last[:, 1:]
        values[:, self._margin] = last[:, 1:] - last[:, :1]


def _resolve(name: str, spec: Spec, gate: str, field: str) -> tuple[str, list[int]]:
    """Return the kind of a feature and the indices it stands for."""
    source, where = "config", f"gate {gate}: {field}"
    if name in spec.measurements:
        return "measurement", [spec.measurements.index(name)]
    if name == UNFAMILIARITY:
        raise InputError(source, where, name, no_unfamiliarity(spec))
    if name in ("top", "margin") and name not in spec.classes:
        return name, []
    if match := _INDEXED.fullmatch(name):
        if match[1] == "class":
            return "class", [_class(part.strip(), spec, where) for part in match[2].split("+")]
        if not re.fullmatch(r"[0-9]{1,9}", match[2]) or int(match[2]) >= spec.embedding:
            axes = f"embedding[0] to embedding[{spec.embedding - 1}]" if spec.embedding else "no embedding"
            raise InputError(source, where, name, f"an axis the bundle has: {axes}")
        return "embedding", [int(match[2])]
    if ":" in name and not any(part.strip() in spec.classes for part in name.split("+")):
        raise InputError(source, where, name, f"one of the bundle's measurements: {', '.join(spec.measurements)}")
    return "sum", [_class(part.strip(), spec, where) for part in name.split("+")]


def _class(name: str, spec: Spec, where: str) -> int:
    if name not in spec.classes:
        others = ", top, margin, embedding[i] or a measurement" if spec.measurements or spec.embedding else ""
        raise InputError("config", where, name, f"one of {', '.join(spec.classes)}{others}")
    return spec.classes.index(name)
