"""Figures of a classifier from its probabilities and the true classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.evaluation._abstention import abstention
from engines.evaluation._calibration import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)
from engines.evaluation._class_mix import at_class_mix
from engines.evaluation._class_mix_file import check_mix
from engines.evaluation._interval import half_width, normal, weighted, wilson, wilson_or_none
from engines.evaluation._merge import Merge, merge_classes
from engines.evaluation._ranking import average_precision, roc_auc
from engines.evaluation._types import AtClassMix, ClassFigures, ErrorInterval, Figures, Merged

Mix = Mapping[str, float]
Merges = Mapping[str, Sequence[str]]
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_SUM_TOLERANCE = 1e-2


def figures(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    *,
    class_mix: Mix | None = None,
    prior: Mix | None = None,
    merge: Merges | None = None,
) -> dict[str, object]:
    """Return JSON-able figures; see `Figures` for their names and `measure` for the arguments."""
    found = measure(probabilities, labels, classes, class_mix=class_mix, prior=prior, merge=merge)
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(found))
    return plain


def measure(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    *,
    class_mix: Mix | None = None,
    prior: Mix | None = None,
    merge: Merges | None = None,
) -> Figures:
    """Return figures of labelled cells.

    Parameters
    ----------
    probabilities
        `(n, K)`, n ≥ 1, each row summing to 1. The class of the largest is the decision.
    labels
        `(n,)` in 0 … K − 1.
    classes
        K names.
    class_mix
        Weight of every class in a mix of interest, for `at_class_mix`.
    prior
        The mix the probabilities suppose, a weight for each class; None for that of the labels.
    merge
        Members by merged class, for `merged`: `{"Interphase": ("G1", "S", "G2")}`.

    Raises
    ------
    InputError
        An array is not of this shape, there are no cells, or a mix or merge names what is no class.
    """
    p, truth = _check(probabilities, labels, classes)
    mixed = None
    if class_mix is not None:
        mix = check_mix(class_mix, classes)
        prior = None if prior is None else check_mix(prior, classes, "prior")
        mixed = at_class_mix(p, truth, classes, mix, prior=prior)
    found = _measure(p, truth, classes, mixed)
    if not merge:
        return found
    how = merge_classes(classes, merge)
    if class_mix is not None:
        mixed = at_class_mix(p, truth, classes, mix, prior=prior, groups=how.groups)
    return msgspec.structs.replace(found, merged=_merged(p, truth, how, mixed))


def _check(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: Sequence[str]
) -> tuple[Floats, Labels]:
    p, truth = np.asarray(probabilities), np.asarray(labels)
    if len(set(classes)) != len(classes) or not classes:
        raise InputError("figures", "classes", classes, "distinct names")
    if p.ndim != 2 or p.shape[1] != len(classes) or not len(p) or p.dtype.kind != "f":
        raise InputError("figures", "probabilities", f"{p.dtype} {p.shape}", f"floats of shape (n, {len(classes)})")
    if truth.shape != (len(p),) or truth.dtype.kind not in "iu":
        raise InputError("figures", "labels", f"{truth.dtype} {truth.shape}", f"integers of shape ({len(p)},)")
    if int(truth.min()) < 0 or int(truth.max()) >= len(classes):
        raise InputError("figures", "labels", f"{truth.min()} to {truth.max()}", f"0 to {len(classes) - 1}")
    p = p.astype(np.float64)
    sums = p.sum(axis=1)
    if not np.isfinite(sums).all() or p.min() < 0 or np.abs(sums - 1).max() > _SUM_TOLERANCE:
        raise InputError("figures", "probabilities", f"rows that sum to {sums.min():.3g} to {sums.max():.3g}", "1")
    return p, truth.astype(np.int64)


def _measure(p: Floats, labels: Labels, classes: Sequence[str], mixed: AtClassMix | None) -> Figures:
    n, predicted, confidence = len(labels), p.argmax(axis=1), np.minimum(p.max(axis=1), 1.0)
    right = predicted == labels
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    per_class = [_one_class(k, name, p, labels, confusion) for k, name in enumerate(classes)]
    occurs = np.flatnonzero(confusion.sum(axis=1))
    hits, cells = confusion.diagonal()[occurs], confusion.sum(axis=1)[occurs]
    accuracy, bins = float(right.mean()), reliability(confidence, right)
    return Figures(
        classes=list(classes),
        cells=n,
        accuracy=accuracy,
        accuracy_95=ErrorInterval(normal(accuracy, n), wilson(int(right.sum()), n)),
        error=1 - accuracy,
        error_half_width_95=half_width(1 - accuracy, n),
        balanced_accuracy=float((hits / cells).mean()),
        balanced_accuracy_95=weighted(np.full(len(occurs), 1 / len(occurs)), hits, cells),
        macro_f1=float(np.mean([c.f1 for c in per_class if c.cells and c.f1 is not None])),
        recall={c.name: c.recall for c in per_class},
        per_class=per_class,
        confusion=confusion.tolist(),
        confusion_normalised=[(row / row.sum()).tolist() if row.any() else None for row in confusion],
        ece=expected_calibration_error(bins),
        reliability=bins,
        nll=negative_log_likelihood(p, labels),
        brier=brier_score(p, labels),
        abstention=abstention(confidence, right),
        at_class_mix=mixed,
    )


def _one_class(k: int, name: str, p: Floats, labels: Labels, confusion: NDArray[np.int64]) -> ClassFigures:
    hits, cells, called = int(confusion[k, k]), int(confusion[k].sum()), int(confusion[:, k].sum())
    of_class = labels == k
    return ClassFigures(
        name=name,
        cells=cells,
        predicted=called,
        precision=hits / called if called else None,
        precision_95=wilson_or_none(hits, called),
        recall=hits / cells if cells else None,
        recall_95=wilson_or_none(hits, cells),
        f1=2 * hits / (cells + called) if cells + called else None,
        roc_auc=roc_auc(p[:, k], of_class),
        average_precision=average_precision(p[:, k], of_class),
    )


def _merged(p: Floats, labels: Labels, how: Merge, mixed: AtClassMix | None) -> Merged:
    decisions = how.groups[p.argmax(axis=1)] == how.groups[labels]
    found = _measure(how.sums(p), how.groups[labels], how.classes, mixed)
    return Merged(how.merge, float(decisions.mean()), found)
