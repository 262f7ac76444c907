"""CSV (RFC 4180): numbers in the shortest form that reads back as the same number, text that no spreadsheet runs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.results._table import Chunk, Column, Head, Results, read_head
from engines.results._values import distinct

HEAD_ENDING = ".json"
"""Of the file beside the CSV that holds the columns' types and where the table comes from."""
ROWS = 4096
VALUES = 1 << 18
"""Turned into text at a time: as text a number takes ten times its room."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_MAX_HEAD_BYTES = 16 << 20


def write_csv(results: Results, path: Path) -> int:
    """Write the table, UTF-8 with a line of names; return its number of rows.

    A label stands for each code. Missing values are empty. A spreadsheet takes text that starts with `=`, `+`, `-` or
    `@` for a formula; such text gets a `'` in front, and so does text that starts with one.
    """
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([_guarded(name) for name in _names(results.head)])
        few = max(1, VALUES // (len(results.head.columns) + results.head.embedding))
        for chunk in results.chunks():
            for first in range(0, len(chunk), few):
                writer.writerows(_lines(results.head, chunk, slice(first, first + few)))
            rows += len(chunk)
    return rows


def is_csv(path: Path) -> bool:
    """Tell whether the file is named as CSV."""
    return path.is_file() and path.suffix.lower() == ".csv"


def read_csv(path: Path) -> Results:
    """Open a table, with the JSON beside it; see `read_results`."""
    beside = path.with_name(path.name + HEAD_ENDING)
    try:
        with beside.open("rb") as file:
            text = file.read(_MAX_HEAD_BYTES + 1)
    except OSError as error:
        raise InputError(beside, "file", error.strerror or str(error), "the JSON written beside the CSV") from error
    if len(text) > _MAX_HEAD_BYTES:
        raise InputError(beside, "size", "over 16 MiB", "at most 16 MiB")
    head = read_head(text, beside)
    return Results(head, lambda: _chunks(path, head))


def _names(head: Head) -> list[str]:
    return distinct([*(column.name for column in head.columns), *(f"embedding_{i}" for i in range(head.embedding))])


def _lines(head: Head, chunk: Chunk, some: slice) -> Iterator[tuple[str, ...]]:
    cells = [_texts(column, chunk.columns[column.name][some]) for column in head.columns]
    if chunk.embedding is not None:
        cells += [_shortest(values) for values in chunk.embedding[some].T]
    return zip(*cells, strict=True)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _texts(column: Column, values: NDArray[Any]) -> list[str]:
    if column.dtype == "text":
        return [_guarded(text) for text in values]
    if column.dtype == "code":
        labels = [*map(_guarded, column.labels), ""]
        return [labels[code] for code in values.tolist()]
    if column.dtype == "bool":
        return ["true" if value else "false" for value in values]
    return _shortest(values) if values.dtype.kind == "f" else [str(value) for value in values.tolist()]


def _shortest(values: NDArray[Any]) -> list[str]:
    """Return each float in the fewest digits that read back as it (as `repr` does); NaN is empty."""
    texts: list[str] = values.astype("U32").tolist()
    return ["" if text == "nan" else text for text in texts]


def _chunks(path: Path, head: Head) -> Iterator[Chunk]:
    names = _names(head)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != [_guarded(name) for name in names]:
                raise InputError(path, "first line", "other columns", f"the names in {path.name}{HEAD_ENDING}")
            line = 1
            few = max(1, min(ROWS, VALUES // len(names)))
            while rows := list(islice(reader, few)):
                yield _chunk(rows, head, path, line)
                line += len(rows)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise InputError(path, "file", str(error), "a CSV file in UTF-8 that can be read") from error


def _chunk(rows: list[list[str]], head: Head, path: Path, line: int) -> Chunk:
    width = len(head.columns) + head.embedding
    for offset, row in enumerate(rows):
        if len(row) != width:
            raise InputError(path, f"row {line + offset}", f"{len(row)} fields", f"{width}")
    texts = list(zip(*rows, strict=True))
    columns = {column.name: _values(column, values, path) for column, values in zip(head.columns, texts, strict=False)}
    if not head.embedding:
        return Chunk(columns)
    embedding = [_numbers(values, np.dtype("<f4"), path, "embedding") for values in texts[len(head.columns) :]]
    return Chunk(columns, np.stack(embedding, axis=1))


def _values(column: Column, texts: tuple[str, ...], path: Path) -> NDArray[Any]:
    if column.dtype == "text":
        return np.array([text.removeprefix("'") for text in texts], object)
    if column.dtype == "code":
        known = {"": -1} | {_guarded(label): code for code, label in enumerate(column.labels)}
    elif column.dtype == "bool":
        known = {"false": 0, "true": 1}
    else:
        return _numbers(texts, column.numpy, path, column.name)
    try:
        return np.array([known[text] for text in texts], column.numpy)
    except KeyError as error:
        raise InputError(path, column.name, error.args[0], "one of " + ", ".join(known)) from error


def _numbers(texts: tuple[str, ...], dtype: np.dtype[Any], path: Path, name: str) -> NDArray[Any]:
    try:
        if dtype.kind == "f":
            # Parsed as float64 first: the shortest digits of a float32 name it there too, to one rounding.
            return np.array([float(text) if text else np.nan for text in texts], np.float64).astype(dtype)
        return np.array([int(text) for text in texts], dtype)
    except (ValueError, OverflowError) as error:
        raise InputError(path, name, str(error), f"{dtype.name} in every row") from error
