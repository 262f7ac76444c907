"""Boosted trees on image features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.classical._extra import require_extra
from engines.classical._features import features
from engines.errors import InputError

# Settled once and not searched for: small steps, small trees, a third of the features per split against
# overfitting, and leaves small enough for classes of a dozen cells.
_TREES = {"learning_rate": 0.06, "max_iter": 200, "max_leaf_nodes": 15, "min_samples_leaf": 5, "max_features": 0.3}
_L2 = 1.0
# A cell of a class of n weighs n to this power, as in the networks' default recipe.
_CLASS_POWER = -0.5


class _Model(Protocol):
    def predict_proba(self, values: NDArray[np.float32]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Classical:
    """A fitted baseline. It lives in memory only: nothing here is ever pickled.

    Attributes
    ----------
    classes
        K names.
    channels
        C names, which the frames to classify have in this order.
    names
        Of the features it uses.
    """

    classes: tuple[str, ...]
    channels: tuple[str, ...]
    names: tuple[str, ...]
    _model: _Model = field(repr=False)
    _present: NDArray[np.int64] = field(repr=False)

    def probabilities(self, frames: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return `(n, K)` float32 for raw `(n, C, H, W)` counts, summing to 1; 0 for classes never seen.

        Trees are not calibrated: these are the boosting's own figures, trained with weighted classes.

        Raises
        ------
        InputError
            The frames have another number of channels or a dtype that is not one of counts.
        """
        values, _ = features(frames, self.channels)
        found = np.zeros((len(values), len(self.classes)), np.float32)
        if len(values):
            found[:, self._present] = self._model.predict_proba(values)
        return found


def fit_classical(
    frames: NDArray[np.generic],
    labels: NDArray[np.integer],
    classes: tuple[str, ...],
    seed: int,
    channels: tuple[str, ...] | None = None,
) -> Classical:
    """Measure cells and fit scikit-learn's histogram gradient boosting, classes weighted by n**-0.5.

    Parameters
    ----------
    frames
        `(n, C, H, W)` raw counts: uint8, uint16 or float32.
    labels
        `(n,)` indices into `classes`; cells with a negative one are left out.
    classes
        K names.
    seed
        Of the features each split looks at. The same cells and seed give the same trees.
    channels
        C names for the features; None numbers them from 0.

    Raises
    ------
    MissingExtraError
        SciPy, scikit-image or scikit-learn is not installed.
    InputError
        The frames, labels or channels do not fit each other, or there are cells of fewer than two classes.
    """
    require_extra()
    from sklearn.ensemble import HistGradientBoostingClassifier

    labels = np.asarray(labels)
    _check(frames, labels, classes)
    channels = tuple(str(c) for c in range(frames.shape[1])) if channels is None else channels
    labelled = labels >= 0
    values, names = features(frames[labelled], channels)
    present, index, counts = np.unique(labels[labelled], return_inverse=True, return_counts=True)
    weights = counts[index] ** _CLASS_POWER
    model = HistGradientBoostingClassifier(**_TREES, l2_regularization=_L2, early_stopping=False, random_state=seed)
    model.fit(values, index, sample_weight=weights / weights.mean())
    return Classical(tuple(classes), channels, names, model, present.astype(np.int64))


def _check(frames: NDArray[np.generic], labels: NDArray[np.integer], classes: tuple[str, ...]) -> None:
    if frames.ndim != 4:
        raise InputError("classical", "frames", f"shape {frames.shape}", "(cells, channels, height, width)")
    if labels.shape != frames.shape[:1] or labels.dtype.kind not in "iu":
        raise InputError("classical", "labels", f"{labels.dtype} {labels.shape}", f"integers of shape ({len(frames)},)")
    if labels.size and int(labels.max()) >= len(classes):
        raise InputError("classical", "labels", int(labels.max()), f"below {len(classes)}, the number of classes")
    if len(np.unique(labels[labels >= 0])) < 2:
        raise InputError("classical", "labels", "cells of fewer than two classes", "two or more classes with cells")
