"""A stack of cells in a store of arrays (an HDF5 file, a Zarr store) as a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from engines.cells._frames_format import FIRST, FRAMES_FORMAT, FRAMES_VERSION, RECORDED
from engines.cells._recording import Cell, Frame, Recording, Span
from engines.cells.hdf5._blocks import Array, Blocks, Column, CutArray
from engines.cells.hdf5._layout import MAX_CHANNELS, channels_last, check_frames, find_frames
from engines.cells.hdf5._sizes import Part, parts_of
from engines.errors import CellsError, InputError

_MAX_NAMES = 32_000  # labels are int16
_MAX_ABOUT = 4096


class Store(Protocol):
    """Named arrays in a file. Paths have no leading slash."""

    name: str

    def arrays(self) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Return shape and dtype of every array, by path."""

    def array(self, path: str) -> Array:
        """Return the array at a path, its sizes checked; `CellsError` where they cannot be."""

    def texts(self, path: str, most: int) -> tuple[str, ...]:
        """Return the texts in a one-dimensional array (or a single one) of at most `most`."""

    def attributes(self) -> Mapping[str, str | int | float]:
        """Return the attributes of the root that are one text or number."""

    def close(self) -> None:
        """Close the file."""


def opened_stack(store: Store, kind: str, dataset: str | None, groups: str | None) -> StackRecording:
    """Return a store's cells; the store is closed where it holds none that can be read."""
    try:
        return StackRecording(store, kind, dataset, groups)
    except BaseException:
        with suppress(CellsError):
            store.close()
        raise


class StackRecording(Recording):
    """Cells from a store, laid out as in the `.npz` archives: `frames, channels, labels, classes, groups`.

    Beside these, of one row per cell: `trigger_s` (seconds) and `facts/<name>` (numbers). The attribute `pixel_um`
    of the root is the pixel size. Frames of several sizes: see `parts_of`.
    """

    def __init__(self, store: Store, kind: str, dataset: str | None, groups: str | None = None) -> None:
        self._store, self.name, self.kind, self.skipped = store, store.name, kind, Counter()
        texts = store.attributes()
        _check_format(store.name, texts)
        ordered = sorted(texts.items(), key=lambda item: item[0] not in FIRST)
        self.about = {key: str(value) for key, value in ordered if len(str(value)) <= _MAX_ABOUT}
        pixel = texts.get("pixel_um")
        self.pixel_um = float(pixel) if isinstance(pixel, int | float) and 0 < pixel < float("inf") else None
        arrays = self._arrays = store.arrays()
        self._cut: int | None = None
        self._parts, base = self._find(arrays, dataset)
        self._where = {path: f"{base}{path}" if f"{base}{path}" in arrays else path for path in _BESIDE}
        if groups is not None:
            self._where["groups"] = _find_groups(store.name, arrays, base, groups)
        self._present = {path for path, where in self._where.items() if where in arrays}
        facts = [path for path in arrays if path.startswith("facts/") and path.count("/") == 1]
        recorded = texts.get(RECORDED)
        if texts.get("format") == FRAMES_FORMAT and isinstance(recorded, int) and self._parts[0].number is None:
            self._cut_at(recorded, [self._where[path] for path in self._present & _PER_CELL] + facts)
        names = store.texts(self._where["channels"], MAX_CHANNELS) if "channels" in self._present else None
        self._blocks = [Blocks(part.array) for part in self._parts]
        self._last = _last(self._parts[0], None if names is None else len(names))
        self.channels = self._names(names)
        self.dtype = self._parts[0].array.dtype.newbyteorder("=")
        self.shape = self._size(self._parts[0]) if len(self._parts) == 1 else None
        self._order = parts_of(store.name, self._parts)
        self._length = sum(part.array.shape[0] for part in self._parts)
        self.classes, self._labels = self._read_labels()
        self._groups = self._read_groups()
        self._trigger = self._column(self._where["trigger_s"]) if "trigger_s" in self._present else None
        self._facts = {path.removeprefix("facts/"): self._column(path) for path in facts}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < self._length:
            raise IndexError(index)
        part, row = (0, index) if self._order is None else (int(value) for value in self._order[index])
        try:
            frame = self._blocks[part].row(row)
            facts = {name: column.value(index) for name, column in self._facts.items()}
            trigger = None if self._trigger is None else self._trigger.value(index)
        except CellsError as error:
            raise CellsError(f"{self.name} cell {index}", error.field, error.found, error.expected) from error
        return Cell(
            frame=self._oriented(index, frame),
            label=-1 if self._labels is None else int(self._labels[index]),
            group="" if self._groups is None else self._groups[index],
            trigger_s=trigger,
            facts={name: value for name, value in facts.items() if value is not None},
        )

    def span(self, start: int, stop: int) -> Span | None:
        """Return cells at once; where they differ in size or one is damaged only one by one."""
        if self._order is not None or not 0 <= start < stop <= self._length:
            return None
        try:
            frames = self._blocks[0].rows(start, stop)
            facts = {name: [column.value(i) for i in range(start, stop)] for name, column in self._facts.items()}
            trigger = None if self._trigger is None else [self._trigger.value(i) for i in range(start, stop)]
        except CellsError:
            return None
        if frames.dtype.kind == "f" and not np.isfinite(frames).all():
            return None
        frames = frames[:, None] if frames.ndim == 3 else np.moveaxis(frames, -1, 1) if self._last else frames
        n = stop - start
        return Span(
            np.ascontiguousarray(frames, dtype=self.dtype),
            np.full(n, -1, np.int16) if self._labels is None else self._labels[start:stop],
            [""] * n if self._groups is None else list(self._groups[start:stop]),
            np.full(n, np.nan) if trigger is None else np.array(trigger, np.float64),
            facts,
        )

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _cut_at(self, recorded: int, columns: list[str]) -> None:
        """Leave out what the writer of an appended file had not finished when it ended."""
        part = self._parts[0]
        lengths = [part.array.shape[0], *(self._arrays[path][0][0] for path in columns if self._arrays[path][0])]
        self._cut = max(0, min(recorded, *lengths))
        self._parts = [Part(part.path, CutArray(part.array, self._cut), part.number)]
        if lengths[0] > self._cut:
            self.skipped["recorded in part when the recorder ended"] = lengths[0] - self._cut

    def _find(self, arrays: Mapping[str, Any], dataset: str | None) -> tuple[list[Part], str]:
        sized = sorted(path for path in arrays if path.startswith("frames/") and path.count("/") == 1)
        if dataset is None and sized and self.about.get("format") == FRAMES_FORMAT:
            index = {path: path.replace("frames/", "index/") for path in sized}
            parts = [Part(path, self._store.array(path), self._numbers(index[path], arrays)) for path in sized]
            base = ""
        else:
            path = find_frames(self.name, arrays, dataset)
            parts, base = [Part(path, self._store.array(path), None)], path.rpartition("/")[0]
        for part in parts:
            check_frames(self.name, part.path, part.array.shape, part.array.dtype)
            if part.array.dtype != parts[0].array.dtype:
                raise CellsError(self.name, part.path, f"dtype {part.array.dtype}", f"{parts[0].array.dtype}")
        return parts, f"{base}/" if base else ""

    def _numbers(self, path: str, arrays: Mapping[str, Any]) -> Array:
        if path not in arrays:
            raise CellsError(self.name, path, "nothing", "the numbers of the cells of this size")
        return self._store.array(path)

    def _names(self, names: tuple[str, ...] | None) -> tuple[str, ...]:
        counts = {self._channel_count(part) for part in self._parts}
        count = max(counts)
        if len(counts) > 1 or count > MAX_CHANNELS:
            raise CellsError(self.name, "frames", f"{sorted(counts)} channels", f"one number up to {MAX_CHANNELS}")
        if names is None:
            return tuple(f"ch{at + 1}" for at in range(count))
        if len(names) != count or len(set(names)) != count:
            raise CellsError(self.name, "channels", names, f"{count} distinct names, one per channel of frames")
        return names

    def _channel_count(self, part: Part) -> int:
        shape = part.array.shape
        return 1 if len(shape) == 3 else shape[3] if self._last else shape[1]

    def _size(self, part: Part) -> tuple[int, int]:
        shape = part.array.shape
        return (shape[1], shape[2]) if len(shape) == 3 or self._last else (shape[2], shape[3])

    def _oriented(self, index: int, frame: Frame) -> Frame:
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(f"{self.name} cell {index}", "frames", "NaN or infinite counts", "finite counts")
        frame = frame[None] if frame.ndim == 2 else np.moveaxis(frame, -1, 0) if self._last else frame
        return np.ascontiguousarray(frame, dtype=self.dtype)

    def _read_labels(self) -> tuple[tuple[str, ...], Any]:
        classes: tuple[str, ...] = ()
        if "classes" in self._present:
            classes = self._store.texts(self._where["classes"], _MAX_NAMES)
        if "labels" not in self._present:
            return classes, None
        if not classes:
            raise CellsError(self.name, "classes", "nothing", "the names that labels index")
        array = self._whole(self._where["labels"], "iu", "integers")
        labels = array.read(0, self._length) if self._length else np.zeros(0, np.int64)
        if labels.size and int(labels.max()) >= len(classes):
            raise CellsError(self.name, "labels", int(labels.max()), f"below {len(classes)}, the number of classes")
        return classes, np.maximum(labels.astype(np.int64), -1).astype(np.int16)

    def _read_groups(self) -> tuple[str, ...] | None:
        if "groups" not in self._present:
            return None
        path = self._where["groups"]
        if self._arrays[path][1].kind in "iu":
            array = self._whole(path, "iu", "integers")
            return tuple(str(value) for value in (array.read(0, self._length) if self._length else ()))
        groups = self._store.texts(path, self._length)
        if len(groups) != self._length:
            raise CellsError(self.name, path, f"{len(groups)} names", f"{self._length}, one per cell")
        return groups

    def _column(self, path: str) -> Column:
        return Column(self._whole(path, "iuf", "numbers"))

    def _whole(self, path: str, kinds: str, what: str) -> Array:
        array = self._store.array(path)
        if self._cut is not None and len(array.shape) == 1 and array.shape[0] >= self._cut:
            array = CutArray(array, self._cut)
        if array.shape != (self._length,) or array.dtype.kind not in kinds:
            raise CellsError(self.name, path, f"{array.dtype} {array.shape}", f"{what} of shape ({self._length},)")
        return array


_PER_CELL = {"labels", "trigger_s"}
_BESIDE = ("channels", "labels", "classes", "groups", "trigger_s")


def _find_groups(source: str, arrays: Mapping[str, Any], base: str, key: str) -> str:
    """Return the path of the array called so: beside the frames, anywhere in the file, or among the facts."""
    name = key.strip("/")
    for path in (f"{base}{name}", name, f"facts/{name}"):
        if path in arrays:
            return path
    there = [path for path, (shape, _) in arrays.items() if len(shape) == 1]
    expected = (
        f"an array of text or integers per cell, of {', '.join(there)}" if there else "none: there is no such array"
    )
    raise InputError(source, "groups", key, expected)


def _last(part: Part, names: int | None) -> bool:
    # Frames of several sizes are only ever written with the channels first.
    return len(part.array.shape) == 4 and part.number is None and channels_last(part.array.shape, names)


def _check_format(source: str, texts: Mapping[str, str | int | float]) -> None:
    if texts.get("format") == FRAMES_FORMAT and texts.get("version") != FRAMES_VERSION:
        raise CellsError(
            source, "version", texts.get("version", "nothing"), f"{FRAMES_VERSION} for format {FRAMES_FORMAT}"
        )
