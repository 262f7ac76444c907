"""What a file may ask for, checked on its numbers before anything is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engines.errors import CellsError

MAX_CELL = 256 << 20  # bytes of one cell
MAX_CHUNK = 1 << 30  # bytes of one chunk, unpacked
MAX_WHOLE = 1 << 30  # bytes of an array that is read in one piece (labels, names)
MAX_CHUNKS_PER_ROW = 4096
MAX_TEXTS = 10_000_000
_FREE = 1 << 30  # a file may claim this much however small it is
_RATIO = 4096  # and beyond that this many times its own size; deflate packs at most 1032-fold
SLACK = 64 << 10


def check_sizes(
    source: object, field: str, shape: Sequence[int], itemsize: int, chunks: Sequence[int] | None, stored: int
) -> None:
    """Raise `CellsError` for an array whose sizes no recording of `stored` bytes on the disk has.

    Parameters
    ----------
    shape, itemsize
        Of the array; axis 0 counts the cells.
    chunks
        Shape of a chunk, None where the array is in one piece.
    stored
        Bytes of the whole file or store.
    """
    row = math.prod(shape[1:]) * itemsize
    if row > MAX_CELL:
        raise CellsError(source, field, f"{row} bytes per cell (shape {tuple(shape)})", f"at most {MAX_CELL}")
    total = math.prod(shape) * itemsize
    most = max(_FREE, _RATIO * stored)
    if total > most:
        raise CellsError(source, field, f"{total} bytes claimed by {stored} stored", f"at most {most}")
    if chunks is None:
        return
    if len(chunks) != len(shape) or min(chunks, default=1) < 1:
        raise CellsError(source, field, f"chunks {tuple(chunks)}", f"one length of at least 1 per axis of {shape}")
    size = math.prod(chunks) * itemsize
    if size > MAX_CHUNK:
        raise CellsError(source, field, f"chunks of {size} bytes", f"at most {MAX_CHUNK}")
    count = math.prod(-(-length // chunk) for length, chunk in zip(shape[1:], chunks[1:], strict=True))
    if count > MAX_CHUNKS_PER_ROW:
        raise CellsError(source, field, f"{count} chunks per cell", f"at most {MAX_CHUNKS_PER_ROW}")
