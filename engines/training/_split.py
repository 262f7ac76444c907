"""Split labelled cells into training, validation and test, class by class or group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.training._groups import fold_groups, part_groups

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


def split(
    labels: NDArray[np.integer],
    *,
    validation: float,
    test: float,
    seed: int,
    groups: NDArray[np.str_] | None = None,
    classes: Sequence[str] = (),
) -> Split:
    """Split so that every class keeps its share in all three parts.

    Parameters
    ----------
    labels
        `(n,)` class of each cell; cells with a negative label are left out of all parts.
    validation, test
        Shares of each class, rounded half up, but at least one cell of each class stays in training; the class
        with two cells or fewer has none left for testing.
    seed
        Names the split: the same labels, groups and seed always give the same parts.
    groups
        `(n,)` names of plate, day, donor …: no group is then in two parts, which makes the shares approximate.
    classes
        The labels' names, for messages.

    Raises
    ------
    InputError
        The groups cannot be parted so that training has every class.
    """
    if groups is not None:
        parts = part_groups(labels, groups, np.array([1 - validation - test, validation, test]), seed, classes)
        return Split(*(np.flatnonzero(parts == part) for part in range(3)))
    generator = np.random.default_rng(seed)
    members_of: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    for label in np.unique(labels[labels >= 0]):
        members = generator.permutation(np.flatnonzero(labels == label))
        n = len(members)
        n_test = min(int(test * n + 0.5), n - 1)
        n_validation = min(int(validation * n + 0.5), n - 1 - n_test)
        cuts = np.split(members, (n_test, n_test + n_validation))
        for part, cut in zip(members_of, (cuts[2], cuts[1], cuts[0]), strict=True):
            part.append(cut)
    return Split(*(_sorted(part) for part in members_of))


def folds(
    labels: NDArray[np.integer], count: int, seed: int, groups: NDArray[np.str_] | None = None
) -> NDArray[np.int64]:
    """Return the fold 0 … count−1 of each cell, classes spread evenly, groups kept whole; −1 without a label.

    Parameters
    ----------
    labels, seed, groups
        As for `split`.
    count
        Of folds, 2 or more.

    Raises
    ------
    InputError
        There are fewer groups than folds, or fewer cells than folds.
    """
    if groups is not None:
        return fold_groups(labels, groups, count, seed)
    generator = np.random.default_rng(seed)
    found = np.full(len(labels), -1, np.int64)
    used = np.flatnonzero(labels >= 0)
    if count > len(used):
        raise InputError("training", "folds", count, f"at most {len(used)}, the number of labelled cells")
    start = 0
    for label in np.unique(labels[used]):
        members = generator.permutation(np.flatnonzero(labels == label))
        # The next class goes on where this one ended, so that no fold is always the one with a cell more.
        found[members] = (start + np.arange(len(members))) % count
        start += len(members)
    return found


def _sorted(parts: list[Indices]) -> Indices:
    return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
