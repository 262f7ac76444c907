"""Calibrate logits: undo the class weighting, then fit one temperature on held-out cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]

_COLDEST, _HOTTEST, _STEPS = 0.05, 20.0, 60
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Calibration:
    """Probabilities are softmax((logits − offsets) / temperature).

    Attributes
    ----------
    offsets
        `(K,)` float64: `prior_correction` times the log of the class weights the network was trained with. A loss
        that weighs class k by w_k teaches logits that are log w_k too high (Elkan 2001).
    temperature
        Fitted on held-out cells (Guo et al. 2017); above 1 the network was too sure of itself.
    """

    offsets: NDArray[np.float64]
    temperature: float

    def logits(self, logits: Floats) -> NDArray[np.float64]:
        """Return calibrated logits `(n, K)`."""
        scaled: NDArray[np.float64] = (np.asarray(logits, np.float64) - self.offsets) / self.temperature
        return scaled


def calibrate(
    logits: Floats, labels: NDArray[np.integer], class_weights: Floats, *, prior_correction: float
) -> Calibration:
    """Fit the temperature that makes the labels of held-out cells likeliest.

    Parameters
    ----------
    logits, labels
        `(n, K)` and `(n,)` of cells that were not trained on. With none, the temperature is 1.
    class_weights
        `(K,)` weights of the loss.
    prior_correction
        0 leaves the logits as trained, 1 brings them to the training cells' own mix.
    """
    offsets = prior_correction * np.log(np.asarray(class_weights, np.float64))
    if not len(labels):
        return Calibration(offsets, 1.0)
    # The likelihood is concave in 1/T, so a golden-section search over log T finds its one top.
    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_STEPS):
        span = _GOLDEN * (high - low)
        if _loss(logits, labels, offsets, high - span) < _loss(logits, labels, offsets, low + span):
            high = low + span
        else:
            low = high - span
    return Calibration(offsets, float(np.exp((low + high) / 2)))


def negative_log_likelihood(logits: Floats, labels: NDArray[np.integer]) -> float:
    """Return the mean −log softmax(logits)[label] of `(n, K)` logits, in nats."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    picked = np.take_along_axis(shifted, np.asarray(labels, np.int64)[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - picked))


def _loss(logits: Floats, labels: NDArray[np.integer], offsets: NDArray[np.float64], log_t: float) -> float:
    return negative_log_likelihood(Calibration(offsets, float(np.exp(log_t))).logits(logits), labels)
