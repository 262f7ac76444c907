"""An HDF5 file opened to be read: its members, without following a link out of it, and its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.cells.hdf5._guard import guard
from engines.errors import CellsError, MissingExtraError
from engines.rehearsal import rehearse

_MAX_MEMBERS = 10_000
_MAX_ATTRIBUTE = 64 << 10
_SWMR_WRITING = 0x04  # of the superblock's flags, version 3
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def load_h5py(feature: str) -> Any:
    """Return h5py with hdf5plugin's filters registered; `MissingExtraError` where either is not installed."""
    try:
        import_module("hdf5plugin")
        return import_module("h5py")
    except ImportError:
        raise MissingExtraError(feature, "files") from None


def is_hdf5(path: Path, head: bytes) -> bool:
    """Return whether a file has HDF5's signature, at its start or behind a user block (512 bytes, 1 KiB … 64 KiB)."""
    if head.startswith(_SIGNATURE):
        return True
    if path.suffix.lower() not in (".h5", ".hdf5", ".hdf", ".rtdc", ".mat") or not path.is_file():
        return False
    with path.open("rb") as stream:
        for power in range(9, 17):
            stream.seek(1 << power)
            if stream.read(8) == _SIGNATURE:
                return True
    return False


def open_h5(path: Path, feature: str, mode: str = "r") -> Any:
    """Return the open `h5py.File`; `CellsError` where it cannot be opened. A file from outside is rehearsed first."""
    h5py = load_h5py(feature)
    with guard(path, "file", "a readable HDF5 file"):
        return h5py.File(path, mode, locking="best-effort", swmr=mode == "r" and _is_growing(path))


def _is_growing(path: Path) -> bool:
    """Tell whether a file is being recorded to, or was when its recorder was killed: it is whole, but not closed."""
    with path.open("rb") as stream:
        head = stream.read(12)
    return len(head) == 12 and head.startswith(_SIGNATURE) and head[8] == 3 and bool(head[11] & _SWMR_WRITING)


def rehearse_h5(function: str, path: Path, feature: str, **arguments: Any) -> Any:
    """Have a function of a module here do with an HDF5 file what is then done in earnest; see `engines.rehearsal`.

    The HDF5 library believes what a file says of its heaps and tables: of a damaged one it may hang, die or ask for any
    amount of memory, which no check of ours comes before.
    """
    load_h5py(feature)
    if not path.is_file():
        raise CellsError(path, "file", "no file" if not path.exists() else "no regular file", "an HDF5 file")
    return rehearse(f"engines.cells.hdf5.{function}", path, imports=("h5py", "hdf5plugin"), **arguments)


def names(group: Any) -> list[str]:
    """Return the names of the members that a group holds itself, in order; links elsewhere are left out."""
    return [name for name, hard in _links(group) if hard]


def linked(group: Any) -> list[str]:
    """Return the names of soft and external links in a group."""
    return [name for name, hard in _links(group) if not hard]


def member(source: object, group: Any, path: str) -> Any:
    """Return the dataset or group at `path` below `group`, None where there is none.

    Goes through names that the file holds itself only. Raises `CellsError` for a soft or external link on the way:
    what it leads to may be another file.
    """
    h5py = import_module("h5py")
    for name in [part for part in path.split("/") if part]:
        if not isinstance(group, h5py.Group):
            return None
        raw = name.encode()
        with guard(source, path):
            if name == "." or not group.id.links.exists(raw):
                return None
            if group.id.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                raise CellsError(source, path, "a link", "data in this file; links are not followed")
            group = _wrap(h5py, h5py.h5o.open(group.id, raw))
    return group


def attributes(source: object, thing: Any) -> dict[str, str | int | float]:
    """Return the short attributes that are one text or number; others are left out."""
    h5py = import_module("h5py")
    found: dict[str, str | int | float] = {}
    with guard(source, "attributes"):
        for at in range(min(h5py.h5a.get_num_attrs(thing.id), _MAX_MEMBERS)):
            item = h5py.h5a.open(thing.id, index=at)
            if item.get_storage_size() > _MAX_ATTRIBUTE or item.get_space().get_simple_extent_npoints() != 1:
                continue
            name = item.name.decode(errors="replace")
            value = thing.attrs[item.name]
            value = value.item() if hasattr(value, "item") else value
            if isinstance(value, bytes):
                value = value.decode(errors="replace")
            if isinstance(value, str | int | float) and len(str(value)) <= _MAX_ATTRIBUTE:
                found[name] = value
    return found


def _links(group: Any) -> Iterator[tuple[str, bool]]:
    h5py = import_module("h5py")
    for count, raw in enumerate(group.id):
        if count == _MAX_MEMBERS:
            return
        # A name with a slash is a path to HDF5: asking for it would follow whatever links are on it.
        if b"/" not in raw and raw != b".":
            name = raw.decode(errors="surrogateescape")
            if name.isprintable():
                yield name, group.id.links.get_info(raw).type == h5py.h5l.TYPE_HARD


def _wrap(h5py: Any, thing: Any) -> Any:
    if isinstance(thing, h5py.h5d.DatasetID):
        return h5py.Dataset(thing)
    if isinstance(thing, h5py.h5g.GroupID):
        return h5py.Group(thing)
    return None
