"""Write a recording as `cellgate-frames`: HDF5 or Zarr, cell by cell, frames of any sizes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells import FRAMES_FORMAT, FRAMES_VERSION, Recording, fact_name
from engines.cells._recording import Frame
from engines.errors import CellsError, InputError, MissingExtraError
from engines.h5_writing import writing_h5
from engines.results import distinct, replacing

_CHUNK_BYTES, _WAITING_BYTES = 1 << 20, 32 << 20


def write_hdf5(recording: Recording, path: Path) -> int:
    """Write a recording to an HDF5 file that `open_recording` reads; return how many cells were written.

    Beside `frames` (or, where sizes differ, `frames/HxW` and `index/HxW`, the cells' numbers): `channels`, `classes`,
    `labels`, `groups`, `trigger_s` and `facts/<name>` where the recording has them; facts that are text are left out.
    Cells that cannot be read are left out, too, and counted in the recording's `skipped`.

    Raises
    ------
    InputError
        The file cannot be written.
    CellsError
        No cell can be read.
    MissingExtraError
        h5py is not installed.
    """
    h5py = _library("h5py", "an HDF5 file of cells")
    with replacing(path) as part, writing_h5(h5py, part) as (file, disk):
        file.attrs.update(_attributes(recording))

        def frames(name: str, shape: tuple[int, ...], dtype: Any, rows: int) -> Any:
            where, chunks = (None, *shape), (rows, *shape)
            return file.create_dataset(
                name, (0, *shape), dtype, maxshape=where, chunks=chunks, compression="gzip", compression_opts=1
            )

        def column(name: str, values: NDArray[Any]) -> None:
            text = values.dtype.kind == "U"
            file.create_dataset(
                name, data=values.astype(object) if text else values, dtype=h5py.string_dtype() if text else None
            )

        return _write(recording, frames, column, disk.check)


def write_zarr(recording: Recording, path: Path) -> int:
    """Write a recording to a Zarr store (a folder, format 2) of the same layout; see `write_hdf5`.

    Raises `InputError` also where there is something at `path` already.
    """
    zarr = _library("zarr", "a Zarr store of cells")
    with _new_folder(path) as part:
        store = zarr.open_group(part, mode="w", zarr_format=2)
        store.attrs.update(_attributes(recording))

        def frames(name: str, shape: tuple[int, ...], dtype: Any, rows: int) -> Any:
            return store.create_array(name, shape=(0, *shape), dtype=dtype, chunks=(rows, *shape))

        def column(name: str, values: NDArray[Any]) -> None:
            array = store.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(max(1, len(values)),))
            array[:] = values

        return _write(recording, frames, column)


def _library(name: str, feature: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(feature, "files") from error


def _attributes(recording: Recording) -> dict[str, str | int | float]:
    pixel = {} if recording.pixel_um is None else {"pixel_um": recording.pixel_um}
    return {"format": FRAMES_FORMAT, "version": FRAMES_VERSION, **pixel}


def _write(recording: Recording, frames: Any, column: Any, check: Callable[[], None] = lambda: None) -> int:
    sink = _Sink(recording, frames, check)
    labels, groups, triggers = [], [], []
    facts: dict[str, list[float | int | None]] = {}
    for at, cell in enumerate(recording):
        sink.add(cell.frame, at)
        labels.append(cell.label)
        groups.append(cell.group)
        triggers.append(np.nan if cell.trigger_s is None else cell.trigger_s)
        for name, value in cell.facts.items():
            if not isinstance(value, str):
                facts.setdefault(name, [None] * at).append(value)
        for values in facts.values():
            values.extend([None] * (at + 1 - len(values)))
    if not labels:
        raise CellsError(recording.name, "cells", "none that can be read", "at least one")
    sink.finish(column)
    column("channels", np.array(recording.channels))
    if recording.classes:
        column("classes", np.array(recording.classes))
        column("labels", np.array(labels, np.int16))
    if any(groups):
        column("groups", np.array(groups))
    if not np.isnan(triggers).all():
        column("trigger_s", np.array(triggers, np.float64))
    for name, values in zip(distinct(map(fact_name, facts)), facts.values(), strict=True):
        column(f"facts/{name}", _numbers(values))
    return len(labels)


class _Sink:
    """The frames, those of one size in one array; a few wait in memory so that whole chunks are written."""

    def __init__(self, recording: Recording, frames: Any, check: Callable[[], None]) -> None:
        self._check = check
        self._frames, self._dtype, self._one = frames, recording.dtype, recording.shape is not None
        self._waiting: dict[tuple[int, ...], list[Frame]] = {}
        self._arrays: dict[tuple[int, ...], Any] = {}
        self._numbers: dict[tuple[int, ...], list[int]] = {}
        self._bytes = 0

    def add(self, frame: Frame, number: int) -> None:
        self._waiting.setdefault(frame.shape, []).append(frame.copy())
        self._numbers.setdefault(frame.shape, []).append(number)
        self._bytes += frame.nbytes
        if self._bytes >= _WAITING_BYTES:
            self._flush()

    def finish(self, column: Any) -> None:
        self._flush()
        for shape, numbers in self._numbers.items():
            if not self._one:
                column(f"index/{shape[1]}x{shape[2]}", np.array(numbers, np.int64))

    def _flush(self) -> None:
        for shape, frames in self._waiting.items():
            if shape not in self._arrays:
                cell = int(np.prod(shape)) * self._dtype.itemsize
                rows = max(1, min(len(frames), _CHUNK_BYTES // cell))
                name = "frames" if self._one else f"frames/{shape[1]}x{shape[2]}"
                self._arrays[shape] = self._frames(name, shape, self._dtype, rows)
            array = self._arrays[shape]
            before = array.shape[0]
            array.resize((before + len(frames), *shape))
            array[before:] = np.stack(frames)
        self._waiting, self._bytes = {}, 0
        self._check()


def _numbers(values: list[float | int | None]) -> NDArray[Any]:
    whole = all(isinstance(value, int) and -(2**63) <= value < 2**63 for value in values)
    return np.array(values, np.int64) if whole else np.array([np.nan if v is None else v for v in values], np.float64)


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    if path.exists():
        raise InputError(path, "folder", "something there already", "a name that is free")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.rename(path)
    except OSError as error:
        raise InputError(path, "folder", error.strerror or str(error), "one that can be written") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
