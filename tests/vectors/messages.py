"""What the vectors are made of: messages whose `fields` are what the header says; bytes stand as {"hex": ...}."""

from __future__ import annotations

import struct

from tests.vectors.bytes_by_hand import crc32, pack
from tests.vectors.schemas import SCHEMAS, Vector, schema_hash


def message(
    name: str, sender: str, to: str, fields: Vector, parts: list[bytes] | None = None, **more: object
) -> Vector:
    """Return the vector of one message whose header is packed from `fields`, in their order."""
    return described(name, sender, to, pack(fields), fields, parts, **more)


def described(
    name: str, sender: str, to: str, header: bytes, fields: Vector, parts: list[bytes] | None = None, **more: object
) -> Vector:
    """Return the vector of one message whose header is given as bytes."""
    shown = {key: {"hex": value.hex()} if isinstance(value, bytes) else value for key, value in fields.items()}
    hexed = [part.hex() for part in parts or []]
    return {"name": name, "from": sender, "to": to, "header": header.hex(), "parts": hexed, "fields": shown, **more}


def start(of: str, /, **more: object) -> Vector:
    """Return the fields of a start message with a schema of `SCHEMAS`."""
    fields = {
        "type": "start",
        "version": 1,
        "series": "run-1",
        "schema": SCHEMAS[of],
        "ticks": 123_456_789_000,
        "sort_delay_us": None,
        "actuation_lead_us": None,
        "info": {},
    }
    return fields | more


def cells(of: str, seq: int, ticks: list[int], /, **more: object) -> Vector:
    """Return the fields of a cells message of this schema."""
    fields = {
        "type": "cells",
        "series": "run-1",
        "seq": seq,
        "n": len(ticks),
        "schema": schema_hash(of),
        "ticks": struct.pack(f"<{len(ticks)}Q", *ticks),
        "shapes": None,
    }
    return fields | more


def with_crc(fields: Vector, parts: list[bytes]) -> list[bytes]:
    """Add the checksum part that belongs to this header and these parts."""
    return [*parts, struct.pack("<I", crc32(pack(fields) + b"".join(parts)))]


ACCOUNT = {
    "sent": 1000,
    "received": 998,
    "pending": 3,
    "decided": 995,
    "kept": 40,
    "not_kept": {"not_in_gate": 950, "late": 5},
    "duplicates": 1,
    "disordered": 2,
    "messages": 70,
    "rejected": {"checksum": 1},
    "undelivered": 0,
}
BUNDLE = {"bundle": "digital", "bundle_sha256": "ab" * 32}
CLASSES = ["G1", "G2", "Prophase"]
REASONS = [
    "kept",
    "not_in_gate",
    "uncertain",
    "unfamiliar",
    "coincident",
    "incomplete",
    "late",
    "overload",
    "engine_fault",
    "disarmed",
    "stopped",
    "waste_gate",
    "target_reached",
    "hardware_abort",
    "rate_limit",
    "clock",
]

# Record after record: 40 bytes, little-endian.
RECORD = "<QQQhhBBHfi"
RECORD_FIELDS = (
    "seq",
    "ticks",
    "actuate",
    "class",
    "gate",
    "way",
    "reason",
    "reserved",
    "confidence",
    "slack_us",
)
RECORDS = [
    (7, 1_000_000, 3_000_000, 2, 0, 1, 0, 0, 0.75, 1250),
    (8, 1_000_500, 3_000_500, 0, -1, 0, 1, 0, 0.5, 1200),
    (9, 2**64 - 1, 0, -1, -1, 0, 5, 0, 0.0, 2**31 - 1),
    (2**63 - 1, 5, 6, 2, 0, 0, 6, 0, 0.984375, -(2**31)),
]

BLOCK = struct.pack("<120H", *(17 * i + 250 for i in range(120)))
BLOCK_CRC = bytes(range(24))
ONE_LOST = [struct.pack("<6f", 0, 1, -2.5, 3e4, 0.125, 65535), b"", struct.pack("<48f", *range(48))]
TICKS = [1_000_000, 1_000_500]
EACH = cells("each", 3, [10, 20, 30], shapes=struct.pack("<6H", 2, 3, 1, 1, 8, 6))
EACH_CRC = cells("each_crc", 0, [10, 20], shapes=struct.pack("<4H", 1, 2, 1, 1))


def totals() -> Vector:
    """Return the fields of a totals message."""
    account = ACCOUNT | {"pending": 0, "decided": 998, "not_kept": {"not_in_gate": 953, "late": 5}}
    fields = {"type": "totals", "series": "run-1", "ended": "end", "account": account, "missing": 2}
    return fields | {"journal": "run-1.journal"}
