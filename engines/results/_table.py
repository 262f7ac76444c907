"""The table of results: what its columns are, where it comes from, and its rows in chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError

FORMAT = "cellgate-results"
VERSION = 1
MAX_COLUMNS, MAX_EMBEDDING, MAX_LABELS = 65_536, 65_536, 65_536

Dtype = Literal["uint64", "int64", "float64", "float32", "bool", "code", "text"]
"""`code`: int32 index into the column's labels, -1 where there is none. `text`: object array of str."""
Role = Literal["cell", "time", "probability", "measurement"]

_NUMPY: dict[Dtype, np.dtype[Any]] = {
    "uint64": np.dtype("<u8"),
    "int64": np.dtype("<i8"),
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "bool": np.dtype("?"),
    "code": np.dtype("<i4"),
    "text": np.dtype(object),
}


def ascii_json(value: object) -> str:
    """Return the value as JSON on one line, of printable ASCII only: no program loses or alters a character of it."""
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).replace("\x7f", "\\u007f")


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of the table.

    Missing is NaN in floats, -1 in codes and the empty text; integers and flags are never missing. `role` is `time`
    for the one column (unit s or ns) that a flow cytometry program takes as the time of the event.
    """

    name: str
    dtype: Dtype
    role: Role = "cell"
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def numpy(self) -> np.dtype[Any]:
        """Dtype of the column's values in a `Chunk`."""
        return _NUMPY[self.dtype]


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a table comes from. No path of the machine that made it; times are Unix ns, totals are cells."""

    cells: str = ""
    """Name of the file of cells, or of the series."""
    bundle: str = ""
    bundle_sha256: str = ""
    engine: str = ""
    software: str = ""
    command: str = ""
    created: str = ""
    """When the cells were classified, ISO 8601, UTC."""
    series: str = ""
    started_unix_ns: int | None = None
    ended_unix_ns: int | None = None
    totals: dict[str, int] = {}
    """Sums of the series: sent, missing, and each reason for which cells were not kept; or cells and skipped."""
    info: dict[str, str] = {}
    """What the cytometer or the file of cells says of itself."""
    notes: tuple[str, ...] = ()


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a table but its rows; every file carries it as JSON. `embedding` is its width, 0 without one."""

    format: str = FORMAT
    version: int = VERSION
    columns: tuple[Column, ...]
    embedding: int = 0
    about: About = About()

    def json(self) -> str:
        """Return it as JSON on one line."""
        return ascii_json(self)


@dataclass(frozen=True)
class Chunk:
    """Some rows: `columns` holds `(n,)` of each column's `numpy` dtype by name, `embedding` `(n, E)` float32."""

    columns: Mapping[str, NDArray[Any]]
    embedding: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class Results:
    """A table whose rows need not fit into memory: `chunks()` yields them anew, in order, each time it is called."""

    head: Head
    chunks: Callable[[], Iterator[Chunk]]


def read_head(text: str | bytes, source: object) -> Head:
    """Return the head that a file carries as JSON; `InputError` where it is none of this version."""
    try:
        head = msgspec.json.decode(text, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(source, "head", str(error), "the head of a table written by Cellgate") from error
    if head.format != FORMAT or head.version != VERSION:
        raise InputError(source, "format", f"{head.format} {head.version}", f"{FORMAT} {VERSION}")
    check_head(head, source)
    return head


def check_head(head: Head, source: object) -> None:
    """Raise `InputError` where names repeat, a code has no distinct labels, or there are too many of anything."""
    names = [column.name for column in head.columns]
    rules = [
        ("columns", len(names), 1 <= len(names) <= MAX_COLUMNS, f"1 to {MAX_COLUMNS}"),
        ("columns", names, len(set(names)) == len(names) and all(names), "distinct names"),
        ("embedding", head.embedding, 0 <= head.embedding <= MAX_EMBEDDING, f"0 to {MAX_EMBEDDING}"),
    ]
    for column in head.columns:
        distinct = len(set(column.labels)) == len(column.labels) <= MAX_LABELS and all(column.labels)
        rules.append((f"labels of {column.name}", column.labels, distinct, "distinct names, none empty"))
    for field, found, good, expected in rules:
        if not good:
            raise InputError(source, field, found, expected)
