"""Choose the file format of a table by its ending, and tell tables from recordings by their content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.errors import InputError
from engines.results._atomic import replacing
from engines.results._csv import HEAD_ENDING, is_csv, read_csv, write_csv
from engines.results._fcs import write_fcs
from engines.results._fcs_read import is_fcs, read_fcs
from engines.results._h5ad import write_h5ad
from engines.results._h5ad_read import is_h5ad, read_h5ad
from engines.results._parquet import is_parquet, read_parquet, write_parquet
from engines.results._table import Results, check_head
from engines.results._values import library

_WRITERS: dict[str, Callable[[Results, Path], int]] = {
    ".fcs": write_fcs,
    ".parquet": write_parquet,
    ".h5ad": write_h5ad,
    ".csv": write_csv,
}
_READERS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Results]], ...] = (
    (is_fcs, read_fcs),
    (is_parquet, read_parquet),
    (is_h5ad, read_h5ad),
    (is_csv, read_csv),
)
_NEEDS = {".parquet": "pyarrow.parquet", ".h5ad": "h5py"}
ENDINGS = tuple(_WRITERS)
"""The endings of tables: `.fcs`, `.parquet`, `.h5ad`, `.csv`."""


def ending_of(path: Path) -> str:
    """Return the ending of a table's file in lower case; `InputError` where it is none of `ENDINGS`."""
    ending = path.suffix.lower()
    if ending not in _WRITERS:
        raise InputError(path, "ending", ending or "none", " or ".join(ENDINGS))
    return ending


def check_target(path: Path) -> None:
    """Raise what `write_results` would of this path's ending, before the rows are made; its library is loaded."""
    ending = ending_of(path)
    if ending in _NEEDS:
        library(_NEEDS[ending], f"a {ending} file")


def write_results(results: Results, path: Path) -> int:
    """Write a table in the format of the file's ending; return its number of rows.

    The rows go through in chunks, and the file gets its name when it is whole. Beside a `.csv` a `.csv.json` holds what
    CSV cannot: the columns' types and where the table comes from.

    Raises
    ------
    InputError
        The ending is none of `ENDINGS`, or the file cannot be written.
    MissingExtraError
        The format needs a library that is not installed.
    """
    ending = ending_of(path)
    check_head(results.head, path)
    if ending == ".csv":
        with replacing(path.with_name(path.name + HEAD_ENDING)) as part:
            part.write_text(results.head.json() + "\n")
    with replacing(path) as part:
        return _WRITERS[ending](results, part)


def is_results(path: Path) -> bool:
    """Tell whether a file is a table in one of the formats, by what it holds; `InputError` where it cannot be read."""
    try:
        return any(fits(path) for fits, _ in _READERS)
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a file that can be read") from error


def read_results(path: Path) -> Results:
    """Open a table that Cellgate has written; its rows are read when asked for.

    Raises
    ------
    InputError
        The file is no table of Cellgate's, or is damaged.
    MissingExtraError
        The format needs a library that is not installed.
    """
    try:
        for fits, read in _READERS:
            if fits(path):
                return read(path)
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a file that can be read") from error
    raise InputError(path, "file", "no table of results", "a table written by Cellgate: " + ", ".join(ENDINGS))
