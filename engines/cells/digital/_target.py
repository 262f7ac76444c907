"""What the digital cells are matched to: per-channel intensity statistics of real Jurkat cells.

Measured with `measure` on the public Jurkat set of the cell-cycle experiment behind Eulenberg et al. 2017 (BBBC048;
6,692 cells of 40 x 40 pixels from an Amnis ImageStream: G1 4319, S 900, G2 900, prophase 485, metaphase 54, anaphase
12, telophase 22). They are facts about the set; no image of it is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Measured(NamedTuple):
    """How one figure is distributed over the cells, in counts."""

    average: float
    spread: float
    quantiles: tuple[float, float, float, float, float]
    """At 5, 25, 50, 75 and 95 %."""


TARGET: Mapping[str, Mapping[str, Measured]] = MappingProxyType(
    {
        "brightfield": {
            "mean": Measured(676.1, 1.98, (672.8, 675.2, 676.3, 677.1, 678.3)),
            "std": Measured(60.0, 9.61, (43.7, 54.6, 60.4, 65.6, 74.3)),
            "p99": Measured(869.1, 39.65, (808.0, 847.0, 870.0, 890.0, 922.0)),
            "background": Measured(677.5, 1.22, (676.0, 677.0, 677.5, 678.0, 679.0)),
        },
        "PI": {
            "mean": Measured(150.7, 40.10, (111.7, 124.4, 135.1, 167.6, 236.8)),
            "std": Measured(188.0, 56.41, (116.6, 151.2, 176.1, 212.8, 298.1)),
            "p99": Measured(766.1, 199.33, (506.0, 644.1, 736.0, 850.0, 1135.1)),
            "background": Measured(41.7, 1.49, (40.0, 41.0, 41.5, 42.0, 44.0)),
        },
        "darkfield": {
            "mean": Measured(26.1, 3.09, (22.3, 24.0, 25.4, 27.5, 32.1)),
            "std": Measured(17.1, 9.35, (9.3, 11.2, 14.1, 19.6, 35.4)),
            "p99": Measured(90.2, 50.28, (39.0, 55.1, 76.0, 110.0, 187.0)),
            "background": Measured(27.1, 0.36, (27.0, 27.0, 27.0, 27.0, 28.0)),
        },
    }
)
"""By channel and by the names that `measure` gives."""

TARGET_COUNTS: Mapping[str, int] = MappingProxyType(
    {"G1": 4319, "S": 900, "G2": 900, "Prophase": 485, "Metaphase": 54, "Anaphase": 12, "Telophase": 22}
)
"""Cells per phase in the set; as `class_mix` they make a rendered set comparable to it."""


def measure(frames: NDArray[np.generic]) -> dict[str, NDArray[np.float64]]:
    """Return figures of each frame's intensity, `(n, channels)` float64 counts each, by name.

    `mean`, `std` and `p99` are the mean, standard deviation and 99th percentile over the frame's pixels, `background`
    the median over its outermost row and column on each side. `frames` is `(n, channels, height, width)`.
    """
    flat = frames.reshape(*frames.shape[:2], -1).astype(np.float64)
    edge = np.ones(frames.shape[2:], dtype=bool)
    edge[1:-1, 1:-1] = False
    return {
        "mean": flat.mean(axis=2),
        "std": flat.std(axis=2),
        "p99": np.percentile(flat, 99, axis=2),
        "background": np.median(flat[:, :, edge.ravel()], axis=2),
    }
