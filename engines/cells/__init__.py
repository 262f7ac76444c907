"""Recorded cells: one type, and the readers that make it."""

from engines.cells._cells import Cells
from engines.cells._npz import read_npz
from engines.cells._open import open_cells

__all__ = ["Cells", "open_cells", "read_npz"]
