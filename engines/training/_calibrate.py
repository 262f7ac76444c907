"""Calibrate logits: undo the class weighting, fit one temperature on held-out cells, state a class mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]

# The share of a class without a training cell, of which nothing was learned.
_NONE = 1e-9
_COLDEST, _HOTTEST, _STEPS = 0.05, 20.0, 60
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Calibration:
    """Probabilities are softmax((logits − weighting) / temperature + towards).

    Attributes
    ----------
    weighting
        `(K,)` float64: log of the class weights the network was trained with. A loss that weighs class k by w_k
        teaches logits that are log w_k too high (Elkan 2001).
    temperature
        Fitted on held-out cells (Guo et al. 2017); above 1 the network was too sure of itself.
    towards
        `(K,)` float64: log of the stated share of each class over its share of the training cells.
    """

    weighting: NDArray[np.float64]
    temperature: float
    towards: NDArray[np.float64]

    def natural(self, logits: Floats) -> NDArray[np.float64]:
        """Return logits `(n, K)` calibrated to the training cells' own mix."""
        scaled: NDArray[np.float64] = (np.asarray(logits, np.float64) - self.weighting) / self.temperature
        return scaled

    def logits(self, logits: Floats) -> NDArray[np.float64]:
        """Return logits `(n, K)` calibrated to the stated mix, which are the bundle's."""
        return self.natural(logits) + self.towards


def calibrate(
    logits: Floats,
    labels: NDArray[np.integer],
    class_weights: Floats,
    *,
    shares: Floats | None = None,
    prior_balance: float = 0.0,
    prior_floor: float = 0.0,
) -> Calibration:
    """Fit the temperature that makes the labels of held-out cells likeliest.

    Parameters
    ----------
    logits, labels
        `(n, K)` and `(n,)` of cells that were not trained on. With none, the temperature is 1.
    class_weights
        `(K,)` weights of the loss.
    shares, prior_balance, prior_floor
        `(K,)` shares of the training cells, and what to make of them (`Recipe`). Without shares the stated mix is the
        training cells' own.
    """
    weighting = np.log(np.asarray(class_weights, np.float64))
    towards = np.zeros_like(weighting)
    if shares is not None:
        towards = _towards(np.asarray(shares, np.float64), prior_balance, prior_floor)
    if not len(labels):
        return Calibration(weighting, 1.0, towards)
    # The likelihood is concave in 1/T, so a golden-section search over log T finds its one top.
    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_STEPS):
        span = _GOLDEN * (high - low)
        if _loss(logits, labels, weighting, high - span) < _loss(logits, labels, weighting, low + span):
            high = low + span
        else:
            low = high - span
    return Calibration(weighting, float(np.exp((low + high) / 2)), towards)


def stated_mix(shares: Floats, balance: float, floor: float) -> NDArray[np.float64]:
    """Return the `(K,)` shares that calibrated probabilities take for granted; see `Recipe.prior_balance`."""
    known = np.asarray(shares, np.float64)
    mix: NDArray[np.float64] = known * np.exp(_towards(known, balance, floor))
    return mix


def negative_log_likelihood(logits: Floats, labels: NDArray[np.integer]) -> float:
    """Return the mean −log softmax(logits)[label] of `(n, K)` logits, in nats."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    picked = np.take_along_axis(shifted, np.asarray(labels, np.int64)[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - picked))


def _towards(shares: NDArray[np.float64], balance: float, floor: float) -> NDArray[np.float64]:
    stated = np.maximum(shares, _NONE) ** (1 - balance)
    stated = np.maximum(stated / stated.sum(), floor)
    shift: NDArray[np.float64] = np.log(np.maximum(stated / stated.sum(), _NONE) / np.maximum(shares, _NONE))
    return shift


def _loss(logits: Floats, labels: NDArray[np.integer], weighting: NDArray[np.float64], log_t: float) -> float:
    natural = Calibration(weighting, float(np.exp(log_t)), np.zeros_like(weighting)).natural(logits)
    return negative_log_likelihood(natural, labels)
