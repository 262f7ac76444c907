"""Columns as Arrow arrays, from their bytes: `pyarrow.array` would load pandas first, where there is one.

That takes a quarter of a second and 50 MB, and nothing here needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.results._table import Column

_MOST_BYTES = 2**31 - 1
"""Of the texts in one array: Arrow counts them in 32 bits."""


def arrow_array(arrow: Any, column: Column, values: NDArray[Any]) -> Any:
    """Return a column's values in a chunk as an Arrow array: codes as a dictionary, those below 0 as nulls.

    Raises
    ------
    InputError
        The texts of one chunk take 2 GiB or more.
    """
    if column.dtype == "code":
        codes = np.ascontiguousarray(values, np.int32)
        places = _from_buffers(arrow, arrow.int32(), codes, valid=codes >= 0)
        return arrow.DictionaryArray.from_arrays(places, _texts(arrow, column.name, column.labels))
    if column.dtype == "text":
        return _texts(arrow, column.name, values.tolist())
    if column.dtype == "bool":
        bits = np.packbits(values.astype(np.bool_), bitorder="little")
        return arrow.Array.from_buffers(arrow.bool_(), len(values), [None, arrow.py_buffer(bits)])
    return numbers(arrow, np.ascontiguousarray(values, column.numpy.newbyteorder("=")))


def numbers(arrow: Any, values: NDArray[Any]) -> Any:
    """Return numbers, `(n,)` side by side in memory, as an Arrow array over the same memory."""
    return _from_buffers(arrow, arrow.from_numpy_dtype(values.dtype), values)


def _from_buffers(arrow: Any, kind: Any, values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    flags = None if valid is None else arrow.py_buffer(np.packbits(valid, bitorder="little"))
    return arrow.Array.from_buffers(kind, len(values), [flags, arrow.py_buffer(values)])


def _texts(arrow: Any, name: str, texts: Sequence[str]) -> Any:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if ends[-1] > _MOST_BYTES:
        raise InputError(name, "texts", f"{ends[-1]} bytes in {len(texts)} rows", f"at most {_MOST_BYTES}")
    buffers = [None, arrow.py_buffer(ends.astype(np.int32)), arrow.py_buffer(b"".join(encoded))]
    return arrow.Array.from_buffers(arrow.string(), len(texts), buffers)
