"""Events in the journal: JSON, cut into pieces that fit the fixed-size records, and put together again."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.journal._records import CRC_BYTES, EVENT_RECORD

MAX_EVENT_BYTES = 1 << 20

_HEAD = struct.Struct("<BxHIII")  # kind, unused, bytes in this piece, part, parts, event


def encode_event(name: str, data: Mapping[str, object]) -> bytes:
    """Return the event as JSON: its name, the time now (`unix_ns`) and the data.

    Called by the loop, so it never raises: what JSON cannot say becomes text, and an event that cannot be encoded
    at all, or is longer than `MAX_EVENT_BYTES`, is replaced by one with the same name that says so (`left_out`).
    """
    head = {"event": name, "unix_ns": time.time_ns()}
    try:
        text = msgspec.json.encode({**head, **data, "event": name}, enc_hook=str)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return msgspec.json.encode({**head, "left_out": str(error)})
    if len(text) > MAX_EVENT_BYTES:
        return msgspec.json.encode({**head, "left_out": f"{len(text)} bytes, more than {MAX_EVENT_BYTES}"})
    return text


def split_event(text: bytes, number: int, record_bytes: int) -> bytes:
    """Return the event as whole records of `record_bytes` each; their CRCs are still to be written."""
    room = record_bytes - _HEAD.size - CRC_BYTES
    parts = max(1, -(-len(text) // room))
    pieces = bytearray(parts * record_bytes)
    for part in range(parts):
        payload = text[part * room : (part + 1) * room]
        at = part * record_bytes
        _HEAD.pack_into(pieces, at, EVENT_RECORD, len(payload), part, parts, number & 0xFFFFFFFF)
        pieces[at + _HEAD.size : at + _HEAD.size + len(payload)] = payload
    return bytes(pieces)


def join_events(
    records: memoryview, rows: NDArray[np.intp], record_bytes: int, end: int
) -> tuple[list[dict[str, Any]], int]:
    """Put the events together from the event records at these rows of `records`, of which `end` are good.

    Returns
    -------
    tuple
        The events in order, and of how many only pieces are left. One that merely stops where the records stop (the
        writer was killed) is in neither.
    """
    room = record_bytes - _HEAD.size - CRC_BYTES
    events: list[dict[str, Any]] = []
    seen: set[int] = set()
    whole: set[int] = set()
    pieces: list[memoryview] = []
    expected = (-1, 0, 0, 0)  # row, part, parts and event of the piece that must come next
    for row in rows.tolist():
        at = row * record_bytes
        _, length, part, parts, number = _HEAD.unpack_from(records, at)
        seen.add(number)
        if part == 0:
            pieces = []
        elif (row, part, parts, number) != expected:
            continue
        pieces.append(records[at + _HEAD.size : at + _HEAD.size + min(length, room)])
        expected = (row + 1, part + 1, parts, number)
        if part + 1 == parts and (event := _decode(b"".join(pieces))) is not None:
            events.append(event)
            whole.add(number)
    broken = seen - whole
    if expected[0] == end:
        broken.discard(expected[3])
    return events, len(broken)


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
