"""Cells in memory, such as rendered ones, as a recording."""

from __future__ import annotations

from collections import Counter

from engines.cells import Cells
from engines.cells._recording import Cell, Recording


class InMemory(Recording):
    """A recording of cells that are in memory already."""

    kind = "memory"

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.name, self.channels, self.classes = cells.name, cells.channels, cells.classes
        self.dtype = cells.frames.dtype
        self.shape = (cells.frames.shape[2], cells.frames.shape[3])
        self.about: dict[str, str] = {}
        self.skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: int) -> Cell:
        cells = self._cells
        label = -1 if cells.labels is None else int(cells.labels[index])
        return Cell(cells.frames[index], label, "" if cells.groups is None else str(cells.groups[index]))
