"""What an evaluation found, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.cells import Cells
from engines.evaluation._types import ErrorInterval, Figures, Interval


class Made(msgspec.Struct, frozen=True):
    """How the figures came to be; no path of the machine they were made on."""

    bundle: str
    bundle_sha256: str
    cells: str
    engine: str
    date: str
    command: str
    versions: dict[str, str]


class UnknownClass(msgspec.Struct, frozen=True):
    """Cells of a class the bundle does not know.

    `called` counts what they were taken for; `refused` is the share that would be below the suggested threshold, by
    the error that was wanted (`0.01`), None where there is no threshold.
    """

    name: str
    cells: int
    mean_confidence: float
    called: dict[str, int]
    refused: dict[str, float | None]


class GroupFigures(msgspec.Struct, frozen=True):
    """The cells of one plate, day, donor or flask."""

    name: str
    cells: int
    accuracy: float
    accuracy_95: ErrorInterval
    balanced_accuracy: float
    balanced_accuracy_95: Interval


class Found(msgspec.Struct, frozen=True):
    """The whole JSON.

    Of the `cells_read`, `figures` are of those evaluated (`figures.cells`); the others are `unlabelled`, of classes the
    bundle does not know (`unknown_classes`), or `left_out_seen`. `seen_cells` of those evaluated were looked at while
    the bundle was trained, which flatters it; None where the bundle carries no fingerprints to tell. `skipped` counts
    by reason what the reader could not read.
    """

    made: Made
    cells_read: int
    skipped: dict[str, int]
    unlabelled: int
    left_out_seen: int
    seen_cells: int | None
    classes_without_cells: list[str]
    unknown_classes: list[UnknownClass]
    figures: Figures
    groups: list[GroupFigures] | None


@dataclass(frozen=True)
class Evaluation:
    """What was found, with the cells and answers a report shows.

    Attributes
    ----------
    found
        Everything that goes into the JSON.
    bundle, cells
        What was evaluated; the cells' channels are called as the bundle calls them.
    rows
        `(n,)` which cells were evaluated.
    labels
        `(n,)` their true classes, indices into the bundle's.
    probabilities
        `(n, K)` float32.
    map_rows
        `(m,)` which of the n have an embedding here, all or a draw of 4,000.
    embedding
        `(m, E)` float32.
    """

    found: Found
    bundle: Bundle
    cells: Cells
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    map_rows: NDArray[np.int64]
    embedding: NDArray[np.float32]

    @property
    def figures(self) -> Figures:
        """The figures of the evaluated cells."""
        return self.found.figures

    def json(self) -> bytes:
        """Return `found` as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self.found), indent=2) + b"\n"
