"""Read back the FCS files that Cellgate has written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from engines.results._fcs import HEAD_KEY, LIMBS_KEY, TEXT_BEGIN
from engines.results._fcs_plan import TIME, join
from engines.results._table import Chunk, Column, Head, Results, read_head

_CHUNK_BYTES = 16 << 20
_MAX_TEXT_BYTES = 64 << 20


def is_fcs(path: Path) -> bool:
    """Tell whether the file starts as FCS does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(3) == b"FCS"


def read_fcs(path: Path) -> Results:
    """Open a table; see `read_results`. What was float64 comes back as the float32 that it was rounded to."""
    keywords = _keywords(path)
    if HEAD_KEY not in keywords:
        raise InputError(path, HEAD_KEY, "nothing", "a table written by Cellgate")
    head = read_head(keywords[HEAD_KEY], path)
    try:
        channels, rows, begin = (int(keywords[key]) for key in ("$PAR", "$TOT", "$BEGINDATA"))
        names = [keywords[f"$P{number}N"] for number in range(1, channels + 1)]
    except (KeyError, ValueError) as error:
        raise InputError(path, "keywords", str(error), "$PAR, $TOT, $BEGINDATA and a $PnN for each channel") from error
    form = (keywords.get("$DATATYPE"), keywords.get("$BYTEORD"))
    if form != ("F", "1,2,3,4"):
        raise InputError(path, "$DATATYPE, $BYTEORD", form, "F, 1,2,3,4")
    size = path.stat().st_size
    if rows < 0 or channels < 1 or begin < 0 or begin + 4 * channels * rows > size:
        raise InputError(path, "$TOT", f"{rows} of {channels} channels", f"what {size} bytes can hold")
    head, places = _places(path, head, names, keywords.get(LIMBS_KEY, ""))
    return Results(head, lambda: _chunks(path, head, places, channels, rows, begin))


def _keywords(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        start = file.read(TEXT_BEGIN)
        try:
            first, last = int(start[10:18]), int(start[18:26])
        except ValueError as error:
            raise InputError(path, "header", start[:26], "an FCS header") from error
        if not 0 < last - first < _MAX_TEXT_BYTES:
            raise InputError(path, "TEXT", f"bytes {first} to {last}", f"at most {_MAX_TEXT_BYTES}")
        file.seek(first)
        text = file.read(last - first + 1).decode("utf-8", "replace")
    # Ours never escape the delimiter; in others' files this finds no head, and they are refused for that.
    words = text[1:-1].split(text[:1]) if text[:1] else []
    return {key.upper(): value for key, value in zip(words[::2], words[1::2], strict=False)}


def _places(path: Path, head: Head, names: list[str], limbs: str) -> tuple[Head, list[tuple[int, int]]]:
    """Return the head without what was left out, and of each column its first channel and how many it has."""
    try:
        widths = msgspec.json.decode(limbs, type=list[int])
    except msgspec.DecodeError as error:
        raise InputError(path, LIMBS_KEY, limbs, "a number of channels for each column") from error
    good = len(widths) == len(head.columns) and all(0 <= width <= 4 for width in widths)
    at = int(any(column.role == "time" for column in head.columns) and names[:1] == [TIME])
    if not good or at + sum(widths) + head.embedding != len(names):
        raise InputError(path, LIMBS_KEY, limbs, f"{len(names)} channels for the columns of the head")
    kept, places = [], []
    for column, width in zip(head.columns, widths, strict=True):
        if width:
            kept.append(column)
            places.append((at, width))
        at += width
    return Head(columns=tuple(kept), embedding=head.embedding, about=head.about), places


def _chunks(
    path: Path, head: Head, places: list[tuple[int, int]], channels: int, rows: int, begin: int
) -> Iterator[Chunk]:
    step = max(1, _CHUNK_BYTES // (4 * channels))
    with path.open("rb") as file:
        file.seek(begin)
        for first in range(0, rows, step):
            n = min(step, rows - first)
            raw = file.read(4 * channels * n)
            if len(raw) < 4 * channels * n:
                raise InputError(path, "DATA", f"{len(raw)} bytes", f"{4 * channels * n} from row {first}")
            values = np.frombuffer(raw, "<f4").reshape(n, channels)
            columns = {
                column.name: _column(path, column, values[:, at : at + limbs])
                for column, (at, limbs) in zip(head.columns, places, strict=True)
            }
            yield Chunk(columns, values[:, channels - head.embedding :] if head.embedding else None)


def _column(path: Path, column: Column, limbs: NDArray[np.float32]) -> NDArray[Any]:
    if column.dtype in ("float32", "float64"):
        return limbs[:, 0].astype(column.numpy)
    if not np.isfinite(limbs).all():
        raise InputError(path, column.name, "a value that is no number", "whole numbers")
    if column.dtype == "code" and not ((limbs >= -1) & (limbs < len(column.labels))).all():
        raise InputError(path, column.name, "a code without a label", f"-1 to {len(column.labels) - 1}")
    if column.dtype in ("int64", "uint64"):
        return join(list(limbs.T), column.numpy)
    return limbs[:, 0].astype(column.numpy)
