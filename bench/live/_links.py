"""Two ways to talk to what is measured, with one face: a streamer, or a bare server that answers records."""

from __future__ import annotations

import time
from typing import Protocol

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from bench.live._speech import Speech
from engines.errors import CellgateError
from streamer.client import CellSender
from streamer.wire import (
    DECISION,
    PROTOCOL_VERSION,
    CellsHeader,
    Heartbeat,
    Legend,
    Refused,
    Schema,
    Subscribe,
    Totals,
    Unsubscribe,
    connect,
    decode_to_sorter,
    encode,
)

_POLLIN = int(zmq.POLLIN)  # an enumeration takes its time with `&`, of which a client should take little

BEAT_NS = 1_000_000_000
SUBSCRIBE_S = 10.0

Parts = tuple[bytes, zmq.Frame]

Received = list[tuple[int, bytes]]
"""What has come, in order: when (monotonic nanoseconds), and decision records."""


LEAD_US = 2000.0
"""What a sorter needs from decision to actuation: the way to it and the time until it is awake are in that."""


class Target(msgspec.Struct, frozen=True):
    """Where cells go and what they look like; without `decisions` it is a bare server that answers on `cells`.

    A target that `speaks` is a peer, which answers every cell with `classes` probabilities.
    """

    cells: str
    decisions: str | None
    channels: tuple[str, ...]
    dtype: str
    shape: tuple[int, int]
    sort_delay_us: float | None = None
    actuation_lead_us: float = LEAD_US
    speaks: Speech | None = None
    classes: int = 0


class Link(Protocol):
    """A connection that sends cells and receives decisions, in one thread and without waiting."""

    received: Received

    def pack(self, seq: int, ticks: NDArray[np.uint64], block: zmq.Frame) -> Parts:
        """Return the message of n cells of consecutive seq; `block` holds their frames."""
        ...

    def send(self, parts: Parts) -> None:
        """Send a message made by `pack`."""
        ...

    def receive(self) -> int:
        """Take in what has come; return how many cells were decided."""
        ...

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when more may have come since `receive`."""
        ...

    def end(self, cells: int) -> Totals | None:
        """End after so many cells; return the account where there is one."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class StreamerLink:
    """A cytometer and a sorter in one: the client library's sender, and a subscription read as quickly as can be.

    Parameters
    ----------
    listen
        Whether to subscribe; of several senders one is enough.
    """

    def __init__(self, target: Target, series: str, *, listen: bool = True) -> None:
        if target.decisions is None:
            raise CellgateError("bench: a streamer has a decisions endpoint")
        self.received: Received = []
        self._series, self._listen = series, listen
        self._beat_at = 0
        self._legend = False
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._sender = CellSender(target.cells)
        try:
            schema = Schema(target.channels, target.dtype, (1, 1_000_000_000), target.shape)  # type: ignore[arg-type]
            delay, lead = target.sort_delay_us, target.actuation_lead_us
            accepted = self._sender.start(
                series, schema, sort_delay_us=delay, actuation_lead_us=None if delay is None else min(lead, delay / 2)
            )
            self._hash = accepted.schema
            connect(self._socket, target.decisions, "decisions endpoint", None, None)
            if listen:
                self._subscribe()
        except BaseException:
            self.close()
            raise

    def pack(self, seq: int, ticks: NDArray[np.uint64], block: zmq.Frame) -> Parts:
        """See `Link.pack`."""
        return encode(CellsHeader(self._series, seq, len(ticks), self._hash, ticks.tobytes())), block

    def send(self, parts: Parts) -> None:
        """See `Link.send`."""
        self._sender.send_parts(parts)  # type: ignore[arg-type] # what it says of bytes holds for frames of ZeroMQ

    def receive(self) -> int:
        """See `Link.receive`."""
        socket, came = self._socket, 0
        while int(socket.getsockopt(zmq.EVENTS)) & _POLLIN:
            parts = socket.recv_multipart(zmq.DONTWAIT)
            if len(parts) == 2:
                self.received.append((time.monotonic_ns(), parts[1]))
                came += len(parts[1]) // DECISION.itemsize
            else:
                self._told(parts[0])
        if self._listen and time.monotonic_ns() >= self._beat_at:
            self._beat_at = time.monotonic_ns() + BEAT_NS
            socket.send(encode(Heartbeat()), zmq.DONTWAIT)
            self._sender.beat()
        return came

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return int(self._socket.getsockopt(zmq.FD))

    def end(self, cells: int) -> Totals | None:
        """See `Link.end`."""
        totals = self._sender.end(last_seq=cells - 1)
        self.receive()
        return totals

    def close(self) -> None:
        """See `Link.close`."""
        if self._legend:
            self._socket.send(encode(Unsubscribe()), zmq.DONTWAIT)
        self._sender.close()
        self._context.destroy(200)

    def _subscribe(self) -> None:
        """Subscribe to the series, which is open; its legend tells that the next decision will come here."""
        self._socket.send(encode(Subscribe(PROTOCOL_VERSION, "bench")))
        until = time.monotonic() + SUBSCRIBE_S
        while not self._legend:
            self._socket.poll(100)
            self.receive()
            if time.monotonic() > until:
                raise CellgateError(f"bench: no legend of series {self._series} within {SUBSCRIBE_S:g} s")

    def _told(self, header: bytes) -> None:
        message = decode_to_sorter(header)
        if isinstance(message, Refused):
            raise CellgateError(f"bench: {message.field}: found {message.found}, expected {message.expected}")
        self._legend = self._legend or isinstance(message, Legend)


class BareLink:
    """One DEALER socket to a server that answers each message with its records."""

    def __init__(self, target: Target) -> None:
        self.received: Received = []
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        # What the server cannot take yet waits here: an open loop does not stop because the other side is slow.
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        connect(self._socket, target.cells, "endpoint", None, None)
        self._delay_ns = None if target.sort_delay_us is None else np.uint64(target.sort_delay_us * 1000)

    def pack(self, seq: int, ticks: NDArray[np.uint64], block: zmq.Frame) -> Parts:
        """See `Link.pack`."""
        records = np.zeros(len(ticks), DECISION)
        records["seq"] = np.arange(seq, seq + len(ticks))
        records["ticks"] = ticks
        if self._delay_ns is not None:
            records["actuate"] = ticks + self._delay_ns
        return records.tobytes(), block

    def send(self, parts: Parts) -> None:
        """See `Link.send`."""
        self._socket.send_multipart(parts)

    def receive(self) -> int:
        """See `Link.receive`."""
        socket, came = self._socket, 0
        while int(socket.getsockopt(zmq.EVENTS)) & _POLLIN:
            (records,) = socket.recv_multipart(zmq.DONTWAIT)
            self.received.append((time.monotonic_ns(), records))
            came += len(records) // DECISION.itemsize
        return came

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return int(self._socket.getsockopt(zmq.FD))

    def end(self, cells: int) -> Totals | None:
        """See `Link.end`."""
        return None

    def close(self) -> None:
        """See `Link.close`."""
        self._context.destroy(0)
