"""As much of an HTTP/1.1 client as a bench needs: one request at a time on a connection that stays open."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass

from engines.errors import CellgateError

SEND_S = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """Status and body; `last` when the server closes the connection after it. Status 0: it has closed it instead."""

    status: int
    body: bytes
    last: bool = False


class Connection:
    """A connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SEND_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable while something waits to be received."""
        return self._socket.fileno()

    def send(self, request: memoryview) -> None:
        """Send a request whole; it waits only if the server does not read."""
        self._came = b""
        try:
            with contextlib.suppress(ConnectionError):  # closed by the server: `receive` will say so
                self._socket.sendall(request)
        except TimeoutError as error:
            raise CellgateError(f"bench: the server did not read a request within {SEND_S:g} s") from error

    def receive(self) -> Answer | None:
        """Return the answer if it is all here."""
        try:
            more = self._socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionError:
            more = b""
        if not more:
            return Answer(0, b"", last=True)
        self._came += more
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end:
            return None
        length = _LENGTH.search(head)
        if length is None:
            raise CellgateError(f"bench: found the answer {head[:200]!r}, expected one with a Content-Length")
        if len(body) < int(length[1]):
            return None
        return Answer(int(head[9:12]), body, last=_CLOSE.search(head) is not None)

    def close(self) -> None:
        """Close it."""
        self._socket.close()
