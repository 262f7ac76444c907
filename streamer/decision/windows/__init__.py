"""Sort windows: what becomes of a wanted cell with neighbours, and what the actuator makes of it."""

from streamer.decision.windows._judge import Fate
from streamer.decision.windows._plate import PLATES, Plate
from streamer.decision.windows._resolver import Resolved, WindowResolver
from streamer.decision.windows._rules import DROP_STEPS, Mode, SortRule, Timing, check_rule, in_drops, in_time
from streamer.decision.windows._targets import AbortCodes, AtTarget, Target, Targets

__all__ = [
    "DROP_STEPS",
    "PLATES",
    "AbortCodes",
    "AtTarget",
    "Fate",
    "Mode",
    "Plate",
    "Resolved",
    "SortRule",
    "Target",
    "Targets",
    "Timing",
    "WindowResolver",
    "check_rule",
    "in_drops",
    "in_time",
]
