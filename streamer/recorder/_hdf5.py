"""The recorder's HDF5 file. It is in SWMR mode while it grows, so that a reader, or a crash, finds it whole.

SWMR (single writer, multiple readers) orders HDF5's writes such that the file can be read after each of them. Its price
is that nothing new can be made in it: all arrays and the attributes that change are there from the start.

HDF5 does not survive a disk that refuses a write: the file stays torn, and the process may crash when it ends. So room
is reserved before anything is written, and a disk without room refuses that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.recorder._columns import Columns
from streamer.recorder._store import COLUMN_ROWS, Attributes, Compression, chunk_rows, library

_AHEAD = 1 << 20
"""Always reserved: a chunk and an index block of every array, and what closing takes."""
_END_AT = 28  # of the superblock: where the file ends, as of the last flush (HDF5 file format, version 3 superblock)
_LAYOUT = ("v110", "v110")  # the first file format that has SWMR


class Hdf5Store:
    """A new HDF5 file in the layout `cellgate-frames`; a `Store`."""

    def __init__(
        self,
        path: Path,
        compression: Compression,
        names: Mapping[str, tuple[str, ...]],
        frames: NDArray[np.generic],
        columns: Columns,
        attributes: Attributes,
    ) -> None:
        self._h5py, self._path = library("h5py", "hdf5plugin"), path
        self._file = self._h5py.File(path, "x", libver=_LAYOUT, locking="best-effort")
        self._handle: int = self._file.id.get_vfd_handle()
        os.posix_fallocate(self._handle, 0, _AHEAD)
        for key, value in attributes.items():
            self._file.attrs.create(key, value, dtype=np.int64 if isinstance(value, int) else None)
        for name, texts in names.items():
            self._file.create_dataset(name, data=np.array(texts, object), dtype=self._h5py.string_dtype())
        rows = chunk_rows(np.empty(frames.shape[1:], frames.dtype))
        self._frames = self._array("frames", frames, (rows, *frames.shape[1:]), _packing(compression))
        self._columns = {name: self._array(name, values, (COLUMN_ROWS,), {}) for name, values in columns.items()}
        self._file.swmr_mode = True
        self._reserve(0)

    def append(self, frames: NDArray[np.generic], columns: Columns) -> None:
        """Add cells."""
        self._reserve(frames.nbytes + sum(values.nbytes for values in columns.values()))
        _append(self._frames, frames)
        for name, values in columns.items():
            _append(self._columns[name], values)

    def note(self, counts: Mapping[str, int]) -> None:
        """Bring everything to the file, then the counts."""
        self._file.flush()
        for name, value in counts.items():
            self._file.attrs.modify(name, np.int64(value))
        self._file.flush()
        with suppress(OSError):  # these cells are written; the next ones will be refused
            self._reserve(0)  # flushing has given back what was not needed

    def close(self, attributes: Attributes) -> None:
        """Leave SWMR mode, write the last attributes and close the file."""
        self._file.close()
        with self._h5py.File(self._path, "r+", locking="best-effort") as file:
            file.attrs.update(attributes)

    def _reserve(self, more: int) -> None:
        """Take room for so many bytes of data, and what HDF5 needs around them, or raise `OSError`."""
        end = int.from_bytes(os.pread(self._handle, 8, _END_AT), "little")
        os.posix_fallocate(self._handle, end, 2 * more + _AHEAD)

    def _array(self, name: str, like: NDArray[np.generic], chunks: tuple[int, ...], packing: dict[str, Any]) -> Any:
        return self._file.create_dataset(
            name, like.shape, like.dtype, maxshape=(None, *like.shape[1:]), chunks=chunks, **packing
        )


def _append(array: Any, values: NDArray[np.generic]) -> None:
    before = array.shape[0]
    array.resize(before + len(values), axis=0)
    array[before:] = values


def _packing(compression: Compression) -> dict[str, Any]:
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if compression == "zstd":
        return {**library("hdf5plugin").Zstd(clevel=1), "shuffle": True}
    return {}
