"""Write cells to a NumPy archive, as many as there are."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Fit
from engines.cells._cells import Cells
from engines.cells._gather import gather
from engines.cells._recording import Recording
from engines.errors import InputError

_BLOCK = 1 << 26
_DATE = (1980, 1, 1, 0, 0, 0)


def write_npz(
    cells: Recording | Cells,
    path: str | Path,
    *,
    compress: bool = False,
    size: tuple[int, int] | None = None,
    fit: Fit = "crop-pad",
    **options: Any,
) -> Cells:
    """Write cells to `path` in the form `read_npz` reads, and return what was written.

    A recording is brought to one size first, with the options of `gather`, through a temporary file beside `path`
    where it does not fit into memory. The file appears under its name when it is whole; the same cells give the same
    bytes. Without `compress` any cell can be read from it without reading the others. Trigger times and facts are not
    written.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".cells-", dir=target.parent) as folder:
            if isinstance(cells, Recording):
                cells = gather(cells, size=size, fit=fit, **{"directory": Path(folder), **options})
            half_done = Path(folder) / "cells.npz"
            _write(cells, half_done, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
            half_done.replace(target)
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a file that can be written") from error
    return cells


def _write(cells: Cells, path: Path, how: int) -> None:
    arrays: dict[str, NDArray[np.generic]] = {"channels": np.array(cells.channels)}
    if cells.labels is not None:
        arrays |= {"labels": cells.labels, "classes": np.array(cells.classes)}
    if cells.groups is not None:
        arrays["groups"] = cells.groups
    if cells.pixel_um is not None:
        arrays["pixel_um"] = np.array(cells.pixel_um)
    arrays["frames"] = cells.frames
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", _DATE)
            info.compress_type = how
            with archive.open(info, "w", force_zip64=True) as stream:
                header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False}
                np.lib.format.write_array_header_1_0(stream, {**header, "shape": array.shape})
                rows = max(1, _BLOCK // max(1, array[:1].nbytes)) if array.ndim else 1
                for first in range(0, len(array) if array.ndim else 1, rows):
                    block = array[first : first + rows] if array.ndim else array
                    stream.write(np.ascontiguousarray(block).tobytes())
