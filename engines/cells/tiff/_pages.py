"""The pages of a TIFF file: what each image is, checked against its file before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.cells.tiff._segments import Strips, find_strips
from engines.cells.tiff._structure import Directory, Order, walk, whole_number
from engines.cells.tiff._tifffile import compression_name
from engines.errors import CellsError

# Bits and sample format (1 unsigned, 3 floating point) of the counts Cellgate knows.
_DTYPES = {(8, 1): "uint8", (16, 1): "uint16", (32, 3): "float32"}
_COMPRESSIONS = (1, 5, 8, 32773, 32946, 50000)  # none, LZW, Deflate, PackBits, old Deflate, Zstd
# Tags of volumes, and those that make tifffile read a vendor's private structures: none belongs to cells.
_VENDOR = frozenset((
    32997, 32998, 33471, 33560, 33628, 33629, 33630, 33631, 34118, 34361, 34362, 34363, 34386, 34412, 34680, 34682,
    37706, 43314, 51123, 65426, 65432, 65439,
))  # fmt: skip


@dataclass(frozen=True)
class Page:
    """One grey image of a TIFF file, its sizes checked against the file; pixels are not read yet.

    `strips` are the `(offset, length)` of its raw pixels; empty where they need a decoder.
    """

    index: int
    offset: int
    height: int
    width: int
    dtype: str
    compression: int
    name: str
    description: str
    information: str
    codes: frozenset[int]
    order: Order
    strips: Strips

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels once decoded."""
        return self.height * self.width * np.dtype(self.dtype).itemsize


def iter_pages(source: Path, *, max_pages: int, max_pixels: int) -> Iterator[Page]:
    """Yield the pages of a TIFF file, each checked so that decoding it is safe.

    Raises `CellsError`, naming the page, where an image is not grey uint8, uint16 or float32, has more than
    `max_pixels`, is compressed in a way not read here, or is not all there.
    """
    for directory in walk(source, max_pages):
        yield _page(source, directory, max_pixels)


def _page(source: Path, directory: Directory, max_pixels: int) -> Page:
    where = f"page {directory.index + 1}"
    width, height = (whole_number(source, directory, code) for code in (256, 257))
    if min(width, height) < 1 or width * height > max_pixels:
        raise CellsError(source, where, f"{height} x {width} pixels", f"1 to {max_pixels} in all")
    samples, photometric = whole_number(source, directory, 277, 1), whole_number(source, directory, 262, 1)
    if samples != 1 or photometric != 1:
        found = f"{samples} samples a pixel, photometric interpretation {photometric}"
        raise CellsError(source, where, found, "grey pixels, 0 black (1 sample, interpretation 1)")
    bits, form = whole_number(source, directory, 258, 1), whole_number(source, directory, 339, 1)
    if (bits, form) not in _DTYPES:
        found = f"{bits}-bit samples of format {form}"
        raise CellsError(source, where, found, "uint8, uint16 or float32 (32-bit, format 3)")
    compression = whole_number(source, directory, 259, 1)
    if compression not in _COMPRESSIONS:
        known = ", ".join(compression_name(code) for code in _COMPRESSIONS)
        raise CellsError(source, f"{where}, compression", compression_name(compression), known)
    vendor = directory.codes & _VENDOR
    if vendor:
        found = f"tag {min(vendor)} of another format"
        raise CellsError(source, where, found, "a plain or OME TIFF")
    row = width * np.dtype(_DTYPES[bits, form]).itemsize
    strips = find_strips(source, directory, height, row, compression)
    name, description, information = (str(directory.values.get(code, "")) for code in (285, 270, 50839))
    return Page(
        index=directory.index,
        offset=directory.offset,
        height=height,
        width=width,
        dtype=_DTYPES[bits, form],
        compression=compression,
        name=name,
        description=description,
        information=information,
        codes=directory.codes,
        order=directory.order,
        strips=strips,
    )
