"""The readers of recorded cells, and the choice of one by what a file or folder holds."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.cells._grouped import NO_GROUPS, GroupedRecording
from engines.cells._looks import looks_like
from engines.cells._recording import Recording
from engines.errors import CellsError, InputError

HEAD = 64


@dataclass(frozen=True)
class Reader:
    """A reader by name: its module is imported when it is asked, so that no library loads before it is needed.

    `sniff(path, head)` tells whether the reader takes this path, given the file's first 64 bytes (none of a folder);
    `open(path, **hints)` returns the recording.
    """

    kind: str
    module: str
    sniff: str
    open: str

    def takes(self, path: Path, head: bytes) -> bool:
        """Ask the reader whether the path is its kind."""
        return bool(_get(self.module, self.sniff)(path, head))

    def read(self, path: Path, hints: dict[str, Any], groups: str | None = None) -> Recording:
        """Open the path; `InputError` for a hint that this reader does not take.

        A reader that finds groups by a name itself has a parameter `groups`; of others it is the name of a fact.
        """
        function = _get(self.module, self.open)
        known = tuple(inspect.signature(function).parameters)[1:]
        for name, value in hints.items():
            if name not in known:
                takes = ", ".join(dict.fromkeys((*known, "groups")))
                raise InputError(path, name, value, f"a hint that the reader of {self.kind} knows: it takes {takes}")
        own = "groups" in known and groups not in (None, NO_GROUPS)
        recording: Recording = function(path, **hints, **({"groups": groups} if own else {}))
        return recording if own or groups is None else _grouped(recording, groups)


READERS = (
    Reader("npz", "engines.cells._npz", "sniff_npz", "open_npz"),
    Reader("rtdc", "engines.cells.hdf5", "sniff_rtdc", "open_rtdc"),
    Reader("zarr", "engines.cells.hdf5", "sniff_zarr", "open_zarr"),
    Reader("hdf5", "engines.cells.hdf5", "sniff_hdf5", "open_hdf5"),
    Reader("cif", "engines.cells.cif", "sniff_cif", "open_cif"),
    Reader("imagestream", "engines.cells.tiff", "sniff_imagestream", "open_imagestream"),
    Reader("cellview", "engines.cells.tiff", "sniff_cellview", "open_cellview"),
    Reader("montage", "engines.cells.tiff", "sniff_montage", "open_montage"),
    Reader("folder", "engines.cells.folder", "sniff_folder", "open_folder"),
)
"""In the order in which they are asked, from specific to general."""


def open_recording(
    path: str | Path, /, *, kind: str | None = None, groups: str | None = None, **hints: Any
) -> Recording:
    """Open recorded cells of any kind that Cellgate reads.

    Parameters
    ----------
    path
        File or folder. Its content says what it is, not its ending.
    kind
        Which reader to use, by its name in `READERS`; by default the first that takes the content.
    groups
        Where the cells' groups are, if not where the format has them: in archives and stores of arrays the name of an
        array of one text or integer per cell; of folders of images it means the levels `group/class`, unless levels
        or a pattern say where groups are; of other formats the name of a fact of each cell. `none` for no groups.
    hints
        Passed to the reader, such as `pattern` and `levels` for class folders.

    Raises
    ------
    CellsError
        Nothing there, nothing that is read here, or damaged.
    InputError
        An unknown kind, a hint that the reader does not take, or groups by a name that is nowhere.
    MissingExtraError
        The format needs a library that is not installed.
    """
    source = Path(path)
    head = _head(source, path)
    for reader in READERS:
        if kind == reader.kind or (kind is None and reader.takes(source, head)):
            recording = reader.read(source, hints, groups)
            recording.name = str(path)
            return recording
    names = ", ".join(reader.kind for reader in READERS)
    if kind is not None:
        raise InputError(path, "kind", kind, f"one of {names}")
    raise CellsError(path, "content", looks_like(source, head), f"recorded cells: {names}")


def _head(source: Path, path: str | Path) -> bytes:
    try:
        if source.is_dir():
            return b""
        if source.exists() and not source.is_file():
            raise CellsError(path, "file", "neither a file nor a folder", "recorded cells")
        with source.open("rb") as stream:
            return stream.read(HEAD)
    except (OSError, ValueError) as error:  # a path with a NUL in it is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise CellsError(path, "file", reason, "a readable file or folder") from error


def _grouped(recording: Recording, groups: str) -> Recording:
    try:
        return GroupedRecording(recording, groups)
    except BaseException:
        recording.close()
        raise


def _get(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
