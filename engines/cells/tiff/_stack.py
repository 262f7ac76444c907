"""A plain TIFF stack, one page for each cell, of one channel: read so only where the user says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from engines.cells._recording import Cell, Recording
from engines.cells.tiff._pages import Page, iter_pages
from engines.cells.tiff._read import read_pages
from engines.errors import CellsError

_MAX_PAGES = 1 << 20
_MAX_PIXELS = 1 << 22


def open_stack(source: Path) -> Recording:
    """Open a multi-page TIFF whose every page is one cell; pages may differ in size, not in type.

    Raises `CellsError` where a page is damaged: the pages after it cannot be found.
    """
    pages = list(iter_pages(source, max_pages=_MAX_PAGES, max_pixels=_MAX_PIXELS))
    if len({page.dtype for page in pages}) > 1:
        raise CellsError(source, "pages", "different types", "one type on every page")
    return _Stack(source, pages)


class _Stack(Recording):
    """The pages of one file; every read opens it anew and goes to the page directly."""

    kind = "stack"

    def __init__(self, source: Path, pages: list[Page]) -> None:
        self.name, self._source, self._pages = str(source), source, pages
        self.channels = ("Page",)
        self.dtype = np.dtype(pages[0].dtype)
        sizes = {(page.height, page.width) for page in pages}
        self.shape = sizes.pop() if len(sizes) == 1 else None
        self.about, self.skipped = {}, Counter()

    def __len__(self) -> int:
        return len(self._pages)

    def __getitem__(self, index: int) -> Cell:
        frame = read_pages(self._source, [self._pages[index]])[0]
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(self._source, "pixels", "NaN or infinite values", "finite ones")
        return Cell(frame[None], facts={"page": index + 1})
