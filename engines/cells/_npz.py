"""Read recorded cells from a NumPy archive (`.npz`)."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.cells._cells import Cells
from engines.errors import CellsError

_DTYPES = ("uint8", "uint16", "float32")
_MAX_BYTES = 16 << 30
# What zipfile, zlib and NumPy raise for archives that are damaged, encrypted or lie about their sizes.
_BROKEN = (
    ValueError,
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
)


def read_npz(path: str | Path) -> Cells:
    """Read cells from an archive with `frames`, `channels` and, where labelled, `labels` and `classes`.

    `frames` is `(n, C, H, W)` of uint8, uint16 or float32; `channels` holds C names; `labels` is `(n,)`, indices
    into `classes`, negative where unknown. Nothing pickled is ever loaded.

    Raises
    ------
    CellsError
        Naming the file, the field, what was found and what was expected.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise CellsError(source, "file", "not a NumPy archive", "an .npz of frames, channels, labels, classes")
        with zipfile.ZipFile(source) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_BYTES:
            raise CellsError(source, "size", f"{size} bytes unpacked", f"at most {_MAX_BYTES}")
        with np.load(source, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("frames", "channels", "labels", "classes") if key in archive}
    except CellsError:
        raise
    except OSError as error:
        raise CellsError(source, "file", error.strerror or str(error), "a readable file") from error
    except _BROKEN as error:
        raise CellsError(source, "archive", str(error), "a whole .npz without pickled objects") from error
    return _check(source, arrays)


def _check(source: Path, arrays: dict[str, NDArray[np.generic]]) -> Cells:
    for key, value in arrays.items():
        if not isinstance(value, np.ndarray):  # NumPy hands out members that are no arrays as bytes
            raise CellsError(source, key, "no array", "an array of this name")
    for key in ("frames", "channels"):
        if key not in arrays:
            raise CellsError(source, key, "nothing", "an array of this name")
    frames = _check_frames(source, arrays["frames"])
    channels = tuple(str(name) for name in np.atleast_1d(arrays["channels"]))
    if len(channels) != frames.shape[1] or len(set(channels)) != len(channels):
        raise CellsError(source, "channels", channels, f"{frames.shape[1]} distinct names, one per channel of frames")
    if "labels" not in arrays:
        return Cells(str(source), frames, channels)
    if "classes" not in arrays:
        raise CellsError(source, "classes", "nothing", "the names that labels index")
    classes = tuple(str(name) for name in np.atleast_1d(arrays["classes"]))
    labels = _check_labels(source, arrays["labels"], len(frames), len(classes))
    return Cells(str(source), frames, channels, classes, labels)


def _check_frames(source: Path, frames: NDArray[np.generic]) -> NDArray[np.generic]:
    if frames.ndim != 4 or 0 in frames.shape:
        raise CellsError(source, "frames", f"shape {frames.shape}", "(cells, channels, height, width), none of them 0")
    if frames.dtype.name not in _DTYPES:
        raise CellsError(source, "frames", f"dtype {frames.dtype.name}", " or ".join(_DTYPES))
    if frames.dtype.kind == "f" and not np.isfinite(frames).all():
        raise CellsError(source, "frames", "NaN or infinite counts", "finite counts")
    return frames.astype(frames.dtype.newbyteorder("="), copy=False)


def _check_labels(source: Path, labels: NDArray[np.generic], cells: int, classes: int) -> NDArray[np.int16]:
    if labels.shape != (cells,) or labels.dtype.kind not in "iu":
        raise CellsError(source, "labels", f"{labels.dtype} {labels.shape}", f"integers of shape ({cells},)")
    if labels.size and int(labels.max()) >= classes:
        raise CellsError(source, "labels", int(labels.max()), f"below {classes}, the number of classes")
    return np.maximum(labels.astype(np.int64), -1).astype(np.int16)
