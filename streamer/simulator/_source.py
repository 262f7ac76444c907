"""The cells to send, wherever they lie: in memory as one array, or read as they are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.cells import Cells, Recording, available_memory, gather, pick_channels
from engines.errors import CellsError
from streamer.wire import MAX_PART_BYTES

Frame = NDArray[np.generic]
_LARGEST_CACHE = 1 << 30
_MAX_SIDE = 4096
"""The largest side of a cell that the protocol knows, pixels."""


class CellSource(Protocol):
    """Where an acquisition takes its frames from.

    `shape` is `(height, width)` of every cell, None where sizes differ. `lost` counts, by reason, the cells that were
    sent without a frame.
    """

    name: str
    channels: tuple[str, ...]
    dtype: np.dtype[np.generic]
    shape: tuple[int, int] | None
    lost: Counter[str]

    def __len__(self) -> int:
        """Return how many different cells there are."""

    def frames(self, which: NDArray[np.intp]) -> Frame | Sequence[Frame | None]:
        """Return the frames of these cells: one array where they are of one size, else one by one, None if lost."""


def make_source(
    cells: Cells | Recording, channels: tuple[str, ...] | None = None, *, memory: int | None = None
) -> CellSource:
    """Return the source of these channels (all by default), with as much read beforehand as `memory` bytes hold.

    Reading while sending makes a sender late. By default a gibibyte may be used, or a quarter of what is free if that
    is less. Cells of one size that fit are read into one array; of others as many frames are kept as fit, the rest is
    read when it is sent, and a cell that cannot be read then is sent without its frame, as one whose frame the camera
    lost.

    Raises
    ------
    InputError
        A channel that is not there.
    CellsError
        No cell can be read.
    """
    if isinstance(cells, Cells):
        return _InMemory(cells, channels)
    room = min(_LARGEST_CACHE, available_memory() // 4) if memory is None else memory
    picked = pick_channels(cells, channels)
    names = tuple(cells.channels[i] for i in picked)
    if cells.shape is not None and len(cells) * len(picked) * prod(cells.shape) * cells.dtype.itemsize <= room:
        return _InMemory(gather(cells, channels=names, memory=room), None)
    return _Reading(cells, picked, room)


class _InMemory:
    def __init__(self, cells: Cells, channels: tuple[str, ...] | None) -> None:
        self.name, self.channels = cells.name, channels or cells.channels
        self._frames = cells.select(self.channels)
        self.dtype, self.lost = self._frames.dtype, Counter(cells.skipped)
        self.shape: tuple[int, int] | None = (self._frames.shape[2], self._frames.shape[3])

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self, which: NDArray[np.intp]) -> Frame:
        return self._frames[which]


class _Reading:
    shape: tuple[int, int] | None = None

    def __init__(self, recording: Recording, picked: list[int], room: int) -> None:
        self.name = recording.name
        self.channels = tuple(recording.channels[i] for i in picked)
        self.dtype, self.lost = recording.dtype, Counter[str]()
        self._recording, self._picked = recording, picked
        self._every = picked == list(range(len(recording.channels)))
        self._kept: dict[int, Frame] = {}
        for index in range(len(recording)):
            if room <= 0:
                break
            frame = self._read(index)
            if isinstance(frame, np.ndarray):
                self._kept[index] = frame.copy()  # not the block of the file it may be a part of
                room -= frame.nbytes
        if not self._kept and room > 0:
            reasons = "; ".join(recording.skipped) or "none"
            raise CellsError(recording.name, "cells", reasons, "at least one that can be read")

    def __len__(self) -> int:
        return len(self._recording)

    def frames(self, which: NDArray[np.intp]) -> list[Frame | None]:
        return [self._frame(int(index)) for index in which]

    def _frame(self, index: int) -> Frame | None:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        frame = self._read(index)
        if isinstance(frame, str):
            self.lost[frame] += 1
            return None
        return frame

    def _read(self, index: int) -> Frame | str:
        """Return a frame as it can be sent, or why there is none."""
        try:
            frame = self._recording[index].frame
        except CellsError as error:
            return f"{error.field}: {error.found}"
        if len(frame) != len(self._recording.channels) or frame.dtype != self.dtype:
            return f"frame: {len(frame)} channels of {frame.dtype}"
        if min(frame.shape) < 1 or max(frame.shape[1:]) > _MAX_SIDE or frame.nbytes > MAX_PART_BYTES:
            return f"size: {frame.shape[1]} × {frame.shape[2]} pixels"
        return frame if self._every else np.ascontiguousarray(frame[self._picked])
