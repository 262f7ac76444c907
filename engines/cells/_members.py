"""The arrays of a NumPy archive, found and checked without reading them."""

from __future__ import annotations

import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engines.cells._recording import is_text
from engines.errors import CellsError

MAX_INFLATED = 16 << 30
"""Bytes that a compressed archive may unpack to. An array that is not compressed lies in the file as it is."""
MAX_SMALL = 1 << 30
_FREE, _RATIO = 1 << 30, 256
"""Beyond the first, an archive may not unpack to more than so many times its bytes: no recording packs so well."""
# What zipfile, zlib and NumPy raise for archives that are damaged, encrypted or lie about their sizes.
BROKEN = (
    ValueError,
    TypeError,
    IndexError,
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)
_LOCAL_HEADER = 30


@dataclass(frozen=True)
class Member:
    """One array of an archive: what its header says, and where its values are.

    `offset` is that of the first value in the archive's file, None where the array is compressed; `head` the length of
    the header before the values.
    """

    info: zipfile.ZipInfo
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool
    head: int
    offset: int | None

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return prod(self.shape) * self.dtype.itemsize


def find_members(archive: zipfile.ZipFile, source: Path, names: Collection[str]) -> dict[str, Member]:
    """Return those of these arrays that an open archive has, by name; `CellsError` where their sizes cannot be true.

    Raises one of `BROKEN` where the archive is damaged.
    """
    infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    packed = sum(info.file_size for info in infos if info.compress_type != zipfile.ZIP_STORED)
    lying = [info for info in infos if info.compress_type == zipfile.ZIP_STORED and info.file_size > info.compress_size]
    stored = sum(info.compress_size for info in infos)
    if packed > _FREE and packed > _RATIO * stored:
        raise CellsError(source, "size", f"{packed} bytes unpacked of {stored}", f"at most {_RATIO} times as many")
    if packed > MAX_INFLATED or lying:
        size = sum(info.file_size for info in infos)
        raise CellsError(source, "size", f"{size} bytes unpacked", f"at most {MAX_INFLATED}, or what lies in the file")
    found = {info.filename.removesuffix(".npy"): info for info in infos}
    return {name: _member(archive, found[name], source) for name in names if name in found}


def load_small(archive: zipfile.ZipFile, member: Member, source: Path, key: str) -> NDArray[np.generic]:
    """Return an array that must be small beside the frames, whole; its checksum is checked."""
    if member.nbytes > MAX_SMALL:
        raise CellsError(source, key, f"{member.nbytes} bytes", f"at most {MAX_SMALL}")
    values = load_whole(archive, member, source)
    if values.dtype.kind == "U" and not is_text(values):
        raise CellsError(source, key, "numbers that are no characters", "text")
    return values


def load_whole(archive: zipfile.ZipFile, member: Member, source: Path) -> NDArray[np.generic]:
    """Return all values of an array, in this machine's byte order; its checksum is checked."""
    values = np.empty(member.shape, member.dtype, order="F" if member.fortran else "C")
    if values.nbytes:
        flat = memoryview(values.reshape(-1, order="A").view(np.uint8))  # type: ignore[arg-type]
        with archive.open(member.info) as stream:
            stream.read(member.head)
            done = 0
            while done < len(flat):
                piece = stream.read(min(1 << 24, len(flat) - done))
                if not piece:
                    raise CellsError(source, "archive", "an array that ends early", "a whole .npz")
                flat[done : done + len(piece)] = piece
                done += len(piece)
            stream.read(1)  # comparing the checksum happens at the end
    return values.astype(member.dtype.newbyteorder("="), copy=False)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path) -> Member:
    with archive.open(info) as stream:
        shape, fortran, dtype = _npy_header(stream)
        head = stream.tell()
    if dtype.hasobject:
        raise CellsError(source, "archive", "pickled objects", "a whole .npz without pickled objects")
    if any(side < 0 for side in shape) or head + prod(shape) * dtype.itemsize != info.file_size:
        found = f"{info.filename} of shape {shape} in {info.file_size} bytes"
        raise CellsError(source, "archive", found, "as many bytes as its shape says")
    offset = _offset(archive, info) if info.compress_type == zipfile.ZIP_STORED else None
    return Member(info, dtype, shape, fortran, head, None if offset is None else offset + head)


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of headers that Python 2 wrote
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(stream)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f".npy version {version}")


def _offset(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Return where in the file a member's bytes begin: behind its local header, whose names' lengths are its own."""
    stream = archive.fp
    if stream is None:
        raise ValueError("a closed archive")
    stream.seek(info.header_offset)
    local = stream.read(_LOCAL_HEADER)
    name, extra = int.from_bytes(local[26:28], "little"), int.from_bytes(local[28:30], "little")
    begin = info.header_offset + _LOCAL_HEADER + name + extra
    if begin + info.file_size > os.fstat(stream.fileno()).st_size:
        raise EOFError("an array that ends behind the file")
    return begin
