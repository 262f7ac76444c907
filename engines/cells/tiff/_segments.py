"""Where in its file an image's pixels are: strips and tiles, checked against the file's size."""

from __future__ import annotations

from pathlib import Path

from engines.cells.tiff._structure import Directory, whole_number
from engines.errors import CellsError

Strips = tuple[tuple[int, int], ...]
_MAX_RATIO = 2000  # above what LZW (1365) and Deflate (1032) can reach


def find_strips(source: Path, directory: Directory, height: int, row: int, compression: int) -> Strips:
    """Check that the strips or tiles are as many as the image needs, inside the file, and hold enough bytes.

    `row` is the bytes of a row of the image. Returns the strips where they are raw pixels, else nothing.
    """
    where, tiled = f"page {directory.index + 1}", 324 in directory.codes
    width = whole_number(source, directory, 256)
    if tiled:
        tile_w, tile_h = whole_number(source, directory, 322), whole_number(source, directory, 323)
    else:
        tile_w, tile_h = width, min(whole_number(source, directory, 278, height), height)
    if min(tile_w, tile_h) < 1 or tile_w * tile_h > max(width * height, 1 << 20):
        raise CellsError(source, where, f"strips or tiles of {tile_h} x {tile_w}", "not larger than the image")
    expected = -(-height // tile_h) * -(-width // tile_w)
    parts = _places(source, directory, 324 if tiled else 273, 325 if tiled else 279, expected)
    stored = sum(length for _, length in parts)
    if stored > directory.file_size:  # the same bytes many times over: work without end from a small file
        raise CellsError(source, where, "strips or tiles that overlap", "each its own bytes")
    if height * row > (stored if compression == 1 else stored * _MAX_RATIO):
        raise CellsError(source, where, f"{stored} bytes for {height * row} of pixels", "pixels that are all there")
    untouched = whole_number(source, directory, 317, 1) == 1 and whole_number(source, directory, 266, 1) in (0, 1)
    if tiled or compression != 1 or not untouched:
        return ()
    raw = []
    for top, (offset, length) in zip(range(0, height, tile_h), parts, strict=True):
        needed = min(tile_h, height - top) * row
        if length < needed:
            raise CellsError(source, where, f"a strip of {length} bytes", f"{needed}")
        raw.append((offset, needed))
    return tuple(raw)


def _places(source: Path, directory: Directory, offsets: int, lengths: int, expected: int) -> list[tuple[int, int]]:
    where = f"page {directory.index + 1}"
    starts, sizes = directory.values.get(offsets, ()), directory.values.get(lengths, ())
    if isinstance(starts, str) or isinstance(sizes, str) or not len(starts) == len(sizes) == expected:
        found = f"{len(starts)} offsets and {len(sizes)} lengths of strips or tiles"
        raise CellsError(source, where, found, f"{expected} of each")
    places = []
    for start, size in zip(starts, sizes, strict=True):
        if start < 8 or size < 1 or start + size > directory.file_size:
            raise CellsError(source, where, "pixels beyond the end of the file", "a whole file")
        places.append((start, size))
    return places
