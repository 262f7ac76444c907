"""Frames into the parts of a cells message, after checking that they are what the schema says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellgateError
from streamer.wire import Schema

Frames = NDArray[np.generic] | Sequence[NDArray[np.generic] | None]
Parts = list[bytes | memoryview]


def pack_block(frames: Frames, n: int, schema: Schema) -> Parts:
    """Return the one part of `n` cells of one size: `(n, C, H, W)`; `CellgateError` if they are anything else."""
    if not isinstance(frames, np.ndarray):
        raise CellgateError(f"send: found {type(frames).__name__}, expected an array: every cell is {schema.shape}")
    assert schema.shape is not None  # noqa: S101 - the caller's branch
    _check(frames, (n, len(schema.channels), *schema.shape), schema)
    return [_little(frames).reshape(-1).view(np.uint8).data]


def pack_each(frames: Frames, n: int, schema: Schema) -> tuple[bytes, Parts]:
    """Return the sizes and the parts of `n` cells `(C, h, w)`, each of its own size; None is a lost frame.

    Raises `CellgateError` for another number of cells, or a cell that is not what the schema says.
    """
    if len(frames) != n:
        raise CellgateError(f"send: found {len(frames)} frames, expected {n}, one per trigger time")
    sizes: list[tuple[int, int]] = []
    parts: Parts = []
    for frame in frames:
        if frame is None:
            sizes.append((1, 1))
            parts.append(b"")
            continue
        if frame.ndim != 3:
            raise CellgateError(f"send: found a frame of shape {frame.shape}, expected (channels, height, width)")
        _check(frame, (len(schema.channels), *frame.shape[1:]), schema)
        sizes.append((frame.shape[1], frame.shape[2]))
        parts.append(_little(frame).tobytes())
    return np.array(sizes, "<u2").tobytes(), parts


def _check(frames: NDArray[np.generic], want: tuple[int, ...], schema: Schema) -> None:
    # The dtype above all: counts of another would be cut to fit without a word.
    if frames.shape != want or frames.dtype.newbyteorder("=") != np.dtype(schema.dtype):
        raise CellgateError(f"send: found {frames.dtype} {frames.shape}, expected {schema.dtype} {want}")


def _little(frames: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.ascontiguousarray(frames, frames.dtype.newbyteorder("<"))
