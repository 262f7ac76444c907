"""Figures of each plate, day, donor or flask: whether what was learned holds beyond those it was learned on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellsError
from engines.evaluation._evaluation import GroupFigures
from engines.evaluation._interval import normal, weighted, wilson
from engines.evaluation._types import ErrorInterval


def group_figures(
    groups: NDArray[np.str_] | None, right: NDArray[np.bool_], labels: NDArray[np.int64], source: str
) -> list[GroupFigures]:
    """Return the figures of each group, by name; cells whose group is unknown have an empty name.

    `groups`, `right` and `labels` are `(n,)`. Raises `CellsError` where no cell says its group.
    """
    if groups is None or not (groups != "").any():
        raise CellsError(source, "groups", "nothing", "the plate, day, donor or flask of each cell")
    names, where = np.unique(groups, return_inverse=True)
    return [_group(str(name), right[where == k], labels[where == k]) for k, name in enumerate(names)]


def _group(name: str, right: NDArray[np.bool_], labels: NDArray[np.int64]) -> GroupFigures:
    cells, hits = np.bincount(labels), np.bincount(labels[right], minlength=int(labels.max()) + 1)
    have = cells > 0
    cells, hits, n = cells[have], hits[have], len(right)
    accuracy = float(right.mean())
    return GroupFigures(
        name=name,
        cells=n,
        accuracy=accuracy,
        accuracy_95=ErrorInterval(normal(accuracy, n), wilson(int(right.sum()), n)),
        balanced_accuracy=float((hits / cells).mean()),
        balanced_accuracy_95=weighted(np.full(len(cells), 1 / len(cells)), hits, cells),
    )
