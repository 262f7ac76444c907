"""Accuracy at a stated class mix, so that figures from differently composed sets of cells can be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._interval import weighted
from engines.evaluation._types import AtClassMix, Weighted

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_NO_PRIOR = 1e-12


def at_class_mix(
    probabilities: Floats,
    labels: Labels,
    classes: Sequence[str],
    mix: Mapping[str, float],
    *,
    prior: Mapping[str, float] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> AtClassMix:
    """Return accuracies at a class mix; see `AtClassMix`.

    Parameters
    ----------
    probabilities, labels
        `(n, K)` and `(n,)` in 0 … K − 1.
    mix
        Weight of each class, checked (`check_mix`).
    prior
        The mix the probabilities suppose, in any unit; None for that of the labels.
    groups
        `(K,)`, the merged class of each class: a decision is right when it is of the same one, and probabilities are
        corrected before they are summed. Each class keeps its own weight, for within a merged class the evaluated
        cells are mixed differently too. None for no merging.
    """
    groups = np.arange(len(classes)) if groups is None else groups
    wanted = _shares(mix, classes)
    cells = np.bincount(labels, minlength=len(classes))
    supposed = cells / cells.sum() if prior is None else _shares(prior, classes)
    # A class that the prior does not hold was never weighted, as far as is known: it is left as it is.
    factors = np.divide(wanted, supposed, out=np.ones(len(classes)), where=supposed > _NO_PRIOR)
    corrected = probabilities * factors
    empty = corrected.sum(axis=1) <= 0
    corrected[empty] = probabilities[empty]
    covered = wanted * (cells > 0)
    summed = (groups[:, None] == np.arange(groups.max() + 1)).astype(np.float64)

    def accuracy(values: Floats) -> Weighted | None:
        right = (values @ summed).argmax(axis=1) == groups[labels]
        return _weighted(covered, np.bincount(labels[right], minlength=len(classes)), cells)

    return AtClassMix(
        mix=dict(zip(classes, wanted.tolist(), strict=True)),
        covered_share=float(covered.sum()),
        without_cells=[name for name, w, n in zip(classes, wanted, cells, strict=True) if w > 0 and not n],
        recall_weighted=accuracy(probabilities),
        prior_corrected=accuracy(corrected),
        prior=dict(zip(classes, supposed.tolist(), strict=True)),
        prior_from="the evaluated cells" if prior is None else "the bundle",
        prior_unknown=[name for name, share in zip(classes, supposed, strict=True) if share <= _NO_PRIOR],
    )


def _shares(mix: Mapping[str, float], classes: Sequence[str]) -> Floats:
    weights = np.array([mix[name] for name in classes], np.float64)
    shares: Floats = weights / weights.sum()
    return shares


def _weighted(mix: Floats, hits: Labels, cells: Labels) -> Weighted | None:
    """Return Σ mix_k·recall_k, its standard error √Σ mix_k²·r_k(1 − r_k)/n_k, and its interval (`weighted`)."""
    if not mix.sum():
        return None
    have = cells > 0
    weights, hits, cells = mix[have] / mix.sum(), hits[have], cells[have]
    recall = hits / cells
    return Weighted(
        accuracy=float(weights @ recall),
        standard_error=math.sqrt(float(np.sum(weights**2 * recall * (1 - recall) / cells))),
        accuracy_95=weighted(weights, hits, cells),
    )
