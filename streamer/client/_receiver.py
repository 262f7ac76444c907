"""The sorter's side: subscribe to decisions and see every gap."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.client._errors import RefusedError
from streamer.wire import (
    DECISION,
    PROTOCOL_VERSION,
    DecisionsHeader,
    Heartbeat,
    Legend,
    Refused,
    Status,
    Subscribe,
    Totals,
    Unsubscribe,
    connect,
    decode_to_sorter,
    encode,
)


class Decisions(NamedTuple):
    """One decisions message: its number in the series, and `(n,)` records of `wire.DECISION`."""

    series: str
    number: int
    records: NDArray[np.void]


class DecisionReceiver:
    """Receives decisions from a streamer. A context manager; belongs to one thread.

    Call `receive` at least once a second: it also sends the heartbeats that keep the subscription alive.

    Attributes
    ----------
    legend
        The open series' legend; None before it came.
    missed
        Decision messages of the series that never came, seen by their numbers.
    """

    def __init__(
        self,
        endpoint: str,
        name: str = "sorter",
        *,
        heartbeat_s: float = 1.0,
        server_key: Path | None = None,
        secret_key: Path | None = None,
    ) -> None:
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 200)
        try:
            connect(self._socket, endpoint, "decisions endpoint", server_key, secret_key)
        except BaseException:
            self._context.destroy(0)
            raise
        self._name = name
        self._heartbeat_s = heartbeat_s
        self._beat_at = 0.0
        self._heard_at = 0.0
        self._next_number = 0
        self.legend: Legend | None = None
        self.missed = 0

    def receive(self, timeout_s: float = 1.0) -> Decisions | Legend | Status | Totals | None:
        """Return the next message, or None after `timeout_s`.

        Raises `RefusedError` if the streamer does not take the subscription.
        """
        until = time.monotonic() + timeout_s
        while True:
            self._beat()
            wait = min(until, self._beat_at) - time.monotonic()
            if self._socket.poll(max(0, int(wait * 1000) + 1)):
                return self._read()
            if time.monotonic() >= until:
                return None

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + self._heartbeat_s
        # A streamer that was started again has forgotten this receiver: subscribe anew while nothing is heard.
        silent = now - self._heard_at > 3 * self._heartbeat_s
        message = Subscribe(PROTOCOL_VERSION, self._name) if silent else Heartbeat()
        # To a streamer that is not there nothing can be queued for ever; what is lost is sent again at the next beat.
        with contextlib.suppress(zmq.Again):
            self._socket.send(encode(message), zmq.DONTWAIT)

    def _read(self) -> Decisions | Legend | Status | Totals:
        header, *parts = self._socket.recv_multipart()
        self._heard_at = time.monotonic()
        message = decode_to_sorter(header)
        if isinstance(message, Refused):
            raise RefusedError(self._name, message)
        if isinstance(message, Legend):
            if self.legend is None or self.legend.series != message.series:
                self._next_number = message.number
                self.missed = 0
            self.legend = message
            return message
        if isinstance(message, DecisionsHeader):
            self.missed += max(0, message.number - self._next_number)
            self._next_number = message.number + 1
            return Decisions(message.series, message.number, np.frombuffer(parts[0], DECISION))
        if isinstance(message, Status) and self.legend is not None and message.series == self.legend.series:
            # Status says which number comes next: so messages lost at the end of a series are seen too.
            self.missed += max(0, message.number - self._next_number)
            self._next_number = max(self._next_number, message.number)
        return message

    def close(self) -> None:
        """Unsubscribe and close the connection."""
        if not self._socket.closed:
            with contextlib.suppress(zmq.Again):
                self._socket.send(encode(Unsubscribe()), zmq.DONTWAIT)
        self._context.destroy(200)

    def __enter__(self) -> DecisionReceiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
