"""One place where what h5py, zarr and the codecs raise becomes a `CellsError`."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from engines.errors import CellgateError, CellsError

# HDF5's C errors arrive as any of the first six, depending on the call; the rest come from zarr, zipfile and codecs.
BROKEN = (
    OSError,
    KeyError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
    ZeroDivisionError,
    AssertionError,
    EOFError,
    BufferError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@contextmanager
def guard(source: object, field: str, expected: str = "a whole file") -> Iterator[None]:
    """Turn what a library raises inside the block into `CellsError(source, field, reason, expected)`."""
    try:
        yield
    except CellgateError:
        raise
    except BROKEN as error:
        raise CellsError(source, field, _reason(error), expected) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text or type(error).__name__
