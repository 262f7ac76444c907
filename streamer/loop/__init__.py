"""The loop: one thread that owns every socket, slot and counter, and alone knows all the stages."""

from streamer.loop._awake import Awake
from streamer.loop._building import engine_for
from streamer.loop._realtime import Realtime
from streamer.loop._streamer import Streamer

__all__ = ["Awake", "Realtime", "Streamer", "engine_for"]
