"""Rows of a stored array, read a block of chunks at a time, so that reading in order unpacks each chunk once."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellsError

_BLOCK = 8 << 20
_MOST = 64 << 20
_COLUMN = 1 << 16


class Array(Protocol):
    """An array in a file whose sizes have been checked; `field` is its path there, for messages."""

    field: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk_rows: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows `start` to `stop`; `CellsError` where they are damaged or not stored."""


class CutArray:
    """The first rows of an array, as if there were no others."""

    def __init__(self, array: Array, rows: int) -> None:
        self.field, self.dtype, self.chunk_rows = array.field, array.dtype, array.chunk_rows
        self.shape: tuple[int, ...] = (rows, *array.shape[1:])
        self.read = array.read


class Blocks:
    """One array's rows by index. Keeps one block in memory: a run of chunks in order, the chunk itself elsewhere.

    Where a block cannot be read its rows are tried one by one, so that a damaged chunk costs only the rows in it.
    """

    def __init__(self, array: Array) -> None:
        self._array = array
        self._chunk, self._run = _block_rows(array)
        self._start = self._stop = 0
        self._block: NDArray[Any] | None = None
        self._bad = range(0)

    def row(self, index: int) -> NDArray[Any]:
        """Return a row, in memory of its own; `CellsError` where it is damaged."""
        if index in self._bad:
            return self._one(index)
        try:
            return np.array(self._holding(index)[index - self._start])
        except CellsError:
            return self._one(index)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows in memory of their own; `CellsError` where any is damaged, or near one that is."""
        found = []
        while start < stop:
            if start in self._bad:
                raise CellsError(self._array.field, "rows", "damage", "undamaged data")
            held = self._holding(start)[start - self._start : stop - self._start]
            found.append(held)
            start += len(held)
        return np.concatenate(found)

    def _holding(self, index: int) -> NDArray[Any]:
        """Return the block that holds a row, which begins at row `_start`."""
        if self._block is None or not self._start <= index < self._stop:
            start = index - index % self._chunk
            rows = self._run if start in (0, self._stop) else self._chunk
            stop = min(start + rows, self._array.shape[0])
            self._block = None
            try:
                self._block = self._array.read(start, stop)
            except CellsError:
                self._bad = range(start, stop)
                raise
            finally:
                self._start, self._stop = start, stop
        return self._block

    def _one(self, index: int) -> NDArray[Any]:
        return np.asarray(self._array.read(index, index + 1)[0])


class Column:
    """One number per cell, as Python numbers."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self._rows = max(1, min(array.chunk_rows, _COLUMN)) * max(1, _COLUMN // max(1, array.chunk_rows))
        self._start = 0
        self._values: NDArray[Any] = np.zeros(0)

    def value(self, index: int) -> float | int | None:
        """Return the number, None where the file ends before it or it is not one (NaN, infinite)."""
        at = index - self._start
        if not 0 <= at < len(self._values):
            if index >= self._array.shape[0]:
                return None
            start = index - index % self._rows
            self._values = self._array.read(start, min(start + self._rows, self._array.shape[0]))
            self._start, at = start, index - start
        value: float | int = self._values[at].item()
        return value if abs(value) < float("inf") else None


def _block_rows(array: Array) -> tuple[int, int]:
    """Return the rows to read at once: of one chunk where that is not too much, and of a run of chunks."""
    row = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    chunk = max(1, array.chunk_rows)
    if chunk * row > _MOST:
        rows = max(1, _MOST // row)
        return rows, rows
    return chunk, chunk * max(1, _BLOCK // (chunk * row))
