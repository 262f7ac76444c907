"""The Python client: send cells as a cytometer does, receive decisions as a sorter does."""

from streamer.client._controller import Controller
from streamer.client._errors import RefusedError, SilentError
from streamer.client._receiver import DecisionReceiver, Decisions
from streamer.client._sender import CellSender

__all__ = ["CellSender", "Controller", "DecisionReceiver", "Decisions", "RefusedError", "SilentError"]
