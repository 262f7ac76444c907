"""The recorder's connection: asks for frames, gives signs of life, and says how far it is."""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path
from types import TracebackType

import msgspec
import zmq

from engines.errors import InputError
from streamer.recorder._peer import MESSAGE_BYTES
from streamer.wire import (
    MAX_PART_BYTES,
    PROTOCOL_VERSION,
    Frames,
    Handed,
    Heartbeat,
    Record,
    Recording,
    Refused,
    SeriesEnd,
    Taken,
    Unsubscribe,
    WireError,
    connect,
    decode_to_recorder,
    encode,
)

SILENT_HEARTBEATS = 3
TELL_S = 0.1

Heard = tuple[Recording | Frames | Handed | SeriesEnd, list[bytes]]
"""A message and its parts."""


class Feed:
    """Frames from a streamer. A context manager; belongs to one thread.

    Attributes
    ----------
    undecodable
        Messages that were none of a streamer's.
    """

    def __init__(self, endpoint: str, name: str, server_key: Path | None, secret_key: Path | None) -> None:
        self._endpoint, self._name, self._token = endpoint, name, secrets.token_hex(8)
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.RCVHWM, 0)  # the streamer bounds what is under way, in bytes
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
        try:
            connect(self._socket, endpoint, "recording endpoint", server_key, secret_key)
        except BaseException:
            self._context.destroy(0)
            raise
        self._heartbeat_s = 1.0
        self._beat_at = self._tell_at = 0.0
        self._heard_at = -float("inf")
        self._welcome = False
        self._taken = self._told = self._limit = 0
        self.undecodable = 0

    @property
    def silent(self) -> bool:
        """Whether nothing has been heard for some heartbeats: the streamer is not there, or does not record."""
        return time.monotonic() - self._heard_at > SILENT_HEARTBEATS * self._heartbeat_s

    def receive(self, timeout_s: float, series: str) -> Heard | None:
        """Return the next message, or None after `timeout_s`; `series` is the one that is being recorded.

        Raises
        ------
        InputError
            The streamer does not take this recorder; the text says why.
        """
        self._beat(series)
        if not self._socket.poll(max(0, int(timeout_s * 1000))):
            return None
        header, *parts = self._socket.recv_multipart()
        self._heard_at = time.monotonic()
        try:
            message = decode_to_recorder(header)
        except WireError:
            self.undecodable += 1
            return None
        if isinstance(message, Refused):
            raise InputError(self._endpoint, message.field, message.found, message.expected)
        if isinstance(message, Frames) and len(parts) != 3:
            self.undecodable += 1
            return None
        if isinstance(message, Recording):
            self._heartbeat_s, self._limit = message.heartbeat_s, message.buffer_bytes
            if not self._welcome:
                self._welcome, self._taken, self._told = True, 0, 0
        return message, parts

    def took(self, size: int) -> None:
        """Note that a message with frames of this size has left the buffer."""
        self._taken += size + MESSAGE_BYTES

    def tell(self, taken: Taken, *, now: bool = False) -> None:
        """Say how far the recorder is, when there is reason to or `now`."""
        due = self._taken - self._told > self._limit // 8 or time.monotonic() >= self._tell_at
        if not self._welcome or not (due or now):
            return
        self._tell_at, self._told = time.monotonic() + TELL_S, self._taken
        self._send(msgspec.structs.replace(taken, bytes=self._taken))

    def _beat(self, series: str) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + self._heartbeat_s
        if self.silent:
            # What is said of the buffer means nothing until the answer: the streamer will count anew from there.
            self._welcome = False
            self._send(Record(PROTOCOL_VERSION, self._name, self._token, series))
        else:
            self._send(Heartbeat())

    def _send(self, message: Record | Heartbeat | Taken | Unsubscribe) -> None:
        # To a streamer that is not there nothing can be queued for ever.
        with contextlib.suppress(zmq.Again):
            self._socket.send(encode(message), zmq.DONTWAIT)

    def close(self) -> None:
        """Take leave and close the connection."""
        if not self._socket.closed:
            self._send(Unsubscribe())
        self._context.destroy(200)

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
