"""A chunk packed by deflate, unpacked here: how much it holds can only be found so, and once is enough."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def inflated(raw: bytes, size: int) -> bytes | None:
    """Return what a packed chunk holds; None where it is damaged or holds other than `size` bytes."""
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(raw, size + 1)
    except zlib.error:
        return None
    return data if len(data) == size and unpack.eof else None


def unshuffled(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values of a chunk whose bytes the filter `shuffle` has sorted: all first bytes, all second, …."""
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1).T).view(dtype).reshape(-1)
