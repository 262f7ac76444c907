"""The schemas of the test vectors and their hashes."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

Vector = dict[str, Any]

SCHEMAS: dict[str, Vector] = {
    "block": {
        "channels": ["brightfield", "PI", "darkfield"],
        "dtype": "uint16",
        "timebase": [1, 1_000_000_000],
        "shape": [4, 5],
        "max_shape": None,
        "checksum": "none",
    },
    "block_crc": {
        "channels": ["Kanal µ", "b"],
        "dtype": "uint8",
        "timebase": [1, 10_000_000],
        "shape": [2, 3],
        "max_shape": None,
        "checksum": "crc32",
    },
    "each": {
        "channels": ["a"],
        "dtype": "float32",
        "timebase": [1001, 30_000_000],
        "shape": None,
        "max_shape": [8, 6],
        "checksum": "none",
    },
    "each_crc": {
        "channels": ["a"],
        "dtype": "uint8",
        "timebase": [1, 1],
        "shape": None,
        "max_shape": None,
        "checksum": "crc32",
    },
    "byte": {
        "channels": ["a"],
        "dtype": "uint8",
        "timebase": [1, 1_000_000_000],
        "shape": [1, 1],
        "max_shape": None,
        "checksum": "none",
    },
}


def schema_text(schema: Vector) -> str:
    """Return the text whose SHA-256 gives the schema hash."""

    def size(shape: list[int] | None) -> str:
        return "x".join(map(str, shape)) if shape else "-"

    lines = [
        "channels=" + "".join(f"{len(name.encode())}:{name}" for name in schema["channels"]),
        "dtype=" + schema["dtype"],
        "timebase=" + "/".join(map(str, schema["timebase"])),
        "shape=" + size(schema["shape"]),
        "max_shape=" + size(schema["max_shape"]),
        "checksum=" + schema["checksum"],
    ]
    return "".join(line + "\n" for line in lines)


def schema_hash(name: str) -> int:
    """Return the hash of a schema of `SCHEMAS`."""
    digest = hashlib.sha256(schema_text(SCHEMAS[name]).encode()).digest()
    hash_: int = struct.unpack("<Q", digest[:8])[0]
    return hash_
