"""Merge the classes of cells before training: `G1,S,G2=Interphase` makes one class of three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engines.cells._cells import Cells
from engines.evaluation import merge_classes

Merges = Mapping[str, tuple[str, ...]]


def merge(cells: Cells, merges: Merges) -> Cells:
    """Return the cells with merged classes; a new class stands where the first of its old ones stood.

    Raises
    ------
    InputError
        An old class is not there or is merged twice, a new one has the name of a class that stays, or one is left.
    """
    if not merges or cells.labels is None:
        return cells
    merged = merge_classes(cells.classes, merges)
    labels = np.where(cells.labels >= 0, merged.groups[cells.labels], -1).astype(np.int16)
    return replace(cells, classes=merged.classes, labels=labels)
