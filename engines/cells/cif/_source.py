"""The file under a recording: bounded reads, byte order, and positions past 4 GiB."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellsError

MAGIC: dict[bytes, Literal["<", ">"]] = {b"II*\0": "<", b"MM\0*": ">"}
_SPAN = 1 << 32

At = TypeVar("At", int, NDArray[np.int64])


class DamagedError(Exception):
    """A plane that cannot be read; its text is the reason by which such planes are counted."""


class Source:
    """A TIFF-like file, open for reading.

    Attributes
    ----------
    path
        Path as the user gave it.
    size
        Bytes in the file when it was opened.
    order
        NumPy's sign of the byte order: `<` or `>`.
    first
        Where IFD 0 is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block for ever
                raise CellsError(path, "file", "no regular file", "a CIF or RIF file")
            # Unbuffered: what is read at once is chosen here, one plane or one window of IFDs.
            self._stream = path.open("rb", buffering=0)
        except OSError as error:
            raise CellsError(path, "file", error.strerror or str(error), "a readable file") from error
        try:
            self.size = os.fstat(self._stream.fileno()).st_size
            head = self.read(0, 8)
            self.order = MAGIC[head[:4]]
        except (DamagedError, KeyError, OSError) as error:
            self._stream.close()
            raise CellsError(path, "file", "no TIFF header", "a CIF or RIF file (II or MM, then 42)") from error
        self.first = int(np.frombuffer(head, f"{self.order}u4", 1, 4)[0])

    def read(self, at: int, n: int) -> bytes:
        """Return the n bytes at `at`; `DamagedError` where the file does not have them."""
        if at < 0 or n < 0 or at + n > self.size:
            raise DamagedError("data outside the file")
        try:
            self._stream.seek(at)
            data: bytes = self._stream.read(n) or b""
        except OSError as error:
            raise DamagedError("the file cannot be read there") from error
        if len(data) != n:
            raise DamagedError("the file was cut short while open")
        return data

    def place(self, value: At, near: At) -> At:
        """Return where a 32-bit position leads: in files past 4 GiB, of all it may mean, the nearest to `near`.

        The format has no wider positions, so past 4 GiB they wrap. A plane's data and values are taken to lie within
        2 GiB of its IFD.
        """
        if self.size <= _SPAN:
            return value
        wraps = (near - value + _SPAN // 2) >> 32
        return value + (wraps * (wraps > 0) << 32)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
