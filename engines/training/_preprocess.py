"""From raw counts to what a network sees: per-cell background off, per-channel scale, held within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.training._measure import Background

# A pixel belongs to a cell when it is this many standard deviations of the background's noise off the background.
_NOISES = 5.0
_CHUNK = 512


@dataclass(frozen=True)
class Scaling:
    """What is learned from the training cells' counts before any network.

    Attributes
    ----------
    scales
        `(C,)` root mean square of the counts above background. One number per channel for all cells, not one
        per cell: how strongly a cell scatters is part of what it is.
    thresholds
        `(C,)` counts above (or below) background from which a pixel counts as the cell's: five times the noise
        of the border, estimated by the median absolute deviation so that neighbours do not raise it.
    levels
        `(C,)` mean background, counts.
    """

    scales: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    levels: NDArray[np.float32]


def fit_scaling(frames: NDArray[np.generic]) -> Scaling:
    """Learn the scaling of raw `(n, C, H, W)` counts."""
    squares, levels = np.zeros(frames.shape[1]), np.zeros(frames.shape[1])
    border = np.ones(frames.shape[2:], np.bool_)
    border[1:-1, 1:-1] = False
    rims = []
    for above, background in _chunks(frames):
        levels += background.sum(dim=(0, 2), dtype=torch.float64).numpy()
        squares += above.square().sum(dim=(0, 2, 3), dtype=torch.float64).numpy()
        rims.append(above.numpy()[:, :, border])
    rim = np.concatenate(rims).swapaxes(0, 1).reshape(frames.shape[1], -1)
    noise = 1.4826 * np.median(np.abs(rim - np.median(rim, axis=1, keepdims=True)), axis=1)
    scales = np.sqrt(squares / (frames.size / frames.shape[1]))
    # Noiseless channels (rendered, or saturated) still need a threshold a count can pass, and a scale to divide by.
    return Scaling(
        np.maximum(scales, 1e-6).astype(np.float32),
        # Half a count; floats may be of any unit.
        np.maximum(_NOISES * noise, 0.5 if frames.dtype.kind == "u" else 1e-3 * scales).astype(np.float32),
        (levels / len(frames)).astype(np.float32),
    )


def standardise(frames: NDArray[np.generic], scaling: Scaling, clip: float) -> Tensor:
    """Return raw `(n, C, H, W)` counts as float32 with the background at 0, in units of the scales, within ±clip.

    The exported graph does the same arithmetic.
    """
    scales = torch.from_numpy(scaling.scales).reshape(1, -1, 1, 1)
    parts = [(above / scales).clamp(-clip, clip) for above, _ in _chunks(frames)]
    return torch.cat(parts)


def _chunks(frames: NDArray[np.generic]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield counts above background and the background `(n, C, 1)`, in parts: all in float32 would not fit always."""
    background = Background(*frames.shape[2:])
    for start in range(0, max(len(frames), 1), _CHUNK):
        counts = torch.from_numpy(frames[start : start + _CHUNK].astype(np.float32))
        level = background(counts.flatten(2))
        yield counts - level.unsqueeze(3), level
