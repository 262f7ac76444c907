"""Index sorting: which well of a plate gets which cell."""

from __future__ import annotations

from dataclasses import dataclass

from engines.errors import InputError

PLATES = {96: (8, 12), 384: (16, 24)}
"""Rows and columns by the number of wells."""


@dataclass(frozen=True)
class Plate:
    """A plate that is filled row by row: A1, A2, … A12, B1, … H12 (96 wells); A1 … P24 (384).

    Parameters
    ----------
    wells
        96 or 384.
    cells_per_well
        How many cells each well gets before the next is filled.

    Raises
    ------
    InputError
        A plate of another size, or less than one cell per well.
    """

    wells: int
    cells_per_well: int = 1

    def __post_init__(self) -> None:
        if self.wells not in PLATES:
            raise InputError("plate", "wells", self.wells, " or ".join(map(str, PLATES)))
        if self.cells_per_well < 1:
            raise InputError("plate", "cells_per_well", self.cells_per_well, "at least 1")

    @property
    def capacity(self) -> int:
        """How many cells the plate holds: the target of its way."""
        return self.wells * self.cells_per_well

    def well(self, n: int) -> str:
        """Return the well of the n-th sorted cell, from 0; `ValueError` beyond the plate's last."""
        if not 0 <= n < self.capacity:
            raise ValueError(f"cell {n} of a plate for {self.capacity}")
        row, column = divmod(n // self.cells_per_well, PLATES[self.wells][1])
        return f"{chr(ord('A') + row)}{column + 1}"
