"""Read recorded cells from a NumPy archive (`.npz`)."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from engines.cells._cells import Cells
from engines.cells._members import BROKEN, MAX_SMALL, Member, find_members, load_whole
from engines.cells._memory import available_memory
from engines.cells._npz_fields import DTYPES, NAMES, Fields, read_fields
from engines.cells._recording import Cell, Frame, Recording, Span
from engines.errors import CellsError, InputError

_BLOCK = 1 << 22


def sniff_npz(path: Path, head: bytes) -> bool:
    """Tell whether this is a zip archive of arrays; one too damaged to list goes by its name."""
    if head[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (OSError, *BROKEN):
        return path.suffix.lower() == ".npz"


def open_npz(path: str | Path, *, groups: str | None = None) -> NpzRecording:
    """Open the archive; `CellsError` where it is none of cells.

    `groups` is the name of the array of the cells' groups, if it is not called so; `InputError` where it is not there.
    """
    return NpzRecording(path, groups)


def read_npz(path: str | Path) -> Cells:
    """Read cells from an archive with `frames`, `channels` and, where labelled, `labels` and `classes`.

    `frames` is `(n, C, H, W)` of uint8, uint16 or float32; `channels` holds C names; `labels` is `(n,)`, indices
    into `classes`, negative where unknown; `groups`, where there, is `(n,)` of text or integers, and `pixel_um` one
    number. Nothing pickled is ever loaded. Frames that are more than half of the memory that is free are not read
    but mapped, unless they are compressed.

    Raises
    ------
    CellsError
        Naming the file, the field, what was found and what was expected.
    """
    with NpzRecording(path) as recording:
        return recording.all_cells()


class NpzRecording(Recording):
    """An archive of cells. What is not compressed is read from where it lies; what is, is inflated in pieces.

    Cells of a compressed archive asked for out of order are inflated into a temporary file first.
    """

    kind = "npz"

    def __init__(self, path: str | Path, groups: str | None = None) -> None:
        self._source = Path(path)
        self.name = str(path)
        self._archive: zipfile.ZipFile | None = None
        self._inflated: IO[bytes] | None = None
        try:
            self._file = self._source.open("rb")
        except OSError as error:
            raise CellsError(path, "file", error.strerror or str(error), "a readable file") from error
        try:
            self._open(groups)
        except BaseException:
            self.close()
            raise

    def _open(self, groups: str | None) -> None:
        try:
            if not zipfile.is_zipfile(self._file):
                raise CellsError(
                    self._source, "file", "not a NumPy archive", "an .npz of frames, channels, labels, classes"
                )
            self._archive = zipfile.ZipFile(self._file)
            names = NAMES if groups is None else (*NAMES, groups)
            members = find_members(self._archive, self._source, names)
            if groups is not None and groups not in members:
                there = [name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy")]
                expected = f"an array of text or integers per cell, of {', '.join(there)}"
                raise InputError(self._source, "groups", groups, expected)
            self._frames = _check_frames(self._source, members)
            self.fields: Fields = read_fields(self._archive, members, self._source, groups or "groups")
        except OSError as error:
            raise CellsError(self._source, "file", error.strerror or str(error), "a readable file") from error
        except BROKEN as error:
            raise _broken(self._source, error) from error
        shape = self._frames.shape
        self.channels, self.classes = self.fields.channels, self.fields.classes
        self.pixel_um = self.fields.pixel_um
        self.dtype = self._frames.dtype.newbyteorder("=")
        self.shape = (shape[2], shape[3])
        self.about: dict[str, str] = {"compressed": "no" if self._frames.offset is not None else "yes"}
        self.skipped: Counter[str] = Counter()
        self._cell_bytes = prod(shape[1:]) * self._frames.dtype.itemsize

    def __len__(self) -> int:
        return self._frames.shape[0]

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._cell(index, self._pread(index * self._cell_bytes, self._cell_bytes))

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells in order; a compressed archive is inflated on the way and kept nowhere."""
        if start or self._inflated is not None or self._frames.offset is not None or self._frames.fortran:
            yield from super().cells(start)
            return
        with self._stream() as stream:
            for index in range(len(self)):
                try:
                    cell = self._cell(index, self._piece(stream, self._cell_bytes))
                except CellsError as error:
                    if error.field == "archive":
                        self.skipped[f"{error.field}: {error.found}"] += len(self) - index
                        return
                    self.skipped[f"{error.field}: {error.found}"] += 1
                else:
                    yield cell

    def span(self, start: int, stop: int) -> Span | None:
        """Return cells at once; of a compressed archive only one by one."""
        if not self.mappable or not 0 <= start < stop <= len(self):
            return None
        try:
            raw = self._pread(start * self._cell_bytes, (stop - start) * self._cell_bytes)
        except CellsError:  # told where it is, one by one
            return None
        frames = np.frombuffer(raw, self.dtype).reshape(stop - start, *self._frames.shape[1:])
        if frames.dtype.kind == "f" and not np.isfinite(frames).all():
            return None
        n, fields = stop - start, self.fields
        return Span(
            frames,
            np.full(n, -1, np.int16) if fields.labels is None else fields.labels[start:stop],
            [""] * n if fields.groups is None else fields.groups[start:stop].tolist(),
            np.full(n, np.nan) if fields.trigger_s is None else fields.trigger_s[start:stop],
        )

    def frames(self, *, mapped: bool = False) -> Frame:
        """Return all frames as one array `(n, C, H, W)`, mapped where they are more than half of the free memory."""
        if mapped or (self.mappable and self._frames.nbytes > available_memory() // 2):
            frames = self.mapped()
        else:
            frames = self._load()
        if frames.dtype.kind == "f":
            per_block = max(1, _BLOCK // self._cell_bytes)
            for first in range(0, len(frames), per_block):
                if not np.isfinite(frames[first : first + per_block]).all():
                    raise CellsError(self._source, "frames", "NaN or infinite counts", "finite counts")
        return frames

    def all_cells(self, *, mapped: bool = False) -> Cells:
        """Return all cells at their size; the frames are read, or mapped where asked or too large to read."""
        fields = self.fields
        frames = self.frames(mapped=mapped)
        return Cells(self.name, frames, self.channels, self.classes, fields.labels, fields.groups, self.pixel_um)

    @property
    def mappable(self) -> bool:
        """Whether the frames lie in the file as this machine would hold them."""
        return self._frames.offset is not None and not self._frames.fortran and self._frames.dtype.isnative

    def mapped(self) -> Frame:
        """Return all frames as a read-only memory map; only where they are `mappable`."""
        if self._frames.offset is None or not self.mappable:
            raise CellsError(self._source, "frames", "compressed or of foreign order", "an archive that is not")
        return np.memmap(self._source, self._frames.dtype, "r", self._frames.offset, self._frames.shape)

    def close(self) -> None:
        """Close the file and drop what was inflated."""
        for stream in (self._inflated, self._archive, self._file):
            if stream is not None:
                stream.close()

    def _cell(self, index: int, raw: bytes) -> Cell:
        frame = np.frombuffer(raw, self._frames.dtype).reshape(self._frames.shape[1:])
        frame = frame.astype(self.dtype, copy=False)
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise CellsError(self._source, "frames", "NaN or infinite counts", "finite counts")
        fields = self.fields
        return Cell(
            frame,
            -1 if fields.labels is None else int(fields.labels[index]),
            "" if fields.groups is None else str(fields.groups[index]),
            None if fields.trigger_s is None else float(fields.trigger_s[index]),
        )

    def _pread(self, offset: int, size: int) -> bytes:
        if self._frames.offset is not None and not self._frames.fortran:
            stream: IO[bytes] = self._file
            offset += self._frames.offset
        else:
            stream = self._inflate()
        try:
            raw = os.pread(stream.fileno(), size, offset)
        except OSError as error:
            raise CellsError(self._source, "file", error.strerror or str(error), "a readable file") from error
        if len(raw) != size:
            raise CellsError(self._source, "archive", "an array that ends early", "a whole .npz")
        return raw

    def _inflate(self) -> IO[bytes]:
        """Return a temporary file of all frames in C order."""
        if self._inflated is None:
            self._inflated = tempfile.TemporaryFile(prefix="cellgate-")  # noqa: SIM115 - lives as long as the recording
            try:
                self._inflate_into(self._inflated)
            except OSError as error:
                raise CellsError(self._source, "inflating", error.strerror or str(error), "room on the disk") from error
        return self._inflated

    def _inflate_into(self, target: IO[bytes]) -> None:
        if self._frames.fortran:
            target.write(np.ascontiguousarray(self._load().astype(self._frames.dtype)).tobytes())
        else:
            with self._stream() as stream:
                left = self._frames.nbytes
                while left:
                    left -= target.write(self._piece(stream, min(_BLOCK, left)))
        target.flush()

    def _load(self) -> Frame:
        if self._archive is None:
            raise CellsError(self._source, "file", "a closed recording", "an open one")
        if self._frames.nbytes > available_memory():
            raise CellsError(self._source, "frames", f"{self._frames.nbytes} bytes", "as many as fit into memory")
        try:
            return load_whole(self._archive, self._frames, self._source)
        except BROKEN as error:
            raise _broken(self._source, error) from error

    def _stream(self) -> IO[bytes]:
        if self._archive is None:
            raise CellsError(self._source, "file", "a closed recording", "an open one")
        try:
            stream = self._archive.open(self._frames.info)
            stream.read(self._frames.head)
        except BROKEN as error:
            raise _broken(self._source, error) from error
        return stream

    def _piece(self, stream: IO[bytes], size: int) -> bytes:
        try:
            raw = stream.read(size)
        except BROKEN as error:
            raise _broken(self._source, error) from error
        if len(raw) != size:
            raise CellsError(self._source, "archive", "an array that ends early", "a whole .npz")
        return raw


def _broken(source: Path, error: BaseException) -> CellsError:
    return CellsError(source, "archive", str(error) or type(error).__name__, "a whole .npz without pickled objects")


def _check_frames(source: Path, members: dict[str, Member]) -> Member:
    if "frames" not in members:
        raise CellsError(source, "frames", "nothing", "an array of this name")
    frames = members["frames"]
    if len(frames.shape) != 4 or 0 in frames.shape:
        raise CellsError(source, "frames", f"shape {frames.shape}", "(cells, channels, height, width), none of them 0")
    if frames.dtype.name not in DTYPES:
        raise CellsError(source, "frames", f"dtype {frames.dtype.name}", " or ".join(DTYPES))
    if (size := prod(frames.shape[1:]) * frames.dtype.itemsize) > MAX_SMALL:
        raise CellsError(source, "frames", f"{size} bytes per cell", f"at most {MAX_SMALL}")
    return frames
