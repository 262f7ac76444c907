"""The files of a Zarr store: a folder, or a .zip of one, by the keys that Zarr calls them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._limits import MAX_CHUNK
from engines.errors import CellsError

METADATA = ("zarr.json", ".zarray", ".zgroup")
_MAX_DEPTH = 6
_MAX_METADATA = 4 << 20
_MAX_NODES = 10_000


class Files:
    """Read-only access to a store's files by key (`frames/c/0/0`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            self.stored = 0
            self.metadata = tuple(_metadata_below(path))
            self.stored = sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
            return
        if not path.is_file():
            raise CellsError(path, "file", "nothing", "a Zarr store, a folder or .zip")
        with guard(path, "file", "a .zip of a Zarr store"):
            self._zip = zipfile.ZipFile(path)
        self.stored = path.stat().st_size
        members = (member.filename for member in self._zip.infolist())
        self.metadata = tuple(name for name in members if name.rpartition("/")[2] in METADATA)

    @property
    def zipped(self) -> bool:
        """Whether the store is a .zip."""
        return self._zip is not None

    def size(self, key: str) -> int | None:
        """Return the bytes of a file once read, None where there is none."""
        if self._zip is None:
            try:
                return (self._path / key).stat().st_size
            except (OSError, ValueError):
                return None
        try:
            return self._zip.getinfo(key).file_size
        except KeyError:
            return None

    def read(self, key: str, most: int = MAX_CHUNK) -> bytes:
        """Return a file of at most `most` bytes."""
        size = self.size(key)
        if size is None or size > most:
            raise CellsError(self._path, key, "nothing" if size is None else f"{size} bytes", f"at most {most} bytes")
        with guard(self._path, key):
            return (self._path / key).read_bytes() if self._zip is None else self._zip.read(key)

    def read_metadata(self, key: str) -> bytes:
        """Return a metadata file."""
        return self.read(key, _MAX_METADATA)

    def close(self) -> None:
        """Close the .zip."""
        if self._zip is not None:
            self._zip.close()


def is_store(path: Path, head: bytes) -> bool:
    """Return whether a folder, or a .zip, has Zarr metadata at its root or in a folder of it."""
    if path.is_dir():
        return any(True for _ in _metadata_below(path, depth=1))
    if not head.startswith(b"PK\x03\x04") or path.suffix.lower() not in (".zip", ".zarr"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(member.filename.rpartition("/")[2] in METADATA for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _metadata_below(path: Path, depth: int = _MAX_DEPTH) -> Iterable[str]:
    """Yield the keys of metadata files, nearest first. Folders without metadata (chunks) are not gone into."""
    waiting, seen = [(path, "", 0)], 0
    while waiting and seen < _MAX_NODES:
        folder, prefix, level = waiting.pop(0)
        seen += 1
        found = [f"{prefix}{name}" for name in METADATA if (folder / name).is_file()]
        yield from found
        is_array = any(key.endswith(".zarray") for key in found)
        if is_array or level >= depth or (not found and level > 0):
            continue
        with os.scandir(folder) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        waiting += [(folder / name, f"{prefix}{name}/", level + 1) for name in below]
