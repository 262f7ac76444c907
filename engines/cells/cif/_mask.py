"""Decode compression 30818: runs of one value over the whole plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells.cif._source import DamagedError


def decode_mask(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Return the `(height, width)` plane of pairs (value, run length minus one), row by row.

    Raises `DamagedError` where the runs do not fill the plane exactly.
    """
    if len(data) % 2:
        raise DamagedError("a mask's data are no pairs")
    pairs = np.frombuffer(data, np.uint8).reshape(-1, 2)
    runs = pairs[:, 1].astype(np.int64) + 1
    if int(runs.sum()) != height * width:
        raise DamagedError("a mask's runs do not fill its plane")
    return np.repeat(pairs[:, 0], runs).reshape(height, width)
