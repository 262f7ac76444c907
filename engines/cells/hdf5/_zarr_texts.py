"""Texts of any length in a Zarr chunk (codec vlen-utf8).

Unpacked here and not by numcodecs, which makes room for as many texts as the chunk says before it looks at one.
Layout: the number of texts, then for each its length in bytes and its bytes; numbers are 32 bit, little-endian.
"""

from __future__ import annotations

from importlib import import_module

from engines.errors import CellsError

_CODECS = {"deflate": "zlib", "gzip": "gzip", "zstd": "zstd", "blosc": "blosc", "lz4-le": "lz4"}


def unpack_texts(source: object, field: str, codec: str | None, packed: bytes) -> list[bytes]:
    """Return the texts of a chunk, each as bytes; `CellsError` where it does not hold what it says."""
    data = packed
    if codec is not None:
        data = bytes(import_module("numcodecs").get_codec({"id": _CODECS[codec]}).decode(packed))
    texts: list[bytes] = []
    at = 4
    for _ in range(int.from_bytes(data[:4], "little")):
        stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if at + 4 > len(data) or stop > len(data):
            raise CellsError(source, field, "texts cut short", "a whole chunk")
        texts.append(data[at + 4 : stop])
        at = stop
    return texts
