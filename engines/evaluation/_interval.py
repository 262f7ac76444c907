"""Intervals of shares, and of weighted sums of shares."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._types import Interval

Z = 1.96
"""Half the width of a 95 % interval in standard errors, rounded as Yao et al. 2019 do."""


def half_width(share: float, n: int) -> float:
    """Return 1.96·√(ε(1 − ε)/n), which Yao et al. 2019 (Scientific Reports 9) put around a classification error ε."""
    return Z * math.sqrt(share * (1 - share) / n)


def normal(share: float, n: int) -> Interval:
    """Return share ± `half_width`, cut to [0, 1]. Of no width at 0 and 1, and too narrow for few cells."""
    half = half_width(share, n)
    return max(0.0, share - half), min(1.0, share + half)


def wilson(hits: int, n: int) -> Interval:
    """Return Wilson's score interval of `hits` of n ≥ 1 (Wilson 1927, J. Am. Stat. Assoc. 22:209–212).

    (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n). It holds for few cells and at the edges, where `normal` does
    not: of 2 cells, both right, 0.34 to 1.
    """
    share, square = hits / n, Z * Z / n
    middle = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / n + square / (4 * n))
    # At the edges one end is the share itself, but for rounding.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == n else min(1.0, middle + half)


def wilson_or_none(hits: int, n: int) -> Interval | None:
    """Return `wilson`, None without cells."""
    return wilson(hits, n) if n else None


def weighted(weights: NDArray[np.float64], hits: NDArray[np.int64], cells: NDArray[np.int64]) -> Interval:
    """Return the interval of Σ w_k·p_k, p_k = hits_k / cells_k of independent classes, all of them with cells.

    θ − √Σ(w_k(p_k − l_k))² to θ + √Σ(w_k(u_k − p_k))², with Wilson's l_k and u_k: the square-and-add way (Zou and
    Donner 2008, Statistics in Medicine 27:1693–1702). A class of two cells, both right, widens it downwards, as
    it must; a bootstrap would draw the same two right cells every time.
    """
    shares = hits / cells
    ends = np.array([wilson(int(h), int(n)) for h, n in zip(hits, cells, strict=True)])
    middle = float(weights @ shares)
    below = float(np.sqrt(np.sum((weights * (shares - ends[:, 0])) ** 2)))
    above = float(np.sqrt(np.sum((weights * (ends[:, 1] - shares)) ** 2)))
    return max(0.0, middle - below), min(1.0, middle + above)
