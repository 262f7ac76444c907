"""An array that grows cell by cell, in memory or in a `.npy` file."""

from __future__ import annotations

import shutil
import tempfile
from math import prod
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from engines.cells._recording import Frame
from engines.errors import InputError

_HEADER = 128
"""Bytes of the file before the frames: room for any number of cells, a multiple of 64 as the format wants it."""


class Store:
    """Takes frames of one shape, up to `n` of them. A context manager: what was not finished leaves no file.

    In memory nothing is copied: `block` is the array's own next rows. On disk frames are written as they come, so that
    memory stays at one block however many there are.

    Raises `InputError` where the file cannot be made, or the disk has less room than `n` frames need.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[np.generic], n: int, directory: Path | None, *, on_disk: bool
    ) -> None:
        self._shape, self._dtype, self._kept = shape, dtype, 0
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self._stays = directory is not None
        self._finished = False
        if not on_disk:
            self._array: Frame = np.empty((n, *shape), dtype)
            return
        self._array = np.empty((0, *shape), dtype)
        folder = Path(tempfile.gettempdir()) if directory is None else directory
        size = _HEADER + n * prod(shape) * dtype.itemsize
        try:
            if (free := shutil.disk_usage(folder).free) < size:
                raise InputError(folder, "room", f"{free} bytes free", f"at least {size}, or a smaller size or limit")
            file = tempfile.NamedTemporaryFile(prefix="cells-", suffix=".npy", dir=folder, delete=False)  # noqa: SIM115
            self._file, self._path = file, Path(file.name)
            self._file.write(bytes(_HEADER))
        except OSError as error:
            raise InputError(folder, "directory", error.strerror or str(error), "one that can be written") from error

    def __len__(self) -> int:
        return self._kept

    def block(self, k: int) -> Frame:
        """Return where to write the next `k` frames, `(k, …)`."""
        if self._file is None:
            return self._array[self._kept : self._kept + k]
        if len(self._array) < k:
            self._array = np.empty((k, *self._shape), self._dtype)
        return self._array[:k]

    def keep(self, k: int) -> None:
        """Keep the `k` frames that were written there."""
        if self._file is not None:
            self._write(self._array[:k].tobytes())
        self._kept += k

    def frames(self) -> Frame:
        """Return what was kept, `(kept, …)`: the array, or a read-only map of the file."""
        self._finished = True
        if self._file is None:
            return self._array[: self._kept]
        assert self._path is not None  # noqa: S101 - made with the file
        self._write(_header(self._dtype, (self._kept, *self._shape)), at=0)
        self._file.close()
        mapped: Frame = np.load(self._path, mmap_mode="r", allow_pickle=False)
        if not self._stays:
            self._path.unlink()  # the map holds the file until it is dropped
        return mapped

    def _write(self, raw: bytes, at: int | None = None) -> None:
        assert self._file is not None  # noqa: S101 - the callers' branch
        try:
            if at is not None:
                self._file.seek(at)
            self._file.write(raw)
        except OSError as error:
            raise InputError(self._path, "room", error.strerror or str(error), "room for all cells") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and not self._finished and self._path is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def _header(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    """Return the header of a `.npy` of version 1.0, filled up with spaces to a fixed length."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + text.ljust(_HEADER - 11).encode() + b"\n"
