"""The receiving end of telemetry: a thread that keeps the newest snapshot and says how old it is."""

from __future__ import annotations

import math
import re
import threading
import time
from itertools import pairwise
from pathlib import Path

import zmq

from streamer.wire import HistogramData, Snapshot, connect, decode_snapshot

_MAX_SNAPSHOT_BYTES = 1 << 20
_POLL_MS = 100
_HISTOGRAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class SnapshotFeed:
    """The latest snapshot published at an endpoint. A context manager; `close` ends it too.

    A thread of its own receives, so reading costs nothing and never waits. Ages are taken by this machine's
    monotonic clock from the moment of receipt: clocks of two machines need not agree.

    Parameters
    ----------
    endpoint
        Where the streamer publishes telemetry. It need not be up: connecting and reconnecting is automatic.
    server_key, secret_key
        CURVE key files: the streamer's public key and this receiver's own secret key. Both or neither.

    Raises
    ------
    InputError
        An endpoint that is malformed or, without keys, beyond this machine; an unusable key file.
    """

    def __init__(self, endpoint: str, *, server_key: Path | None = None, secret_key: Path | None = None) -> None:
        self.endpoint = endpoint
        self.received = 0
        """Snapshots received."""
        self.undecodable = 0
        """Messages that were no snapshot, each dropped."""
        self.lost = 0
        """Snapshots that were published between two received ones and never came."""
        self._latest: tuple[Snapshot, float] | None = None
        self._first = threading.Event()
        self._closing = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            socket = _connect(self._context, endpoint, server_key, secret_key)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        # The socket changes hands here, once: from now on only the thread touches it.
        self._thread = threading.Thread(target=self._receive, args=(socket,), name="snapshot-feed", daemon=True)
        self._thread.start()

    def read(self) -> tuple[Snapshot | None, float]:
        """Return the latest snapshot and its age in seconds: `(None, inf)` before the first one."""
        latest = self._latest
        if latest is None:
            return None, math.inf
        return latest[0], time.monotonic() - latest[1]

    def wait(self, timeout_s: float) -> Snapshot | None:
        """Return the latest snapshot, waiting at most this long where none has come yet."""
        self._first.wait(timeout_s)
        return self.read()[0]

    def close(self) -> None:
        """Stop receiving; what was read last stays readable."""
        self._closing.set()
        self._thread.join()
        self._context.term()

    def __enter__(self) -> SnapshotFeed:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _receive(self, socket: zmq.Socket[bytes]) -> None:
        with socket:
            while not self._closing.is_set():
                if socket.poll(_POLL_MS):
                    self._take(socket.recv_multipart())

    def _take(self, parts: list[bytes]) -> None:
        snapshot = _decode(parts)
        if snapshot is None:
            self.undecodable += 1
            return
        before = self._latest
        if before is not None and before[0].started_ns == snapshot.started_ns:
            self.lost += max(0, snapshot.number - before[0].number - 1)
        self.received += 1
        self._latest = snapshot, time.monotonic()
        self._first.set()


def _connect(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str, server_key: Path | None, secret_key: Path | None
) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.SUB)
    socket.linger = 0
    socket.rcvhwm = 16
    socket.maxmsgsize = _MAX_SNAPSHOT_BYTES
    # A peer that vanished without a word (cable, power) is noticed and reconnected to.
    socket.heartbeat_ivl, socket.heartbeat_timeout = 2000, 6000
    socket.subscribe(b"")
    connect(socket, endpoint, "--from", server_key, secret_key)
    return socket


def _decode(parts: list[bytes]) -> Snapshot | None:
    if len(parts) != 1:
        return None
    try:
        snapshot = decode_snapshot(parts[0])
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    return snapshot if all(_is_sound(*item) for item in snapshot.histograms.items()) else None


def _is_sound(name: str, data: HistogramData) -> bool:
    """Tell whether a histogram makes a true metric: the decoder knows the types, not how they belong together."""
    ascending = all(a < b for a, b in pairwise(data.edges)) and all(math.isfinite(edge) for edge in data.edges)
    counted = len(data.counts) == len(data.edges) + 1 and min(data.counts) >= 0
    return ascending and counted and math.isfinite(data.sum) and _HISTOGRAM_NAME.fullmatch(name) is not None
