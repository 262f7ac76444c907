"""Read back the `.h5ad` files that Cellgate has written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.rehearsal import rehearse
from engines.results._h5ad import EMBEDDING, FEATURE, obs_columns, obs_names
from engines.results._table import Chunk, Column, Head, Results, read_head
from engines.results._values import library

HDF5 = b"\x89HDF\r\n\x1a\n"
_CHUNK_BYTES = 16 << 20
# What h5py raises for files that are cut short, or whose parts are not what they should be.
_BROKEN = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError)


def is_h5ad(path: Path) -> bool:
    """Tell whether the file is HDF5 that says it is AnnData."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            return False
    library("h5py", "an HDF5 file")
    try:
        return bool(rehearse(f"{__name__}:says_anndata", path, imports=("h5py",), raises=InputError))
    except InputError:
        return False


def says_anndata(path: Path) -> bool:
    """Return whether an HDF5 file says that it is AnnData; to be rehearsed, as the library may hang on damage."""
    h5py = library("h5py", "an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("encoding-type") == "anndata")
    except _BROKEN:
        return False


def read_h5ad(path: Path) -> Results:
    """Open a table; see `read_results`."""
    library("h5py", FEATURE)
    rehearse(f"{__name__}:look", path, imports=("h5py",), raises=InputError)
    return _open(path)


def look(path: Path) -> None:
    """Open a table; to be rehearsed."""
    _open(path)


def _open(path: Path) -> Results:
    h5py = library("h5py", FEATURE)
    try:
        with h5py.File(path, "r") as file:
            if "uns/cellgate/head" not in file:
                raise InputError(path, "uns/cellgate/head", "nothing", "a table written by Cellgate")
            head = read_head(file["uns/cellgate/head"][()], path)
            rows = _rows(file, head, path)
    except _BROKEN as error:
        raise InputError(path, "file", str(error), "a whole .h5ad file") from error
    return Results(head, lambda: _chunks(h5py, path, head, rows))


def _data(file: Any, name: str, column: Column) -> Any:
    return file["obs"][name]["codes"] if column.dtype == "code" else file["obs"][name]


def _rows(file: Any, head: Head, path: Path) -> int:
    """Return the number of rows, which every part must have."""
    rows = int(file["X"].shape[0])
    widths: dict[str, tuple[object, tuple[int, ...]]] = {
        "X": (file["X"].shape, (rows, len(head.columns) - len(obs_columns(head))))
    }
    for name, column in zip(obs_names(head), obs_columns(head), strict=True):
        widths[f"obs/{name}"] = (_data(file, name, column).shape, (rows,))
    if head.embedding:
        widths[EMBEDDING] = (file["obsm"][EMBEDDING].shape, (rows, head.embedding))
    for name, (found, expected) in widths.items():
        if found != expected:
            raise InputError(path, name, f"shape {found}", f"shape {expected}")
    return rows


def _chunks(h5py: Any, path: Path, head: Head, rows: int) -> Iterator[Chunk]:
    step = max(1, _CHUNK_BYTES // (8 * len(head.columns) + 4 * head.embedding))
    measured = [column for column in head.columns if column not in obs_columns(head)]
    try:
        with h5py.File(path, "r") as file:
            for first in range(0, rows, step):
                some = slice(first, min(rows, first + step))
                columns = {
                    column.name: _values(_data(file, name, column), some, column, path)
                    for name, column in zip(obs_names(head), obs_columns(head), strict=True)
                }
                x = file["X"][some].astype("<f4", copy=False)
                columns |= {column.name: x[:, place] for place, column in enumerate(measured)}
                embedding = file["obsm"][EMBEDDING][some].astype("<f4", copy=False) if head.embedding else None
                yield Chunk({column.name: columns[column.name] for column in head.columns}, embedding)
    except _BROKEN as error:
        raise InputError(path, "rows", str(error), "a whole .h5ad file") from error


def _values(data: Any, some: slice, column: Column, path: Path) -> NDArray[Any]:
    if column.dtype == "text":
        return np.asarray(data.asstr()[some], object)
    values: NDArray[Any] = np.asarray(data[some]).astype(column.numpy, copy=False)
    if column.dtype == "code" and len(values) and not -1 <= values.min() <= values.max() < len(column.labels):
        raise InputError(path, column.name, "a code without a label", f"-1 to {len(column.labels) - 1}")
    return values
