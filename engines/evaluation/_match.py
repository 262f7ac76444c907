"""Match the classes of labelled cells with those of a bundle, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.cells import Cells
from engines.errors import CellsError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Matched:
    """Which cells can be judged.

    Attributes
    ----------
    known
        Rows of cells of a class the bundle knows.
    labels
        Of those, indices into the bundle's classes.
    unknown
        Rows by class the bundle does not know.
    unlabelled
        How many cells have no label.
    """

    known: Rows
    labels: Rows
    unknown: dict[str, Rows]
    unlabelled: int


def match_classes(cells: Cells, bundle: Bundle, rows: Rows) -> Matched:
    """Sort these rows by what is known of them.

    Raises
    ------
    CellsError
        The cells have no labels, or none of a class the bundle knows.
    """
    if cells.labels is None or not cells.classes:
        raise CellsError(cells.name, "labels", "nothing", "the class of each cell")
    own = cells.labels[rows]
    # One entry more, which label -1 points at.
    into = np.array([_index(bundle.classes, name) for name in cells.classes] + [-1], np.int64)
    labels = into[own]
    known = labels >= 0
    unknown = {
        name: rows[own == k] for k, name in enumerate(cells.classes) if name not in bundle.classes and (own == k).any()
    }
    if not known.any():
        found = f"cells of {', '.join(unknown)}" if unknown else "no labelled cell"
        raise CellsError(cells.name, "labels", found, f"cells of {', '.join(bundle.classes)}")
    return Matched(rows[known], labels[known], unknown, int((own < 0).sum()))


def _index(classes: tuple[str, ...], name: str) -> int:
    return classes.index(name) if name in classes else -1
