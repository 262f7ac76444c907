"""Deal whole groups (plates, days, donors, flasks) to the parts of a split or the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

Indices = NDArray[np.int64]


def part_groups(
    labels: NDArray[np.integer],
    groups: NDArray[np.str_],
    shares: NDArray[np.float64],
    seed: int,
    classes: Sequence[str] = (),
) -> Indices:
    """Return the part 0, 1 … of each cell, −1 without a label; `shares` are the wanted ones, part 0 is training.

    `classes` are the labels' names, for the message.

    Raises
    ------
    InputError
        There are fewer groups than parts, or a class would be missing in training.
    """
    used, names, of_group = _names(labels, groups)
    wanted = int(np.count_nonzero(shares))
    if len(names) < wanted:
        raise InputError("training", "groups", f"{len(names)} groups", f"{wanted} or more, or --groups none")
    found = np.full(len(labels), -1, np.int64)
    found[used] = _deal(_table(labels[used], of_group, len(names)), shares, np.random.default_rng(seed))[of_group]
    lacking = np.setdiff1d(labels[used], labels[found == 0])
    if len(lacking):
        raise InputError(
            "training",
            "groups",
            f"{class_name(int(lacking[0]), classes)} only in groups that were held out",
            "each class in several groups: another --seed, or --groups none",
        )
    return found


def class_name(label: int, classes: Sequence[str]) -> str:
    """Return how a message calls a class: by its name, or by its number where names are not known."""
    return f"class {classes[label]}" if label < len(classes) else f"class number {label}"


def fold_groups(labels: NDArray[np.integer], groups: NDArray[np.str_], count: int, seed: int) -> Indices:
    """Return the fold 0 … count−1 of each cell, −1 without a label; `InputError` if there are fewer groups."""
    used, names, of_group = _names(labels, groups)
    if count > len(names):
        raise InputError("training", "folds", count, f"at most {len(names)}, the number of groups")
    found = np.full(len(labels), -1, np.int64)
    table = _table(labels[used], of_group, len(names))
    found[used] = _deal(table, np.full(count, 1 / count), np.random.default_rng(seed))[of_group]
    return found


def _deal(counts: Indices, wanted: NDArray[np.float64], generator: np.random.Generator) -> Indices:
    """Deal groups, the largest first, each to the part it brings nearest to its wanted share of every class.

    `counts` is `(groups, classes)`. Groups of one size come in random order. A part that was promised cells gets one
    group at least.
    """
    order = generator.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    share = counts / np.maximum(counts.sum(axis=0), 1)
    have = np.zeros((len(wanted), counts.shape[1]))
    dealt = np.full(len(counts), -1, np.int64)
    for place, group in enumerate(order):
        promised = [part for part in range(len(wanted)) if wanted[part] > 0]
        empty = [part for part in promised if not (dealt == part).any()]
        allowed = empty if len(empty) >= len(order) - place else promised
        gain = [_off(wanted[part], have[part] + share[group]) - _off(wanted[part], have[part]) for part in allowed]
        part = allowed[int(np.argmin(gain))]
        dealt[group], have[part] = part, have[part] + share[group]
    return dealt


def _off(wanted: float, have: NDArray[np.float64]) -> float:
    return float(np.abs(wanted - have).sum())


def _names(labels: NDArray[np.integer], groups: NDArray[np.str_]) -> tuple[Indices, NDArray[np.str_], Indices]:
    used = np.flatnonzero(labels >= 0)
    names, of_group = np.unique(groups[used], return_inverse=True)
    return used, names, of_group


def _table(labels: NDArray[np.integer], of_group: Indices, groups: int) -> Indices:
    table = np.zeros((groups, int(labels.max()) + 1 if len(labels) else 1), np.int64)
    np.add.at(table, (of_group, labels), 1)
    return table
