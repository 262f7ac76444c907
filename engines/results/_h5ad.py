"""AnnData's `.h5ad`, written chunk by chunk as its on-disk format says, so that it opens in anndata and scanpy.

The format: https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.h5_writing import writing_h5
from engines.results._table import Chunk, Column, Head, Results
from engines.results._values import distinct, library, printable

EMBEDDING = "X_cellgate"
FEATURE = "an .h5ad file"
INDEX = "_index"
ROWS = 4096
"""Rows of one HDF5 chunk, fewer where they are wide."""


def write_h5ad(results: Results, path: Path) -> int:
    """Write the table; return its number of rows.

    `X` holds the measurements, `obs` all other columns (probabilities by class among them), `obsm["X_cellgate"]` the
    embedding and `uns["cellgate"]` where the table comes from. Without measurements `X` has no columns.
    """
    h5py = library("h5py", FEATURE)
    head = results.head
    with writing_h5(h5py, path, libver=("v108", "v110")) as (file, disk):
        _mark(file, "anndata", "0.1.0")
        sheet = _Sheet(h5py, file, head)
        for chunk in results.chunks():
            sheet.add(chunk)
            disk.check()
        sheet.finish()
        _frame(h5py, file, "var", [column.name for column in _measured(head)], [])
        for name in ("layers", "varm", "obsp", "varp"):
            _mark(file.create_group(name), "dict", "0.1.0")
        _uns(h5py, file, head)
    return sheet.rows


def obs_names(head: Head) -> list[str]:
    """Return the name in the file of each column of `obs`: a slash would start a group of HDF5."""
    names = (printable(column.name).replace("/", "|") for column in obs_columns(head))
    return distinct([INDEX, *names])[1:]


def obs_columns(head: Head) -> list[Column]:
    """Return the columns that are in `obs`."""
    return [column for column in head.columns if column.role != "measurement" or column.dtype != "float32"]


def _measured(head: Head) -> list[Column]:
    return [column for column in head.columns if column.role == "measurement" and column.dtype == "float32"]


class _Sheet:
    """`X`, `obs` and `obsm` while they grow."""

    def __init__(self, h5py: Any, file: Any, head: Head) -> None:
        self.rows = 0
        self._file, self._head, self._text = file, head, h5py.string_dtype()
        self._obs = _frame(h5py, file, "obs", None, obs_names(head))
        self._index = self._growing(self._obs, INDEX, self._text, (), "string-array")
        self._columns = [self._column(h5py, name, column) for name, column in self._named()]
        self._measured = _measured(head)
        self._x = self._growing(file, "X", "<f4", (len(self._measured),)) if self._measured else None
        obsm = file.create_group("obsm")
        _mark(obsm, "dict", "0.1.0")
        self._embedding = self._growing(obsm, EMBEDDING, "<f4", (head.embedding,)) if head.embedding else None

    def add(self, chunk: Chunk) -> None:
        names = np.arange(self.rows, self.rows + len(chunk)).astype("U").astype(object)
        key = next((c.name for c in self._head.columns if c.name in ("seq", "index") and c.dtype == "uint64"), None)
        if key is not None:
            names = chunk.columns[key].astype("U").astype(object)
        self._append(self._index, names)
        for data, (_, column) in zip(self._columns, self._named(), strict=True):
            self._append(data, chunk.columns[column.name])
        if self._x is not None:
            self._append(self._x, np.stack([chunk.columns[column.name] for column in self._measured], axis=1))
        if self._embedding is not None and chunk.embedding is not None:
            self._append(self._embedding, chunk.embedding)
        self.rows += len(chunk)

    def finish(self) -> None:
        if self._x is None:
            _mark(self._file.create_dataset("X", (self.rows, 0), "<f4"), "array", "0.2.0")

    def _named(self) -> list[tuple[str, Column]]:
        return list(zip(obs_names(self._head), obs_columns(self._head), strict=True))

    def _column(self, h5py: Any, name: str, column: Column) -> Any:
        if column.dtype == "text":
            return self._growing(self._obs, name, self._text, (), "string-array")
        if column.dtype != "code":
            return self._growing(self._obs, name, column.numpy, ())
        group = self._obs.create_group(name)
        _mark(group, "categorical", "0.2.0")
        group.attrs["ordered"] = False
        _texts(h5py, group, "categories", column.labels)
        return self._growing(group, "codes", np.min_scalar_type(-max(1, len(column.labels))), ())

    def _growing(self, group: Any, name: str, dtype: Any, shape: tuple[int, ...], kind: str = "array") -> Any:
        rows = max(16, min(ROWS, (1 << 20) // (4 * max(1, *shape, 1))))
        data = group.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(rows, *shape))
        _mark(data, kind, "0.2.0")
        return data

    def _append(self, data: Any, values: NDArray[Any]) -> None:
        data.resize(self.rows + len(values), axis=0)
        data[self.rows :] = values


def _mark(element: Any, kind: str, version: str) -> None:
    element.attrs["encoding-type"] = kind
    element.attrs["encoding-version"] = version


def _frame(h5py: Any, file: Any, name: str, index: Sequence[str] | None, columns: Sequence[str]) -> Any:
    """Make the group of a data frame; its index too, where it is known already."""
    group = file.create_group(name)
    _mark(group, "dataframe", "0.2.0")
    group.attrs["_index"] = INDEX
    group.attrs.create("column-order", np.array(list(columns), object), dtype=h5py.string_dtype())
    if index is not None:
        _texts(h5py, group, INDEX, index)
    return group


def _texts(h5py: Any, group: Any, name: str, texts: Sequence[str]) -> None:
    data = group.create_dataset(
        name, data=np.array(list(texts), object), dtype=h5py.string_dtype(), shape=(len(texts),)
    )
    _mark(data, "string-array", "0.2.0")


def _uns(h5py: Any, file: Any, head: Head) -> None:
    uns = file.create_group("uns")
    _mark(uns, "dict", "0.1.0")
    group = uns.create_group("cellgate")
    _mark(group, "dict", "0.1.0")
    about = head.about
    scalars = {"head": head.json()} | {
        name: getattr(about, name)
        for name in ("cells", "bundle", "bundle_sha256", "engine", "software", "command", "created", "series")
    }
    for name, text in scalars.items():
        _mark(group.create_dataset(name, data=printable(text), dtype=h5py.string_dtype()), "string", "0.2.0")
    totals = group.create_group("totals")
    _mark(totals, "dict", "0.1.0")
    for name, count in about.totals.items():
        _mark(totals.create_dataset(printable(name).replace("/", "|"), data=count), "numeric-scalar", "0.2.0")
