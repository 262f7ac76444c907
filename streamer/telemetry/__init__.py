"""Telemetry: what the loop measures of itself."""

from streamer.telemetry._histogram import Histogram, log_edges
from streamer.telemetry._meters import Meters

__all__ = ["Histogram", "Meters", "log_edges"]
