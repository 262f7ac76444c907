"""Read one plane: its strips, joined, and what they decode to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells.cif import _tags as tags
from engines.cells.cif._grey import decode_grey, most_bytes
from engines.cells.cif._mask import decode_mask
from engines.cells.cif._planes import fewest_bytes
from engines.cells.cif._source import DamagedError, Source

Plane = NDArray[np.uint16] | NDArray[np.uint8]


def read_plane(source: Source, row: np.void) -> Plane:
    """Return the `(height, width)` plane of an IFD in which no fault was found; `DamagedError` where it is damaged."""
    height, width, bits, compression = (int(row[name]) for name in ("height", "width", "bits", "compression"))
    pixels = height * width
    if compression == tags.GREY:
        return decode_grey(_data(source, row, most_bytes(pixels)), height, width)
    if compression == tags.MASK:
        return decode_mask(_data(source, row, 2 * pixels + 2), height, width)
    raw = np.frombuffer(_data(source, row, pixels * bits // 8), f"{source.order}u{bits // 8}")
    plane: Plane = raw.astype(raw.dtype.newbyteorder("=")).reshape(height, width)
    return plane


def read_number(source: Source, row: np.void, name: str) -> float | int | None:
    """Return the number in column `name` of an IFD, None where the file gives none that could be one."""
    kind = tags.NUMBERS.get(int(row[f"{name}_type"]))
    if kind is None:
        return None
    dtype, data = np.dtype(source.order + kind), row[name].tobytes()
    if dtype.itemsize > 4:
        at = int(np.frombuffer(data, f"{source.order}u4")[0])
        data = source.read(source.place(at, int(row["at"])), dtype.itemsize)
    number: float | int = np.frombuffer(data, dtype, 1)[0].item()
    return number


def _data(source: Source, row: np.void, limit: int) -> bytes:
    """Return the plane's strips, joined; no more than `limit` bytes of them."""
    n = int(row["strips"])
    if n == 1:
        return source.read(int(row["start"]), min(int(row["bytes"]), limit))
    starts = source.place(_list(source, row, "start", n), np.asarray(int(row["at"])))
    sizes = _list(source, row, "bytes", n)
    order = np.argsort(starts, kind="stable")
    if (starts[order][1:] < (starts + sizes)[order][:-1]).any():
        raise DamagedError("strips overlap")
    if int(sizes.sum()) < fewest_bytes(np.array([row]))[0]:
        raise DamagedError("a plane's data end before the plane does")
    parts = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        parts.append(source.read(start, min(size, limit)))
        limit -= len(parts[-1])
        if not limit:
            break
    return b"".join(parts)


def _list(source: Source, row: np.void, name: str, n: int) -> NDArray[np.int64]:
    dtype = np.dtype(source.order + tags.UNSIGNED[int(row[f"{name}_type"])])
    return np.frombuffer(source.read(int(row[name]), n * dtype.itemsize), dtype).astype(np.int64)
