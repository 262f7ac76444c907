"""How much of a frame's bright and dark structure is of which size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_SIDES = (3, 5, 7, 9, 11)


def granularity(above: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the granularity spectrum of `(n, H, W)` counts above background.

    Share of what is brighter (`bright3` …) or darker (`dark3` …) than the background that an opening by a square of
    that many pixels takes away and the one before left (Serra's size distribution; CellProfiler calls it
    granularity). 0 where nothing is brighter or darker.
    """
    found = {}
    for name, part in (("bright", np.maximum(above, 0)), ("dark", np.maximum(-above, 0))):
        # Relative to the frame's own maximum, so that the largest float32 do not overflow in the sum.
        part = part / np.maximum(part.max(axis=(1, 2), initial=0, keepdims=True), 1e-300)
        whole = part.sum(axis=(1, 2))
        left = whole
        for side in _SIDES:
            opened = ndimage.grey_opening(part, size=(1, side, side)).sum(axis=(1, 2)) if len(part) else whole
            # Growing squares are no chain of openings at the frame's edge: never less than nothing is taken.
            opened = np.minimum(opened, left)
            found[f"{name}{side}"] = np.divide(left - opened, whole, out=np.zeros_like(whole), where=whole > 0)
            left = opened
    return found
