"""HDF5 files written so that a disk that refuses is an error; the library itself would end the process.

It frees what it knows of a file and then writes the last of it; where that fails h5py closes the file once more, and
reads what was freed (h5py issue 914). So the library writes through a `Disk`, which takes everything, keeps the first
error to itself, and tells it when the file is closed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal


@contextmanager
def writing_h5(h5py: Any, path: Path, mode: Literal["w", "r+"] = "w", **options: Any) -> Iterator[tuple[Any, Disk]]:
    """Yield an `h5py.File` and the disk below it, whose `check` a long loop should call now and then.

    Raises
    ------
    OSError
        When the file is closed: what was written is not all there.
    """
    disk = Disk(path, mode)
    try:
        try:
            with h5py.File(disk, mode, **options) as file:
                yield file, disk
        finally:
            disk.close()
    except Exception:
        disk.check()  # whatever the library made of it, this is why
        raise
    disk.check()


class Disk:
    """A file as h5py's driver for Python objects takes it. After the first error nothing more is written."""

    def __init__(self, path: Path, mode: Literal["w", "r+"]) -> None:
        created = os.O_CREAT | os.O_TRUNC if mode == "w" else 0
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | created, 0o666)
        self._at = 0
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first error that the disk answered with, if it did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, which may be behind the end."""
        self._at = offset if whence == os.SEEK_SET else os.fstat(self._file).st_size + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, into: memoryview) -> int:
        """Read as much as is there; return how much that was."""
        found = os.preadv(self._file, [into], self._at)
        self._at += found
        return found

    def read(self, size: int) -> bytes:
        """Read as much as is there; h5py knows a file by this method."""
        found = os.pread(self._file, size, self._at)
        self._at += len(found)
        return found

    def write(self, data: memoryview) -> int:
        """Write all of it, unless the disk has refused before; the place moves on either way."""
        size, done = len(data), 0
        try:
            while done < size and self._error is None:
                done += os.pwrite(self._file, data[done:], self._at + done)
        except OSError as error:
            self._error = error
        self._at += size
        return size

    def truncate(self, size: int) -> int:
        """Make the file so long, unless the disk has refused before."""
        try:
            if self._error is None:
                os.ftruncate(self._file, size)
        except OSError as error:
            self._error = error
        return size

    def flush(self) -> None:
        """Do nothing: nothing is held back."""
