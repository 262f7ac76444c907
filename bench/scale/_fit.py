"""Fit measured costs by terms that mean something, none of them negative, and say how far off points held out are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

Features = Mapping[str, float]
"""How often each term is paid at a point: messages, cells, bytes …"""

LEAST_S = 1e-9
"""A time that is too short to be seen is taken for this, as errors are relative to what was measured."""
_MOST_TERMS = 8
_EVERY = 4
"""Of the points, one in so many is held out."""


class Fitted(msgspec.Struct, frozen=True):
    """Seconds per unit of each term, and how well they foretell.

    Attributes
    ----------
    terms
        Seconds per unit, none negative. A term that does not show is 0.
    points, held_out
        How many the terms are from, and how many others were foretold by them; without enough points to hold any
        out, the errors are those of the fitted points themselves and `held_out` is 0.
    error_median, error_worst
        Of the foretold times, relative to what was measured.
    """

    terms: dict[str, float]
    points: int
    held_out: int
    error_median: float
    error_worst: float

    def predict(self, features: Features) -> float:
        """Return the seconds at a point; terms it does not name are not paid there."""
        return sum(seconds * features.get(name, 0.0) for name, seconds in self.terms.items())


def fit(features: Sequence[Features], seconds: Sequence[float], *, seed: int = 0) -> Fitted:
    """Fit `seconds ≈ Σ term · feature`, every point's error counted relative to its own size.

    One point in four, drawn by `seed`, is held out and foretold; the terms that are returned are then from all
    points. At least as many points as terms stay in.

    Raises
    ------
    InputError
        Fewer points than terms, or a time that is not above 0.
    """
    names = tuple(dict.fromkeys(name for point in features for name in point))
    table = np.array([[point.get(name, 0.0) for name in names] for point in features], float).reshape(-1, len(names))
    times = np.asarray(seconds, float)
    if len(table) < len(names) or not 1 <= len(names) <= _MOST_TERMS:
        raise InputError("scale", "points", len(table), f"{len(names)} or more, one per term, of 1 to {_MOST_TERMS}")
    if not (np.isfinite(times).all() and (times > 0).all()):
        raise InputError("scale", "seconds", float(times.min()), "times above 0")
    order = np.random.default_rng(seed).permutation(len(table))
    spare = min(len(table) // _EVERY, len(table) - len(names))
    out, kept = order[:spare], order[spare:]
    errors = _errors(table[out], times[out], _solve(table[kept], times[kept])) if spare else None
    terms = _solve(table, times)
    if errors is None:
        errors = _errors(table, times, terms)
    return Fitted(
        terms=dict(zip(names, map(float, terms), strict=True)),
        points=len(table),
        held_out=spare,
        error_median=float(np.median(errors)),
        error_worst=float(errors.max()),
    )


def _errors(table: NDArray[np.float64], times: NDArray[np.float64], terms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(table @ terms - times) / times


def _solve(table: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative least squares: with a handful of terms, the best over all sets of terms above zero."""
    relative = table / times[:, None]
    # Bytes are counted by the million and messages by the one: to the same size before they are solved for.
    scale = np.abs(relative).max(axis=0)
    scale[scale == 0] = 1.0
    relative = relative / scale
    count = relative.shape[1]
    best, least = np.zeros(count), float(len(times))  # no term at all foretells nothing: each error is 1
    for size in range(1, count + 1):
        for chosen in map(list, combinations(range(count), size)):
            found = np.linalg.lstsq(relative[:, chosen], np.ones(len(times)), rcond=None)[0]
            if (found < 0).any():
                continue
            off = float(((relative[:, chosen] @ found - 1.0) ** 2).sum())
            if off < least * (1 - 1e-9):
                best = np.zeros(count)
                best[chosen], least = found, off
    terms: NDArray[np.float64] = best / scale
    return terms
