"""Where decisions go out: the ROUTER socket that sorters subscribe to."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.vocabulary import Rejection
from streamer.wire import (
    PROTOCOL_VERSION,
    DecisionsHeader,
    Legend,
    Subscribe,
    ToSorter,
    Unsubscribe,
    WireError,
    decode_from_sorter,
    encode,
    send_to,
    serve_waiting,
)

SILENT_HEARTBEATS = 5
MAX_RECEIVERS = 64
_MOST = 1000
"""Messages heard at a time."""


@dataclass
class _Receiver:
    name: str
    heard_ns: int


class Outlet:
    """Sends decision records to every subscribed receiver and never waits for one.

    A receiver that is gone or too slow misses messages; each message missed by a receiver counts one in
    `undelivered`, and the receiver sees the gap in the message numbers.

    Parameters
    ----------
    socket
        A bound ROUTER socket with `ROUTER_MANDATORY` set, so that a message that cannot be queued is known.
    heartbeat_s
        Receivers silent for five of these are dropped.
    """

    def __init__(self, socket: zmq.Socket[bytes], heartbeat_s: float) -> None:
        self._socket = socket
        self._patience_ns = int(SILENT_HEARTBEATS * heartbeat_s * 1e9)
        self._receivers: dict[bytes, _Receiver] = {}
        self._legend: Legend | None = None
        self.number = 0
        self.undelivered = 0

    @property
    def receivers(self) -> int:
        """How many receivers are subscribed."""
        return len(self._receivers)

    def open_series(self, legend: Legend) -> None:
        """Tell every receiver what the codes of the coming series mean, and count messages from 0 again."""
        self._legend = legend
        self.number = 0
        self.undelivered = 0
        self.tell(legend)

    def change_legend(self, legend: Legend) -> None:
        """Tell every receiver that codes have changed their meaning, or new ones came; the message count goes on."""
        self._legend = legend
        self.tell(msgspec.structs.replace(legend, number=self.number))

    def close_series(self) -> None:
        """Forget the legend: a receiver that subscribes between two series gets it with the next."""
        self._legend = None

    def publish(self, series: str, records: NDArray[np.void]) -> None:
        """Send one decisions message with these `wire.DECISION` records."""
        header = encode(DecisionsHeader(series, self.number, len(records)))
        self.number += 1
        if self._receivers:
            self._send_all((header, records.tobytes()))

    def tell(self, message: ToSorter) -> None:
        """Send a message without records to every receiver."""
        if self._receivers:
            self._send_all((encode(message),))

    def serve(self, now_ns: int) -> list[WireError]:
        """Handle what receivers have sent; return what was wrong with it, for counting and the log."""
        return serve_waiting(self._socket, _MOST, lambda peer, header: self._handle(peer, header, now_ns))

    def drop_silent(self, now_ns: int) -> list[str]:
        """Drop receivers that have been silent for too long (not those that said good-bye); return their names."""
        silent = [key for key, receiver in self._receivers.items() if now_ns - receiver.heard_ns > self._patience_ns]
        return [self._receivers.pop(key).name for key in silent]

    def _handle(self, identity: bytes, header: bytes, now_ns: int) -> None:
        message = decode_from_sorter(header)
        if isinstance(message, Subscribe):
            self._subscribe(identity, message, now_ns)
        elif isinstance(message, Unsubscribe):
            self._receivers.pop(identity, None)
        elif identity in self._receivers:
            self._receivers[identity].heard_ns = now_ns

    def _subscribe(self, identity: bytes, message: Subscribe, now_ns: int) -> None:
        if message.version != PROTOCOL_VERSION:
            raise WireError(Rejection.UNKNOWN_VERSION, "version", message.version, str(PROTOCOL_VERSION))
        if identity not in self._receivers and len(self._receivers) >= MAX_RECEIVERS:
            raise WireError(Rejection.REFUSED, "receivers", len(self._receivers), f"fewer than {MAX_RECEIVERS}")
        self._receivers[identity] = _Receiver(message.name, now_ns)
        if self._legend is not None:
            legend = msgspec.structs.replace(self._legend, number=self.number)
            send_to(self._socket, identity, (encode(legend),))

    def _send_all(self, parts: tuple[bytes, ...]) -> None:
        for identity in self._receivers:
            if not send_to(self._socket, identity, parts):
                self.undelivered += 1
