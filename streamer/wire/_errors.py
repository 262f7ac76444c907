"""The error of a message that breaks the protocol."""

from __future__ import annotations

from engines.errors import InputError
from streamer.vocabulary import Rejection


class WireError(InputError):
    """A message that must be set aside, with the reason under which it is counted."""

    def __init__(self, reason: Rejection, field: str, found: object, expected: str) -> None:
        self.reason = reason
        super().__init__(f"message ({reason.value})", field, found, expected)
