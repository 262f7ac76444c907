"""Open recorded cells, or render digital ones, by what a command line says."""

from __future__ import annotations

import re
from pathlib import Path

from engines.cells._cells import Cells
from engines.cells._npz import read_npz
from engines.errors import InputError

_DIGITAL = re.compile(r"digital(?::(\d{1,7}))?")
DEFAULT_DIGITAL = 4096


def open_cells(source: str | Path, *, seed: int = 0) -> Cells:
    """Return the cells that `source` names: a path, or `digital[:N]` for N rendered cells (4096 unless said).

    Raises `CellsError` for a file that is none of cells, `InputError` for an N that cannot be.
    """
    match = _DIGITAL.fullmatch(str(source))
    if match is None:
        return read_npz(source)
    n = int(match[1] or DEFAULT_DIGITAL)
    if not 1 <= n <= 1_000_000:
        raise InputError("cells", "digital:N", n, "1 to 1000000")
    from engines.cells.digital import render

    return render(n, seed=seed)
