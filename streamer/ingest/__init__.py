"""Ingest: from messages on the wire to frames in slots."""

from streamer.ingest._clock import JUMP_NS, TickClock
from streamer.ingest._placing import Placement, finite
from streamer.ingest._sequence import MAX_JUMP, WINDOW, SequenceWindow
from streamer.ingest._slots import FACTS, Facts, SlotPool, Slots
from streamer.ingest._waiting import WaitingLine

__all__ = [
    "FACTS",
    "JUMP_NS",
    "MAX_JUMP",
    "WINDOW",
    "Facts",
    "Placement",
    "SequenceWindow",
    "SlotPool",
    "Slots",
    "TickClock",
    "WaitingLine",
    "finite",
]
