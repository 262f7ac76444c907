"""A cytometer that is not there: plans an acquisition, plays recorded cells, and breaks things on demand."""

from streamer.simulator._faults import FaultLine, Faults
from streamer.simulator._plan import Arrivals, Plan, make_plan
from streamer.simulator._send import Acquisition, SendReport, acquire, percentiles
from streamer.simulator._source import CellSource, make_source

__all__ = [
    "Acquisition",
    "Arrivals",
    "CellSource",
    "FaultLine",
    "Faults",
    "Plan",
    "SendReport",
    "acquire",
    "make_plan",
    "make_source",
    "percentiles",
]
