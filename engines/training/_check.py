"""Check what is to be trained on, and bring it into the form the trainer works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle, Dtype, fingerprints
from engines.cells._cells import Cells
from engines.errors import CellsError, InputError

_DTYPES = ("uint8", "uint16", "float32")
_FEWEST = 3
_CHUNK = 1024


@dataclass(frozen=True)
class Labelled:
    """Cells that can be trained on: every class with cells enough.

    Attributes
    ----------
    frames
        `(n, C', H, W)` raw counts of all the recording's channels, in memory or mapped from disk.
    shown, guide
        Places among C' of the channels the network is shown, in its order, and of the guide, None where there is none.
    labels
        `(n,)` int64 indices into `classes`, −1 for cells without a label.
    groups
        `(n,)` names, None where cells are not grouped.
    dtype
        Of the counts.
    """

    frames: NDArray[np.generic]
    shown: tuple[int, ...]
    guide: int | None
    labels: NDArray[np.int64]
    groups: NDArray[np.str_] | None
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    dtype: Dtype

    def take(self, where: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return raw counts `(m, C, H, W)` of the channels the network is shown, C-contiguous."""
        return np.ascontiguousarray(self.frames[where][:, list(self.shown)])

    def fingerprints(self, where: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the cells' fingerprints `(m,)`, read a part at a time."""
        parts = [where[start : start + _CHUNK] for start in range(0, len(where), _CHUNK)]
        return np.concatenate([np.zeros(0, np.uint64), *(fingerprints(self.take(part)) for part in parts)])


def check(cells: Cells, channels: tuple[str, ...] | None, guide: str | None) -> Labelled:
    """Choose channels (None for all but the guide), leave out classes without a cell.

    Raises
    ------
    InputError
        A channel is missing or named twice, or the guide is one of those shown to the network.
    CellsError
        There are no labels, fewer than two classes, or a class with fewer than three cells: one each to train on,
        to validate with and to test with. Or counts are of another dtype or not finite, or a channel is empty.
    """
    channels = tuple(name for name in cells.channels if name != guide) if channels is None else channels
    if not channels or len(set(channels)) != len(channels) or not set(channels) <= set(cells.channels):
        raise InputError("training", "channels", ",".join(channels), f"distinct names among {','.join(cells.channels)}")
    if guide is not None and (guide not in cells.channels or guide in channels):
        others = ",".join(name for name in cells.channels if name not in channels) or "none: all are shown"
        raise InputError("training", "guide", guide, f"a channel the network is not shown ({others})")
    if cells.frames.dtype.name not in _DTYPES:
        raise CellsError(cells.name, "frames", f"dtype {cells.frames.dtype.name}", " or ".join(_DTYPES))
    if min(cells.frames.shape[2:]) < 3:
        found = f"{cells.frames.shape[2]}×{cells.frames.shape[3]} pixels"
        raise CellsError(cells.name, "frames", found, "at least 3×3")
    labels, classes = _labels(cells)
    used = channels if guide is None else (*channels, guide)
    places = {name: cells.channels.index(name) for name in used}
    _check_counts(cells, places)
    return Labelled(
        cells.frames,
        tuple(places[name] for name in channels),
        None if guide is None else places[guide],
        labels,
        cells.groups,
        channels,
        classes,
        cast("Dtype", cells.frames.dtype.name),
    )


def seen_by(bundle: Bundle, labelled: Labelled, where: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which of these cells a bundle was trained on; none where it needs channels that are not shown."""
    names = bundle.manifest.input.channels
    if not set(names) <= set(labelled.channels) or not len(where):
        return np.zeros(len(where), np.bool_)
    places = [labelled.channels.index(name) for name in names]
    return bundle.seen(np.ascontiguousarray(labelled.take(where)[:, places]))


def _labels(cells: Cells) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if cells.labels is None:
        raise CellsError(cells.name, "labels", "nothing", "the class of each cell")
    counts = np.bincount(cells.labels[cells.labels >= 0], minlength=len(cells.classes))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        found = ", ".join(cells.classes[k] for k in present) or "no class"
        raise CellsError(cells.name, "labels", found, "cells of two classes or more")
    for k in present:
        if counts[k] < _FEWEST:
            name = cells.classes[k]
            expected = f"{_FEWEST} or more: record more, or merge it (--merge '{name},OTHER=NEW')"
            raise CellsError(cells.name, "labels", f"{counts[k]} of class {name}", expected)
    index = np.full(len(cells.classes) + 1, -1, np.int64)
    index[present] = np.arange(len(present))
    return index[cells.labels], tuple(cells.classes[k] for k in present)


def _check_counts(cells: Cells, places: dict[str, int]) -> None:
    """Read every frame once, a part at a time: NaN and empty channels are found before an hour of training."""
    low, high = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    for start in range(0, len(cells), _CHUNK):
        part = cells.frames[start : start + _CHUNK][:, list(places.values())]
        low = np.minimum(low, part.min(axis=(0, 2, 3)))
        high = np.maximum(high, part.max(axis=(0, 2, 3)))
    for name, least, most in zip(places, low, high, strict=True):
        if not np.isfinite(least) or not np.isfinite(most):
            raise CellsError(cells.name, f"frames, channel {name}", "NaN or infinite counts", "finite counts")
        if least == most:
            found = f"{least:g} in every pixel of every cell"
            raise CellsError(cells.name, f"frames, channel {name}", found, "a picture: leave it out (--channels)")
