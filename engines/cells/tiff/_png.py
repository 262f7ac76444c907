"""Grey PNG images, through Pillow, their size checked before anything is unpacked."""

from __future__ import annotations

import stat
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellsError, MissingExtraError

MAGIC = b"\x89PNG\r\n\x1a\n"
_DTYPES = {8: "uint8", 16: "uint16"}
_MAX_RATIO = 2000
_MAX_CHUNKS = 1 << 17
_COLOURS = {2: "colours", 3: "a palette", 4: "transparency", 6: "colours and transparency"}


def png_size(head: bytes) -> tuple[int, int] | None:
    """Return `(height, width)` from the first bytes of a PNG file, None where it is none."""
    if head[:8] != MAGIC or head[12:16] != b"IHDR" or len(head) < 26:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return height, width


def read_png(source: Path, max_pixels: int) -> NDArray[np.generic]:
    """Return the pixels of a grey PNG, `(height, width)` uint8 or uint16.

    Raises `CellsError` where it is damaged, coloured, of fewer than 8 bits, or larger than `max_pixels`, and
    `MissingExtraError` where Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("reading PNG files", "files") from error
    dtype, shape = _check(source, max_pixels)
    try:
        with Image.open(source, formats=["PNG"]) as image:
            pixels = np.asarray(image)
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise CellsError(source, "pixels", "damaged data", "pixels that can be decoded") from error
    if pixels.shape != shape or pixels.dtype.kind not in "ui" or (pixels.dtype != dtype and dtype == np.uint8):
        raise CellsError(source, "pixels", f"{pixels.dtype} {pixels.shape}", f"{dtype} {shape} as announced")
    return pixels.astype(dtype, copy=False)


def _check(source: Path, max_pixels: int) -> tuple[np.dtype[np.generic], tuple[int, int]]:
    try:
        found = source.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CellsError(source, "file", "no regular file", "a PNG file")
        with source.open("rb") as stream:
            head = stream.read(64)
            whole = _whole(stream, found.st_size)
    except (OSError, ValueError) as error:
        raise CellsError(source, "file", getattr(error, "strerror", None) or str(error), "a readable file") from error
    size = png_size(head)
    if size is None:
        raise CellsError(source, "file", "another format or a damaged header", "a PNG file")
    if not whole:
        raise CellsError(source, "chunks", "one cut off or longer than the file", "a whole PNG file")
    bits, colour = head[24], head[25]
    if colour or bits not in _DTYPES:
        kind = _COLOURS.get(colour, f"{bits} bits a pixel")
        raise CellsError(source, "pixels", kind, "grey pixels of 8 or 16 bits")
    dtype = np.dtype(_DTYPES[bits])
    pixels = size[0] * size[1]
    if not 1 <= pixels <= max_pixels or pixels * dtype.itemsize > found.st_size * _MAX_RATIO:
        raise CellsError(source, "size", f"{size[0]} x {size[1]} in {found.st_size} bytes", f"1 to {max_pixels} pixels")
    return dtype, size


def _whole(stream: BinaryIO, size: int) -> bool:
    """Return whether every chunk ends inside the file, up to `IEND`: Pillow makes room for what a chunk announces."""
    at = len(MAGIC)
    for _ in range(_MAX_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return False
        at += 12 + int(struct.unpack(">I", head[:4])[0])
        if at > size:
            return False
        if head[4:] == b"IEND":
            return True
    return False
