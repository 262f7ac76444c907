"""Recording of live frames: the loop's end hands them over, a process of its own writes them. See docs/recording.md."""

from streamer.recorder._choice import Choice
from streamer.recorder._handover import Handover
from streamer.recorder._names import Names
from streamer.recorder._record import How, record

__all__ = ["Choice", "Handover", "How", "Names", "record"]
