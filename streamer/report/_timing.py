"""Latency and slack of a series, from the journal's summary or from the loop's own histograms."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate

from streamer.journal import Summary
from streamer.report._types import Timing
from streamer.wire import HistogramData

LATENCY = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
SLACK = {"min": 0.0, "p0.1": 0.1, "p1": 1.0, "p10": 10.0, "p50": 50.0}


def timing_of_summary(summary: Summary) -> Timing | None:
    """Return the exact percentiles of a journal; None where nothing was decided."""
    if not summary.latency_us:
        return None
    return Timing(
        latency_us=summary.latency_us,
        slack_us=summary.slack_us,
        with_deadline=summary.with_deadline,
        deadline_misses=summary.deadline_misses,
        exact=True,
    )


def timing_of_meters(
    latency: HistogramData, slack: HistogramData, latency_before: HistogramData, slack_before: HistogramData
) -> Timing | None:
    """Return what the loop's histograms (in seconds) counted since the series began; None if that is nothing.

    Latencies are the upper edges of their buckets, slacks the lower ones; a value beyond the outermost edge on that
    side has no bound and is left out.
    """
    late, spare = _since(latency, latency_before), _since(slack, slack_before)
    if not sum(late):
        return None
    return Timing(
        latency_us=_bounded({name: _edge(latency.edges, late, q, 0) for name, q in LATENCY.items()}),
        slack_us=_bounded({name: _edge(slack.edges, spare, q, -1) for name, q in SLACK.items()} if sum(spare) else {}),
        with_deadline=sum(spare),
        deadline_misses=sum(spare[: bisect_left(slack.edges, 0.0) + 1]),
        exact=False,
    )


def _since(now: HistogramData, before: HistogramData) -> list[int]:
    return [a - b for a, b in zip(now.counts, before.counts, strict=True)]


def _edge(edges: tuple[float, ...], counts: list[int], q: float, side: int) -> float:
    """Return the upper (`side` 0) or lower (-1) edge of the bucket that holds the q-th percentile."""
    running = list(accumulate(counts))
    at = bisect_left(running, max(math.ceil(q * running[-1] / 100), 1)) + side
    return edges[at] if 0 <= at < len(edges) else math.inf


def _bounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: value * 1e6 for name, value in seconds.items() if math.isfinite(value)}
