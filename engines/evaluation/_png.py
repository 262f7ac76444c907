"""Write a grey picture as PNG, with nothing but zlib."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(grey: NDArray[np.uint8]) -> bytes:
    """Return an 8-bit greyscale PNG of `(h, w)` pixels (W3C PNG, second edition), every row unfiltered."""
    height, width = grey.shape
    rows = np.zeros((height, width + 1), np.uint8)  # a row starts with its filter, 0 for none
    rows[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, payload) for kind, payload in chunks)


def data_uri(grey: NDArray[np.uint8]) -> str:
    """Return the picture as what an `<img>` takes for its source."""
    return "data:image/png;base64," + base64.b64encode(encode_png(grey)).decode("ascii")


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
