"""A file of cells that grows: what the recorder needs of HDF5 and of Zarr."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import MissingExtraError
from streamer.recorder._columns import Columns

Compression = Literal["none", "gzip", "zstd"]
Attributes = Mapping[str, str | int | float]

CHUNK_BYTES = 128 << 10
"""About so much of the frames is packed and written in one piece: a slow series rewrites its last piece often."""
COLUMN_ROWS = 1024


class Store(Protocol):
    """A new file in the layout `cellgate-frames`.

    Whatever happens to the process, what was written by the last `note` can be read: the attribute `recorded` of the
    file counts no cell whose frame or column is not there.
    """

    def append(self, frames: NDArray[np.generic], columns: Columns) -> None:
        """Add cells: frames `(n, C, H, W)`, and n values of every column; `OSError` where there is no room for them."""

    def note(self, counts: Mapping[str, int]) -> None:
        """Bring everything to the file, then these counts into its attributes."""

    def close(self, attributes: Attributes) -> None:
        """Write the last attributes and close the file."""


def chunk_rows(frame: NDArray[np.generic]) -> int:
    """Return how many frames make a chunk."""
    return max(1, CHUNK_BYTES // max(1, frame.nbytes))


def library(name: str, extra_module: str | None = None) -> Any:
    """Return h5py or zarr; `MissingExtraError` where it, or what it needs for packing, is not installed."""
    try:
        if extra_module is not None:
            import_module(extra_module)
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"recording to {'HDF5' if name == 'h5py' else 'Zarr'}", "files") from error


def make_store(
    path: Path,
    compression: Compression,
    names: Mapping[str, tuple[str, ...]],
    frames: NDArray[np.generic],
    columns: Columns,
    attributes: Attributes,
) -> Store:
    """Create an empty file: Zarr where the name ends so, else HDF5.

    Parameters
    ----------
    names
        Arrays of text: `channels`, `classes`.
    frames, columns
        None of a kind: `(0, C, H, W)`, and columns of length 0 with their dtypes.
    attributes
        Of the file; the counts that `note` will write are among them, as integers.
    """
    if path.suffix == ".zarr":
        from streamer.recorder._zarr import ZarrStore

        return ZarrStore(path, compression, names, frames, columns, attributes)
    from streamer.recorder._hdf5 import Hdf5Store

    return Hdf5Store(path, compression, names, frames, columns, attributes)
