"""What can go wrong between a client and a streamer."""

from __future__ import annotations

from engines.errors import CellgateError
from streamer.wire import Refused


class RefusedError(CellgateError):
    """The streamer refused a series or a subscription."""

    def __init__(self, what: str, refused: Refused) -> None:
        self.refused = refused
        super().__init__(f"refused {what!r}: {refused.field}: found {refused.found}, expected {refused.expected}")


class SilentError(CellgateError):
    """The streamer did not answer in time."""
