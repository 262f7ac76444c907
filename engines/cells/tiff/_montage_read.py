"""Read montages whole: TIFF or PNG files, a channel for each page or each file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engines.cells.tiff._montage_files import Montage
from engines.cells.tiff._pages import Page, iter_pages
from engines.cells.tiff._png import read_png
from engines.cells.tiff._read import Image, read_pages
from engines.cells.tiff._tiles import Planes
from engines.errors import CellsError

MAX_PIXELS = 1 << 26
MAX_BYTES = 1 << 30
_MAX_CHANNELS = 64


def read_montage(montage: Montage) -> tuple[Planes, tuple[str, ...]]:
    """Return the planes of a montage, `(channels, H, W)`, and the channel names its pages give (maybe empty).

    Raises `CellsError` where a file is damaged, planes differ in size or type, or they are more than `MAX_BYTES`.
    """
    planes: list[Image] = []
    names: list[str] = []
    total = 0
    for file in montage.files:
        if is_png(file):
            images, pages = [read_png(file, MAX_PIXELS)], [""]
        else:
            listed = tiff_pages(file, 1 if montage.channels else _MAX_CHANNELS)
            if sum(page.nbytes for page in listed) + total > MAX_BYTES:
                raise CellsError(file, "size", "pixels of more than 1 GiB", f"at most {MAX_BYTES} bytes in all")
            images, pages = read_pages(file, listed), [page.name for page in listed]
        total += sum(image.nbytes for image in images)
        if total > MAX_BYTES:
            raise CellsError(file, "size", "pixels of more than 1 GiB", f"at most {MAX_BYTES} bytes in all")
        planes += images
        names += pages
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        raise CellsError(montage.files[0], "planes", "different sizes or types", "one size and type for all channels")
    return np.stack(planes), tuple(names)


def tiff_pages(file: Path, most: int) -> list[Page]:
    """Return the pages of a TIFF file, at most so many."""
    return list(iter_pages(file, max_pages=most, max_pixels=MAX_PIXELS))


def is_png(file: Path) -> bool:
    """Return whether the name says PNG; what is inside is checked on reading."""
    return file.suffix.lower() == ".png"


def guess_tile(file: Path) -> tuple[int, int] | None:
    """Return the tile size that ImageJ wrote down when it made the montage, `(height, width)`; None where none did.

    ImageJ's montage command leaves `xMontage=<columns>` and `yMontage=<rows>` in the image's information.
    """
    if is_png(file):
        return None
    page = next(iter_pages(file, max_pages=_MAX_CHANNELS, max_pixels=MAX_PIXELS))
    match = [re.search(rf"{axis}Montage=(\d{{1,4}})\b", page.information) for axis in "yx"]
    if match[0] is None or match[1] is None:
        return None
    rows, columns = int(match[0][1]), int(match[1][1])
    if rows < 1 or columns < 1 or page.height % rows or page.width % columns:
        return None
    return page.height // rows, page.width // columns
