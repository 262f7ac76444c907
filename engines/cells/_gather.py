"""Bring the cells of a recording to one size and into one array, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Fit
from engines.cells._cells import Cells
from engines.cells._memory import available_memory
from engines.cells._npz import NpzRecording
from engines.cells._recording import Cell, Frame, Recording
from engines.cells._size import choose_size, spread
from engines.cells._store import Store
from engines.errors import CellsError, InputError
from engines.fit import fit_into

Indices = NDArray[np.intp]
Progress = Callable[[int, int], None]
_MAX_SIDE = 4096
# Neighbours of one size are fitted together, which is several times faster than one by one.
_MOST_AT_ONCE, _BLOCK_BYTES = 256, 1 << 24


def gather(
    recording: Recording,
    *,
    size: tuple[int, int] | None = None,
    fit: Fit = "crop-pad",
    channels: Iterable[str] | None = None,
    limit: int | None = None,
    where: NDArray[np.generic] | None = None,
    memory: int | None = None,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> Cells:
    """Read cells into one array of one size.

    Parameters
    ----------
    size
        `(height, width)` of every cell. By default the cells' own where they have one size; else, for each side, the
        95th percentile rounded up to a multiple of 8 (of 2000 cells spread evenly).
    fit
        How a cell of another size is brought to it, see `engines.fit`.
    channels
        Only these, in this order; all by default.
    limit
        At most this many cells, spread evenly, so that recordings sorted by class or time are fairly represented.
    where
        Only the cells at these indices (integers or booleans), in this order.
    memory
        Bytes the array may take in memory; by default half of what is free. A larger array is written to a `.npy`
        file, and `frames` is a read-only map of it; one that lies in an `.npz` as it is wanted is mapped there.
    directory
        Where that file goes; its name is made up, and it stays. By default a temporary file without a name, which
        is gone when the array is.
    progress
        Called with cells done and cells in all, at most a few hundred times.

    Returns
    -------
    Cells
        Cells that are damaged, of another dtype or number of channels than the recording, or not finite, are left
        out and counted in `skipped`.

    Raises
    ------
    CellsError
        No cell can be read.
    InputError
        An option that cannot be, a channel that is not there, or no room on the disk.
    """
    at = _which(recording, where, limit)
    picked = pick_channels(recording, channels)
    height, width = _checked(size) if size is not None else choose_size(recording, at)
    every = picked == list(range(len(recording.channels)))
    whole = where is None and len(at) == len(recording)
    room = available_memory() // 2 if memory is None else memory
    shape = (len(picked), height, width)
    per_block = max(1, min(_MOST_AT_ONCE, _BLOCK_BYTES // (prod(shape) * recording.dtype.itemsize)))
    large = len(at) * prod(shape) * recording.dtype.itemsize > room

    as_it_is = whole and every and recording.shape == (height, width)
    if large and as_it_is and isinstance(recording, NpzRecording) and recording.mappable:
        return recording.all_cells(mapped=True)
    labels = np.full(len(at), -1, np.int16)
    groups: list[str] = []
    with Store(shape, recording.dtype, len(at), directory, on_disk=large) as store:
        waiting: list[Frame] = []
        for done, cell in enumerate(recording if whole else _picked(recording, at)):
            frame = cell.frame
            if (problem := _problem(frame, recording)) is not None:
                recording.skipped[problem] += 1
                continue
            labels[len(groups)] = cell.label
            groups.append(cell.group)
            if waiting and (waiting[0].shape[1:] != frame.shape[1:] or len(waiting) >= per_block):
                _fit(waiting, store, fit)
            waiting.append(frame if every else frame[picked])
            if progress is not None and done % max(1, len(at) // 200) == 0:
                progress(done, len(at))
        _fit(waiting, store, fit)
        if not len(store):
            reasons = "; ".join(f"{reason} ({count})" for reason, count in recording.skipped.most_common(3))
            raise CellsError(recording.name, "cells", f"none: {reasons}", "at least one that can be read")
        frames = store.frames()
    if progress is not None:
        progress(len(at), len(at))
    scaled = fit == "resize" and recording.shape != (height, width)
    return Cells(
        recording.name,
        frames,
        tuple(recording.channels[i] for i in picked),
        recording.classes,
        labels[: len(frames)].copy() if recording.classes else None,
        np.array(groups) if any(groups) else None,
        None if scaled else recording.pixel_um,
        dict(recording.skipped),
    )


def pick_channels(recording: Recording, channels: Iterable[str] | None) -> list[int]:
    """Return where these channels are in a frame; all of them for None. `InputError` names one that is missing."""
    if channels is None:
        return list(range(len(recording.channels)))
    picked = []
    for name in channels:
        if name not in recording.channels:
            raise InputError(recording.name, "channels", name, f"one of {', '.join(recording.channels)}")
        picked.append(recording.channels.index(name))
    if not picked or len(set(picked)) != len(picked):
        raise InputError(recording.name, "channels", channels, "at least one, each once")
    return picked


def _fit(frames: list[Frame], store: Store, how: Fit) -> None:
    """Bring these frames, all of one size, to the store's size and keep them; the list is empty afterwards."""
    if frames:
        fit_into(np.stack(frames), store.block(len(frames)), how)
        store.keep(len(frames))
        frames.clear()


def _picked(recording: Recording, at: Indices) -> Iterator[Cell]:
    for index in at:
        try:
            yield recording[int(index)]
        except CellsError as error:
            recording.skipped[f"{error.field}: {error.found}"] += 1


def _which(recording: Recording, where: NDArray[np.generic] | None, limit: int | None) -> Indices:
    if limit is not None and limit < 1:
        raise InputError(recording.name, "limit", limit, "at least 1")
    n = len(recording)
    if where is None:
        at = np.arange(n)
    else:
        chosen = np.flatnonzero(where) if where.dtype == np.bool_ else np.asarray(where).reshape(-1)
        if chosen.dtype.kind not in "iu" or (where.dtype == np.bool_ and where.shape != (n,)):
            raise InputError(recording.name, "where", f"{where.dtype} {where.shape}", f"indices, or ({n},) booleans")
        if len(chosen) and (int(chosen.min()) < 0 or int(chosen.max()) >= n):
            raise InputError(recording.name, "where", f"{chosen.min()} to {chosen.max()}", f"0 to {n - 1}")
        at = chosen.astype(np.intp)
    if not len(at):
        raise CellsError(recording.name, "cells", f"none of {n}", "at least one")
    return at if limit is None else at[spread(len(at), limit)]


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    if not all(1 <= side <= _MAX_SIDE for side in size):
        raise InputError("cells", "size", size, f"height and width from 1 to {_MAX_SIDE}")
    return size


def _problem(frame: Frame, recording: Recording) -> str | None:
    if frame.dtype != recording.dtype:
        return f"dtype: {frame.dtype}"
    if len(frame) != len(recording.channels):
        return f"channels: {len(frame)}"
    if 0 in frame.shape:
        return "frame: without a pixel"
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        return "frame: NaN or infinite counts"
    return None
