"""How well a score ranks the cells of one class above the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def roc_auc(scores: NDArray[np.float64], of_class: NDArray[np.bool_]) -> float | None:
    """Return the chance that a cell of the class scores above one that is not, ties counting half.

    The area under the ROC curve, by the Mann-Whitney statistic on midranks. None unless there are cells of both kinds.
    """
    inside = int(of_class.sum())
    outside = len(of_class) - inside
    if not inside or not outside:
        return None
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    midranks = np.cumsum(counts) - (counts - 1) / 2
    above = float(midranks[where][of_class].sum()) - inside * (inside + 1) / 2
    return above / (inside * outside)


def average_precision(scores: NDArray[np.float64], of_class: NDArray[np.bool_]) -> float | None:
    """Return Σ (R_i − R_{i−1})·P_i over the distinct scores from high to low; None without a cell of the class."""
    inside = int(of_class.sum())
    if not inside:
        return None
    _, where, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    hits = np.bincount(where, weights=of_class, minlength=len(counts))
    precision = np.cumsum(hits) / np.cumsum(counts)
    return float((hits * precision).sum() / inside)
