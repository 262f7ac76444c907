"""An ImageStream export of single cells: a folder of OME-TIFFs, one for each cell and channel."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.cells._recording import Cell, Recording, plain_text
from engines.cells.tiff._ome import parse_ome
from engines.cells.tiff._pages import Page, iter_pages
from engines.cells.tiff._read import read_pages
from engines.cells.tiff._structure import MAGICS
from engines.cells.tiff._tifffile import load_tifffile
from engines.errors import CellsError

# <population>_<object>_Ch<N>.ome.tif; IDEAS leaves the population out where the export was given no prefix.
_TAIL = re.compile(r"ch(\d{1,2})\.ome\.tiff?", re.IGNORECASE | re.ASCII)
_OBJECT = re.compile(r"\d{1,9}", re.ASCII)
_DTYPES = ("uint8", "uint16")
_MAX_PIXELS = 1 << 22
_TRIES = 8

_Key = tuple[int, str]  # object, population: cells in the order of their acquisition


def sniff_imagestream(path: Path, head: bytes) -> bool:
    """Return whether this is a file of such an export, or a folder with at least one."""
    if path.is_dir():
        with os.scandir(path) as entries:
            return any(_parse(entry.name) and entry.is_file() for entry in entries)
    return head[:4] in MAGICS and _parse(path.name) is not None


def open_imagestream(path: str | Path) -> Recording:
    """Open an export: the folder, or one file of it for that one cell with all its channels.

    A cell is a prefix and an object number, told apart by the exact spelling of the prefix; its class is the prefix
    in lower case, so `Ciliated` and `ciliated` are one class. Frames are `(channels, height, width)` uint16 (uint8
    where exported so), channels in the order of their numbers. A cell that lacks a channel which others have is left
    out and counted; one whose channels differ in size turns up as damaged when it is read.

    Raises
    ------
    CellsError
        For a folder without such files, or without a cell that has every channel.
    MissingExtraError
        Where tifffile is not installed.
    """
    load_tifffile()
    source = Path(path)
    try:
        one = None if source.is_dir() else _parse(source.name)
        if one is None and not source.is_dir():
            raise CellsError(source, "name", source.name, "a folder, or a file <population>_<object>_ChN.ome.tif")
        folder = source if one is None else source.parent
        with os.scandir(folder) as entries:
            found = _list(entry.name for entry in entries if entry.is_file())
    except OSError as error:
        raise CellsError(source, "file", error.strerror or str(error), "a readable folder") from error
    if one is not None:
        if not source.is_file():
            raise CellsError(source, "file", "nothing", "an exported file")
        found = {one[0]: found[one[0]]}
    return _ImageStream(source, folder, found)


def _list(names: Iterable[str]) -> dict[_Key, list[tuple[int, str]]]:
    found: dict[_Key, list[tuple[int, str]]] = {}
    for name in names:
        parsed = _parse(name)
        if parsed is not None:
            found.setdefault(parsed[0], []).append((parsed[1], name))
    return found


def _parse(name: str) -> tuple[_Key, int] | None:
    """Return the cell and the channel number that a file name says, None where it is another file's name."""
    front, _, tail = name.rpartition("_")
    population, _, number = front.rpartition("_")
    channel = _channel(tail)
    if channel is None or _OBJECT.fullmatch(number) is None or name[0] in "._":
        return None
    return (int(number), population), channel


@lru_cache(maxsize=1024)
def _channel(tail: str) -> int | None:
    match = _TAIL.fullmatch(tail)
    return None if match is None else int(match[1])


class _ImageStream(Recording):
    """The cells of an export; every read opens that cell's files only."""

    kind = "imagestream"

    def __init__(self, source: Path, folder: Path, found: dict[_Key, list[tuple[int, str]]]) -> None:
        self.name, self._source, self._folder = str(source), source, folder
        numbers = sorted({number for files in found.values() for number, _ in files})
        self.channels = tuple(f"Ch{number}" for number in numbers)
        self.skipped = Counter()
        self._cells: list[tuple[_Key, tuple[str, ...]]] = []
        for key in sorted(found):
            files = dict(sorted(found[key], reverse=True))
            if len(files) < len(found[key]):
                self.skipped["two files for one channel"] += 1
            elif len(files) < len(numbers):
                missing = ", ".join(f"Ch{number}" for number in numbers if number not in files)
                self.skipped[f"no file for {missing}"] += 1
            else:
                self._cells.append((key, tuple(files[number] for number in numbers)))
        if not self._cells:
            what = f"no cell with all of {', '.join(self.channels)}" if numbers else "no such files"
            raise CellsError(source, "cells", what, "files <population>_<object>_ChN.ome.tif, one for each channel")
        self.classes = tuple(sorted({plain_text(key[1].lower()) for key, _ in self._cells} - {""}))
        self._labels = {name: index for index, name in enumerate(self.classes)}
        self._describe(self._first_pages())

    def _first_pages(self) -> list[Page]:
        """Return the pages of the first cell that is whole, among the first few."""
        for _, names in self._cells[:_TRIES]:
            try:
                return self._pages(names)
            except CellsError as error:
                last = error
        raise last

    def _describe(self, pages: list[Page]) -> None:
        self.dtype = np.dtype(pages[0].dtype)
        omes = [parse_ome(page.description) for page in pages]
        self.pixel_um = omes[0].pixel_um
        about = {"dataset": omes[0].dataset, "created": omes[0].created}
        about |= {channel: ome.channel for channel, ome in zip(self.channels, omes, strict=True)}
        self.about = {key: value for key, value in about.items() if value}
        if len(self._cells) == 1:
            self.shape = (pages[0].height, pages[0].width)

    def _pages(self, names: tuple[str, ...]) -> list[Page]:
        pages = []
        for name in names:
            file = self._folder / name
            (page,) = iter_pages(file, max_pages=1, max_pixels=_MAX_PIXELS)
            if page.dtype not in _DTYPES:
                raise CellsError(file, "counts", page.dtype, " or ".join(_DTYPES))
            pages.append(page)
        if len({page.dtype for page in pages}) > 1:
            raise CellsError(self._folder / names[0], "counts", "other types in other channels", "one type")
        if len({(page.height, page.width) for page in pages}) > 1:
            raise CellsError(self._folder / names[0], "size", "other sizes in other channels", "one size for a cell")
        return pages

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: int) -> Cell:
        (number, population), names = self._cells[index]
        pages = self._pages(names)
        if pages[0].dtype != self.dtype.name:
            raise CellsError(self._folder / names[0], "counts", pages[0].dtype, f"{self.dtype.name} as the others")
        images = [read_pages(self._folder / name, [page])[0] for name, page in zip(names, pages, strict=True)]
        return Cell(
            frame=np.stack(images),
            label=self._labels.get(plain_text(population.lower()), -1),
            group=parse_ome(pages[0].description).dataset,
            facts={"object": number, "population": plain_text(population)},
        )
