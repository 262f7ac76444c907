"""Walk the chain of IFDs and keep, of each, what reading its plane takes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.cells.cif import _tags as tags
from engines.cells.cif._source import DamagedError, Source

Rows = NDArray[np.void]

# `strips` is the number of strips, 0 where the file's two lists disagree. With one strip, `start` and `bytes` are its
# own; with more, the positions of the lists of them. `x` and `y` are the four bytes of the value, as in the file.
ROW = np.dtype(
    [
        ("at", "i8"), ("type", "u4"), ("object", "i8"), ("width", "u4"), ("height", "u4"),
        ("bits", "u4"), ("compression", "u4"), ("strips", "u4"), ("start", "i8"), ("start_type", "u1"),
        ("bytes", "i8"), ("bytes_type", "u1"), ("x", "V4"), ("x_type", "u1"), ("y", "V4"), ("y_type", "u1"),
    ]
)  # fmt: skip
_SCALARS = {
    tags.TYPE: "type", tags.OBJECT: "object", tags.WIDTH: "width", tags.HEIGHT: "height",
    tags.BITS: "bits", tags.COMPRESSION: "compression",
}  # fmt: skip
_WANTED = np.zeros(1 << 16, np.bool_)
_WANTED[[*_SCALARS, tags.STRIP_OFFSETS, tags.STRIP_BYTES, tags.CENTRE_X, tags.CENTRE_Y]] = True

_SMALLEST, _WINDOW, _LARGEST = 4 << 10, 1 << 20, 4 << 20
_BATCH = 8 << 20


@dataclass
class Chain:
    """All IFDs that were reached, IFD 0 first; `broken` says why the chain could not be followed to its end."""

    rows: Rows
    broken: str = ""


def walk(source: Source) -> Chain:
    """Follow the chain from IFD 0.

    The file is read in windows that follow the chain, 1 MiB as long as IFDs lie close, so that a file of a million
    objects is read once through, not by millions of small reads.
    """
    chain = Chain(np.zeros(0, ROW))
    found: list[Rows] = []
    where: list[int] = []
    counts: list[int] = []
    entries = bytearray()
    for at, n, data in _ifds(source, chain):
        where.append(at)
        counts.append(n)
        entries += data
        if len(entries) >= _BATCH:
            found.append(_rows(source, where, counts, bytes(entries)))
            where, counts, entries = [], [], bytearray()
    found.append(_rows(source, where, counts, bytes(entries)))
    chain.rows = np.concatenate(found)
    return chain


def _ifds(source: Source, chain: Chain) -> Iterator[tuple[int, int, bytes]]:
    """Yield position, number of entries and entries of each IFD; sets `chain.broken`."""
    short, long = struct.Struct(f"{source.order}H").unpack_from, struct.Struct(f"{source.order}I").unpack_from
    past_4_gib = source.size > 1 << 32
    window, base, held, size, served = b"", 0, 0, _WINDOW, 2
    at, total = source.first, 0
    rising: list[int] = []
    seen: set[int] = set()
    while at:
        n, end = 0, 2
        while True:  # until the window holds the whole IFD
            offset = at - base
            if offset >= 0 and offset + end <= held:
                n = short(window, offset)[0]
                end = 6 + 12 * n
                if offset + end <= held:
                    break
            # A window that served one IFD only was larger than it had to be.
            size = min(size * 2, _LARGEST) if served > 1 else max(size // 2, _SMALLEST)
            if at < 8 or at + end > source.size:
                chain.broken = "the chain of IFDs leaves the file"
                return
            try:
                window, base, served = source.read(at, min(max(size, end), source.size - at)), at, 0
            except DamagedError as error:
                chain.broken = f"the chain of IFDs ends: {error}"
                return
            held = len(window)
        served += 1
        total += end
        if total > source.size:
            chain.broken = "IFDs overlap"
            return
        yield at, n, window[offset + 2 : offset + end - 4]
        following = long(window, offset + end - 4)[0]
        if past_4_gib and following:
            # As Bio-Formats does: positions wrap at 4 GiB and the chain only ever goes forward.
            following += at >> 32 << 32
            following += (following <= at) << 32
        # While positions rise there is no loop, so nothing is looked up before the first step back.
        rising.append(at)
        if following <= at and following:
            seen.update(rising)
            rising.clear()
            if following in seen:
                chain.broken = "the chain of IFDs loops"
                return
        elif following in seen:
            chain.broken = "the chain of IFDs loops"
            return
        at = following


def _rows(source: Source, where: list[int], counts: list[int], data: bytes) -> Rows:
    entry = np.dtype([("tag", "u2"), ("type", "u2"), ("count", "u4"), ("value", "V4")]).newbyteorder(source.order)
    rows = np.zeros(len(where), ROW)
    rows["at"] = where
    rows["object"] = -1
    rows["compression"] = tags.RAW
    entries = np.frombuffer(data, entry)
    n = np.asarray(counts, np.int64)
    wanted = np.flatnonzero(_WANTED[entries["tag"]])
    entries, owner = entries[wanted], np.repeat(np.arange(len(where)), n)[wanted]
    place = rows["at"][owner] + 10 + 12 * (wanted - (n.cumsum() - n)[owner])
    for tag, name in _SCALARS.items():
        chosen = np.flatnonzero((entries["tag"] == tag) & (entries["count"] >= 1))
        rows[name][owner[chosen]] = _scalars(source, entries[chosen], rows[name].dtype)
    for tag, name in ((tags.CENTRE_X, "x"), (tags.CENTRE_Y, "y")):
        chosen = np.flatnonzero((entries["tag"] == tag) & (entries["count"] == 1) & (entries["type"] < 13))
        rows[name][owner[chosen]] = entries["value"][chosen]
        rows[f"{name}_type"][owner[chosen]] = entries["type"][chosen]
    _strips(source, rows, entries, owner, place)
    return rows


def _scalars(source: Source, entries: Rows, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Return the first number of each entry, 0 where it is of a type that holds no whole number."""
    found = np.zeros(len(entries), dtype)
    values = np.ascontiguousarray(entries["value"])
    for code, kind in tags.UNSIGNED.items():
        number = values.view(source.order + kind).reshape(len(entries), 4 // int(kind[1]))[:, 0]
        np.copyto(found, number, where=entries["type"] == code, casting="unsafe")
    return found


def _strips(source: Source, rows: Rows, entries: Rows, owner: NDArray[np.int64], place: NDArray[np.int64]) -> None:
    """Fill in the rows' strips, from the two tags that list them."""
    listed = np.zeros((2, len(rows)), np.int64)
    for i, (tag, name) in enumerate(((tags.STRIP_OFFSETS, "start"), (tags.STRIP_BYTES, "bytes"))):
        chosen = np.flatnonzero((entries["tag"] == tag) & np.isin(entries["type"], (3, 4)))
        part, own = entries[chosen], owner[chosen]
        count = part["count"].astype(np.int64)
        value = _scalars(source, part, np.dtype(np.int64)).astype(np.int64, copy=False)
        position = source.place(value, rows["at"][own])
        pointer = source.place(
            np.ascontiguousarray(part["value"]).view(f"{source.order}u4").astype(np.int64), rows["at"][own]
        )
        # Two shorts fit into the entry itself; longer lists lie where it points.
        lists = np.where(count * np.where(part["type"] == 3, 2, 4) <= 4, place[chosen], pointer)
        single = position if tag == tags.STRIP_OFFSETS else value
        rows[name][own] = np.where(count == 1, single, lists)
        rows[f"{name}_type"][own] = part["type"]
        listed[i, own] = count
    rows["strips"] = np.where(listed[0] == listed[1], listed[0], 0)
