"""MessagePack and CRC-32, written out from their specifications: nothing of Cellgate is imported."""

from __future__ import annotations

import struct

# MessagePack: every value in its shortest form, every float in 64 bits.


def pack(value: object) -> bytes:
    """Return the MessagePack bytes of a header value."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_int(value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            data = value.encode()
            return _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
        case bytes():
            return _head(len(value), (0, 0), (0xC4, 0xC5, 0xC6)) + value
        case list():
            return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
        case dict():
            pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
            return _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + pairs
    raise TypeError(type(value))


def _pack_int(value: int) -> bytes:
    if value < 0:
        if value < -32:
            raise ValueError(value)  # the protocol has -1 alone
        return struct.pack(">b", value)
    if value < 128:
        return bytes([value])
    for code, form, bits in ((0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)):
        if value < 1 << bits:
            return bytes([code]) + struct.pack(form, value)
    raise ValueError(value)


def _head(length: int, fix: tuple[int, int], codes: tuple[int | None, int, int]) -> bytes:
    """Return the bytes that announce a string, bytes, array or map of this length."""
    base, limit = fix
    if length < limit:
        return bytes([base + length])
    for code, form, size in zip(codes, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32), strict=True):
        if code is not None and length < size:
            return bytes([code]) + struct.pack(form, length)
    raise ValueError(length)


# CRC-32 (IEEE 802.3), bit by bit: polynomial 0xEDB88320 reflected, start and end inverted.


def crc32(data: bytes) -> int:
    """Return the CRC-32 of these bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
