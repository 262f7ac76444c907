"""How many of n cells are wanted, when each is so with a probability of its own: the Poisson-binomial distribution."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from streamer.report._chances import Chances

CONFIDENCE = 0.95
_NORMAL = NormalDist()


def purity_interval(chances: Chances, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the span in which the share of wanted cells lies with this confidence, given that the p are right.

    The number K of wanted cells among n with probabilities p_i has mean Σp and variance Σp(1 − p). The span is that
    from the α/2 to the 1 − α/2 quantile of K, over n, widened where it must be to hold the mean. Up to `EXACT_CELLS`
    cells the distribution is computed exactly, by convolution; beyond, by the refined normal approximation
    F(k) = Φ(x) + γ(1 − x²)φ(x)/6, x = (k + ½ − Σp)/σ, γ = Σp(1 − p)(1 − 2p)/σ³ (Hong 2013, Computational Statistics
    and Data Analysis 59:41–51, doi 10.1016/j.csda.2012.10.006). It never leaves [0, 1].

    Raises
    ------
    ValueError
        There are no cells, or the confidence is not between 0 and 1.
    """
    n, tail = chances.cells, (1 - confidence) / 2
    if not n or not 0 < confidence < 1:
        raise ValueError(f"{n} cells and a confidence of {confidence}, expected cells and a share")
    each = chances.each
    low, high = _exact(each, tail) if each is not None else _approximate(chances, tail)
    return min(low / n, chances.mean), max(high / n, chances.mean)


def _exact(each: NDArray[np.float64], tail: float) -> tuple[int, int]:
    density = np.zeros(len(each) + 1)
    density[0] = 1.0
    for p in each.tolist():
        density[1:] = density[1:] * (1 - p) + density[:-1] * p
        density[0] *= 1 - p
    below = np.cumsum(density)
    low, high = np.searchsorted(below, [tail, 1 - tail]).tolist()
    return low, min(high, len(each))


def _approximate(chances: Chances, tail: float) -> tuple[int, int]:
    if chances.variance < 1e-9:  # every p is 0 or 1, but for rounding
        certain = round(chances.total)
        return certain, certain
    return _quantile(chances, tail), _quantile(chances, 1 - tail)


def _quantile(chances: Chances, share: float) -> int:
    """Return the least k with F(k) ≥ share, 0 to n."""
    sigma = math.sqrt(chances.variance)
    skew = chances.third_moment / sigma**3
    low, high = 0, chances.cells
    while low < high:
        k = (low + high) // 2
        x = (k + 0.5 - chances.total) / sigma
        if _NORMAL.cdf(x) + skew * (1 - x * x) * _NORMAL.pdf(x) / 6 >= share:
            high = k
        else:
            low = k + 1
    return low
