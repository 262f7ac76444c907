"""Name cells by what they hold."""

from __future__ import annotations

import hashlib

import numpy as np

from engines.cells._cells import Cells

_CHUNK = 4096


def sha256_of(cells: Cells) -> str:
    """Return the SHA-256 of the frames' bytes, little-endian, all channels, read a part at a time."""
    digest = hashlib.sha256()
    for start in range(0, len(cells), _CHUNK):
        part = cells.frames[start : start + _CHUNK]
        digest.update(np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
