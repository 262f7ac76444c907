"""The figures of a simulated sort, with standard errors."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

BLOCKS = 200


class Figures(msgspec.Struct, rename={"yield_": "yield"}):
    """What came out. A figure without cells to measure it on is None.

    Attributes
    ----------
    coincidence
        Share of all cells with another in their window.
    yield_
        Share of the wanted cells that were sorted by their own decision.
    recovery
        Share of the wanted cells that were caught, be it in the span of another.
    purity
        Share of wanted cells among those caught.
    abort_rate
        Share of the cells called wanted that were not sorted; `aborts` by reason, `aborted` in cells.
    sort_rate
        Decisions to sort per second of stream.
    sorted_per_s
        Cells caught per second of stream.
    standard_errors
        Of each figure. Neighbours share windows, so the stream is cut into blocks of many cells and the blocks are
        taken for independent (batch means).
    predicted
        The closed forms for an ideal sorter; `ideal` tells whether the setting is one.
    """

    cells: int
    seconds: float
    coincidence: float | None
    yield_: float | None
    recovery: float | None
    purity: float | None
    abort_rate: float | None
    sort_rate: float | None
    sorted_per_s: float | None
    aborts: dict[str, float]
    aborted: dict[str, int]
    standard_errors: dict[str, float | None]
    predicted: dict[str, float | None]
    ideal: bool
    setting: dict[str, object]


def ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> tuple[float | None, float | None]:
    """Return Σ above / Σ below over a stream in its order, and its standard error by batch means.

    The variance is that of the blocks' residuals, above − ratio × below (the linearised ratio estimator; Cochran 1977,
    Sampling Techniques, §6.4), with blocks as the sampling units.
    """
    starts = np.unique(np.linspace(0, len(above), BLOCKS, endpoint=False).astype(np.intp))
    top = np.add.reduceat(above.astype(np.float64), starts)
    bottom = np.add.reduceat(below.astype(np.float64), starts)
    total = float(bottom.sum())
    if total <= 0:
        return None, None
    value = float(top.sum()) / total
    k = len(starts)
    if k < 2:
        return value, None
    residual = top - value * bottom
    return value, float(np.sqrt(k / (k - 1) * (residual**2).sum())) / total
