"""The recorder's Zarr store (format 2): every file of it is replaced whole, and the count of cells last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.recorder._columns import Columns
from streamer.recorder._store import COLUMN_ROWS, Attributes, Compression, chunk_rows, library


class ZarrStore:
    """A new Zarr store in the layout `cellgate-frames`; a `Store`."""

    def __init__(
        self,
        path: Path,
        compression: Compression,
        names: Mapping[str, tuple[str, ...]],
        frames: NDArray[np.generic],
        columns: Columns,
        attributes: Attributes,
    ) -> None:
        self._group = library("zarr").open_group(path, mode="w-", zarr_format=2)
        self._group.attrs.update(dict(attributes))
        for name, texts in names.items():
            values = np.array(texts)
            array = self._group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(len(values),))
            array[:] = values
        rows = chunk_rows(np.empty(frames.shape[1:], frames.dtype))
        self._frames = self._array("frames", frames, (rows, *frames.shape[1:]), _packing(compression))
        self._columns = {name: self._array(name, values, (COLUMN_ROWS,), None) for name, values in columns.items()}

    def append(self, frames: NDArray[np.generic], columns: Columns) -> None:
        """Add cells."""
        self._frames.append(frames)
        for name, values in columns.items():
            self._columns[name].append(np.ascontiguousarray(values))

    def note(self, counts: Mapping[str, int]) -> None:
        """Write the counts; everything else is in the store already."""
        self._group.attrs.update(dict(counts))

    def close(self, attributes: Attributes) -> None:
        """Write the last attributes."""
        self._group.attrs.update(dict(attributes))

    def _array(self, name: str, like: NDArray[np.generic], chunks: tuple[int, ...], packing: Any) -> Any:
        # Also chunks of nothing but zeros: for a reader those that are not there were lost.
        return self._group.create_array(
            name,
            shape=like.shape,
            dtype=like.dtype,
            chunks=chunks,
            compressors=packing,
            config={"write_empty_chunks": True},
        )


def _packing(compression: Compression) -> Any:
    numcodecs = library("numcodecs")
    return {"none": None, "gzip": numcodecs.GZip(level=1), "zstd": numcodecs.Zstd(level=1)}[compression]
