"""Texture: how often grey levels lie beside each other (Haralick et al. 1973)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.classical._segment import Segmented

_LEVELS = 16
_DISTANCES = (1, 2, 4)
# Right, down and the two diagonals; each pair counts in both orders, which makes the other four.
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_I, _J = np.indices((_LEVELS, _LEVELS))


def texture(above: NDArray[np.float64], cell: Segmented) -> dict[str, NDArray[np.float64]]:
    """Return Haralick's features of `(n, H, W)` counts in the cell's region, at three distances.

    The region's range is cut into 16 grey levels; pairs of pixels count when both are in the region; the four
    directions are added up before anything is computed from them, so that a turned cell has the same texture.
    """
    levels = _levels(above, cell.region)
    found: dict[str, NDArray[np.float64]] = {}
    for distance in _DISTANCES:
        pairs = sum(
            (_pairs(levels, cell.region, distance * y, distance * x) for y, x in _DIRECTIONS),
            np.zeros((len(above), _LEVELS, _LEVELS)),
        )
        found |= {f"{name}{distance}": values for name, values in _haralick(pairs).items()}
    return found


def _levels(above: NDArray[np.float64], region: NDArray[np.bool_]) -> NDArray[np.int64]:
    least = np.where(region, above, np.inf).min(axis=(1, 2), keepdims=True)
    spread = np.where(region, above, -np.inf).max(axis=(1, 2), keepdims=True) - least
    share = np.clip((above - least) / np.where(spread > 0, spread, 1), 0, 1)
    levels: NDArray[np.int64] = np.minimum((share * _LEVELS).astype(np.int64), _LEVELS - 1)
    return levels


def _pairs(levels: NDArray[np.int64], region: NDArray[np.bool_], down: int, right: int) -> NDArray[np.float64]:
    """Count the pairs of levels `(n, 16, 16)`, in both orders, that are so many pixels apart."""
    cells, height, width = levels.shape
    shape = (cells, _LEVELS, _LEVELS)
    if down >= height or abs(right) >= width:
        return np.zeros(shape)
    columns, shifted = slice(max(-right, 0), width - max(right, 0)), slice(max(right, 0), width + min(right, 0))
    here, there = (slice(None), slice(0, height - down), columns), (slice(None), slice(down, height), shifted)
    pair = levels[here] * _LEVELS + levels[there] + np.arange(cells)[:, None, None] * _LEVELS**2
    counts = np.bincount(pair[region[here] & region[there]], minlength=cells * _LEVELS**2).reshape(shape)
    return (counts + counts.swapaxes(1, 2)).astype(np.float64)


def _haralick(pairs: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return features of counts `(n, 16, 16)`; those of no pairs are those of one grey level."""
    total = pairs.sum(axis=(1, 2), keepdims=True)
    p = pairs / np.maximum(total, 1)
    p[total[:, 0, 0] == 0, 0, 0] = 1
    off = np.abs(_I - _J)
    mean = (p * _I).sum(axis=(1, 2))
    variance = (p * _I**2).sum(axis=(1, 2)) - mean**2
    covariance = (p * (_I * _J)).sum(axis=(1, 2)) - mean**2
    flat = variance < 1e-9
    return {
        "contrast": (p * off**2).sum(axis=(1, 2)),
        "dissimilarity": (p * off).sum(axis=(1, 2)),
        "homogeneity": (p / (1 + off**2)).sum(axis=(1, 2)),
        "energy": np.sqrt((p**2).sum(axis=(1, 2))),
        "entropy": -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=(1, 2)),
        "correlation": np.where(flat, 1.0, covariance / np.where(flat, 1.0, variance)),
    }
