"""A streamer that is not one: it answers as the protocol says, and goes wrong as a test asks."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

import numpy as np
import zmq
import zmq.auth
from numpy.typing import NDArray
from zmq.auth.thread import ThreadAuthenticator

from streamer.vocabulary import Account, Reason
from streamer.wire import (
    DECISION,
    NO_CLASS,
    NO_DEADLINE_SLACK,
    NO_GATE,
    PROTOCOL_VERSION,
    Accepted,
    CellsHeader,
    DecisionsHeader,
    End,
    FrameLayout,
    Heartbeat,
    Legend,
    Refused,
    Start,
    Status,
    Subscribe,
    Totals,
    Unsubscribe,
    decode_from_cytometer,
    decode_from_sorter,
    encode,
    schema_hash,
    serve_curve,
)

CLASSES = ("round", 'so "called"', "µ")
WAYS = ("waste", "left")
PATIENCE_S = 60  # bounds a hang; nothing is measured against it


class FakeStreamer:
    """Just enough of a streamer, in a thread: every cell is kept, and what the test names goes wrong.

    Parameters
    ----------
    deaf_to
        How many messages of a type ("start", "end") are ignored before the first one is answered.
    refuse
        Refuse the series.
    skip_numbers
        Decisions messages that are numbered but not sent.
    secret_key_file
        Serve CURVE with this key.
    """

    def __init__(
        self,
        directory: Path,
        *,
        deaf_to: dict[str, int] | None = None,
        refuse: bool = False,
        skip_numbers: tuple[int, ...] = (),
        secret_key_file: Path | None = None,
    ) -> None:
        self.cells, self.decisions = f"ipc://{directory}/cells", f"ipc://{directory}/decisions"
        self.deaf_to = Counter(deaf_to or {})
        self.refuse = refuse
        self.skip_numbers = skip_numbers
        self.secret_key_file = secret_key_file
        self.heard: list[object] = []
        self.seqs: list[int] = []
        self.ticks: list[int] = []
        self.frames: list[NDArray[np.generic] | None] = []
        self.subscribed = threading.Event()
        self.error: BaseException | None = None
        self._sorters: set[bytes] = set()
        self._account = Account()
        self._number = 0
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> FakeStreamer:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        if error is None and self.error is not None:
            raise self.error

    def count(self, kind: type) -> int:
        return sum(isinstance(message, kind) for message in self.heard)

    def _run(self) -> None:
        try:
            with zmq.Context() as context, context.socket(zmq.ROUTER) as cells, context.socket(zmq.ROUTER) as decisions:
                authenticator = None
                if self.secret_key_file:
                    authenticator = ThreadAuthenticator(context)
                    authenticator.start()
                    authenticator.configure_curve(domain="*", location=str(self.secret_key_file.parent))
                for socket in (cells, decisions):
                    socket.linger = 0
                    if self.secret_key_file:
                        serve_curve(socket, self.secret_key_file)
                cells.bind(self.cells)
                decisions.bind(self.decisions)
                self._ready.set()
                try:
                    while not self._stop.is_set():
                        if decisions.poll(0):
                            self._serve_sorter(decisions)
                        if cells.poll(5):
                            self._serve_cytometer(cells, decisions)
                finally:
                    if authenticator:
                        authenticator.stop()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self.error = error
            self._ready.set()

    def _serve_sorter(self, socket: zmq.Socket[bytes]) -> None:
        sorter, header = socket.recv_multipart()
        message = decode_from_sorter(header)
        self.heard.append(message)
        match message:
            case Subscribe():
                self._sorters.add(sorter)
                if self.refuse:
                    socket.send_multipart([sorter, encode(Refused("", "version", "1", "2"))])
                self.subscribed.set()
            case Heartbeat():
                status = Status("", "armed", self._number, self._account)
                socket.send_multipart([sorter, encode(status)])
            case Unsubscribe():
                self._sorters.discard(sorter)

    def _serve_cytometer(self, socket: zmq.Socket[bytes], decisions: zmq.Socket[bytes]) -> None:
        peer, header, *parts = socket.recv_multipart()
        message = decode_from_cytometer(header)
        self.heard.append(message)
        kind = type(message).__name__.lower()
        if self.deaf_to[kind] > 0:
            self.deaf_to[kind] -= 1
            return
        match message:
            case Start():
                assert message.version == PROTOCOL_VERSION
                if self.refuse:
                    reply = Refused(message.series, "schema.channels", "a", "also b")
                    socket.send_multipart([peer, encode(reply)])
                    return
                self._layout = FrameLayout(message.schema)
                # One second, as by default: a silent cytometer would show here as a missing heartbeat.
                accepted = Accepted(
                    1, message.series, schema_hash(message.schema), "b", "0" * 64, CLASSES, WAYS, "fake", 1
                )
                socket.send_multipart([peer, encode(accepted)])
                legend = Legend(
                    1,
                    message.series,
                    "b",
                    "0" * 64,
                    CLASSES,
                    ("all",),
                    WAYS,
                    tuple(reason.label for reason in Reason),
                    message.schema.timebase,
                    None,
                    0,
                    self._number,
                )
                self._tell(decisions, [encode(legend)])
            case CellsHeader():
                assert message.schema == schema_hash(self._layout.schema)
                self.frames.extend(self._layout.view(message, header, parts))
                self._decide(message, decisions)
            case Heartbeat():
                socket.send_multipart([peer, encode(Status(message.series, "armed", self._number, self._account))])
            case End():
                self._account.sent = message.last_seq + 1
                totals = Totals(message.series, "end", self._account, self._account.missing, "none")
                socket.send_multipart([peer, encode(totals)])
                self._tell(decisions, [encode(totals)])

    def _decide(self, header: CellsHeader, decisions: zmq.Socket[bytes]) -> None:
        records = np.zeros(header.n, DECISION)
        records["seq"] = header.seq + np.arange(header.n)
        records["ticks"] = np.frombuffer(header.ticks, "<u8")
        records["class_"] = records["seq"] % len(CLASSES)
        records["way"], records["confidence"] = 1, 0.75
        records["slack_us"] = -1500
        # The first cell stands for one that was never classified, in a series without a deadline.
        first = records["seq"] == 0
        records["class_"][first], records["gate"][first], records["way"][first] = NO_CLASS, NO_GATE, 0
        records["reason"][first], records["slack_us"][first] = Reason.DISARMED, NO_DEADLINE_SLACK
        self.seqs += records["seq"].tolist()
        self.ticks += records["ticks"].tolist()
        self._account.received += header.n
        self._account.decided += header.n
        if self._number not in self.skip_numbers:
            head = DecisionsHeader(header.series, self._number, header.n)
            self._tell(decisions, [encode(head), records.tobytes()])
        self._number += 1

    def _tell(self, socket: zmq.Socket[bytes], parts: list[bytes]) -> None:
        for sorter in self._sorters:
            socket.send_multipart([sorter, *parts])
