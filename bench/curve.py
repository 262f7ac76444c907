"""A distribution of latencies in few numbers, the tail in most of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def curve(latency_us: NDArray[np.float64], points: int = 200) -> dict[str, list[float]]:
    """Return the latencies below which a share of the cells lies, closer together towards the longest."""
    if not len(latency_us):
        return {"share": [], "latency": []}
    least = 1.0 / len(latency_us)
    shares = 1.0 - np.geomspace(1.0, min(1.0, least), points)
    return {
        "share": [round(float(share), 7) for share in shares],
        "latency": [round(float(value), 1) for value in np.quantile(latency_us, shares)],
    }
