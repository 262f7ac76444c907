"""How far probabilities can be taken at their word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._interval import wilson_or_none
from engines.evaluation._types import ReliabilityBin

BINS = 15
_FLOOR = 1e-12


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Return 15 bins of equal width of the top probability (Guo et al. 2017, ICML), empty ones too."""
    where = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    cells = np.bincount(where, minlength=BINS)
    sums = np.bincount(where, weights=confidence, minlength=BINS)
    hits = np.bincount(where[right], minlength=BINS)
    return [
        ReliabilityBin(
            low=k / BINS,
            high=(k + 1) / BINS,
            cells=int(n),
            confidence=float(sums[k] / n) if n else None,
            accuracy=float(hits[k] / n) if n else None,
            accuracy_95=wilson_or_none(int(hits[k]), int(n)),
        )
        for k, n in enumerate(cells)
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Return Σ n_b/n · |accuracy_b − confidence_b|, 0 to 1."""
    total = sum(b.cells for b in bins)
    gaps = [
        b.cells * abs(b.accuracy - b.confidence) for b in bins if b.accuracy is not None and b.confidence is not None
    ]
    return sum(gaps) / total


def negative_log_likelihood(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the mean of −ln p of the true class, nats; p is taken as at least 1e-12."""
    likelihood = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihood, _FLOOR)).mean())


def brier_score(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the mean of Σ_k (p_k − [k is the true class])², 0 to 2 (Brier 1950, Monthly Weather Review 78:1–3)."""
    off = probabilities.copy()
    off[np.arange(len(labels)), labels] -= 1
    return float((off**2).sum(axis=1).mean())
