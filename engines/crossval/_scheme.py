"""Which cells each trial of a cross-validation trains on, and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.training import Split, folds, split
from engines.training._groups import class_name

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Scheme:
    """How cells are parted again and again.

    Attributes
    ----------
    kind
        `folds`: every cell is tested once, by a network trained on the other folds. `groups`: the same, one fold per
        group (plate, day, donor). `repeats`: a share of the cells drawn for testing, anew each time (Yao et al. 2019).
    count
        Of folds or repeats; groups count themselves.
    fractions
        Of the training cells, class by class, that are trained on: more than one makes a learning curve (Moen et al.
        2019), which tells whether more cells would help. A smaller fraction is a part of every larger one.
    per_class
        Instead of fractions: numbers of cells of each class to train on (all where a class has fewer), the scale on
        which transfer is judged (Kraus et al. 2017). Nothing is then held out for validation: who has ten labelled
        cells of a class has none to spare.
    keep_groups
        Groups are kept whole in folds, repeats and validation, where cells have groups.
    validation, test
        Shares that are held out to pick and calibrate, and, of repeats, to test.
    """

    kind: Literal["folds", "groups", "repeats"] = "folds"
    count: int = 5
    fractions: tuple[float, ...] = (1.0,)
    per_class: tuple[int, ...] = ()
    keep_groups: bool = True
    validation: float = 0.1
    test: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what no cross-validation could use."""
        if self.kind != "groups" and not 1 <= self.count <= 1000:
            raise InputError("crossval", self.kind, self.count, "1 to 1000")
        if self.kind == "folds" and self.count < 2:
            raise InputError("crossval", "folds", self.count, "2 or more")
        for number in self.per_class:
            if number < 1:
                raise InputError("crossval", "per-class", number, "1 or more")
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise InputError("crossval", "fractions", fraction, "above 0, at most 1")


@dataclass(frozen=True)
class Trial:
    """One training and one test.

    Attributes
    ----------
    name
        Of the fold, group or repeat, and the fraction; a file name.
    fraction
        Of the training cells that is trained on, or the number of each class.
    parts
        The cells.
    """

    name: str
    fraction: float
    parts: Split


def trials(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_] | None,
    scheme: Scheme,
    seed: int,
    classes: Sequence[str] = (),
) -> list[Trial]:
    """Return the trials, the largest fraction first.

    Parameters
    ----------
    labels
        `(n,)`, negative where a cell has no label: it is in no part.
    groups
        `(n,)` names, None where cells have none.
    classes
        The labels' names, for messages.

    Raises
    ------
    InputError
        There are fewer cells or groups than the scheme needs, or a trial could not train on every class.
    """
    kept = groups if scheme.keep_groups else None
    if scheme.kind == "repeats":
        whole = {
            f"repeat-{k + 1}": split(
                labels,
                validation=scheme.validation,
                test=scheme.test,
                seed=seed + k,
                groups=kept,
                classes=classes,
            )
            for k in range(scheme.count)
        }
    else:
        whole = {
            name: _leave_out(labels, kept, test, scheme.validation, seed, classes)
            for name, test in _tests(labels, groups, scheme, seed).items()
        }
    for name, parts in whole.items():
        _check(name, labels, parts, classes)
    if scheme.per_class:
        return [
            Trial(f"{name}-{number}-a-class", float(number), _few(labels, parts, number, seed))
            for number in sorted(set(scheme.per_class), reverse=True)
            for name, parts in whole.items()
        ]
    return [
        Trial(name if fraction == 1 else f"{name}-of-{fraction:g}", fraction, _less(labels, parts, fraction, seed))
        for fraction in sorted(set(scheme.fractions), reverse=True)
        for name, parts in whole.items()
    ]


def _tests(labels: NDArray[np.int64], groups: NDArray[np.str_] | None, scheme: Scheme, seed: int) -> dict[str, Indices]:
    if scheme.kind == "folds":
        fold = folds(labels, scheme.count, seed, groups if scheme.keep_groups else None)
        return {f"fold-{k + 1}": np.flatnonzero(fold == k) for k in range(scheme.count)}
    if groups is None:
        raise InputError("crossval", "groups", "cells without groups", "cells that name their plate, day or donor")
    names = np.unique(groups[labels >= 0])
    if len(names) < 2:
        raise InputError("crossval", "groups", f"{len(names)} group", "2 or more")
    return {f"group-{k + 1}": np.flatnonzero((groups == name) & (labels >= 0)) for k, name in enumerate(names)}


def _leave_out(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_] | None,
    test: Indices,
    validation: float,
    seed: int,
    classes: Sequence[str],
) -> Split:
    rest = labels.copy()
    rest[test] = -1
    # With few groups left there may be none to spare for validation; calibration within groups is better than none.
    enough = groups is not None and len(np.unique(groups[rest >= 0])) >= 3
    kept = groups if enough else None
    parts = split(rest, validation=validation, test=0.0, seed=seed, groups=kept, classes=classes)
    return Split(parts.train, parts.validation, test)


def _less(labels: NDArray[np.int64], parts: Split, fraction: float, seed: int) -> Split:
    if fraction == 1:
        return parts
    numbers = {int(k): max(1, round(fraction * n)) for k, n in enumerate(np.bincount(labels[parts.train]))}
    return Split(_draw(labels, parts.train, numbers, seed), parts.validation, parts.test)


def _few(labels: NDArray[np.int64], parts: Split, number: int, seed: int) -> Split:
    numbers = dict.fromkeys(range(int(labels.max()) + 1), number)
    return Split(_draw(labels, parts.looked_at, numbers, seed), np.zeros(0, np.int64), parts.test)


def _draw(labels: NDArray[np.int64], cells: Indices, numbers: dict[int, int], seed: int) -> Indices:
    """Draw so many cells of each class; a smaller number draws a part of what a larger one does."""
    random = np.random.default_rng(seed)
    drawn = []
    for label in np.unique(labels[cells]):
        members = random.permutation(cells[labels[cells] == label])
        drawn.append(members[: numbers[int(label)]])
    return np.sort(np.concatenate(drawn))


def _check(name: str, labels: NDArray[np.int64], parts: Split, classes: Sequence[str]) -> None:
    lacking = np.setdiff1d(labels[labels >= 0], labels[parts.train])
    if len(lacking):
        found = f"no cell of {class_name(int(lacking[0]), classes)} to train on"
        raise InputError("crossval", name, found, "some of every class")
    if not len(parts.test):
        raise InputError("crossval", name, "no cell to test on", "some")
