"""Walk the directories of a TIFF file within limits, reading no pixels: the guard before every decoder.

Layout after the TIFF 6.0 specification (Adobe, 1992) and the BigTIFF extension (64-bit offsets, magic 43).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from engines.errors import CellsError

Value = tuple[int, ...] | str
Order = Literal["<", ">"]
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_MAX_TAGS = 512
_MAX_VALUES = 1 << 16
_MAX_TEXT = 1 << 20
_MAX_BLOB = 16 << 20
_TEXT_TAGS = (270, 285, 50839)  # description, page name, ImageJ's metadata (UTF-16 in the file's byte order)
# What the page needs; every other tag is only checked for its length.
_WANTED = frozenset((256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 285, 317, 322, 323, 324, 325, 339, 50839))


@dataclass(frozen=True)
class Directory:
    """One image file directory: its place, its tags, the values of those that describe the image, its byte order."""

    index: int
    offset: int
    codes: frozenset[int]
    values: dict[int, Value]
    file_size: int
    order: Order


def walk(source: Path, max_pages: int) -> Iterator[Directory]:
    """Yield the directories of a TIFF file in the order of their chain.

    Raises `CellsError` for a file that is no regular file or no TIFF, whose chain runs out of the file, in a circle
    or past `max_pages`, or that announces more tags or values than a TIFF of cells has.
    """
    try:
        if not stat.S_ISREG(source.stat().st_mode):  # opening a pipe would wait for its writer
            raise CellsError(source, "file", "no regular file", "a TIFF file")
        with source.open("rb") as stream:
            yield from _chain(source, stream, max_pages)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CellsError(source, "file", getattr(error, "strerror", None) or str(error), "a readable file") from error


def whole_number(source: Path, directory: Directory, code: int, default: int | None = None) -> int:
    """Return a tag that is one whole number, the default where it is absent; `CellsError` where it is not one."""
    value = directory.values.get(code)
    if value is None and code not in directory.codes and default is not None:
        return default
    if not isinstance(value, tuple) or len(value) != 1:
        found = "nothing" if code not in directory.codes else "no single whole number"
        raise CellsError(source, f"page {directory.index + 1}, tag {code}", found, "one whole number")
    return value[0]


def _chain(source: Path, stream: BinaryIO, max_pages: int) -> Iterator[Directory]:
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(16)
    if head[:4] not in MAGICS:
        raise CellsError(source, "file", "another format", "a TIFF file")
    order: Order = "<" if head[:2] == b"II" else ">"
    big = 43 in head[2:4]
    if len(head) < (16 if big else 8) or (big and struct.unpack(f"{order}HH", head[4:8]) != (8, 0)):
        raise CellsError(source, "header", "a damaged one", "a whole TIFF header")
    offset = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise CellsError(source, "pages", "a chain that runs in a circle", "a chain that ends")
        if not 8 <= offset < size:
            raise CellsError(
                source, f"page {len(seen) + 1}", "its directory beyond the end of the file", "a whole file"
            )
        if len(seen) == max_pages:
            raise CellsError(source, "pages", f"more than {max_pages}", f"at most {max_pages}")
        seen.add(offset)
        directory, offset = _directory(source, stream, len(seen) - 1, offset, size, order, big)
        yield directory
    if not seen:
        raise CellsError(source, "pages", "none", "at least one image")


def _directory(
    source: Path, stream: BinaryIO, index: int, offset: int, size: int, order: Order, big: bool
) -> tuple[Directory, int]:
    where = f"page {index + 1}"
    stream.seek(offset)
    raw = stream.read(8 if big else 2)
    if len(raw) != (8 if big else 2):
        raise CellsError(source, where, "a directory cut off", "a whole file")
    count = struct.unpack(order + ("Q" if big else "H"), raw)[0]
    if not 1 <= count <= _MAX_TAGS:
        raise CellsError(source, where, f"{count} tags", f"1 to {_MAX_TAGS}")
    entry = 20 if big else 12
    block = stream.read(count * entry + (8 if big else 4))
    if len(block) != count * entry + (8 if big else 4):
        raise CellsError(source, where, "a directory cut off", "a whole file")
    values: dict[int, Value] = {}
    codes: set[int] = set()
    for at in range(0, count * entry, entry):
        code, kind, n = struct.unpack_from(order + ("HHQ" if big else "HHI"), block, at)
        if code in codes:
            raise CellsError(source, f"{where}, tag {code}", "twice", "each tag once")
        codes.add(code)
        _check_length(source, f"{where}, tag {code}", code, kind, n)
        if code in _WANTED and kind in _SIZES:
            inline = block[at + (12 if big else 8) : at + entry]
            data = _data(source, f"{where}, tag {code}", stream, inline, _SIZES[kind] * n, size, order)
            value = _value(data, kind, n, order, code)
            if value is not None:
                values[code] = value
    following = struct.unpack(order + ("Q" if big else "I"), block[-8 if big else -4 :])[0]
    return Directory(index, offset, frozenset(codes), values, size, order), following


def _check_length(source: Path, where: str, code: int, kind: int, n: int) -> None:
    """Refuse numbers of values that no image of cells has, before any decoder makes room for them."""
    if code in (270, 285):
        most = _MAX_TEXT
    elif _SIZES.get(kind, 1) == 1:
        most = _MAX_BLOB
    else:
        most = _MAX_VALUES
    if n > most:
        raise CellsError(source, where, f"{n} values", f"at most {most}")


def _data(source: Path, where: str, stream: BinaryIO, inline: bytes, length: int, size: int, order: Order) -> bytes:
    if length <= len(inline):
        return inline[:length]
    at = struct.unpack(order + ("Q" if len(inline) == 8 else "I"), inline)[0]
    if at + length > size:
        raise CellsError(source, where, "values beyond the end of the file", "a whole file")
    stream.seek(at)
    return stream.read(length)


def _value(data: bytes, kind: int, n: int, order: Order, code: int) -> Value | None:
    if code == 50839:
        return data.decode("utf-16-le" if order == "<" else "utf-16-be", "replace")
    if code in _TEXT_TAGS:
        return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip() if kind == 2 else None
    return struct.unpack(f"{order}{n}{_INTEGERS[kind]}", data) if kind in _INTEGERS else None
