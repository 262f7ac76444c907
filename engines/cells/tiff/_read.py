"""The pixels of TIFF pages that have been checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.cells.tiff._pages import Page
from engines.cells.tiff._tifffile import load_tifffile, quiet
from engines.errors import CellsError, MissingExtraError

Image = NDArray[np.generic]


def read_pages(source: Path, pages: Sequence[Page]) -> list[Image]:
    """Return the pixels of these pages, each `(height, width)` in native byte order; `CellsError` where damaged.

    Raw strips, as the instruments' exports have them, are read directly; everything else is decoded by tifffile.
    """
    if all(page.strips for page in pages):
        return _read_raw(source, pages)
    images = _decode(source, pages)
    for page, image in zip(pages, images, strict=True):
        if image.shape != (page.height, page.width) or image.dtype != np.dtype(page.dtype):
            found = f"{image.dtype} {image.shape}"
            raise CellsError(source, "pixels", found, f"{page.dtype} ({page.height}, {page.width}) as announced")
    return images


def _read_raw(source: Path, pages: Sequence[Page]) -> list[Image]:
    images = []
    try:
        with source.open("rb") as stream:
            for page in pages:
                parts = []
                for offset, length in page.strips:
                    stream.seek(offset)
                    parts.append(stream.read(length))
                dtype = np.dtype(page.dtype)
                pixels = np.frombuffer(b"".join(parts), dtype.newbyteorder(page.order))
                images.append(pixels.reshape(page.height, page.width).astype(dtype))
    except (OSError, ValueError) as error:  # ValueError: the file has become shorter since it was checked
        raise CellsError(source, "pixels", "cut off", "a readable file") from error
    return images


def _decode(source: Path, pages: Sequence[Page]) -> list[Image]:
    tifffile = load_tifffile()
    images: list[Image] = []
    try:
        with quiet(), tifffile.TiffFile(source, _multifile=False, is_ndpi=False, is_lsm=False) as file:
            for page in pages:
                file.filehandle.seek(page.offset)
                images.append(tifffile.TiffPage(file, index=page.index).asarray(maxworkers=1))
    except Exception as error:  # tifffile and its codecs raise nearly every kind on damaged files
        if "requires the 'imagecodecs' package" in str(error):
            raise MissingExtraError("reading compressed TIFF files", "files") from error
        raise CellsError(source, "pixels", "damaged data", "pixels that can be decoded") from error
    return images
