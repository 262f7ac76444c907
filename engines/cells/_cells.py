"""Recorded cells as every reader hands them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

Frames = NDArray[np.generic]


@dataclass(frozen=True)
class Cells:
    """A set of recorded (or rendered) cells, all of one size.

    Attributes
    ----------
    name
        Where they come from, for messages and reports.
    frames
        `(n, C, H, W)` raw counts: uint8, uint16 or float32; a read-only memory map where they are too many for memory.
    channels
        Channel names, in the order of axis 1.
    classes
        Class names; empty where the cells are not labelled.
    labels
        `(n,)` int16 indices into `classes`, -1 where a cell has no label; None where none has.
    groups
        `(n,)` names of the plate, day, donor or flask of each cell, empty where unknown; None where none is known.
    pixel_um
        Edge of a pixel in the object plane, µm; None where unknown, or where cells were scaled to one size.
    skipped
        Cells of the recording that are not among these, counted by reason.
    """

    name: str
    frames: Frames
    channels: tuple[str, ...]
    classes: tuple[str, ...] = field(default=())
    labels: NDArray[np.int16] | None = None
    groups: NDArray[np.str_] | None = None
    pixel_um: float | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def subset(self, where: NDArray[np.generic]) -> Cells:
        """Return the cells at these indices (integers or booleans), in that order."""
        labels = None if self.labels is None else self.labels[where]
        groups = None if self.groups is None else self.groups[where]
        return replace(self, frames=self.frames[where], labels=labels, groups=groups)

    def select(self, channels: tuple[str, ...]) -> Frames:
        """Return the frames of these channels only, in this order; `InputError` names one that is missing."""
        where = [self._index(name) for name in channels]
        return self.frames if where == list(range(len(self.channels))) else self.frames[:, where]

    def _index(self, channel: str) -> int:
        try:
            return self.channels.index(channel)
        except ValueError:
            raise InputError(self.name, "channels", channel, f"one of {', '.join(self.channels)}") from None
