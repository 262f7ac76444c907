"""Frames of several sizes: one array per size, and for each its cells' numbers in the order they were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells.hdf5._blocks import Array
from engines.errors import CellsError


@dataclass(frozen=True)
class Part:
    """The frames of one size, at `path`; `number` holds each row's cell number, None where rows are the order."""

    path: str
    array: Array
    number: Array | None


def parts_of(source: str, parts: Sequence[Part]) -> NDArray[np.int64] | None:
    """Return `(cells, 2)`: part and row of each cell, None where there is one part in its own order.

    Raises `CellsError` unless the numbers of all parts together are 0 to cells − 1, each once.
    """
    if len(parts) == 1 and parts[0].number is None:
        return None
    cells = sum(part.array.shape[0] for part in parts)
    order = np.full((cells, 2), -1, np.int64)
    for at, part in enumerate(parts):
        count = part.array.shape[0]
        numbers = _read(source, part, count)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < cells:
            raise CellsError(source, f"numbers of {part.path}", f"up to {numbers.max()}", f"0 to {cells - 1}")
        order[numbers.astype(np.int64)] = np.stack([np.full(count, at), np.arange(count)], axis=1)
    if cells and order.min() < 0:
        missing = int(np.argmin(order[:, 0]))
        raise CellsError(source, "numbers of the cells", f"none for cell {missing}", "each number once")
    return order


def _read(source: str, part: Part, count: int) -> NDArray[Any]:
    number = part.number
    if number is None or number.shape != (count,) or number.dtype.kind not in "iu":
        found = "nothing" if number is None else f"{number.dtype} {number.shape}"
        raise CellsError(source, f"numbers of {part.path}", found, f"integers of shape ({count},)")
    return number.read(0, count) if count else np.zeros(0, np.int64)
