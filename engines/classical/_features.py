"""All features of cells, with their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.classical._extra import require_extra
from engines.errors import InputError
from engines.fit import background

_DTYPES = ("uint8", "uint16", "float32")
_CHUNK = 256
# Of a float32 count; two of them can still be added up.
_MOST = 1e38


def features(frames: NDArray[np.generic], channels: tuple[str, ...]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Measure cells: segmentation, shape, intensity, radial profile, granularity, texture, and channels together.

    Everything is measured on counts above the frame's background (the median of its outermost pixels). Turning a
    frame by 90° or mirroring it changes no feature, up to rounding and to pixels that lie exactly on a border of
    rings or components.

    Parameters
    ----------
    frames
        `(n, C, H, W)` raw counts: uint8, uint16 or float32 within ±1e38, of any size.
    channels
        C distinct names.

    Returns
    -------
    Values `(n, F)` float32, always finite, and F names: `channel:feature`, or `channel|channel:feature` for two.
    What cannot be measured (the shape of a cell that was not found) is 0; intensity and texture are then of the
    whole frame.

    Raises
    ------
    MissingExtraError
        SciPy, scikit-image or scikit-learn is not installed.
    InputError
        The frames or the names are none of the above.
    """
    require_extra()
    _check(frames, channels)
    # An empty chunk still tells the names.
    starts = range(0, max(len(frames), 1), _CHUNK)
    chunks = [_measure(frames[start : start + _CHUNK], channels) for start in starts]
    names = tuple(chunks[0])
    values = np.concatenate([np.stack([chunk[name] for name in names], axis=1) for chunk in chunks])
    return _finite(values), names


def _check(frames: NDArray[np.generic], channels: tuple[str, ...]) -> None:
    if frames.ndim != 4 or 0 in frames.shape[1:]:
        raise InputError("features", "frames", f"shape {frames.shape}", "(cells, channels, height, width)")
    if frames.dtype.name not in _DTYPES:
        raise InputError("features", "frames", f"dtype {frames.dtype.name}", " or ".join(_DTYPES))
    if frames.dtype.kind == "f" and not (np.abs(frames) <= _MOST).all():
        raise InputError("features", "frames", "NaN, infinite or absurd counts", f"finite counts within ±{_MOST:g}")
    if len(channels) != frames.shape[1] or len(set(channels)) != len(channels):
        raise InputError("features", "channels", channels, f"{frames.shape[1]} distinct names, one per channel")


def _measure(frames: NDArray[np.generic], channels: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    # Imported here: SciPy and scikit-image are optional.
    from engines.classical._granularity import granularity
    from engines.classical._intensity import intensity
    from engines.classical._radial import radial
    from engines.classical._segment import segment
    from engines.classical._shape import shape
    from engines.classical._texture import texture
    from engines.classical._together import together

    level = background(frames).astype(np.float64)
    above = frames.astype(np.float64) - level[:, :, None, None]
    found: dict[str, NDArray[np.float64]] = {}
    cells = []
    for c, channel in enumerate(channels):
        cell = segment(above[:, c])
        cells.append(cell)
        measured = {"background": level[:, c], "components": cell.components}
        measured |= shape(cell.mask, above[:, c])
        for part in (intensity, radial, texture):
            measured |= part(above[:, c], cell)
        measured |= granularity(above[:, c])
        found |= {f"{channel}:{name}": values for name, values in measured.items()}
    return found | together(above, cells, channels)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float32]:
    most = float(np.finfo(np.float32).max)
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=most, neginf=-most), -most, most).astype(np.float32)
