"""The sort report: per way what was wanted, what was sorted, what was lost and why, and how pure it should be.

See docs/sort-report.md.
"""

from streamer.report._build import make_report
from streamer.report._chances import Chances
from streamer.report._from_journal import report_of
from streamer.report._interval import purity_interval
from streamer.report._page import format_page, write_page
from streamer.report._plans import WayPlan, plans_of
from streamer.report._plate import Well, wells_of, write_plate
from streamer.report._tally import SortTally
from streamer.report._timing import timing_of_meters
from streamer.report._types import HARDWARE_ABORTS, Aborts, Purity, SortReport, Timing, WayReport
from streamer.report._wanted import TalliedGate, tallied_gates

__all__ = [
    "HARDWARE_ABORTS",
    "Aborts",
    "Chances",
    "Purity",
    "SortReport",
    "SortTally",
    "TalliedGate",
    "Timing",
    "WayPlan",
    "WayReport",
    "Well",
    "format_page",
    "make_report",
    "plans_of",
    "purity_interval",
    "report_of",
    "tallied_gates",
    "timing_of_meters",
    "wells_of",
    "write_page",
    "write_plate",
]
