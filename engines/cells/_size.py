"""One size for cells that differ in size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells._recording import Recording
from engines.errors import CellsError

LOOK_AT = 2000
"""Cells whose sizes are looked at, spread evenly over the recording."""
_PERCENTILE = 95
_MULTIPLE = 8


def spread(n: int, most: int) -> list[int]:
    """Return at most `most` indices spread evenly over 0 … n - 1, ascending."""
    if n <= most:
        return list(range(n))
    return np.linspace(0, n - 1, most).round().astype(int).tolist()  # type: ignore[no-any-return]


def choose_size(recording: Recording, among: NDArray[np.intp]) -> tuple[int, int]:
    """Return the `(height, width)` to bring the cells at these indices to.

    Their own where all that were looked at have the same. Else, for each side, the 95th percentile rounded up to a
    multiple of 8: of twenty cells at most one is cut at its borders, and the few widest (doublets, clumps) do not
    make every other cell a small one in a wide empty frame.

    Raises `CellsError` where none of them can be read.
    """
    if recording.shape is not None:
        return recording.shape
    sizes = []
    for position in spread(len(among), LOOK_AT):
        try:
            sizes.append(recording[int(among[position])].frame.shape[1:])
        except CellsError:
            continue
    if not sizes:
        raise CellsError(recording.name, "cells", "none that can be read", "at least one")
    if len(set(sizes)) == 1:
        return sizes[0][0], sizes[0][1]
    height, width = np.percentile(np.array(sizes), _PERCENTILE, axis=0)
    return _up(height), _up(width)


def _up(side: float) -> int:
    return int(-(-side // _MULTIPLE)) * _MULTIPLE
