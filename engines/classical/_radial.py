"""How the counts are distributed from the middle of a cell outwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.classical._segment import Segmented

_RINGS = 8
# In units of the cell's radius: the rings reach a little beyond its edge.
_REACH = 1.6
# Pixels exactly on the edge between two rings all fall to the outer one, whatever the rounding.
_TIE = 1e-6


def radial(above: NDArray[np.float64], cell: Segmented) -> dict[str, NDArray[np.float64]]:
    """Return mean and standard deviation of `(n, H, W)` counts in rings about the cell's centroid; 0 in empty rings.

    `ring` are eight to 1.6 times the radius of a disc of the cell's area, which follow the cell's size; `frame_ring`
    eight to half the frame's shorter side, which do not. Where there is no cell its region is the frame.
    """
    height, width = above.shape[1:]
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    area = cell.region.sum(axis=(1, 2))
    y = (cell.region * rows).sum(axis=(1, 2)) / area
    x = (cell.region * columns).sum(axis=(1, 2)) / area
    distance = np.hypot(rows - y[:, None, None], columns - x[:, None, None])
    found = {}
    for name, reach in (
        ("ring", _REACH * np.sqrt(area / np.pi)),
        ("frame_ring", np.full(len(area), min(height, width) / 2)),
    ):
        means, deviations = _profile(above, distance * (_RINGS / reach)[:, None, None])
        for ring in range(_RINGS):
            found[f"{name}{ring + 1}_mean"] = means[:, ring]
            found[f"{name}{ring + 1}_std"] = deviations[:, ring]
    return found


def _profile(above: NDArray[np.float64], rings: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cells = len(above)
    # What lies outside all rings goes to one more, which is dropped.
    ring = np.minimum((rings + _TIE).astype(np.int64), _RINGS)
    where = (np.arange(cells)[:, None, None] * (_RINGS + 1) + ring).ravel()

    def total(weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
        sums = np.bincount(where, weights, minlength=cells * (_RINGS + 1))
        return sums.reshape(cells, _RINGS + 1)[:, :_RINGS].astype(np.float64)

    pixels = np.maximum(total(None), 1)
    means = total(above.ravel()) / pixels
    expanded = np.concatenate((means, np.zeros((cells, 1))), axis=1).ravel()[where]
    return means, np.sqrt(total((above.ravel() - expanded) ** 2) / pixels)
