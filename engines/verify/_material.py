"""Recorded cells as a bundle's graphs take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.cells import Cells
from engines.errors import InputError
from engines.fit import fit_frames


@dataclass(frozen=True)
class Material:
    """Cells for one bundle.

    Attributes
    ----------
    name
        Where they come from.
    frames
        `(n, C, H, W)`, the bundle's channels, dtype and size.
    labels
        `(n,)` indices into the bundle's classes, -1 where a cell has none of them; None where no cell has one.
    seen
        `(n,)`, which of them the bundle was trained or tuned on.
    unfitted
        `(n, C, h, w)`, the frames before they were fitted: what fingerprints are of.
    """

    name: str
    frames: NDArray[np.generic]
    labels: NDArray[np.int64] | None
    seen: NDArray[np.bool_]
    unfitted: NDArray[np.generic]

    def __len__(self) -> int:
        return len(self.frames)

    def subset(self, where: NDArray[np.generic]) -> Material:
        """Return the cells at these indices (integers or booleans), in that order."""
        labels = None if self.labels is None else self.labels[where]
        return Material(self.name, self.frames[where], labels, self.seen[where], self.unfitted[where])


def material(bundle: Bundle, cells: Cells) -> Material:
    """Return the cells as `bundle` takes them: channels by name, labels by class name, fitted to its size.

    Raises `InputError` where a channel is missing or the counts are wider than the bundle's.
    """
    spec = bundle.manifest.input
    for name in spec.channels:
        if name not in cells.channels:
            raise InputError(cells.name, "channels", ", ".join(cells.channels), f"{name} among them, for the bundle")
    if not np.can_cast(cells.frames.dtype, bundle.dtype, "safe"):
        expected = f"{bundle.dtype.name}, as the bundle takes, or narrower"
        raise InputError(cells.name, "frames", f"counts of {cells.frames.dtype.name}", expected)
    unfitted = cells.select(spec.channels).astype(bundle.dtype, copy=False)
    frames = fit_frames(unfitted, spec.height, spec.width, spec.fit)
    return Material(cells.name, frames, _labels(bundle, cells), bundle.seen(unfitted), unfitted)


def _labels(bundle: Bundle, cells: Cells) -> NDArray[np.int64] | None:
    if cells.labels is None:
        return None
    # One entry more, which label -1 points at.
    into = [bundle.classes.index(name) if name in bundle.classes else -1 for name in cells.classes]
    labels = np.array([*into, -1], np.int64)[cells.labels]
    return labels if (labels >= 0).any() else None
