"""Check what is to be trained on, and bring it into the form the trainer works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Dtype
from engines.cells._cells import Cells
from engines.errors import CellsError, InputError

_DTYPES = ("uint8", "uint16", "float32")
_FEWEST = 3


@dataclass(frozen=True)
class Labelled:
    """Cells that can be trained on: every one with a label, every class with cells.

    Attributes
    ----------
    frames
        `(n, C, H, W)` raw counts of the chosen channels, C-contiguous.
    labels
        `(n,)` int64 indices into `classes`.
    dtype
        Of the counts.
    guide
        `(n, 1, H, W)` raw counts of the guide channel, None where there is none.
    """

    frames: NDArray[np.generic]
    labels: NDArray[np.int64]
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    dtype: Dtype
    guide: NDArray[np.generic] | None = None


def check(cells: Cells, channels: tuple[str, ...] | None, guide: str | None) -> Labelled:
    """Choose channels (None for all but the guide), leave out cells without a label and classes without a cell.

    Raises
    ------
    InputError
        A channel is missing or named twice, or the guide is one of those shown to the network.
    CellsError
        There are no labels, fewer than two classes, or a class with fewer than three cells: one each to train on,
        to validate with and to test with. Or counts are of another dtype or not finite.
    """
    channels = tuple(name for name in cells.channels if name != guide) if channels is None else channels
    if not channels or len(set(channels)) != len(channels) or not set(channels) <= set(cells.channels):
        raise InputError("training", "channels", ",".join(channels), f"distinct names among {','.join(cells.channels)}")
    if guide is not None and (guide not in cells.channels or guide in channels):
        others = ",".join(name for name in cells.channels if name not in channels) or "none: all are shown"
        raise InputError("training", "guide", guide, f"a channel the network is not shown ({others})")
    frames = cells.select(channels)
    if frames.dtype.name not in _DTYPES:
        raise CellsError(cells.name, "frames", f"dtype {frames.dtype.name}", " or ".join(_DTYPES))
    if min(frames.shape[2:]) < 3:
        raise CellsError(cells.name, "frames", f"{frames.shape[2]}×{frames.shape[3]} pixels", "at least 3×3")
    if cells.labels is None:
        raise CellsError(cells.name, "labels", "nothing", "the class of each cell")
    kept = np.flatnonzero(cells.labels >= 0)
    counts = np.bincount(cells.labels[kept], minlength=len(cells.classes))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        found = ", ".join(cells.classes[k] for k in present) or "no class"
        raise CellsError(cells.name, "labels", found, "cells of two classes or more")
    for k in present:
        if counts[k] < _FEWEST:
            raise CellsError(
                cells.name, "labels", f"{counts[k]} of {cells.classes[k]}", f"{_FEWEST} of a class or more"
            )
    labels = np.searchsorted(present, cells.labels[kept])
    frames = np.ascontiguousarray(frames[kept])
    if frames.dtype.kind == "f" and not np.isfinite(cells.frames[kept]).all():
        raise CellsError(cells.name, "frames", "NaN or infinite counts", "finite counts")
    privileged = None if guide is None else cells.select((guide,))[kept]
    classes = tuple(cells.classes[k] for k in present)
    return Labelled(frames, labels.astype(np.int64), channels, classes, cast("Dtype", frames.dtype.name), privileged)
