"""A recorder as the streamer sees it: who it is, and how much it has not taken yet."""

from __future__ import annotations

from streamer.wire import Recording

SILENT_HEARTBEATS = 5
MESSAGE_BYTES = 1024
"""What a message costs in memory beside its parts, about."""


class Peer:
    """The recorder that frames are handed to."""

    def __init__(self, identity: bytes, name: str, token: str, idle: Recording, now_ns: int) -> None:
        self.identity, self.name, self.token = identity, name, token
        self.heard_ns = now_ns
        self._patience_ns = int(SILENT_HEARTBEATS * idle.heartbeat_s * 1e9)
        self._limit = idle.buffer_bytes
        self._sent = self._taken = 0

    def has_room(self, size: int) -> bool:
        """Tell whether a message of this size may be sent; into an empty buffer any may."""
        under_way = self._sent - self._taken
        return under_way == 0 or under_way + size + MESSAGE_BYTES <= self._limit

    def sent(self, size: int) -> None:
        """Count a message as under way."""
        self._sent += size + MESSAGE_BYTES

    def took(self, total: int) -> None:
        """Note how much the recorder has taken since it was welcomed."""
        self._taken = max(self._taken, min(total, self._sent))

    def silent(self, now_ns: int) -> bool:
        """Tell whether another may take its place."""
        return now_ns - self.heard_ns > self._patience_ns
