"""How many bytes a packed chunk unpacks to, found without unpacking it into memory."""

from __future__ import annotations

import zlib

from engines.cells.hdf5._limits import SLACK
from engines.errors import CellsError

_STEP = 1 << 20
_DEFLATE_MOST = 1032  # deflate packs no better than this (zlib technical details, "Maximum expansion factor")
_ZSTD_MAGIC = 0xFD2FB528


def check_packed(
    source: object, field: str, codec: str, packed: bytes, limit: int, *, exact: tuple[int, ...] = ()
) -> None:
    """Raise `CellsError` where a packed chunk says or turns out to hold more than `limit` bytes and a little slack.

    `codec` is one of deflate, gzip, zstd, blosc, lz4 (size first, big-endian 64 bit, as HDF5's filter and
    bitshuffle write it), lz4-le (little-endian 32 bit, as numcodecs writes it), lzf, szip; any other is not looked at.
    With `exact` it must hold one of these numbers of bytes: HDF5 does not notice a chunk that is short, and takes the
    rest from whatever lies behind it in memory.
    """
    size: int | None
    if codec == "lzf":
        size = _lzf(packed)
    elif codec in ("deflate", "gzip"):
        size = _deflated(packed, limit + SLACK, count=bool(exact))
    elif codec == "zstd":
        size = _zstd(packed)
    elif codec in _SIZE_FIELD:
        at, width, order = _SIZE_FIELD[codec]
        field_bytes = packed[at : at + width]
        size = int.from_bytes(field_bytes, "big" if order == "big" else "little") if len(field_bytes) == width else None
    else:
        return
    # Blosc is not told where its input ends and would read on behind a chunk that was cut off.
    if codec == "blosc" and int.from_bytes(packed[12:16], "little") > len(packed):
        raise CellsError(source, field, f"a blosc chunk cut off at {len(packed)} bytes", "a whole chunk")
    if size is None:
        raise CellsError(source, field, f"a {codec} chunk that does not say its size", "a whole chunk")
    if exact and size not in exact and size <= limit + SLACK:
        raise CellsError(source, field, f"a {codec} chunk that unpacks to {size} bytes", f"{exact[0]}")
    if size > limit + SLACK:
        raise CellsError(source, field, f"a {codec} chunk that unpacks to more than its {limit} bytes", "a sound chunk")


# Codec -> offset, width and byte order of the unpacked size in its header.
_SIZE_FIELD = {"blosc": (4, 4, "little"), "lz4": (0, 8, "big"), "lz4-le": (0, 4, "little"), "szip": (0, 4, "little")}


def _deflated(packed: bytes, most: int, *, count: bool) -> int:
    """Return the unpacked size, or `most` + 1 as soon as it is past `most`; damage is left to the reader to report."""
    if not count and len(packed) * _DEFLATE_MOST <= most:
        return 0
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: zlib or gzip header, whichever is there
    size = 0
    try:
        while packed and size <= most and not unpack.eof:
            size += len(unpack.decompress(packed, _STEP))
            packed = unpack.unconsumed_tail
    except zlib.error:
        return size
    return size


def _lzf(packed: bytes) -> int | None:
    """Return the unpacked size, None where it is cut off (LibLZF: runs of literals, and references into what was)."""
    at = size = 0
    while at < len(packed):
        control = packed[at]
        if control < 32:
            at += control + 2
            size += control + 1
            continue
        long = control >> 5 == 7
        if at + 1 + long >= len(packed):
            return None
        size += (control >> 5) + 2 + (packed[at + 1] if long else 0)
        at += 2 + long
    return size if at == len(packed) else None


def _zstd(packed: bytes) -> int | None:
    """Return the frame content size (RFC 8878, 3.1.1.1), None where the frame has none or is no frame."""
    if len(packed) < 5 or int.from_bytes(packed[:4], "little") != _ZSTD_MAGIC:
        return None
    descriptor = packed[4]
    single = bool(descriptor & 0x20)
    at = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if not width or len(packed) < at + width:
        return None
    return int.from_bytes(packed[at : at + width], "little") + (256 if width == 2 else 0)
