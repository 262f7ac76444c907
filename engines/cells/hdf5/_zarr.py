"""Read stacks of cells from Zarr stores, versions 2 and 3, in a folder or a .zip."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells._recording import Recording, is_text
from engines.cells.hdf5._blocks import Array
from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._limits import MAX_TEXTS, SLACK, check_sizes
from engines.cells.hdf5._packing import check_packed
from engines.cells.hdf5._stack import opened_stack
from engines.cells.hdf5._texts import as_texts
from engines.cells.hdf5._zarr_files import Files, is_store
from engines.cells.hdf5._zarr_meta import ArrayMeta, parse_json, parse_v2, parse_v3
from engines.cells.hdf5._zarr_texts import unpack_texts
from engines.errors import CellsError, MissingExtraError

_MAX_ATTRIBUTE = 64 << 10
_TEXT_BYTES = 5  # least bytes of a text in a chunk
_MAX_TEXT_CHUNK = 64 << 20


def sniff_zarr(path: Path, head: bytes) -> bool:
    """Return whether a path is a Zarr store: a folder, or a .zip, with Zarr's metadata in it."""
    return is_store(path, head)


def open_zarr(path: str | Path, *, dataset: str | None = None, groups: str | None = None) -> Recording:
    """Open a stack of cells in a Zarr store; hints and errors are those of `open_hdf5`.

    Raises
    ------
    MissingExtraError
        Where zarr is not installed.
    """
    try:
        zarr = import_module("zarr")
    except ImportError:
        raise MissingExtraError("reading Zarr stores", "files") from None
    return opened_stack(ZarrStore(zarr, Path(path)), "zarr", dataset, groups)


class ZarrStore:
    """The arrays of a Zarr store by path."""

    def __init__(self, zarr: Any, path: Path) -> None:
        self.name, self._zarr = str(path), zarr
        self._files = Files(path)
        self._store: Any = None
        self._metas: dict[str, ArrayMeta] = {}
        self._prefix: dict[str, str] = {}
        self._root: dict[str, Any] = {}
        try:
            self._read_metadata()
            with guard(path, "file", "a Zarr store"):
                kind = zarr.storage.ZipStore if self._files.zipped else zarr.storage.LocalStore
                self._store = kind(path, read_only=True)
        except BaseException:
            self._files.close()
            raise

    def arrays(self) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Return shape and dtype of every array, by path; an array at the root is called `frames`."""
        return {path: (meta.shape, meta.dtype) for path, meta in self._metas.items()}

    def array(self, path: str) -> Array:
        """Return an array as an `Array`."""
        meta = self._metas[path]
        if meta.texts:
            raise CellsError(self.name, path, "texts", "numbers")
        return ZarrArray(self.name, path, meta, self._files, self._zarr, self._store, self._prefix[path])

    def texts(self, path: str, most: int) -> tuple[str, ...]:
        """Return the texts of an array."""
        meta = self._metas[path]
        if len(meta.shape) != 1 or meta.shape[0] > min(most, MAX_TEXTS):
            raise CellsError(self.name, path, f"shape {meta.shape}", f"up to {most} names")
        count = meta.shape[0]
        if not meta.texts:
            values = self.array(path).read(0, count) if count else np.zeros(0, "U1")
            if values.dtype.kind == "U" and not is_text(values.astype(values.dtype.newbyteorder("="))):
                raise CellsError(self.name, path, "numbers that are no characters", "texts")
            return as_texts(self.name, path, values.tolist())
        return as_texts(self.name, path, itertools.islice(self._unpacked(path, meta), count))

    def attributes(self) -> Mapping[str, str | int | float]:
        """Return the attributes of the root that are one text or number."""
        return {
            key: value
            for key, value in self._root.items()
            if isinstance(value, str | int | float) and len(str(value)) <= _MAX_ATTRIBUTE
        }

    def close(self) -> None:
        """Close the store."""
        self._files.close()
        with guard(self.name, "file"):
            self._store.close()

    def _unpacked(self, path: str, meta: ArrayMeta) -> Iterator[bytes]:
        check_sizes(self.name, path, meta.shape, _TEXT_BYTES, meta.chunks, self._files.stored)
        below = f"{self._prefix[path]}/" if self._prefix[path] else ""
        for at in range(-(-meta.shape[0] // meta.chunks[0])):
            packed = self._files.read(f"{below}{meta.key((at,))}", _MAX_TEXT_CHUNK)
            if meta.codec is not None:
                check_packed(self.name, path, meta.codec, packed, _MAX_TEXT_CHUNK)
            with guard(self.name, path, "undamaged data"):
                texts = unpack_texts(self.name, path, meta.codec, packed)
            if len(texts) != meta.chunks[0]:
                raise CellsError(self.name, path, f"{len(texts)} texts in a chunk", f"{meta.chunks[0]}")
            yield from texts

    def _note(self, folder: str, meta: ArrayMeta) -> None:
        path = folder or "frames"
        self._metas[path], self._prefix[path] = meta, folder

    def _read_metadata(self) -> None:
        for key in self._files.metadata:
            folder, _, file = key.rpartition("/")
            document = parse_json(self.name, key, self._files.read_metadata(key))
            if file == "zarr.json":
                self._note_v3(key, folder, document)
            elif file == ".zarray":
                self._note(folder, parse_v2(self.name, key, document))
        if self._files.size(".zattrs") is not None:
            self._root = parse_json(self.name, ".zattrs", self._files.read_metadata(".zattrs"))

    def _note_v3(self, key: str, folder: str, document: dict[str, Any]) -> None:
        if document.get("zarr_format") != 3:
            raise CellsError(self.name, key, f"zarr_format {document.get('zarr_format')}", "3")
        if document.get("node_type") == "array":
            self._note(folder, parse_v3(self.name, key, document))
        attributes = document.get("attributes")
        if not folder and isinstance(attributes, dict):
            self._root = attributes


class ZarrArray:
    """An array of a Zarr store as an `Array`: rows along axis 0."""

    def __init__(
        self, source: str, field: str, meta: ArrayMeta, files: Files, zarr: Any, store: Any, prefix: str
    ) -> None:
        self.field, self._source, self._meta, self._files = field, source, meta, files
        self.shape, self.dtype = meta.shape, meta.dtype
        self._below = f"{prefix}/" if prefix else ""
        if not meta.shape:
            raise CellsError(source, field, "a single value", "an array")
        self._itemsize = meta.dtype.itemsize
        check_sizes(source, field, meta.shape, self._itemsize, meta.chunks, files.stored)
        self.chunk_rows = meta.chunks[0]
        with guard(source, field, "a whole array"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about types and codecs that version 3 has no specification of yet
            self._array = zarr.open_array(store, path=prefix, mode="r", zarr_format=meta.version)
        if tuple(self._array.shape) != meta.shape:
            raise CellsError(source, field, f"shape {self._array.shape}", f"{meta.shape}")

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows `start` to `stop`; `CellsError` where they are damaged or not stored."""
        self._check_chunks(start, stop)
        with guard(self._source, self.field, "undamaged data"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows: NDArray[Any] = np.asarray(self._array[start:stop])
        if rows.shape != (stop - start, *self.shape[1:]):
            raise CellsError(self._source, self.field, f"shape {rows.shape}", "the rows asked for")
        return rows

    def _check_chunks(self, start: int, stop: int) -> None:
        """Refuse rows that no chunk holds anything of, and chunks that unpack to more than a chunk.

        Zarr leaves out chunks of nothing but the fill value; cells all of whose chunks are missing were lost.
        """
        chunks = self._meta.chunks
        size = math.prod(chunks) * self._itemsize
        across = [range(-(-length // chunk)) for length, chunk in zip(self.shape[1:], chunks[1:], strict=True)]
        for row in range(start // chunks[0], -(-stop // chunks[0])):
            held = False
            for rest in itertools.product(*across):
                key = f"{self._below}{self._meta.key((row, *rest))}"
                stored = self._files.size(key)
                if stored is None:
                    continue
                held = True
                if stored > 2 * size + SLACK:
                    raise CellsError(self._source, self.field, f"a chunk of {stored} bytes", f"about {size}")
                if self._meta.codec is not None:
                    check_packed(self._source, self.field, self._meta.codec, self._files.read(key), size)
            if not held and len(self.shape) > 1:
                raise CellsError(self._source, self.field, "nothing stored", "data in this store")
