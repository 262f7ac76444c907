"""What two channels of a cell have in common."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engines.classical._segment import Segmented

Values = NDArray[np.float64]


def together(above: Values, cells: list[Segmented], channels: tuple[str, ...]) -> dict[str, Values]:
    """Measure each pair of channels of `(n, C, H, W)` counts above background.

    `correlation` (Pearson) and `overlap` (Manders' coefficient) of the counts where either channel has the cell,
    `common` (share of the joint area that both masks have), `apart` (distance of the masks' centroids in pixels),
    and mean and standard deviation of each channel where the other one has the cell.
    """
    found: dict[str, Values] = {}
    for (i, one), (j, other) in combinations(enumerate(channels), 2):
        a, b = above[:, i], above[:, j]
        joint = cells[i].region | cells[j].region
        pair = f"{one}|{other}"
        found[f"{pair}:correlation"] = _cosine(_centred(a, joint), _centred(b, joint), joint)
        found[f"{pair}:overlap"] = _cosine(a, b, joint)
        both = (cells[i].mask & cells[j].mask).sum(axis=(1, 2))
        either = (cells[i].mask | cells[j].mask).sum(axis=(1, 2))
        found[f"{pair}:common"] = both / np.maximum(either, 1)
        found[f"{pair}:apart"] = np.hypot(*(_centroid(cells[i].region) - _centroid(cells[j].region)))
        for counts, name, where in ((b, f"{other}|{one}", cells[i].region), (a, f"{one}|{other}", cells[j].region)):
            mean = _mean(counts, where)
            found[f"{name}:mean"] = mean
            found[f"{name}:std"] = np.sqrt(_mean((counts - mean[:, None, None]) ** 2, where))
    return found


def _mean(values: Values, where: NDArray[np.bool_]) -> Values:
    mean: Values = (values * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2))
    return mean


def _centred(values: Values, where: NDArray[np.bool_]) -> Values:
    centred: Values = values - _mean(values, where)[:, None, None]
    # A spread within the rounding of the counts is none.
    largest = np.abs(values).max(axis=(1, 2), keepdims=True)
    flat = np.abs(np.where(where, centred, 0)).max(axis=(1, 2), keepdims=True) <= 1e-9 * largest
    centred *= ~flat
    return centred


def _cosine(a: Values, b: Values, where: NDArray[np.bool_]) -> Values:
    """Return Σab/√(Σa²Σb²) where there is something of both, 0 elsewhere."""
    length = np.sqrt((a**2 * where).sum(axis=(1, 2))) * np.sqrt((b**2 * where).sum(axis=(1, 2)))
    cosine: Values = np.divide((a * b * where).sum(axis=(1, 2)), length, out=np.zeros_like(length), where=length > 0)
    return cosine


def _centroid(region: NDArray[np.bool_]) -> Values:
    rows, columns = np.indices(region.shape[1:])
    area = region.sum(axis=(1, 2))
    return np.stack([(region * rows).sum(axis=(1, 2)) / area, (region * columns).sum(axis=(1, 2)) / area])
