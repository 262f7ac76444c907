"""Where the cells are in a montage: a grid of tiles, read in rows or in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

Planes = NDArray[np.generic]


@dataclass(frozen=True)
class Layout:
    """How a montage is laid out.

    Attributes
    ----------
    tile
        `(height, width)` of a cell in pixels.
    gap
        Pixels between neighbouring tiles; none around the montage.
    order
        `rows`: left to right, then down. `columns`: downwards, then right.
    tiles_per_cell
        Consecutive tiles that are the channels of one cell; 1 where channels are pages or files.
    """

    tile: tuple[int, int]
    gap: int = 0
    order: str = "rows"
    tiles_per_cell: int = 1

    def grid(self, source: object, height: int, width: int) -> tuple[int, int]:
        """Return `(rows, columns)` of tiles of a montage of this size; `InputError` where they do not fill it."""
        steps = [edge + self.gap for edge in self.tile]
        if (height + self.gap) % steps[0] or (width + self.gap) % steps[1] or min(height, width) < 1:
            tile = f"{self.tile[0]} x {self.tile[1]}" + (f" with a gap of {self.gap}" if self.gap else "")
            raise InputError(source, "size", f"{height} x {width} pixels", f"a whole number of tiles of {tile}")
        return (height + self.gap) // steps[0], (width + self.gap) // steps[1]

    def place(self, number: int, grid: tuple[int, int]) -> tuple[int, int]:
        """Return `(row, column)` of a tile by its number in reading order."""
        if self.order == "rows":
            return divmod(number, grid[1])
        column, row = divmod(number, grid[0])
        return row, column

    def cut(self, planes: Planes, cell: int, grid: tuple[int, int]) -> Planes:
        """Return a copy of one cell, `(channels, height, width)`, from planes `(pages, H, W)`."""
        tiles = []
        for number in range(cell * self.tiles_per_cell, (cell + 1) * self.tiles_per_cell):
            row, column = self.place(number, grid)
            top, left = row * (self.tile[0] + self.gap), column * (self.tile[1] + self.gap)
            tiles.append(planes[:, top : top + self.tile[0], left : left + self.tile[1]])
        return np.concatenate(tiles)

    def filled(self, planes: Planes, grid: tuple[int, int]) -> NDArray[np.bool_]:
        """Return, for every cell the grid has room for, whether any of its tiles is more than one constant value."""
        varied = np.zeros(grid, bool)
        for row in range(grid[0]):  # a row at a time: a comparison of a whole montage would copy it
            top = row * (self.tile[0] + self.gap)
            band = planes[:, top : top + self.tile[0]]
            for column in range(grid[1]):
                left = column * (self.tile[1] + self.gap)
                tile = band[:, :, left : left + self.tile[1]]
                varied[row, column] = bool((tile != tile[:, :1, :1]).any())
        in_order = (varied if self.order == "rows" else varied.T).ravel()
        cells = len(in_order) // self.tiles_per_cell
        return np.asarray(in_order[: cells * self.tiles_per_cell].reshape(cells, -1).any(axis=1))
