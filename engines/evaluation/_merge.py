"""Merge classes: G1, S and G2 are one where only mitosis matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

_FORM = "A,B=NAME: the classes to merge and the name of what they become"


@dataclass(frozen=True)
class Merge:
    """Classes after merging; `groups[k]` is the merged class of class k. A merged class stands where its first did."""

    classes: tuple[str, ...]
    groups: NDArray[np.int64]
    merge: dict[str, list[str]]

    def sums(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n, K)` probabilities summed to `(n, merged)`."""
        summed: NDArray[np.float64] = probabilities @ (self.groups[:, None] == np.arange(len(self.classes))).astype(
            np.float64
        )
        return summed


def parse_merges(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what `--merge "G1,S,G2=Interphase"`, given once or more, says: members by the merged class's name."""
    merges: dict[str, tuple[str, ...]] = {}
    for text in texts:
        members, equals, name = (part.strip() for part in text.rpartition("="))
        if not equals or not members or not name:
            raise InputError("classes", "--merge", text, _FORM)
        if name in merges:
            raise InputError("classes", "--merge", text, f"{name} said once only")
        merges[name] = tuple(part.strip() for part in members.split(","))
    return merges


def merge_classes(classes: Sequence[str], merge: Mapping[str, Sequence[str]]) -> Merge:
    """Say which class goes into which.

    Raises
    ------
    InputError
        A member is no class or is named twice, a merged name is that of another class, or one class would be left.
    """
    into: dict[str, str] = {}
    for name, members in merge.items():
        for member in members:
            if member not in classes:
                raise InputError("classes", f"merge {name}", member, f"one of {', '.join(classes)}")
            if member in into:
                raise InputError("classes", f"merge {name}", member, "each class in one merge, once")
            into[member] = name
    for name in merge:
        if name in classes and into.get(name) != name:
            raise InputError("classes", "merge", name, "a name that is no other class's")
    names = [into.get(name, name) for name in classes]
    merged = tuple(dict.fromkeys(names))
    if len(merged) < 2:
        raise InputError("classes", "merge", ", ".join(merged), "two classes or more left")
    groups = np.array([merged.index(name) for name in names], np.int64)
    return Merge(merged, groups, {name: list(members) for name, members in merge.items()})
