"""Fingerprints of the cells a bundle was trained on, so that it is never scored on them by mistake."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def fingerprints(frames: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Return one 64-bit fingerprint per cell.

    Parameters
    ----------
    frames
        `(n, C, H, W)` raw counts, the bundle's channels in the bundle's order, before any fitting.

    Returns
    -------
    `(n,)` uint64: the first eight bytes (little-endian) of the SHA-256 of the cell's little-endian bytes.
    """
    little = np.ascontiguousarray(frames, dtype=frames.dtype.newbyteorder("<"))
    digests = b"".join(hashlib.sha256(cell.data).digest()[:8] for cell in little)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
