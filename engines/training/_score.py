"""Figures of a classifier on held-out cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 15


def score(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: tuple[str, ...]
) -> dict[str, object]:
    """Return JSON-able figures.

    Parameters
    ----------
    probabilities
        `(n, K)`, n ≥ 1.
    labels
        `(n,)` in 0 … K−1.

    Returns
    -------
    `cells`, `accuracy`, `balanced_accuracy` (mean recall of the classes that occur), `recall` by class (None for a
    class without cells), `ece` (expected calibration error, 15 equal bins of the top probability, Guo et al. 2017),
    `nll` in nats, `confusion` (rows: true class, columns: predicted).
    """
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    occurs = confusion.sum(axis=1)
    recall = [float(confusion[k, k] / occurs[k]) if occurs[k] else None for k in range(len(classes))]
    likelihood = np.take_along_axis(probabilities, np.asarray(labels, np.int64)[:, None], axis=1)
    return {
        "cells": len(labels),
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([r for r in recall if r is not None])),
        "recall": dict(zip(classes, recall, strict=True)),
        "ece": _calibration_error(probabilities.max(axis=1), right),
        "nll": float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
        "confusion": confusion.tolist(),
    }


def _calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gap = np.bincount(bins, weights=confidence.astype(np.float64) - right, minlength=_BINS)
    return float(np.abs(gap).sum() / len(right))
