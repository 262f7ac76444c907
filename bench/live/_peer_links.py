"""Links to other people's servers, with the face that a link to a streamer has: one client, one load for all."""

from __future__ import annotations

import select
import time
from collections import deque

import numpy as np
import zmq
from numpy.typing import NDArray

from bench.live._http import Answer, Connection
from bench.live._links import Parts, Received, Target
from bench.live._speech import request_builder
from engines.errors import CellgateError
from streamer.vocabulary import Reason
from streamer.wire import DECISION, Totals

CONNECTIONS = 256
"""The most that are open to an HTTP server at a time; what goes beyond waits here, and its time counts."""


class HttpLink:
    """Keep-alive connections to an HTTP server, a request per cell, as many under way as the load asks for.

    It does less for a request than an HTTP library does, so that what is measured is the server. A request on a
    connection that the server had closed meanwhile is sent once more, as any client does.

    Attributes
    ----------
    answer
        The body that came last.
    """

    def __init__(self, target: Target) -> None:
        if target.speaks is None:
            raise CellgateError("bench: a peer's target says how it is spoken to")
        self.received: Received = []
        self.answer = b""
        self._port = int(target.cells.rpartition(":")[2])
        self._build = request_builder(target.speaks, (len(target.channels), *target.shape), target.dtype)
        self._least = target.classes * 4
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._busy: dict[int, Parts] = {}
        self._waiting: deque[Parts] = deque()
        self._requests: dict[int, tuple[zmq.Frame, zmq.Frame]] = {}
        self._again: set[bytes] = set()

    def pack(self, seq: int, ticks: NDArray[np.uint64], block: zmq.Frame) -> Parts:
        """Return the cell's record, which becomes its decision, and the request.

        A request is made once for each frame: what a client does, it takes from the processor of what is measured.
        """
        record = _record(seq, ticks)
        found = self._requests.get(id(block))
        if found is None:  # kept with its block, so that no other block can come to have the same identity
            found = self._requests[id(block)] = block, zmq.Frame(self._build(block.buffer), copy=False)
        return record, found[1]

    def send(self, parts: Parts) -> None:
        """Send a request now if a connection is free or can be opened, else as soon as one is."""
        if self._idle:
            connection = self._idle.pop()
        elif len(self._open) < CONNECTIONS:
            connection = Connection(self._port)
            self._open[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.EPOLLIN)
        else:
            self._waiting.append(parts)
            return
        self._busy[connection.fileno()] = parts
        connection.send(parts[1].buffer)

    def receive(self) -> int:
        """See `Link.receive`."""
        came = 0
        for descriptor, _ in self._poll.poll(0):
            connection = self._open[descriptor]
            answer = connection.receive()
            if answer is None:
                continue
            parts = self._busy.pop(descriptor, None)
            if answer.last:
                self._drop(connection, idle=parts is None)
            else:
                self._idle.append(connection)
            if parts is not None:
                came += self._take(parts, answer)
            if self._waiting:
                self.send(self._waiting.popleft())
        return came

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return self._poll.fileno()

    def end(self, cells: int) -> Totals | None:
        """See `Link.end`; a peer keeps no account."""
        return None

    def close(self) -> None:
        """See `Link.close`."""
        for connection in self._open.values():
            connection.close()
        self._poll.close()

    def _take(self, parts: Parts, answer: Answer) -> int:
        record = parts[0]
        if answer.status == 0 and record not in self._again:
            self._again.add(record)
            self._waiting.appendleft(parts)
            return 0
        self.answer = answer.body
        right = answer.status == 200 and len(answer.body) >= self._least
        self.received.append((time.monotonic_ns(), record if right else _failed(record)))
        return 1

    def _drop(self, connection: Connection, *, idle: bool) -> None:
        if idle:
            self._idle.remove(connection)
        self._poll.unregister(connection.fileno())
        del self._open[connection.fileno()]
        connection.close()


class RepLink:
    """What a REQ socket sends, from a DEALER socket, which need not wait for one answer before it asks again.

    It puts the cell's record before the empty part, and a REP socket gives back what stands there.
    """

    def __init__(self, target: Target) -> None:
        self.received: Received = []
        self.answer = b""
        self._size = target.classes * 4
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        # What the server cannot take yet waits here: an open loop does not stop because the other side is slow.
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.connect(target.cells)

    def pack(self, seq: int, ticks: NDArray[np.uint64], block: zmq.Frame) -> Parts:
        """Return the cell's record and its frame."""
        return _record(seq, ticks), block

    def send(self, parts: Parts) -> None:
        """See `Link.send`."""
        self._socket.send_multipart((parts[0], b"", parts[1]))

    def receive(self) -> int:
        """See `Link.receive`."""
        came = 0
        while int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            record, _, self.answer = self._socket.recv_multipart(zmq.DONTWAIT)
            right = len(self.answer) == self._size
            self.received.append((time.monotonic_ns(), record if right else _failed(record)))
            came += 1
        return came

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return int(self._socket.getsockopt(zmq.FD))

    def end(self, cells: int) -> Totals | None:
        """See `Link.end`; a peer keeps no account."""
        return None

    def close(self) -> None:
        """See `Link.close`."""
        self._context.destroy(0)


def peer_link(target: Target) -> HttpLink | RepLink:
    """Return a link to the server at `target`, which speaks as it says."""
    return RepLink(target) if target.speaks == "rep" else HttpLink(target)


def _record(seq: int, ticks: NDArray[np.uint64]) -> bytes:
    if len(ticks) != 1:
        raise CellgateError(f"bench: found {len(ticks)} cells in a message, expected 1: a peer takes a cell a request")
    record = np.zeros(1, DECISION)
    record["seq"], record["ticks"] = seq, ticks
    return record.tobytes()


def _failed(record: bytes) -> bytes:
    """Return the record of a cell that the server refused, or failed at."""
    failed = np.frombuffer(record, DECISION).copy()
    failed["reason"] = Reason.ENGINE_FAULT
    return failed.tobytes()
