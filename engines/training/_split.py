"""Split labelled cells into training, validation and test, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of indices, each in ascending order."""

    train: Indices
    validation: Indices
    test: Indices

    @property
    def looked_at(self) -> Indices:
        """Training and validation cells: all that the run has seen before it is tested."""
        return np.concatenate((self.train, self.validation))


def split(labels: NDArray[np.integer], *, validation: float, test: float, seed: int) -> Split:
    """Split so that every class keeps its share in all three parts.

    Parameters
    ----------
    labels
        `(n,)` class of each cell; cells with a negative label are left out of all parts.
    validation, test
        Shares of each class, rounded half up, but at least one cell of each class stays in training; the class
        with two cells or fewer has none left for testing.
    seed
        Names the split: the same labels and seed always give the same parts.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    for label in np.unique(labels[labels >= 0]):
        members = generator.permutation(np.flatnonzero(labels == label))
        n = len(members)
        n_test = min(int(test * n + 0.5), n - 1)
        n_validation = min(int(validation * n + 0.5), n - 1 - n_test)
        cuts = np.split(members, (n_test, n_test + n_validation))
        for part, cut in zip(parts, (cuts[2], cuts[1], cuts[0]), strict=True):
            part.append(cut)
    return Split(*(_sorted(part) for part in parts))


def _sorted(parts: list[Indices]) -> Indices:
    return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
