"""Parquet: every column with its own type, codes as dictionaries, the embedding as a list of fixed size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.results._arrow_arrays import arrow_array, numbers
from engines.results._table import Chunk, Column, Head, Results, read_head
from engines.results._values import distinct, library

HEAD_KEY = b"cellgate"
EMBEDDING = "X_cellgate"
ROW_GROUP, ROW_GROUP_BYTES = 65_536, 32 << 20
_FEATURE = "a Parquet file"


def write_parquet(results: Results, path: Path) -> int:
    """Write the table; return its number of rows. A row group holds 65,536 rows, or 32 MiB where they are wide."""
    arrow, parquet = library("pyarrow", _FEATURE), library("pyarrow.parquet", _FEATURE)
    schema = _schema(arrow, results.head)
    waiting: list[Any] = []
    rows = 0
    # Floats hardly ever repeat: a dictionary of them costs time, and room.
    few = [field.name for field in schema if arrow.types.is_dictionary(field.type) or field.type == arrow.string()]
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": few, "store_schema": True}
    # Opened here: Arrow takes no name that is not UTF-8.
    with path.open("wb") as file, parquet.ParquetWriter(file, schema, **options) as writer:
        for chunk in results.chunks():
            waiting.append(arrow.RecordBatch.from_arrays(_arrays(arrow, results.head, chunk), schema=schema))
            rows += len(chunk)
            if (
                sum(len(some) for some in waiting) >= ROW_GROUP
                or sum(some.nbytes for some in waiting) >= ROW_GROUP_BYTES
            ):
                writer.write_table(arrow.Table.from_batches(waiting), row_group_size=ROW_GROUP)
                waiting = []
        if waiting:
            writer.write_table(arrow.Table.from_batches(waiting), row_group_size=ROW_GROUP)
    return rows


def is_parquet(path: Path) -> bool:
    """Tell whether the file starts as Parquet does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def read_parquet(path: Path) -> Results:
    """Open a table; see `read_results`."""
    arrow, parquet = library("pyarrow", _FEATURE), library("pyarrow.parquet", _FEATURE)
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream) as file:
            schema = file.schema_arrow
        text = (schema.metadata or {}).get(HEAD_KEY)
        if text is None:
            raise InputError(path, "metadata", "no key cellgate", "a table written by Cellgate")
        head = read_head(text, path)
        if schema.names != _schema(arrow, head).names:
            raise InputError(path, "columns", schema.names, "those that its head names")
    except arrow.ArrowException as error:
        raise InputError(path, "file", str(error), "a whole Parquet file") from error
    return Results(head, lambda: _chunks(arrow, parquet, path, head))


def _schema(arrow: Any, head: Head) -> Any:
    kinds = {"code": arrow.dictionary(arrow.int32(), arrow.string()), "text": arrow.string(), "bool": arrow.bool_()}
    fields = [
        arrow.field(name, kinds.get(column.dtype) or arrow.from_numpy_dtype(column.numpy))
        for name, column in zip(_names(head), head.columns, strict=False)
    ]
    if head.embedding:
        fields.append(arrow.field(_names(head)[-1], arrow.list_(arrow.float32(), head.embedding)))
    return arrow.schema(fields, metadata={HEAD_KEY: head.json().encode()})


def _names(head: Head) -> list[str]:
    """Return the columns' names and that of the embedding, which gives way where a column has it."""
    return distinct([*(column.name for column in head.columns), *([EMBEDDING] if head.embedding else ())])


def _arrays(arrow: Any, head: Head, chunk: Chunk) -> list[Any]:
    arrays = [arrow_array(arrow, column, chunk.columns[column.name]) for column in head.columns]
    if chunk.embedding is not None and head.embedding:
        flat = numbers(arrow, np.ascontiguousarray(chunk.embedding, np.float32).reshape(-1))
        arrays.append(arrow.FixedSizeListArray.from_arrays(flat, head.embedding))
    return arrays


def _chunks(arrow: Any, parquet: Any, path: Path, head: Head) -> Iterator[Chunk]:
    rows = max(64, min(ROW_GROUP, ROW_GROUP_BYTES // (8 * len(head.columns) + 4 * head.embedding)))
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream) as file:
            for batch in file.iter_batches(batch_size=rows):
                columns = {
                    column.name: _values(column, batch.column(place), path) for place, column in enumerate(head.columns)
                }
                yield Chunk(columns, _embedding(batch, head, path) if head.embedding else None)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(path, "rows", str(error), "a whole Parquet file") from error


def _values(column: Column, array: Any, path: Path) -> NDArray[Any]:
    if column.dtype == "code":
        codes = {label: code for code, label in enumerate(column.labels)} | {None: -1}
        # The file's own dictionary need not be in the order of the labels.
        try:
            own = np.array([codes[label] for label in array.dictionary.to_pylist()] + [-1], np.int32)
        except KeyError as error:
            raise InputError(path, column.name, error.args[0], "one of the labels that the head names") from error
        picked: NDArray[Any] = own[array.indices.fill_null(len(own) - 1).to_numpy(zero_copy_only=False)]
        return picked
    if column.dtype == "text":
        return np.array(array.to_pylist(), object)
    if array.null_count:
        raise InputError(path, column.name, f"{array.null_count} nulls", "none")
    return np.asarray(array.to_numpy(zero_copy_only=False)).astype(column.numpy, copy=False)


def _embedding(batch: Any, head: Head, path: Path) -> NDArray[np.float32]:
    flat = batch.column(len(head.columns)).flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(batch) * head.embedding:
        raise InputError(path, EMBEDDING, f"{len(flat)} values", f"{head.embedding} in each of {len(batch)} rows")
    return np.asarray(flat, np.float32).reshape(-1, head.embedding)
