"""Which array of a file holds the frames, and which of its axes the channels are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engines.errors import CellsError

DTYPES = ("uint8", "uint16", "float32")
MAX_CHANNELS = 64
_USUAL = ("frames", "images", "X")
_Shape = tuple[int, ...]


def find_frames(source: object, arrays: Mapping[str, tuple[_Shape, np.dtype[Any]]], hint: str | None) -> str:
    """Return the path of the array of frames.

    The one that `hint` names; else the only one that could be frames; else the only one of those that is called
    `frames`, `images` or `X`. Raises `CellsError`, with the candidates listed, where that leaves none or several.
    """
    if hint is not None:
        path = hint.strip("/")
        if path not in arrays:
            raise CellsError(source, "dataset", hint, f"one of {_listed(arrays)}")
        return path
    candidates = [path for path, (shape, dtype) in arrays.items() if _is_frames(shape, dtype)]
    usual = [path for path in candidates if path.rpartition("/")[2] in _USUAL]
    for group in (candidates, usual):
        if len(group) == 1:
            return group[0]
    if not candidates:
        expected = "(cells, height, width) or (cells, channels, height, width) of uint8, uint16 or float32"
        raise CellsError(source, "dataset", f"none of frames; there is {_listed(arrays)}", expected)
    found = f"{len(candidates)} that could be frames: {_listed(candidates)}"
    raise CellsError(source, "dataset", found, "one of them named as dataset")


def channels_last(shape: _Shape, names: int | None) -> bool:
    """Return whether the channels of a 4-dimensional stack are on its last axis, and not on axis 1.

    The axis as long as the list of channel names decides; without names, or where both are, the shorter one.
    """
    first, last = shape[1], shape[3]
    if names is not None and (first == names) != (last == names):
        return last == names
    return last < first


def check_frames(source: object, field: str, shape: _Shape, dtype: np.dtype[Any]) -> None:
    """Raise `CellsError` where an array cannot be frames."""
    if len(shape) not in (3, 4) or 0 in shape[1:]:
        raise CellsError(source, field, f"shape {shape}", "(cells, [channels,] height, width), no length 0")
    if dtype.name not in DTYPES:
        raise CellsError(source, field, f"dtype {dtype.name}", " or ".join(DTYPES))


def _is_frames(shape: _Shape, dtype: np.dtype[Any]) -> bool:
    return len(shape) in (3, 4) and 0 not in shape[1:] and dtype.name in DTYPES


def _listed(paths: Any) -> str:
    shown = list(paths)[:12]
    return ", ".join(shown) + (" …" if len(paths) > len(shown) else "") if shown else "nothing"
