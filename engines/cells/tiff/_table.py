"""The table that gives the gates of CellView cells: columns `path` and `gate`, as bd-cellview uses it."""

from __future__ import annotations

import csv
from pathlib import Path, PureWindowsPath

from engines.errors import CellsError

_MAX_BYTES = 64 << 20
_NO_GATE = ("", "NA", "NaN", "nan")


def find_table(source: Path, folder: Path) -> Path | None:
    """Return the one table in the folder of the images, the folder above, or a `tables` folder there; None for none.

    Raises `CellsError` where more than one could be meant.
    """
    places = (folder, folder.parent, folder.parent / "tables")
    files = sorted({file for place in places if place.is_dir() for file in place.glob("*.csv") if file.is_file()})
    tables = [file for file in files if _delimiter(file) is not None]
    named = [file for file in tables if file.name == "countpath.csv"]
    tables = named if len(named) == 1 else tables
    if len(tables) > 1:
        names = ", ".join(file.name for file in tables)
        raise CellsError(source, "gates", f"more than one table: {names}", "one .csv with columns path and gate")
    return tables[0] if tables else None


def read_gates(table: Path) -> dict[str, str]:
    """Return the gate of every image file by its name, empty where the table says none (`NA`).

    Only the last part of a path counts: tables are moved about, and name the images relative to where they were.
    """
    delimiter = _delimiter(table)
    if delimiter is None:
        raise CellsError(table, "columns", "others", "path and gate, separated by ; , or tab")
    gates: dict[str, str] = {}
    try:
        if table.stat().st_size > _MAX_BYTES:
            raise CellsError(table, "size", f"{table.stat().st_size} bytes", f"at most {_MAX_BYTES}")
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
            header = [column.strip() for column in next(rows, [])]
            if "path" not in header or "gate" not in header:
                raise CellsError(table, "columns", ", ".join(header), "path and gate")
            path, column = header.index("path"), header.index("gate")
            for row in rows:
                if len(row) <= max(path, column):
                    continue
                name = PureWindowsPath(row[path].strip()).name  # knows both kinds of separator
                gate = row[column].strip()
                gate = "" if gate in _NO_GATE else gate
                if name and gates.setdefault(name, gate) != gate:
                    raise CellsError(table, f"gate of {name}", f"{gates[name]!r} and {gate!r}", "one gate for an image")
    except (OSError, ValueError, csv.Error) as error:
        raise CellsError(table, "table", str(error), "a readable .csv in UTF-8") from error
    return gates


def _delimiter(table: Path) -> str | None:
    """Return what separates the columns where the first line names both of them."""
    try:
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            line = stream.readline(1 << 16)
    except (OSError, ValueError):
        return None
    for delimiter in ";,\t":
        columns = [column.strip().strip('"') for column in line.split(delimiter)]
        if "path" in columns and "gate" in columns:
            return delimiter
    return None
