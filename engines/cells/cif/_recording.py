"""The recording: cells by number, read from the file when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.cells._recording import Cell, Recording
from engines.cells.cif._chain import Rows
from engines.cells.cif._header import Header
from engines.cells.cif._planes import Indices, first_fault
from engines.cells.cif._read import read_number, read_plane
from engines.cells.cif._source import DamagedError, Source
from engines.errors import CellsError

_ON_THE_CELL = 1
Kind = TypeVar("Kind", bound=np.generic)


class CifRecording(Recording):
    """Cells of a CIF or RIF file, uint16, of whatever size each has.

    A cell's `facts` are `object`, its number in the file, and `centre_x` and `centre_y`, as the file gives them,
    where it does. `mask` gives the instrument's own segmentation.
    """

    def __init__(
        self, source: Source, header: Header, images: Rows, masks: Rows, mine: Indices, skipped: Counter[str]
    ) -> None:
        self.name = str(source.path)
        self.kind = "rif" if source.path.suffix.lower() == ".rif" else "cif"
        self.channels = header.channels
        self.dtype = np.dtype(np.uint16)
        self.about = header.about
        self.skipped = skipped
        self._source, self._images, self._masks, self._mine = source, images, masks, mine
        heights, widths = np.unique(images["height"]), np.unique(images["width"])
        if len(heights) == len(widths) == 1:
            self.shape = (int(heights[0]), int(widths[0]) // len(self.channels))

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Cell:
        row = self._images[self._check(index)]
        try:
            return self._cell(row)
        except DamagedError as error:
            raise self._error(row, error) from None

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells in order from `start`. One that turns out to be damaged is counted in `skipped`."""
        for row in self._images[start:]:
            try:
                cell = self._cell(row)
            except DamagedError as error:
                self.skipped[str(error)] += 1
            else:
                yield cell

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """Return the mask of the cell at `index`, `(C, h, w)`, True on the cell; None where the file has none.

        True is where the file says 1. Its values 2 and 3, which the R package IFC takes for parts clipped by height
        and by width, are not of the cell.

        Raises
        ------
        CellsError
            Where the mask is damaged or not of its image's size.
        """
        mine = int(self._mine[self._check(index)])
        if mine < 0:
            return None
        image, row = self._images[index], self._masks[mine]
        fault = first_fault(self._masks[mine : mine + 1], len(self.channels), self._source.size)
        try:
            if fault or (row["width"], row["height"]) != (image["width"], image["height"]):
                raise DamagedError(fault or "the mask is not of its image's size")
            plane = read_plane(self._source, row) == _ON_THE_CELL
        except DamagedError as error:
            raise self._error(row, error) from None
        return _channels_first(plane, len(self.channels))

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _check(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"cell {index} of {len(self)}")
        return index

    def _error(self, row: np.void, error: DamagedError) -> CellsError:
        return CellsError(self.name, f"object {row['object']}, IFD at byte {row['at']}", str(error), "a whole plane")

    def _cell(self, row: np.void) -> Cell:
        plane = read_plane(self._source, row).astype(np.uint16, copy=False)
        facts: dict[str, float | int | str] = {}
        if row["object"] >= 0:
            facts["object"] = int(row["object"])
        for name in ("x", "y"):
            value = read_number(self._source, row, name)
            if value is not None:
                facts[f"centre_{name}"] = value
        return Cell(_channels_first(plane, len(self.channels)), facts=facts)


def _channels_first(plane: NDArray[Kind], channels: int) -> NDArray[Kind]:
    """Cut the plane, in which all channels lie side by side, into `(C, h, w)`."""
    height, width = plane.shape
    return np.ascontiguousarray(plane.reshape(height, channels, width // channels).transpose(1, 0, 2))
