"""Read stacks of cells from any HDF5 file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from engines.cells._recording import Recording
from engines.cells.hdf5._blocks import Array
from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._h5array import H5Array
from engines.cells.hdf5._h5file import attributes, is_hdf5, member, names, open_h5, rehearse_h5
from engines.cells.hdf5._limits import MAX_WHOLE
from engines.cells.hdf5._stack import opened_stack
from engines.cells.hdf5._texts import as_texts
from engines.errors import CellsError

_FEATURE = "reading HDF5 files"
_MAX_DEPTH = 8
_MAX_OBJECTS = 10_000
_STEP = 64  # variable-length texts per read: a hostile file can name one long text many times


def sniff_hdf5(path: Path, head: bytes) -> bool:
    """Return whether a file is HDF5, of whatever kind; RT-DC files are, too."""
    return is_hdf5(path, head)


def open_hdf5(path: str | Path, *, dataset: str | None = None, groups: str | None = None) -> Recording:
    """Open a stack of cells in an HDF5 file.

    Parameters
    ----------
    dataset
        Path of the frames in the file, where it holds several arrays that could be.
    groups
        Path of the array of the cells' groups (text or integers), if it is not called so.

    Raises
    ------
    InputError
        Where there is no array of groups by the name that was given.
    CellsError
        Where no array, or more than one, could be the frames, or the file is damaged; it names the array.
    MissingExtraError
        Where h5py or hdf5plugin is not installed.
    """
    source = Path(path)
    rehearse_h5("_hdf5:look", source, _FEATURE, dataset=dataset, groups=groups)
    return opened_stack(H5Store(source), "hdf5", dataset, groups)


def look(path: Path, dataset: str | None, groups: str | None) -> None:
    """Open a stack and walk the tables of all its arrays; to be rehearsed."""
    store = H5Store(path)
    with opened_stack(store, "hdf5", dataset, groups):
        store.look()


class H5Store:
    """The arrays of an HDF5 file by path. Links, soft or external, are as if they were not there."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = open_h5(path, _FEATURE)
        self._stored = path.stat().st_size
        self._given: list[H5Array] = []

    def arrays(self) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Return shape and dtype of the datasets that NumPy has a type for, by path."""
        h5py = import_module("h5py")
        found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        waiting, seen = [("", self._file)], 0
        with guard(self.name, "file", "a whole HDF5 file"):
            while waiting and seen < _MAX_OBJECTS:
                prefix, group = waiting.pop(0)
                for name in names(group):
                    seen += 1
                    thing = member(self.name, group, name)
                    if isinstance(thing, h5py.Group) and prefix.count("/") < _MAX_DEPTH:
                        waiting.append((f"{prefix}{name}/", thing))
                    elif isinstance(thing, h5py.Dataset) and thing.shape is not None:
                        dtype = _dtype(thing)
                        if dtype is not None:
                            found[f"{prefix}{name}"] = (tuple(int(length) for length in thing.shape), dtype)
        return found

    def array(self, path: str) -> Array:
        """Return a dataset as an `Array`."""
        self._given.append(H5Array(self.name, path, member(self.name, self._file, path), self._stored))
        return self._given[-1]

    def look(self) -> None:
        """Walk the tables of the arrays that were asked for, as reading them does."""
        for array in self._given:
            array.look()

    def texts(self, path: str, most: int) -> tuple[str, ...]:
        """Return the texts of a dataset."""
        dataset = member(self.name, self._file, path)
        with guard(self.name, path):
            if dataset.shape == ():
                if dataset.id.get_storage_size() > MAX_WHOLE:
                    raise CellsError(self.name, path, "a text too long", "names")
                return as_texts(self.name, path, [dataset[()]])
        array = H5Array(self.name, path, dataset, self._stored)
        if len(array.shape) != 1 or array.shape[0] > most:
            raise CellsError(self.name, path, f"shape {array.shape}", f"up to {most} names")
        step = _STEP if array.dtype.kind == "O" else max(1, MAX_WHOLE // max(1, array.dtype.itemsize))
        count = array.shape[0]
        values = (value for at in range(0, count, step) for value in array.read(at, min(at + step, count)).tolist())
        return as_texts(self.name, path, values)

    def attributes(self) -> Mapping[str, str | int | float]:
        """Return the attributes of the root."""
        return attributes(self.name, self._file)

    def close(self) -> None:
        """Close the file."""
        with guard(self.name, "file"):
            self._file.close()


def _dtype(dataset: Any) -> np.dtype[Any] | None:
    try:
        dtype: np.dtype[Any] = dataset.dtype
    except TypeError:  # a type that NumPy has no name for
        return None
    return dtype
