"""Frames to send: what is in them costs an engine next to nothing, their size does."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle

LEAST, MOST_BYTES = 128, 32 << 20
MOST = 1024


def frames_for(bundle: Bundle, *, least: int = LEAST, seed: int = 0) -> NDArray[np.generic]:
    """Return `(k, C, H, W)` frames of noise with a brighter middle, as the bundle takes them.

    As many as do not fit into the processor's caches, since cells from a camera do not come from there either, but not
    more than 32 MiB where `least` allows it.
    """
    channels, height, width = shape = bundle.frame_shape
    count = max(least, min(MOST, MOST_BYTES // (prod(shape) * bundle.dtype.itemsize)))
    rng = np.random.default_rng(seed)
    few = 100 + rng.normal(0, 20, (min(count, 64), channels, height, width))
    inner = (slice(height // 4, height - height // 4), slice(width // 4, width - width // 4))
    few[:, :, inner[0], inner[1]] += rng.uniform(0, 100, (len(few), channels, 1, 1))
    distinct = few.clip(0, 255).astype(bundle.dtype)
    return np.ascontiguousarray(np.resize(distinct, (count, *shape)))
