"""The schema hash: eight bytes that tie every cells message to the start message it belongs to."""

from __future__ import annotations

import hashlib

from streamer.wire._messages import Schema


def schema_hash(schema: Schema) -> int:
    """Return the schema's hash: the first eight bytes of a SHA-256 as a little-endian unsigned integer.

    The hashed text is UTF-8, one `key=value` line per field in this order, each ended by a line feed:
    `channels` (each name as its byte length, a colon and the name), `dtype`, `timebase` (`num/den`), `shape` and
    `max_shape` (`HxW` or `-`), `checksum`.
    """
    names = "".join(f"{len(name.encode())}:{name}" for name in schema.channels)
    text = (
        f"channels={names}\n"
        f"dtype={schema.dtype}\n"
        f"timebase={schema.timebase[0]}/{schema.timebase[1]}\n"
        f"shape={_size(schema.shape)}\n"
        f"max_shape={_size(schema.max_shape)}\n"
        f"checksum={schema.checksum}\n"
    )
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _size(shape: tuple[int, int] | None) -> str:
    return "-" if shape is None else f"{shape[0]}x{shape[1]}"
