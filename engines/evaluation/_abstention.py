"""What is gained by not deciding on unsure cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._interval import Z, wilson_or_none
from engines.evaluation._types import Abstention, CurvePoint, Suggestion

WANTED_ERRORS = (0.01, 0.02, 0.05)
_POINTS = 200


def abstention(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], wanted: tuple[float, ...] = WANTED_ERRORS
) -> Abstention:
    """Return the curve, its area and the thresholds that keep to the `wanted` errors.

    A cell is decided where its top probability is at least the threshold, as the streamer's `min_confidence` has it.
    The curve has a point per threshold that changes anything, and about 200 of them where there are more.
    """
    values, where, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(where[~right], minlength=len(values))
    thresholds, decided, wrong = -values, np.cumsum(counts), np.cumsum(wrong)
    n = len(confidence)
    shown = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(np.int64))
    curve = [
        CurvePoint(float(thresholds[i]), int(decided[i]), float(decided[i] / n), float(wrong[i] / decided[i]))
        for i in shown
    ]
    return Abstention(_area(decided, wrong), curve, [_suggest(thresholds, decided, wrong, error) for error in wanted])


def _area(decided: NDArray[np.int64], wrong: NDArray[np.int64]) -> float:
    """Average the error among the r surest cells over r = 1 … n, equally sure cells in an order drawn by chance."""
    ranks = np.arange(1, decided[-1] + 1)
    expected = np.interp(ranks, np.concatenate([[0], decided]), np.concatenate([[0], wrong]))
    return float((expected / ranks).mean())


def _suggest(
    thresholds: NDArray[np.float64], decided: NDArray[np.int64], wrong: NDArray[np.int64], wanted: float
) -> Suggestion:
    n = int(decided[-1])
    # Integers against a share: 1 wrong of 100 is 1 %, whatever the division rounds to.
    good = np.flatnonzero(wrong <= wanted * decided + 1e-9)
    assured = np.flatnonzero(_upper(wrong, decided) <= wanted)
    i = int(good[-1]) if len(good) else None
    j = int(assured[-1]) if len(assured) else None
    cells = 0 if i is None else int(decided[i])
    missed = 0 if i is None else int(wrong[i])
    return Suggestion(
        wanted_error=wanted,
        threshold=None if i is None else float(thresholds[i]),
        decided=cells,
        coverage=cells / n,
        error=None if i is None else missed / cells,
        error_95=wilson_or_none(missed, cells),
        assured_threshold=None if j is None else float(thresholds[j]),
        assured_decided=0 if j is None else int(decided[j]),
        assured_coverage=0.0 if j is None else float(decided[j] / n),
    )


def _upper(wrong: NDArray[np.int64], decided: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the upper ends of Wilson's intervals of many shares at once."""
    share, square = wrong / decided, Z * Z / decided
    half = Z * np.sqrt(share * (1 - share) / decided + square / (4 * decided))
    upper: NDArray[np.float64] = (share + square / 2 + half) / (1 + square)
    return upper
