"""Bring cells of any size to the size a bundle's graph takes, the same way offline and live."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Fit

Frames = NDArray[np.generic]


def fit_into(frames: Frames, out: Frames, how: Fit) -> None:
    """Write `frames` into `out`, fitted to its size.

    Parameters
    ----------
    frames
        `(n, C, h, w)` raw counts.
    out
        `(n, C, H, W)`, of the same dtype; overwritten.
    how
        `crop-pad`: cut or pad around the centre; what is padded takes the frame's own background, the median of its
        outermost pixels per channel. The scale of a pixel stays. `resize`: the whole frame, by the triangle filter
        (bilinear when enlarging, area-weighted when shrinking).
    """
    if frames.shape == out.shape:
        out[...] = frames
    elif how == "crop-pad":
        _crop_pad(frames, out)
    else:
        _resize(frames, out)


def fit_frames(frames: Frames, height: int, width: int, how: Fit) -> Frames:
    """Return `frames` `(n, C, h, w)` as `(n, C, height, width)`; the same array where nothing has to change."""
    if frames.shape[2:] == (height, width):
        return frames
    out = np.empty((*frames.shape[:2], height, width), frames.dtype)
    fit_into(frames, out, how)
    return out


def background(frames: Frames) -> NDArray[np.float32]:
    """Return the median of each frame's outermost ring of pixels: `(n, C, h, w)` → `(n, C)` float32."""
    edges = [frames[:, :, 0, :], frames[:, :, 1:-1, 0]]
    if frames.shape[2] > 1:
        edges.append(frames[:, :, -1, :])
    if frames.shape[3] > 1:
        edges.append(frames[:, :, 1:-1, -1])
    ring = np.concatenate(edges, axis=2)
    median: NDArray[np.float32] = np.median(ring.astype(np.float32), axis=2)
    return median


def _crop_pad(frames: Frames, out: Frames) -> None:
    (from_y, to_y), (from_x, to_x) = (
        _overlap(have, want) for have, want in zip(frames.shape[2:], out.shape[2:], strict=True)
    )
    if out.shape[2] > frames.shape[2] or out.shape[3] > frames.shape[3]:
        out[...] = background(frames)[:, :, None, None].astype(out.dtype)
    out[:, :, to_y, to_x] = frames[:, :, from_y, from_x]


def _overlap(have: int, want: int) -> tuple[slice, slice]:
    """Slices of the source and of the target that lie on each other when their centres do."""
    size = min(have, want)
    return slice((have - size) // 2, (have - size) // 2 + size), slice((want - size) // 2, (want - size) // 2 + size)


def _resize(frames: Frames, out: Frames) -> None:
    rows = _weights(frames.shape[2], out.shape[2])
    columns = _weights(frames.shape[3], out.shape[3])
    scaled = rows @ frames.astype(np.float32) @ columns.T
    if out.dtype.kind in "ui":
        np.rint(scaled, out=scaled)
        np.clip(scaled, 0, np.iinfo(out.dtype).max, out=scaled)  # type: ignore[type-var]
    out[...] = scaled.astype(out.dtype)


@lru_cache(maxsize=256)
def _weights(have: int, want: int) -> NDArray[np.float32]:
    """Return the `(want, have)` matrix that resamples one axis by the triangle filter; its rows sum to 1."""
    scale = have / want
    reach = max(scale, 1.0)
    centres = (np.arange(want) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(have)[None, :] - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    normalised: NDArray[np.float32] = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return normalised
