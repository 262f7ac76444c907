"""Small things the files of results share: names without repeats, labels of codes, libraries that may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import MissingExtraError

EXTRA = "results"


def library(name: str, feature: str) -> Any:
    """Return a library of the extra `results`, imported now; `MissingExtraError` names the extra."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(feature, EXTRA) from error


def merged_labels(labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the labels, each once and none empty, and for each of the given codes the code it has in them."""
    filled = [label or f"code {code}" for code, label in enumerate(labels)]
    merged = tuple(dict.fromkeys(filled))
    place = {label: code for code, label in enumerate(merged)}
    return merged, np.array([place[label] for label in filled], np.int32)


def printable(text: str) -> str:
    """Return the text without control characters, which a name from a file may hold."""
    return "".join(c if c.isprintable() else "�" for c in text)


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names, those that repeat an earlier one (capitals do not count) with a number behind them."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 2
        while unique.casefold() in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique.casefold())
        found.append(unique)
    return found
