"""Which file a series is recorded to: never one that is there."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from engines.errors import InputError

ENDINGS = (".h5", ".hdf5", ".zarr")


class Names:
    """Names of files, from what the user gave: a file, or a folder for a file per series.

    A file's name is taken by the first series, and with `-2`, `-3` … by the ones after; in a folder each file has the
    name of its series. A name that something has already is passed over in the same way.

    Raises
    ------
    InputError
        There is no folder to put the file into, or the name has an ending that is none of a format.
    """

    def __init__(self, out: Path, *, zarr: bool = False) -> None:
        self._file = out if out.suffix in ENDINGS else None
        self.zarr = out.suffix == ".zarr" if self._file is not None else zarr
        """Whether the files are Zarr stores, and not HDF5."""
        self._folder = out if self._file is None else out.parent
        if self._file is None and not out.is_dir():
            raise InputError("recorder", "--out", str(out), f"a name that ends in {', '.join(ENDINGS)}, or a folder")
        if not self._folder.is_dir():
            raise InputError("recorder", "--out", str(out), "a folder that is there")

    def next(self, series: str) -> Path:
        """Return the path for a series."""
        first = self._file or self._folder / f"{series}{'.zarr' if self.zarr else '.h5'}"
        tries = (first if n == 1 else first.with_name(f"{first.stem}-{n}{first.suffix}") for n in count(1))
        return next(path for path in tries if not path.exists())
