"""Decisions: gates, verdicts, and the socket on which they leave."""

from streamer.decision._decide import Verdicts, decide
from streamer.decision._gates import Gates
from streamer.decision._outlet import Outlet

__all__ = ["Gates", "Outlet", "Verdicts", "decide"]
