"""The cytometer's side: send a series of cells and get its account back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import zmq
from numpy.typing import NDArray

from engines.errors import CellgateError
from streamer.client._errors import RefusedError, SilentError
from streamer.client._pack import pack_block, pack_each
from streamer.vocabulary import Rejection
from streamer.wire import (
    PROTOCOL_VERSION,
    Accepted,
    CellsHeader,
    End,
    Heartbeat,
    Refused,
    Schema,
    Start,
    Status,
    ToCytometer,
    Totals,
    WireError,
    connect,
    decode_from_cytometer,
    decode_to_cytometer,
    encode,
    message_crc32,
    send_parts,
)

RESEND_S = 1.0


class CellSender:
    """Sends series of cells to a streamer. A context manager; belongs to one thread.

    Parameters
    ----------
    endpoint
        The streamer's cells endpoint.
    counter
        Returns the hardware counter now, in ticks of the series' timebase: the counter that trigger times are taken
        from. By default this machine's monotonic clock, which suits a source that has no counter of its own.
    server_key, secret_key
        CURVE key files, needed beyond this machine.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        counter: Callable[[], int] | None = None,
        server_key: Path | None = None,
        secret_key: Path | None = None,
    ) -> None:
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 1000)
        self._socket.setsockopt(zmq.SNDTIMEO, 30_000)
        try:
            connect(self._socket, endpoint, "cells endpoint", server_key, secret_key)
        except BaseException:
            self._context.destroy(0)
            raise
        self._endpoint = endpoint
        self._counter = counter
        self._series = ""
        self._schema: Schema | None = None
        self._hash = 0
        self._heartbeat_s = RESEND_S
        self._beat_at = 0.0
        self.next_seq = 0
        self._heard_at = time.monotonic()
        self.status: Status | None = None
        """The streamer's last answer to a heartbeat: its state and the running account."""

    @property
    def silent_s(self) -> float:
        """Seconds since the streamer was last heard of; more than five heartbeats mean trouble."""
        return time.monotonic() - self._heard_at

    def start(
        self,
        series: str,
        schema: Schema,
        *,
        sort_delay_us: float | None = None,
        actuation_lead_us: float | None = None,
        info: dict[str, str] | None = None,
        timeout_s: float = 10.0,
    ) -> Accepted:
        """Open a series and wait until it is accepted, asking again every second.

        Raises
        ------
        WireError
            Something given here breaks the protocol.
        RefusedError
            The streamer cannot take this series; the text says why.
        SilentError
            No answer within `timeout_s`.
        """
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            start = Start(
                version=PROTOCOL_VERSION,
                series=series,
                schema=schema,
                ticks=self.ticks_now(schema),
                sort_delay_us=sort_delay_us,
                actuation_lead_us=actuation_lead_us,
                info=info or {},
            )
            header = encode(start)
            decode_from_cytometer(header)  # what no streamer could take is said here, not waited for
            self._try(header)
            answer = self._await(lambda m: isinstance(m, Accepted | Refused) and m.series in (series, ""), left)
            if isinstance(answer, Refused):
                raise RefusedError(series, answer)
            if isinstance(answer, Accepted):
                self._series, self._schema, self._hash = series, schema, answer.schema
                self._heartbeat_s = answer.heartbeat_s
                self._beat_at = time.monotonic() + answer.heartbeat_s
                self.next_seq = 0
                return answer
        raise SilentError(f"no streamer answered at {self._endpoint} within {timeout_s:g} s")

    def send(
        self,
        frames: NDArray[np.generic] | Sequence[NDArray[np.generic] | None],
        ticks: NDArray[np.uint64],
        *,
        seq: int | None = None,
    ) -> None:
        """Send n cells of consecutive seq.

        Parameters
        ----------
        frames
            `(n, C, H, W)` of the schema's dtype and shape; in a series of per-cell sizes a sequence of `(C, h, w)`,
            None where the camera lost the frame.
        ticks
            `(n,)` trigger times in hardware ticks.
        seq
            Number of the first cell; by default the one after the last sent.
        """
        first = self.next_seq if seq is None else seq
        self.send_parts(self.parts(frames, ticks, first))
        self.next_seq = max(self.next_seq, first + len(ticks))

    def parts(
        self, frames: NDArray[np.generic] | Sequence[NDArray[np.generic] | None], ticks: NDArray[np.uint64], seq: int
    ) -> list[bytes | memoryview]:
        """Return the parts of the cells message that `send` would send.

        Raises
        ------
        CellgateError
            No series is open, or the frames are not what its schema says.
        """
        schema = self._schema
        if schema is None:
            raise CellgateError("send: no series was started")
        if schema.shape is None:
            shapes, body = pack_each(frames, len(ticks), schema)
        else:
            shapes, body = None, pack_block(frames, len(ticks), schema)
        tick_bytes = np.ascontiguousarray(ticks, "<u8").tobytes()
        header = encode(CellsHeader(self._series, seq, len(ticks), self._hash, tick_bytes, shapes))
        parts = [header, *body]
        if schema.checksum == "crc32":
            parts.append(message_crc32(header, body).to_bytes(4, "little"))
        return parts

    def send_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send a message made by `parts`; heartbeats go out in between when they are due.

        Raises
        ------
        SilentError
            The streamer has taken nothing for 30 s.
        """
        self.beat()
        for part in parts:
            memoryview(part)  # what is no bytes is refused before anything is sent
        try:
            send_parts(self._socket, parts)
        except zmq.Again:
            raise SilentError(f"the streamer at {self._endpoint} has taken nothing for 30 s") from None

    def beat(self, *, now: bool = False) -> None:
        """Send a heartbeat if one is due (or `now`), and read what the streamer has answered."""
        if self._schema is None or not (now or time.monotonic() >= self._beat_at):
            return
        self._beat_at = time.monotonic() + self._heartbeat_s
        self._try(encode(Heartbeat(self._series, self.ticks_now(self._schema))))
        while (message := self._receive(0)) is not None:
            if isinstance(message, Status):
                self.status = message

    def end(self, *, last_seq: int | None = None, timeout_s: float = 30.0) -> Totals:
        """End the series and wait for its totals: every cell is decided and the journal is on disk.

        Raises `SilentError` if they do not come within `timeout_s`.
        """
        if self._schema is None:
            raise CellgateError("end: no series was started")
        last = self.next_seq - 1 if last_seq is None else last_seq
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            self._try(encode(End(self._series, last)))
            totals = self._await(lambda m: isinstance(m, Totals) and m.series == self._series, left)
            if isinstance(totals, Totals):
                self._schema = None
                return totals
        raise SilentError(f"no totals of series {self._series} came within {timeout_s:g} s")

    def ticks_now(self, schema: Schema) -> int:
        """Return the counter now, in ticks of the schema's timebase."""
        if self._counter is not None:
            return self._counter()
        return time.monotonic_ns() * schema.timebase[1] // (schema.timebase[0] * 1_000_000_000)

    def close(self) -> None:
        """Close the connection; an open series is left for the streamer to close as lost."""
        self._context.destroy(1000)

    def __enter__(self) -> CellSender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, header: bytes) -> None:
        """Send a message that will be sent again if it is not answered, so it need not wait for a full queue."""
        with contextlib.suppress(zmq.Again):
            self._socket.send(header, zmq.DONTWAIT)

    def _await(self, wanted: object, left_s: float) -> ToCytometer | None:
        """Return the first message that `wanted` holds for, or None after a second (or what is left)."""
        until = time.monotonic() + min(RESEND_S, left_s)
        while (left := until - time.monotonic()) > 0:
            message = self._receive(left)
            if message is not None and callable(wanted) and wanted(message):
                return message
        return None

    def _receive(self, timeout_s: float) -> ToCytometer | None:
        if not self._socket.poll(int(timeout_s * 1000)):
            return None
        header = self._socket.recv_multipart()[0]
        self._heard_at = time.monotonic()
        try:
            return decode_to_cytometer(header)
        except WireError as error:
            if error.reason is Rejection.UNKNOWN_TYPE:  # of a streamer that says more than this client knows
                return None
            raise
