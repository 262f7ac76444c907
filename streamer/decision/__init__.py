"""Decisions: gates, verdicts, and the socket on which they leave."""

from streamer.decision._decide import Verdict, Verdicts, decide, decide_one
from streamer.decision._gates import MAX_WAYS, Gates
from streamer.decision._gating_file import with_gating_file, without_gating_file
from streamer.decision._gatingml_read import parse_gatingml, read_gatingml
from streamer.decision._gatingml_write import format_gatingml, write_gatingml
from streamer.decision._judge import ConfiguredGates
from streamer.decision._needs import needs_measurements
from streamer.decision._outlet import Outlet
from streamer.decision._spec import Spec, check_abstention

__all__ = [
    "MAX_WAYS",
    "ConfiguredGates",
    "Gates",
    "Outlet",
    "Spec",
    "Verdict",
    "Verdicts",
    "check_abstention",
    "decide",
    "decide_one",
    "format_gatingml",
    "needs_measurements",
    "parse_gatingml",
    "read_gatingml",
    "with_gating_file",
    "without_gating_file",
    "write_gatingml",
]
