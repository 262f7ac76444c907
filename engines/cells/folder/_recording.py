"""A folder of images as a recording."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from engines.cells._recording import Cell, Frame, Recording, plain_text
from engines.cells._size import spread
from engines.cells.folder._collect import Collected, Files
from engines.cells.folder._images import read_image
from engines.cells.folder._walk import natural
from engines.errors import CellsError, InputError

_PROBE = 64
_COLOURS = ("red", "green", "blue")


class FolderRecording(Recording):
    """Images of cells below a folder; each is read when its cell is asked for.

    What the images hold (dtype, number of channels) is what most of 64 cells spread over the folder do; a cell that
    differs is damaged. `shape` is known only where all cells of a small folder were looked at and have one size.
    """

    kind = "folder"

    def __init__(
        self,
        root: Path,
        collected: Collected,
        classes: tuple[str, ...],
        about: dict[str, str],
        names: tuple[str, ...] | None = None,
    ) -> None:
        self.name = str(root)
        self._root, self._files = root, collected.cells
        self._named = bool(collected.channels)
        self.classes = classes
        self._labels = {name: index for index, name in enumerate(classes)}
        self.about = {key: plain_text(text) for key, text in about.items()}
        self.skipped: Counter[str] = Counter()
        for reason, count in collected.skipped.items():
            self.skipped[plain_text(reason)] += count
        self._look(collected, names)

    def _look(self, collected: Collected, names: tuple[str, ...] | None) -> None:
        kinds: Counter[tuple[int, np.dtype[np.generic]]] = Counter()
        sizes = set()
        error: CellsError | None = None
        for index in spread(len(self._files), _PROBE):
            try:
                frame = self._frame(self._files[index])
            except CellsError as found:
                error = found
            else:
                kinds[len(frame), frame.dtype] += 1
                sizes.add((frame.shape[1], frame.shape[2]))
        if not kinds:
            if error is None:
                raise CellsError(self._root, "cells", "none", "images of cells")
            expected = f"cells that can be read; the first of {len(self._files)} says: {error}"
            raise CellsError(self._root, "cells", "none of those looked at", expected)
        (planes, self.dtype), _ = kinds.most_common(1)[0]
        self.channels = tuple(map(plain_text, collected.channels)) or _plane_names(planes)
        if names is not None and not self._named:
            if len(names) != planes or len(set(names)) != planes:
                raise InputError(self._root, "channels", names, f"{planes} distinct names, one per channel")
            self.channels = names
        if len(self._files) <= _PROBE and len(sizes) == 1 and kinds.total() == len(self._files):
            self.shape = sizes.pop()

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < len(self):
            raise IndexError(index)
        files = self._files[index]
        frame = self._frame(files)
        if frame.dtype != self.dtype:
            raise CellsError(files.paths[0], "dtype", frame.dtype.name, self.dtype.name)
        if len(frame) != len(self.channels):
            raise CellsError(files.paths[0], "channels", len(frame), str(len(self.channels)))
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(files.paths[0], "pixels", "NaN or infinite values", "finite ones")
        where = plain_text(files.paths[0].relative_to(self._root).as_posix())
        return Cell(frame, self._labels.get(files.label, -1), files.group, facts={"cell": files.name, "file": where})

    def _frame(self, files: Files) -> Frame:
        if not self._named:
            return read_image(files.paths[0])
        planes = []
        for path in files.paths:
            image = read_image(path)
            if len(image) != 1:
                raise CellsError(path, "image", f"{len(image)} planes", "one, the file is of one channel")
            planes.append(image[0])
        if len({plane.shape for plane in planes}) != 1:
            raise CellsError(files.paths[0], "channels", "images of different size", "one size in all channels")
        if len({plane.dtype for plane in planes}) != 1:
            raise CellsError(files.paths[0], "channels", "images of different dtype", "one dtype in all channels")
        return np.stack(planes)


def class_names(cells: list[Files]) -> tuple[str, ...]:
    """Return the classes these cells are of, in natural order."""
    return tuple(sorted({files.label for files in cells} - {""}, key=natural))


def _plane_names(planes: int) -> tuple[str, ...]:
    if planes == 1:
        return ("gray",)
    return _COLOURS if planes == 3 else tuple(f"channel {number}" for number in range(1, planes + 1))
