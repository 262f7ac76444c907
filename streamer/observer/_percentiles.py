"""What a histogram says of the values in it, without claiming more than its buckets know."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate

from streamer.wire import HistogramData


def histogram_percentile(data: HistogramData, q: float) -> float:
    """Return the q-th percentile, interpolated linearly inside its bucket.

    The value searched is the smallest one that at least q percent of the values do not exceed; the answer lies in
    the same bucket. The first bucket begins at 0 where its edge is not negative, for then nothing negative is counted.
    A bucket without a bound on one side cannot be interpolated: the answer is then infinite rather than a number that
    flatters.

    Parameters
    ----------
    data
        Counts by bucket.
    q
        0 to 100, as in `numpy.percentile`.

    Returns
    -------
    float
        In the unit of the edges; `inf` above the last edge, `-inf` below a negative first edge, `nan` where
        the histogram is empty.
    """
    if not 0 <= q <= 100:
        raise ValueError(f"q is {q}, expected 0 to 100")
    running = list(accumulate(data.counts))
    total = running[-1] if running else 0
    if not total:
        return math.nan
    rank = max(q * total / 100, 1.0)
    bucket = bisect_left(running, rank)
    lower, upper = _bounds(data, bucket)
    if math.isinf(lower) or math.isinf(upper):
        return lower if math.isinf(lower) else upper
    inside = (rank - (running[bucket] - data.counts[bucket])) / data.counts[bucket]
    return lower + (upper - lower) * inside


def histogram_max(data: HistogramData) -> float:
    """Return the upper bound of the highest bucket in use: no value is above it. `inf`, or `nan` where empty."""
    used = [bucket for bucket, count in enumerate(data.counts) if count]
    return _bounds(data, used[-1])[1] if used else math.nan


def histogram_since(now: HistogramData, before: HistogramData | None) -> HistogramData:
    """Return what was added to a cumulative histogram since `before`; all of it where the two do not compare."""
    if before is None or before.edges != now.edges or len(before.counts) != len(now.counts):
        return now
    counts = tuple(a - b for a, b in zip(now.counts, before.counts, strict=True))
    if min(counts, default=0) < 0:  # the streamer was restarted in between
        return now
    return HistogramData(now.edges, counts, now.sum - before.sum)


def _bounds(data: HistogramData, bucket: int) -> tuple[float, float]:
    edges = data.edges
    upper = edges[bucket] if bucket < len(edges) else math.inf
    if bucket:
        return edges[bucket - 1], upper
    return (0.0 if edges and upper >= 0 else -math.inf), upper
