"""The journal's header: what a reader in any language, years later, needs in order to understand the records."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from streamer.journal._errors import JournalError
from streamer.journal._records import CRC_BYTES, MAX_CLASSES, record_dtype
from streamer.vocabulary import Reason
from streamer.wire import Schema

FORMAT = "cellgate-journal"
FORMAT_VERSION = 1
MAGIC = b"\x89CGJ\r\n\x1a\n"
"""As PNG's: a byte above 127 and both line ends, so that a transfer as text is noticed."""
MAX_HEADER_BYTES = 1 << 20

_PREFIX = struct.Struct("<8sII")  # magic, format version, length of the JSON


class RecordField(msgspec.Struct, frozen=True):
    """One field of the record: `type` is u, i or f and its bytes (little-endian), `count` how many in a row."""

    name: str
    type: str
    count: int
    offset: int


class JournalHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the records of one series mean and how they came to be.

    `classes`, `gates`, `ways` and `reasons` are the labels by code. `started_unix_ns` and `started_monotonic_ns`
    are the same moment on the two clocks: the records carry the monotonic one. `format`, `version`, `record_bytes`
    and `record` are filled in when the file is made.
    """

    format: str = FORMAT
    version: int = FORMAT_VERSION
    series: str
    started_unix_ns: int
    started_monotonic_ns: int
    schema: Schema
    info: dict[str, str] = {}
    bundle: str
    bundle_sha256: str
    engine: str
    classes: tuple[str, ...]
    gates: tuple[str, ...]
    ways: tuple[str, ...]
    reasons: tuple[str, ...] = tuple(reason.label for reason in Reason)
    sort_delay_us: float | None
    actuation_lead_us: float | None
    config: dict[str, object] = {}
    software: str = ""
    """Name and version of what wrote the file."""
    record_bytes: int = 0
    record: tuple[RecordField, ...] = ()


def encode_header(header: JournalHeader) -> bytes:
    """Return the bytes a journal starts with, up to its first record.

    Raises
    ------
    JournalError
        There are no classes, or too many, or the header is longer than `MAX_HEADER_BYTES`.
    """
    if not 1 <= len(header.classes) <= MAX_CLASSES:
        raise JournalError("journal header", "classes", len(header.classes), f"1 to {MAX_CLASSES}")
    fields = _layout(len(header.classes))
    size = record_dtype(len(header.classes)).itemsize
    full = msgspec.structs.replace(header, format=FORMAT, version=FORMAT_VERSION, record_bytes=size, record=fields)
    text = msgspec.json.encode(full, enc_hook=str)
    if len(text) > MAX_HEADER_BYTES:
        raise JournalError("journal header", "length", f"{len(text)} bytes", f"at most {MAX_HEADER_BYTES}")
    data = _PREFIX.pack(MAGIC, FORMAT_VERSION, len(text)) + text
    return data + zlib.crc32(data).to_bytes(CRC_BYTES, "little")


def read_header(file: BinaryIO, path: Path) -> tuple[JournalHeader, int]:
    """Return the header and the offset of the first record.

    Raises
    ------
    JournalError
        The file does not start with a whole, undamaged header of this format version.
    """
    prefix = file.read(_PREFIX.size)
    if not prefix or not MAGIC.startswith(prefix[: len(MAGIC)]):
        raise JournalError(path, "magic", prefix[: len(MAGIC)], f"a journal, which starts with {MAGIC!r}")
    if len(prefix) < _PREFIX.size:
        raise JournalError(path, "header", f"{len(prefix)} bytes", "a whole header (the file is cut short)")
    _, version, length = _PREFIX.unpack(prefix)
    if version != FORMAT_VERSION:
        raise JournalError(path, "format version", version, str(FORMAT_VERSION))
    if length > MAX_HEADER_BYTES:
        raise JournalError(path, "header length", length, f"at most {MAX_HEADER_BYTES}")
    rest = file.read(length + CRC_BYTES)
    if len(rest) < length + CRC_BYTES:
        raise JournalError(path, "header", f"{len(rest)} bytes", f"{length + CRC_BYTES} (the file is cut short)")
    text, stated = rest[:length], int.from_bytes(rest[length:], "little")
    found = zlib.crc32(prefix + text)
    if found != stated:
        raise JournalError(path, "header CRC-32", f"{found:#010x}", f"{stated:#010x} (the header is damaged)")
    return _decode(text, path), _PREFIX.size + length + CRC_BYTES


def _decode(text: bytes, path: Path) -> JournalHeader:
    try:
        header = msgspec.json.decode(text, type=JournalHeader)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(path, "header", str(error), "the fields of docs/journal.md") from None
    if not 1 <= len(header.classes) <= MAX_CLASSES:
        raise JournalError(path, "classes", len(header.classes), f"1 to {MAX_CLASSES}")
    if header.record != _layout(len(header.classes)):
        raise JournalError(path, "record", "another layout", f"that of format version {FORMAT_VERSION}")
    return header


def _layout(classes: int) -> tuple[RecordField, ...]:
    dtype = record_dtype(classes)
    fields = []
    for name in dtype.names or ():
        kind, offset = dtype.fields[name][:2]  # type: ignore[index]
        base, count = kind.base, int(np.prod(kind.shape, dtype=int))
        fields.append(RecordField(name, f"{base.kind}{base.itemsize}", count, offset))
    return tuple(fields)
