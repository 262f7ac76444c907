"""Turn a recording, or a table of results, from one format into another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.cells import open_recording, write_npz
from engines.errors import InputError
from engines.offline._write_frames import write_hdf5, write_zarr
from engines.results import ENDINGS, is_results, read_results, write_results

FRAMES = (".npz", ".h5", ".hdf5", ".zarr")
"""The endings of recordings that can be written."""


@dataclass(frozen=True)
class Converted:
    """How many rows or cells were written, and the cells that were not, by reason."""

    what: str
    count: int
    skipped: Mapping[str, int] = field(default_factory=dict)


def convert(
    source: Path, out: Path, *, size: tuple[int, int] | None = None, hints: Mapping[str, Any] | None = None
) -> Converted:
    """Write what is in `source` to `out`, in the format of its ending. What `source` is, its content says.

    Parameters
    ----------
    size
        `(height, width)` that every cell is brought to; for `.npz` only, which holds cells of one size.
    hints
        Of recorded cells: which reader and what to tell it, as for `open_recording`.

    Raises
    ------
    InputError
        The ending is of the other kind (cells and results are not turned into each other), `out` is `source`, or a
        file cannot be read or written.
    MissingExtraError
        A format needs a library that is not installed.
    """
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(out, "out", "the file itself", "another file")
    ending = out.suffix.lower()
    if size is not None and ending != ".npz":
        raise InputError(out, "size", f"{size[0]}x{size[1]}", "a size for .npz only; the others keep cells as they are")
    if is_results(source):
        if hints:
            raise InputError(source, "--hint", ", ".join(hints), "none: these are results, not cells")
        if ending not in ENDINGS:
            raise InputError(out, "ending", ending or "none", " or ".join(ENDINGS) + ", since the source holds results")
        return Converted("rows", write_results(read_results(source), out))
    with open_recording(source, **(hints or {})) as recording:
        if ending not in FRAMES:
            raise InputError(out, "ending", ending or "none", " or ".join(FRAMES) + ", since the source holds cells")
        if ending == ".npz":
            count = len(write_npz(recording, out, size=size))
        else:
            count = (write_zarr if ending == ".zarr" else write_hdf5)(recording, out)
        return Converted("cells", count, dict(recording.skipped))
