"""Montages: cells laid out as tiles in one large image, for each channel a page or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.cells._recording import Cell, Recording, plain_text
from engines.cells.tiff._cellview import sniff_cellview
from engines.cells.tiff._imagestream import sniff_imagestream
from engines.cells.tiff._montage_files import CHANNEL_FILE, Montage, list_montages
from engines.cells.tiff._montage_read import MAX_PIXELS, guess_tile, read_montage
from engines.cells.tiff._pages import iter_pages
from engines.cells.tiff._png import png_size
from engines.cells.tiff._stack import open_stack
from engines.cells.tiff._structure import MAGICS
from engines.cells.tiff._tifffile import load_tifffile
from engines.cells.tiff._tiles import Layout, Planes
from engines.errors import CellsError, InputError

_LARGE = 512  # pixels; no frame of one cell is that wide
_MAX_TILE = 4096
_CIF = 33000  # the channel count in an Amnis file, which is a TIFF as well


def sniff_montage(path: Path, head: bytes) -> bool:
    """Return whether this may be a montage: a large TIFF or PNG, or a folder of large ones named `ChN…`.

    Nothing inside tells a montage from any other large image, so this is to be asked after every other format.
    """
    try:
        if not path.is_dir():
            return _large(path, head)
        folders = [path, *(entry for entry in sorted(path.iterdir())[:64] if entry.is_dir())]
        files = (file for folder in folders for file in folder.iterdir() if CHANNEL_FILE.fullmatch(file.name))
        first = next(files, None)
        if first is None or not first.is_file():
            return False
        with first.open("rb") as stream:
            return _large(first, stream.read(64))
    except (CellsError, OSError):
        return False


def _large(path: Path, head: bytes) -> bool:
    size = png_size(head)
    if size is None:
        if head[:4] not in MAGICS or sniff_imagestream(path, head) or sniff_cellview(path, head):
            return False
        page = next(iter_pages(path, max_pages=1, max_pixels=MAX_PIXELS))
        size = (0, 0) if _CIF in page.codes else (page.height, page.width)
    return max(size) >= _LARGE


def open_montage(
    path: str | Path,
    *,
    tile: int | tuple[int, int] | None = None,
    gap: int = 0,
    order: str = "rows",
    tiles_per_cell: int = 1,
    pages: str = "channels",
) -> Recording:
    """Open montages: one TIFF or PNG, a folder of them, or a folder with a folder of them for each class.

    Pages are channels; so are files `ChN_<rest>` of one rest. Tiles that are one constant value in every channel are
    empty and are counted as skipped. Montages are decoded once on opening, to find those, and again to be read, one
    at a time. Frames are `(channels, *tile)` of the files' type: uint8, uint16 or float32.

    Parameters
    ----------
    tile
        Edge of a cell's tile in pixels, or `(height, width)`. May be left out where ImageJ's montage command wrote
        it into the file; nothing else is guessed.
    gap
        Pixels between tiles.
    order
        `rows` (left to right, then down) or `columns`.
    tiles_per_cell
        Consecutive tiles that are the channels of one cell, for montages of one page.
    pages
        `channels`, or `cells`: the file is no montage but a stack with a page for each cell, of one channel. Then
        `tile` is not needed.

    Raises
    ------
    CellsError
        Where files are damaged, do not belong together, are not made of whole tiles, or nothing says the tile size.
    InputError
        For a hint that cannot be.
    MissingExtraError
        Where tifffile or Pillow is not installed.
    """
    load_tifffile()
    source = Path(path)
    _check_hints(source, gap, order, tiles_per_cell, pages)
    if pages == "cells":
        return open_stack(source)
    montages = list_montages(source)
    size = _tile_size(source, tile, montages[0])
    return _Montages(source, montages, Layout(size, gap, order, tiles_per_cell))


def _check_hints(source: Path, gap: int, order: str, tiles_per_cell: int, pages: str) -> None:
    if not 0 <= gap <= _MAX_TILE:
        raise InputError(source, "gap", gap, f"0 to {_MAX_TILE} pixels")
    if order not in ("rows", "columns"):
        raise InputError(source, "order", order, "rows or columns")
    if not 1 <= tiles_per_cell <= 64:
        raise InputError(source, "tiles per cell", tiles_per_cell, "1 to 64")
    if pages not in ("channels", "cells"):
        raise InputError(source, "pages", pages, "channels or cells")


def _tile_size(source: Path, tile: int | tuple[int, int] | None, montage: Montage) -> tuple[int, int]:
    size = (tile, tile) if isinstance(tile, int) else tile
    if size is None:
        size = guess_tile(montage.files[0])
        if size is None or max(size) > _MAX_TILE:
            raise CellsError(source, "tile", "nothing that says its size", "the edge in pixels (--hint tile=66)")
    if not all(1 <= edge <= _MAX_TILE for edge in size):
        raise InputError(source, "tile", size, f"1 to {_MAX_TILE} pixels")
    return size


class _Montages(Recording):
    """The cells of montages in the order of their names, then of their tiles; holds one montage at a time."""

    kind = "montage"

    def __init__(self, source: Path, montages: list[Montage], layout: Layout) -> None:
        self.name, self._montages, self._layout = str(source), montages, layout
        self.skipped = Counter()
        self.shape = layout.tile
        self.classes = tuple(sorted({plain_text(montage.class_name) for montage in montages} - {""}))
        self._grids: list[tuple[int, int]] = []
        self._held: tuple[int, Planes] | None = None
        filled = [self._scan(index) for index in range(len(montages))]
        self._numbers = np.concatenate(filled)
        self._starts = np.cumsum([0, *(len(cells) for cells in filled)])
        if not len(self._numbers):
            raise CellsError(source, "cells", "empty tiles only", "at least one tile that is not constant")
        self.about = {"tile": f"{layout.tile[0]} x {layout.tile[1]}", "montages": str(len(montages))}

    def _scan(self, index: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Read one montage; return the numbers of its cells that are not empty."""
        montage, layout = self._montages[index], self._layout
        planes, pages = read_montage(montage)
        channels = self._channels(montage, pages)
        if index == 0:
            self.channels, self.dtype = channels, planes.dtype
        elif channels != self.channels or planes.dtype != self.dtype:
            found = f"{', '.join(channels)} of {planes.dtype}"
            raise CellsError(montage.files[0], "channels", found, f"{', '.join(self.channels)} of {self.dtype}")
        try:
            grid = layout.grid(montage.files[0], *planes.shape[1:])
        except InputError as error:
            raise CellsError(error.source, error.field, error.found, error.expected) from None
        if grid[0] * grid[1] < layout.tiles_per_cell:
            raise CellsError(montage.files[0], "tiles", grid[0] * grid[1], f"{layout.tiles_per_cell} for one cell")
        self._grids.append(grid)
        self._held = (index, planes)
        filled = layout.filled(planes, grid)
        empty = int((~filled).sum())
        if empty:
            self.skipped["empty tile"] += empty
        return np.flatnonzero(filled)

    def _channels(self, montage: Montage, pages: tuple[str, ...]) -> tuple[str, ...]:
        if self._layout.tiles_per_cell > 1:
            if len(pages) > 1:
                raise CellsError(montage.files[0], "pages", len(pages), "one, where channels are consecutive tiles")
            return tuple(f"Tile {n + 1}" for n in range(self._layout.tiles_per_cell))
        if montage.channels:
            return montage.channels
        return (
            pages if all(pages) and len(set(pages)) == len(pages) else tuple(f"Page {n + 1}" for n in range(len(pages)))
        )

    def _planes(self, index: int) -> Planes:
        if self._held is None or self._held[0] != index:
            self._held = None  # let go of the last one before the next is read
            planes, _ = read_montage(self._montages[index])
            self._held = (index, planes)
        return self._held[1]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Cell:
        which = int(np.searchsorted(self._starts, index, side="right")) - 1
        montage, grid, number = self._montages[which], self._grids[which], int(self._numbers[index])
        frame = self._layout.cut(self._planes(which), number, grid)
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(montage.files[0], "pixels", "NaN or infinite values", "finite ones")
        label = self.classes.index(plain_text(montage.class_name)) if montage.class_name else -1
        return Cell(frame, label, "", None, {"montage": plain_text(montage.name), "tile": number})

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells in order; the montage held is let go of at the end."""
        yield from super().cells(start)
        self._held = None

    def close(self) -> None:
        """Let go of the montage held."""
        self._held = None
