"""BD CellView: one multi-page float32 TIFF for each cell, a page for each channel."""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np

from engines.cells._recording import Cell, Recording, plain_text
from engines.cells.tiff._pages import Page, iter_pages
from engines.cells.tiff._read import read_pages
from engines.cells.tiff._structure import MAGICS
from engines.cells.tiff._table import find_table, read_gates
from engines.cells.tiff._tifffile import load_tifffile
from engines.errors import CellsError

_FILE = re.compile(r"[^.].*\.tiff?", re.IGNORECASE)
_NAME = re.compile(r"(?P<run>.*?)_?(?P<object>\d{1,12})\.tiff?", re.IGNORECASE)
_MAX_CHANNELS = 32
_MAX_PIXELS = 1 << 22
_TRIES = 8


def sniff_cellview(path: Path, head: bytes) -> bool:
    """Return whether this is such a file, or a folder (or one with `images` in it) whose first TIFF met is one."""
    try:
        if path.is_dir():
            folder = _images(path)
            name = _any(folder)
            return name is not None and _looks(folder / name)
        return head[:4] in MAGICS and _looks(path)
    except (CellsError, OSError):
        return False


def open_cellview(path: str | Path, *, table: str | Path | None = None) -> Recording:
    """Open a folder of CellView images, the folder above it (with `images` inside), or one image.

    Frames are `(channels, height, width)` float32, background-subtracted, height differing from cell to cell;
    channels are named by the pages. Labels are the gates of `table`, or of the one table of columns `path` and `gate`
    found with the images; `NA` is no gate. Where a folder holds more than one run (the name before the number), the
    run is the group.

    Raises
    ------
    CellsError
        For a folder without such images, or a table that contradicts itself.
    MissingExtraError
        Where tifffile is not installed.
    """
    load_tifffile()
    source = Path(path)
    try:
        folder = _images(source) if source.is_dir() else source.parent
        names = _list(folder) if source.is_dir() else [source.name]
        found = find_table(source, folder) if table is None else Path(table)
    except (OSError, ValueError) as error:
        raise CellsError(source, "file", str(error), "a readable folder") from error
    if not names:
        raise CellsError(source, "cells", "no TIFF file", "one multi-page float32 TIFF for each cell")
    gates = {} if found is None else read_gates(found)
    recording = _CellView(source, folder, names, gates)
    lost = len(gates.keys() - set(names)) if source.is_dir() else 0
    if lost:
        recording.skipped["in the table of gates, but no such file"] += lost
    return recording


def _images(path: Path) -> Path:
    inner = path / "images"
    return inner if inner.is_dir() and _any(path) is None else path


def _any(folder: Path) -> str | None:
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if _FILE.fullmatch(entry.name) and entry.is_file()), None)


def _list(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if _FILE.fullmatch(entry.name) and entry.is_file())


def _looks(file: Path) -> bool:
    """Return whether the first two pages are float32 of one size: no other format read here has such files."""
    first = list(islice(iter_pages(file, max_pages=_MAX_CHANNELS, max_pixels=_MAX_PIXELS), 2))
    return (
        len(first) == 2
        and {page.dtype for page in first} == {"float32"}
        and (first[0].height, first[0].width) == (first[1].height, first[1].width)
    )


class _CellView(Recording):
    """The cells of a folder; every read opens one file."""

    kind = "cellview"

    def __init__(self, source: Path, folder: Path, names: list[str], gates: dict[str, str]) -> None:
        self.name, self._folder, self._names, self._gates = str(source), folder, names, gates
        self.dtype = np.dtype("float32")
        self.about = {}
        self.skipped = Counter()
        self.classes = tuple(sorted({plain_text(gates.get(name, "")) for name in names} - {""}))
        self._labels = {name: index for index, name in enumerate(self.classes)}
        self._several = len({self._run(name) for name in names}) > 1
        self._page_names: tuple[str, ...] | None = None
        first = self._first_pages()
        self._page_names = tuple(page.name for page in first)
        named = all(self._page_names) and len(set(self._page_names)) == len(first)
        self.channels = self._page_names if named else tuple(f"Page {page.index + 1}" for page in first)
        if len(names) == 1:
            self.shape = (first[0].height, first[0].width)

    @staticmethod
    def _run(name: str) -> str:
        match = _NAME.fullmatch(name)
        return match["run"] if match else ""

    def _first_pages(self) -> list[Page]:
        for name in self._names[:_TRIES]:
            try:
                return self._pages(self._folder / name)
            except CellsError as error:
                last = error
        raise last

    def _pages(self, file: Path) -> list[Page]:
        pages = list(iter_pages(file, max_pages=_MAX_CHANNELS, max_pixels=_MAX_PIXELS))
        if {page.dtype for page in pages} != {"float32"}:
            raise CellsError(file, "pages", "whole numbers", "float32 on every page")
        if len({(page.height, page.width) for page in pages}) > 1:
            raise CellsError(file, "pages", "different sizes", "one size on every page")
        if self._page_names is not None and tuple(page.name for page in pages) != self._page_names:
            raise CellsError(file, "pages", "other channels than in the first file", ", ".join(self.channels))
        return pages

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Cell:
        name = self._names[index]
        file = self._folder / name
        frame = np.stack(read_pages(file, self._pages(file)))
        if not np.isfinite(frame).all():
            raise CellsError(file, "pixels", "NaN or infinite values", "finite ones")
        match = _NAME.fullmatch(name)
        facts: dict[str, float | int | str] = {"file": plain_text(name)}
        if match:
            facts["object"] = int(match["object"])
        label = self._labels.get(plain_text(self._gates.get(name, "")), -1)
        return Cell(frame, label, plain_text(self._run(name)) if self._several else "", None, facts)
