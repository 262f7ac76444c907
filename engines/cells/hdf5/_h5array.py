"""A dataset of an HDF5 file, checked before its first byte is read."""

from __future__ import annotations

import itertools
import math
import os
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells.hdf5._deflated import inflated, unshuffled
from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._limits import SLACK, check_sizes
from engines.cells.hdf5._packing import check_packed
from engines.errors import CellsError

# Filter number -> name here; the ones without a name for `check_packed` do not pack, or only by a bounded factor.
# nbit, scaleoffset and the lossy image codecs are left out: they size their buffers by numbers in the file.
_FILTERS = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
}
_DEFLATE, _SHUFFLE, _FLETCHER = 1, 2, 3
_LEAST = 5  # bytes that a packed chunk has
_PLAIN = ("shuffle", "fletcher32")


class H5Array:
    """A dataset as an `Array`: rows along axis 0.

    Raises `CellsError` where the dataset is virtual, keeps its bytes in another file, needs a filter that is not
    allowed or not installed, or claims sizes that the file cannot hold.
    """

    def __init__(self, source: object, field: str, dataset: Any, stored: int) -> None:
        self.field, self._source, self._dataset = field, source, dataset
        h5py = import_module("h5py")
        with guard(source, field):
            if dataset.shape is None or not dataset.shape:
                raise CellsError(source, field, "a single value", "an array")
            self.shape: tuple[int, ...] = tuple(int(length) for length in dataset.shape)
            self.dtype: np.dtype[Any] = dataset.dtype
            plist = dataset.id.get_create_plist()
            layout = plist.get_layout()
            if layout == h5py.h5d.VIRTUAL or plist.get_external_count():
                raise CellsError(source, field, "data kept in other files", "data in this file")
            self._chunks: tuple[int, ...] | None = dataset.chunks
            self._codec, self._codec_at = _codec(source, field, h5py, plist)
            filters = [plist.get_filter(at)[0] for at in range(plist.get_nfilters())]
            self._shuffled = _SHUFFLE in filters
            self._sum_at = filters.index(_FLETCHER) if _FLETCHER in filters else None
            self._by_ourselves = (
                self._chunks is not None
                and self._chunks[1:] == self.shape[1:]
                and self.dtype.kind in "iuf"
                and filters in ([_DEFLATE], [_SHUFFLE, _DEFLATE])
            )
            self._empty = layout == h5py.h5d.CONTIGUOUS and dataset.id.get_offset() is None
            # A variable-length text has 16 bytes in the array and the rest elsewhere, whatever NumPy calls its size.
            self._itemsize = max(self.dtype.itemsize, int(dataset.id.get_type().get_size()))
        check_sizes(source, field, self.shape, self._itemsize, self._chunks, stored)
        self.chunk_rows = self._chunks[0] if self._chunks else 1
        self._index: dict[int, tuple[int, int]] | None = None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows `start` to `stop`; `CellsError` where they are damaged or not stored."""
        with guard(self._source, self.field, "undamaged data"):
            if self._chunks is not None:
                if self._by_ourselves and (unpacked := self._unpacked(start, stop)) is not None:
                    return unpacked
                self._check_chunks(start, stop)
            elif self._empty:
                raise CellsError(self._source, self.field, "nothing stored", "data in this file")
            rows: NDArray[Any] = self._dataset[start:stop]
        if rows.shape != (stop - start, *self.shape[1:]):
            raise CellsError(self._source, self.field, f"shape {rows.shape}", "the rows asked for")
        return rows

    def _unpacked(self, start: int, stop: int) -> NDArray[Any] | None:
        """Return rows of chunks that hold whole rows, packed by deflate alone; None where anything is unusual."""
        assert self._chunks is not None  # noqa: S101 - for the type checker
        rows, index = self._chunks[0], self._stored_chunks()
        size = math.prod(self._chunks) * self.dtype.itemsize
        found = []
        for chunk in range(start // rows, -(-stop // rows)):
            at = (chunk, *[0] * (len(self.shape) - 1))
            mask, packed = index.get(self._key(at), (1, 0))
            if mask or not _LEAST <= packed <= 2 * size + SLACK:
                return None
            where = (chunk * rows, *[0] * (len(self.shape) - 1))
            data = inflated(self._dataset.id.read_direct_chunk(where)[1], size)
            if data is None:
                return None
            values = unshuffled(data, self.dtype) if self._shuffled else np.frombuffer(data, self.dtype)
            first = chunk * rows
            found.append(values.reshape(self._chunks)[max(0, start - first) : stop - first])
        return found[0] if len(found) == 1 else np.concatenate(found)

    def look(self) -> None:
        """Walk what the library walks when rows are read, and read the first and the last."""
        with guard(self._source, self.field):
            if self._chunks is not None:
                self._stored_chunks()
        for row in {0, self.shape[0] - 1} if self.shape[0] else ():
            with suppress(CellsError):  # told when the cell is asked for
                self.read(row, row + 1)

    def _check_chunks(self, start: int, stop: int) -> None:
        """Refuse rows that no chunk holds anything of, and chunks that unpack to more than a chunk."""
        assert self._chunks is not None  # noqa: S101 - for the type checker
        index = self._stored_chunks()
        size = math.prod(self._chunks) * self._itemsize
        across = [range(-(-length // chunk)) for length, chunk in zip(self.shape[1:], self._chunks[1:], strict=True)]
        for row in range(start // self._chunks[0], -(-stop // self._chunks[0])):
            held = False
            for rest in itertools.product(*across):
                key = self._key((row, *rest))
                if key not in index:
                    continue
                held = True
                self._check_chunk((row, *rest), size, *index[key])
            if not held:
                raise CellsError(self._source, self.field, "nothing stored", "data in this file")

    def _check_chunk(self, at: tuple[int, ...], size: int, mask: int, packed: int) -> None:
        """Refuse a chunk, filters that were left out of it by `mask`, that does not unpack to its `size`."""
        is_packed = self._codec is not None and not mask >> self._codec_at & 1
        # HDF5's checksum filter takes 4 bytes off without looking, and ends the process where there are none.
        sum_bytes = 4 if self._sum_at is not None and not mask >> self._sum_at & 1 else 0
        if not is_packed and packed != size + sum_bytes:
            raise CellsError(self._source, self.field, f"a chunk of {packed} bytes", f"{size + sum_bytes}")
        if not is_packed or self._codec is None:
            return
        if not _LEAST <= packed <= 2 * size + SLACK:
            raise CellsError(self._source, self.field, f"a chunk of {packed} bytes packed", f"about {size}")
        where = tuple(place * chunk for place, chunk in zip(at, self._chunks or (), strict=True))
        raw = self._dataset.id.read_direct_chunk(where)[1]
        first = self._sum_at is not None and self._sum_at < self._codec_at  # the sum is packed, too
        exact = (size + sum_bytes,) if first else (size,)
        raw = raw if first or not sum_bytes else raw[:-sum_bytes]
        check_packed(self._source, self.field, self._codec, raw, size, exact=exact)

    def _stored_chunks(self) -> dict[int, tuple[int, int]]:
        """Return filter mask and packed size of each chunk that is stored. One walk: asking for one costs as much."""
        if self._index is None:
            index: dict[int, tuple[int, int]] = {}
            chunks = self._chunks or ()
            # A file that was not closed may count on bytes that never came, which HDF5 would read as zeros.
            end = os.fstat(self._dataset.file.id.get_vfd_handle()).st_size

            def note(info: Any) -> None:
                if info.byte_offset + info.size <= end and all(
                    offset < length for offset, length in zip(info.chunk_offset, self.shape, strict=True)
                ):
                    at = tuple(offset // chunk for offset, chunk in zip(info.chunk_offset, chunks, strict=True))
                    index[self._key(at)] = (int(info.filter_mask), int(info.size))

            self._dataset.id.chunk_iter(note)
            self._index = index
        return self._index

    def _key(self, at: tuple[int, ...]) -> int:
        key = 0
        for position, length, chunk in zip(at, self.shape, self._chunks or (), strict=True):
            key = key * (-(-length // chunk) + 1) + position
        return key


def _codec(source: object, field: str, h5py: Any, plist: Any) -> tuple[str | None, int]:
    """Return the packing filter and its place in the pipeline; `CellsError` for one that cannot or must not be used."""
    codec, place = None, 0
    for at in range(plist.get_nfilters()):
        number, _, values, label = plist.get_filter(at)
        known = _FILTERS.get(number)
        if known is None or not h5py.h5z.filter_avail(number):
            text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
            found = f"filter {number} ({text})"
            allowed = ", ".join(f"{key} {name}" for key, name in _FILTERS.items())
            hint = "as the package hdf5plugin brings them"
            raise CellsError(source, field, found, f"one of {allowed}, {hint}")
        if known in _PLAIN or (known == "bitshuffle" and (len(values) < 5 or not values[4])):
            continue
        if codec is not None:
            raise CellsError(source, field, f"packed twice ({codec}, {known})", "at most one packing filter")
        codec, place = ("lz4" if known == "bitshuffle" else known), at
    return codec, place
