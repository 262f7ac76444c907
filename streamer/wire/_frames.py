"""Frames as parts of a cells message: pack them for sending, check and view them on arrival."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from streamer.vocabulary import Rejection
from streamer.wire._errors import WireError
from streamer.wire._messages import MAX_SIDE, CellsHeader, Schema

Part = bytes | memoryview
CellFrames = NDArray[np.generic] | list[NDArray[np.generic] | None]
"""`(n, C, H, W)` in a series of one size, else one `(C, h, w)` per cell; None where its frame was lost."""


class FrameLayout:
    """How the frames of one series lie in its messages; made once per series from its schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.dtype = np.dtype(schema.dtype).newbyteorder("<")
        self.channels = len(schema.channels)
        self.cell_bytes = 0 if schema.shape is None else self.channels * prod(schema.shape) * self.dtype.itemsize
        self.max_shape = schema.max_shape or (MAX_SIDE, MAX_SIDE)
        self.checksummed = schema.checksum == "crc32"

    def view(self, header: CellsHeader, header_bytes: Part, parts: Sequence[Part]) -> CellFrames:
        """Check the parts that follow `header` and return the frames in them, without copying.

        Raises
        ------
        WireError
            The number, size or checksum of the parts is not what header and schema say.
        """
        n = header.n
        if len(header.ticks) != 8 * n:
            raise WireError(Rejection.WRONG_TYPE, "ticks", f"{len(header.ticks)} bytes", f"{8 * n} (8 per cell)")
        if self.checksummed:
            parts = self._strip_checksum(header_bytes, parts)
        if self.cell_bytes:
            return self._view_block(header, parts)
        return self._view_each(header, parts)

    def _strip_checksum(self, header_bytes: Part, parts: Sequence[Part]) -> Sequence[Part]:
        if not parts or len(parts[-1]) != 4:
            raise WireError(Rejection.CHECKSUM, "checksum", "none", "a last part of 4 bytes")
        stated = int.from_bytes(parts[-1], "little")
        found = message_crc32(header_bytes, parts[:-1])
        if found != stated:
            raise WireError(Rejection.CHECKSUM, "crc32", f"{found:#010x}", f"{stated:#010x}")
        return parts[:-1]

    def _view_block(self, header: CellsHeader, parts: Sequence[Part]) -> NDArray[np.generic]:
        schema = self.schema
        if header.shapes is not None:
            raise WireError(Rejection.WRONG_SHAPE, "shapes", "present", f"none: every cell is {schema.shape}")
        if len(parts) != 1:
            raise WireError(Rejection.WRONG_PARTS, "parts", len(parts), "one part of frames")
        want = header.n * self.cell_bytes
        _check_length(len(parts[0]), want, "frames")
        assert schema.shape is not None  # noqa: S101 - cell_bytes is only set with a shape
        return np.frombuffer(parts[0], self.dtype).reshape(header.n, self.channels, *schema.shape)

    def _view_each(self, header: CellsHeader, parts: Sequence[Part]) -> list[NDArray[np.generic] | None]:
        n = header.n
        if header.shapes is None or len(header.shapes) != 4 * n:
            found = "none" if header.shapes is None else f"{len(header.shapes)} bytes"
            raise WireError(Rejection.WRONG_SHAPE, "shapes", found, f"{4 * n} bytes (two uint16 per cell)")
        if len(parts) != n:
            raise WireError(Rejection.WRONG_PARTS, "parts", len(parts), f"{n}, one per cell")
        shapes = np.frombuffer(header.shapes, "<u2").reshape(n, 2)
        if (shapes == 0).any() or (shapes > self.max_shape).any():
            raise WireError(Rejection.WRONG_SHAPE, "shapes", f"{shapes.max(0).tolist()}", f"1 to {self.max_shape}")
        frames: list[NDArray[np.generic] | None] = []
        for part, (height, width) in zip(parts, shapes.tolist(), strict=True):
            if not len(part):
                frames.append(None)
                continue
            _check_length(len(part), self.channels * height * width * self.dtype.itemsize, "frame")
            frames.append(np.frombuffer(part, self.dtype).reshape(self.channels, height, width))
        return frames


def message_crc32(header: Part, parts: Sequence[Part]) -> int:
    """Return the CRC-32 (as in zlib and Ethernet) of the header and all parts, one after the other."""
    crc = zlib.crc32(header)
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _check_length(found: int, want: int, field: str) -> None:
    if found != want:
        reason = Rejection.TRUNCATED if found < want else Rejection.OVERSIZED
        raise WireError(reason, field, f"{found} bytes", f"{want} bytes")
