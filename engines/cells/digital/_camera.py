"""The camera: from light to 16-bit counts, with its background, shot noise and read noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.cells.digital._draws import Floats

# Background, its spread from cell to cell, read noise (variance), shot noise (variance per count above background).
# Measured on the empty corners of the public Jurkat set; bright field is lit everywhere, so its shot noise is in the
# read noise.
_BACKGROUND = np.array([677.5, 41.2, 27.1], dtype=np.float32)
_DRIFT = np.array([1.1, 0.6, 0.3], dtype=np.float32)
_READ = np.array([27.0, 5.2, 2.7], dtype=np.float32)
_SHOT = np.array([0.04, 0.045, 0.10], dtype=np.float32)


def expose(rng: np.random.Generator, light: Floats) -> NDArray[np.uint16]:
    """Return counts of `light` `(n, 3, h, w)`, which is in counts above background and is overwritten."""
    noise = _noise(rng, light.shape)
    drift = rng.standard_normal(light.shape[:2], dtype=np.float32)
    spread = np.sqrt(_each(_READ) + _each(_SHOT) * np.maximum(light, 0))
    light += _each(_BACKGROUND) + (drift * _DRIFT)[:, :, None, None]
    light += np.multiply(noise, spread, out=noise)
    np.clip(np.rint(light, out=light), 0, 65535, out=light)
    return light.astype(np.uint16)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return noise of mean 0 and variance 1: the sum of four random bytes, a bell that ends at 3.5 deviations.

    Normal deviates would take several times as long, a good part of the whole rendering.
    """
    size = math.prod(shape)
    words = rng.integers(0, 1 << 64, size=(4, -(-size // 8)), dtype=np.uint64)
    bytes_ = words.astype("<u8", copy=False).view(np.uint8)[:, :size]
    total = bytes_[0].astype(np.uint16)
    for more in bytes_[1:]:
        total += more
    # A byte has mean 127.5 and variance (256² − 1) / 12.
    noise: Floats = total.astype(np.float32).reshape(shape)
    noise -= np.float32(510)
    noise *= np.float32(1 / math.sqrt((256**2 - 1) / 3))
    return noise


def _each(values: Floats) -> Floats:
    return values[None, :, None, None]
