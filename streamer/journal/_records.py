"""The journal's record: fixed size, little-endian, no padding, sealed by its own CRC-32. See docs/journal.md."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.void]
"""Structured `(n,)`, of `record_dtype(classes)`."""

DECISION_RECORD = 1
EVENT_RECORD = 2
NO_DEADLINE = 2**63 - 1
"""`slack_ns` of a cell without a deadline."""
MAX_CLASSES = 4096
CRC_BYTES = 4


@lru_cache
def record_dtype(classes: int) -> np.dtype[np.void]:
    """Return the layout of one record, 52 + 4 × `classes` bytes.

    `kind` and `crc` are the journal's own: the writer fills them in, whatever the caller left there.

    Raises
    ------
    ValueError
        `classes` is not 1 to 4096.
    """
    if not 1 <= classes <= MAX_CLASSES:
        raise ValueError(f"classes is {classes}, not 1 to {MAX_CLASSES}")
    return np.dtype(
        [
            ("kind", "u1"),  # 1: decision, 2: piece of an event
            ("way", "u1"),  # index into ways; 0 is waste
            ("reason", "u1"),  # Reason
            ("bundle", "u1"),  # 0: the header's; then as announced by events
            ("gate", "<i2"),  # index into gates; -1: in none
            ("class_", "<i2"),  # index into classes; -1: not classified
            ("seq", "<u8"),
            ("ticks", "<u8"),  # trigger time, hardware ticks
            ("arrival_ns", "<i8"),  # monotonic clock
            ("decided_ns", "<i8"),  # monotonic clock
            ("slack_ns", "<i8"),  # deadline minus decision time; NO_DEADLINE without one
            ("probabilities", "<f4", (classes,)),  # NaN where not classified
            ("crc", "<u4"),  # of all bytes before it
        ]
    )


def seal(records: bytearray, record_bytes: int) -> None:
    """Write each record's CRC-32 into its last four bytes, in place."""
    crcs = np.frombuffer(records, _crc_field(record_bytes))["crc"]
    crcs[:] = checksums(memoryview(records), record_bytes)


def checksums(records: memoryview, record_bytes: int) -> NDArray[np.uint32]:
    """Return the CRC-32 that each of these whole records should carry, uint32 `(n,)`."""
    body, crc32 = record_bytes - CRC_BYTES, zlib.crc32
    found = [crc32(records[at : at + body]) for at in range(0, len(records), record_bytes)]
    return np.array(found, np.uint32)


def carried(records: memoryview, record_bytes: int) -> NDArray[np.uint32]:
    """Return the CRC-32 that each of these whole records does carry, uint32 `(n,)`."""
    crcs: NDArray[np.uint32] = np.frombuffer(records, _crc_field(record_bytes))["crc"]
    return crcs


@lru_cache
def _crc_field(record_bytes: int) -> np.dtype[np.void]:
    return np.dtype(
        {"names": ["crc"], "formats": ["<u4"], "offsets": [record_bytes - CRC_BYTES], "itemsize": record_bytes}
    )
