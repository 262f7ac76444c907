"""Watching a streamer from outside it: snapshots to Prometheus metrics, a health answer and a terminal view."""

from streamer.observer._feed import SnapshotFeed
from streamer.observer._observe import observe
from streamer.observer._percentiles import histogram_max, histogram_percentile, histogram_since
from streamer.observer._plain import plain_line
from streamer.observer._view import render
from streamer.observer._watch import watch
from streamer.observer._window import SnapshotWindow

__all__ = [
    "SnapshotFeed",
    "SnapshotWindow",
    "histogram_max",
    "histogram_percentile",
    "histogram_since",
    "observe",
    "plain_line",
    "render",
    "watch",
]
