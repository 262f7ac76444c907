"""Read real-time deformability cytometry files (`.rtdc`): HDF5 with an image per event and scalar features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from engines.cells._recording import Cell, Frame, Recording
from engines.cells.hdf5._blocks import Blocks, Column
from engines.cells.hdf5._events import event_count, events_group, scalar_features
from engines.cells.hdf5._guard import BROKEN, guard
from engines.cells.hdf5._h5array import H5Array
from engines.cells.hdf5._h5file import attributes, is_hdf5, linked, member, names, open_h5, rehearse_h5
from engines.errors import CellgateError, CellsError

_FEATURE = "reading RT-DC files"
_CHANNEL = {"image": "brightfield", "image_bg": "background"}
_DTYPES = ("uint8", "uint16", "float32", "bool")


def sniff_rtdc(path: Path, head: bytes) -> bool:
    """Return whether a file is RT-DC: HDF5 with /events and attributes named `section:key`.

    Where HDF5 cannot be read (damaged, or h5py is not installed) the ending `.rtdc` decides.
    """
    if not is_hdf5(path, head):
        return False
    try:
        return bool(rehearse_h5("_rtdc:has_events", path, _FEATURE))
    except CellgateError:
        return path.suffix.lower() == ".rtdc"


def has_events(path: Path) -> bool:
    """Return whether an HDF5 file has /events and attributes named `section:key`; to be rehearsed."""
    with guard(path, "file"), open_h5(path, _FEATURE) as file:
        events_group(path, file)
        return any(":" in name for name in attributes(path, file))


def open_rtdc(
    path: str | Path, *, channels: Sequence[str] = ("image",), features: Sequence[str] | None = None
) -> Recording:
    """Open an RT-DC file.

    Parameters
    ----------
    channels
        Image-like features to read as channels, in this order: `image` (channel "brightfield"), `image_bg`
        ("background"), `mask` (0 and 255) or any other of (events, height, width). All must have one size and dtype.
    features
        Scalar features to hand out as facts of each cell, all of them unless said.

    Raises
    ------
    CellsError
        For a file without readable events or images; it names the feature.
    MissingExtraError
        Where h5py or hdf5plugin is not installed.
    """
    source = Path(path)
    rehearse_h5("_rtdc:look", source, _FEATURE, channels=channels, features=features)
    return _open(source, channels, features)


def look(path: Path, channels: Sequence[str], features: Sequence[str] | None) -> None:
    """Open an RT-DC file and walk the tables of all its arrays; to be rehearsed."""
    with _open(path, channels, features) as recording:
        recording.look()


def _open(source: Path, channels: Sequence[str], features: Sequence[str] | None) -> RtdcRecording:
    file = open_h5(source, _FEATURE)
    try:
        return RtdcRecording(source, file, tuple(channels), None if features is None else tuple(features))
    except BaseException:
        with suppress(*BROKEN):
            file.close()
        raise


class RtdcRecording(Recording):
    """An open RT-DC file; see `Recording`.

    The group of every cell is `experiment:sample`; its trigger time is the feature `time` in seconds, or
    `frame` over `imaging:frame rate` where there is no `time`. Traces and contours are not read.
    """

    kind = "rtdc"

    def __init__(self, source: Path, file: Any, channels: tuple[str, ...], features: tuple[str, ...] | None) -> None:
        self.name, self._file, self.skipped = str(source), file, Counter()
        texts = attributes(source, file)
        self.about = {key: str(value) for key, value in texts.items()}
        self.pixel_um = _positive(texts.get("imaging:pixel size"))
        self._group = self.about.get("experiment:sample", "")
        events = events_group(source, file)
        scalars = scalar_features(source, events)
        self._stored = source.stat().st_size
        images = _images(source, events, channels, self._stored)
        self.channels = tuple(_CHANNEL.get(name, name) for name in channels)
        dtype = images[0].dtype
        self._mask = dtype.kind == "b"
        self.dtype = np.dtype(np.uint8) if self._mask else dtype.newbyteorder("=")
        self.shape = (images[0].shape[1], images[0].shape[2])
        self._length = self._count(channels, images, event_count(scalars))
        self._blocks = [Blocks(image) for image in images]
        numbers = {name: H5Array(source, f"events/{name}", scalars[name], self._stored) for name in scalars}
        columns = {name: Column(array) for name, array in numbers.items()}
        self._arrays = [*images, *numbers.values()]
        self._time, self._rate = columns.get("time"), 1.0
        if self._time is None and (rate := _positive(texts.get("imaging:frame rate"))):
            self._time, self._rate = columns.get("frame"), rate
        unknown = [name for name in features or () if name not in columns]
        if unknown:
            raise CellsError(source, "features", unknown[0], f"one of {', '.join(columns)}")
        self._columns = columns if features is None else {name: columns[name] for name in features}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < self._length:
            raise IndexError(index)
        try:
            frame = np.stack([blocks.row(index) for blocks in self._blocks])
            values = {name: column.value(index) for name, column in self._columns.items()}
            time = self._time.value(index) if self._time is not None else None
        except CellsError as error:
            raise CellsError(f"{self.name} event {index}", error.field, error.found, error.expected) from error
        return Cell(
            frame=self._native(index, frame),
            group=self._group,
            trigger_s=None if time is None else time / self._rate,
            facts={name: value for name, value in values.items() if value is not None},
        )

    def look(self) -> None:
        """Walk the tables of all arrays, as reading them does."""
        for array in self._arrays:
            array.look()

    def close(self) -> None:
        """Close the file."""
        with guard(self.name, "file"):
            self._file.close()

    def _count(self, channels: tuple[str, ...], images: list[H5Array], events: int | None) -> int:
        """Return how many events have all their images; count the others as skipped."""
        length = events if events is not None else min(image.shape[0] for image in images)
        for name, image in zip(channels, images, strict=True):
            if image.shape[0] < length:
                self.skipped[f"events/{name}: fewer images than events"] += length - image.shape[0]
                length = image.shape[0]
        # Masks are known to be stored twice over; images past the last event are cells that were not measured.
        surplus = images[0].shape[0] - length if events is not None and length == events else 0
        if surplus:
            self.skipped[f"events/{channels[0]}: more images than events"] += surplus
        return length

    def _native(self, index: int, frame: Frame) -> Frame:
        if self._mask:
            return frame.astype(np.uint8) * np.uint8(255)
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(f"{self.name} event {index}", "events", "NaN or infinite pixels", "finite pixels")
        return frame.astype(self.dtype, copy=False)


def _images(source: Path, events: Any, channels: tuple[str, ...], stored: int) -> list[H5Array]:
    if not channels or len(set(channels)) != len(channels):
        raise CellsError(source, "channels", channels, "one or more distinct features")
    images: list[H5Array] = []
    for name in channels:
        field = f"events/{name}"
        dataset = member(source, events, name)
        if dataset is None or not hasattr(dataset, "dtype"):
            raise CellsError(source, field, *_missing(source, events, name))
        image = H5Array(source, field, dataset, stored)
        if len(image.shape) != 3 or 0 in image.shape[1:]:
            raise CellsError(source, field, f"shape {image.shape}", "(events, height, width)")
        if image.dtype.name not in _DTYPES:
            raise CellsError(source, field, f"dtype {image.dtype.name}", "uint8, uint16 or float32")
        first = images[0] if images else image
        if image.shape[1:] != first.shape[1:] or image.dtype != first.dtype:
            found = f"{image.dtype.name} {image.shape[1:]}"
            raise CellsError(source, field, found, f"{first.dtype.name} {first.shape[1:]} like {first.field}")
        images.append(image)
    return images


def _missing(source: Path, events: Any, name: str) -> tuple[str, str]:
    """Return what is there in place of an image feature, and what could be read instead."""
    with guard(source, "events"):
        held = names(events)
        links = linked(events)
        basins = "basins" in names(events.parent)
    if name in links:
        return "a link", "images in this file; links are not followed"
    if basins:
        return "no such feature; this file points to its basins", "images in this file: open the file it was made from"
    others = [other for other in ("image", "image_bg", "mask") if other in held]
    return "no such feature", f"images; there is {', '.join(others)}" if others else "images; this file has none"


def _positive(value: object) -> float | None:
    if isinstance(value, int | float) and 0 < value < float("inf"):
        return float(value)
    return None
