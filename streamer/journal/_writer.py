"""The journal's writing side: the loop hands records over in microseconds, a thread brings them to the disk."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from engines.errors import InputError
from streamer.journal._disk import Block, JournalFile
from streamer.journal._events import encode_event, split_event
from streamer.journal._header import JournalHeader, encode_header
from streamer.journal._records import DECISION_RECORD, Records, record_dtype, seal
from streamer.wire import JournalHealth

POLL_S = 0.01
"""How often the thread looks for records. It is never woken: a wake-up would cost the loop a system call per append
and hand the interpreter to the thread at the worst moment."""
BLOCK_BYTES = 32 << 10
"""Records are sealed this many bytes at a time, so that the thread never holds the interpreter for long."""
EVENT_ROOM_BYTES = 16 << 20
"""Events may wait in this much room beyond the backlog: the totals of a series still fit behind a full one."""


class JournalWriter:
    """The journal of one series, from its creation to its `close`.

    `append`, `event`, `finish`, `close` and `health` belong to one thread, the loop's. Of these only `close` waits.
    A fault of the disk never shows as an exception: it is in `health.fault` until the journal is whole again, and
    the thread tries once per `sync_interval_s` from the last whole record on.

    Parameters
    ----------
    path
        The file to create; it must not exist.
    header
        What the records will mean.
    sync_interval_s
        Seconds between syncs, above 0 and at most 1.
    backlog_bytes
        Records beyond this many unsynced bytes are dropped and counted, and an event `dropped` says so at their
        place in the journal.

    Raises
    ------
    JournalError
        The file cannot be created, or the header cannot be one.
    InputError
        An interval or backlog that cannot be.
    """

    def __init__(
        self, path: Path, header: JournalHeader, *, sync_interval_s: float = 0.5, backlog_bytes: int = 256 << 20
    ) -> None:
        if not 0 < sync_interval_s <= 1:
            raise InputError("journal", "sync_interval_s", sync_interval_s, "above 0 and at most 1")
        if backlog_bytes < 1:
            raise InputError("journal", "backlog_bytes", backlog_bytes, "at least 1")
        start = encode_header(header)
        self.path = path
        self._dtype = record_dtype(len(header.classes))
        self._interval, self._backlog = sync_interval_s, backlog_bytes
        self._file = JournalFile(path)
        self._file.put(Block(memoryview(start), len(start), 0))
        self._queue: deque[bytes | _Pieces] = deque()
        # Each number has one thread that writes it, so none needs a lock. The loop's:
        self._accepted_bytes = len(start)
        self._handed = self._dropped = self._events = 0
        self._untold_records = self._untold_events = 0
        self._closed = False
        self._give_up_at = math.inf
        # The thread's:
        self._fault = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"journal {header.series}", daemon=True)
        self._thread.start()

    def append(self, records: Records) -> None:
        """Hand records over; they are copied, and their `kind` and `crc` need not be set.

        Raises
        ------
        TypeError
            They are not of `record_dtype` for the header's classes.
        """
        if records.dtype is not self._dtype and records.dtype != self._dtype:
            raise TypeError(f"journal records are {records.dtype}, not {self._dtype}")
        if not records.size:
            return
        self._handed += records.size
        if self._closed or self._waiting_bytes() + records.nbytes > self._backlog:
            self._dropped += records.size
            self._untold_records += records.size
            return
        if self._untold_records or self._untold_events:
            self._tell_dropped()
        self._accepted_bytes += records.nbytes
        self._queue.append(records.tobytes())

    def event(self, name: str, data: Mapping[str, object]) -> None:
        """Hand an event over: JSON of its name, the time (`unix_ns`) and `data`, which may not be long (1 MiB)."""
        self._untold_events += not self._take_event(name, data)

    @property
    def health(self) -> JournalHealth:
        """Decisions handed over, written, synced and dropped; those that still wait are handed − synced − dropped."""
        synced, fault = self._file.synced, self._fault
        if not fault and self._closed and (left := self._waiting_bytes()) and (self.done or self._overdue()):
            fault = f"{self.path}: {left} bytes were not on the disk in time"
        return JournalHealth(self._handed, self._file.written, synced, self._dropped, fault)

    @property
    def done(self) -> bool:
        """Whether the thread has ended: everything is on the disk, or it gave up (`health.fault`)."""
        return not self._thread.is_alive()

    def finish(self, totals: Mapping[str, object] | None = None, timeout_s: float = 10.0) -> None:
        """Hand over the event `totals`, the journal's last, and let the thread end by itself; waits for nothing.

        What is appended later is dropped. On a disk at fault the thread gives up after `timeout_s`.
        """
        if self._closed:
            return
        if self._untold_records or self._untold_events:
            self._tell_dropped()
        if totals is not None:
            self.event("totals", totals)
        self._closed = True
        self._give_up_at = time.monotonic() + timeout_s
        self._stop.set()

    def close(self, totals: Mapping[str, object] | None = None, timeout_s: float = 10.0) -> JournalHealth:
        """`finish`, and wait at most `timeout_s` until all is on the disk. Closing again does no harm."""
        self.finish(totals, timeout_s)
        self._thread.join(timeout_s)
        return self.health

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _waiting_bytes(self) -> int:
        return self._accepted_bytes - self._file.synced_bytes

    def _overdue(self) -> bool:
        return time.monotonic() >= self._give_up_at

    def _take_event(self, name: str, data: Mapping[str, object]) -> bool:
        pieces = split_event(encode_event(name, data), self._events, self._dtype.itemsize)
        if self._closed or self._waiting_bytes() + len(pieces) > self._backlog + EVENT_ROOM_BYTES:
            return False
        self._events += 1
        self._accepted_bytes += len(pieces)
        self._queue.append(_Pieces(pieces))
        return True

    def _tell_dropped(self) -> None:
        if self._take_event("dropped", {"records": self._untold_records, "events": self._untold_events}):
            self._untold_records = self._untold_events = 0

    def _run(self) -> None:
        try:
            self._keep_up()
        except BaseException as error:
            self._fault = f"journal thread died: {error!r}"
            raise
        finally:
            self._file.close()

    def _keep_up(self) -> None:
        next_sync = 0.0
        while True:
            stopping = self._stop.is_set()  # before the queue is looked at: what it holds now must still go
            try:
                self._write_queue(next_sync if next_sync else time.monotonic() + self._interval)
                if stopping or time.monotonic() >= next_sync:
                    self._file.sync()
                    next_sync = time.monotonic() + self._interval
                    self._fault = ""
            except OSError as error:
                self._fault, next_sync = f"{self.path}: {error.strerror or error}", 0.0
                if stopping and self._overdue():
                    return
                self._pause(self._interval)
                continue
            if stopping and not self._queue and self._file.durable:
                return
            self._pause(POLL_S)

    def _pause(self, seconds: float) -> None:
        if self._stop.is_set():
            time.sleep(min(seconds, 0.1))
        else:
            self._stop.wait(seconds)

    def _write_queue(self, until: float) -> None:
        """Write until nothing is queued, or the next sync is due."""
        self._file.write()
        while self._queue:
            self._file.put(self._next_block())
            self._file.write()
            if time.monotonic() >= until:
                return

    def _next_block(self) -> Block:
        size = self._dtype.itemsize
        first = self._queue.popleft()
        if isinstance(first, _Pieces):
            records, decisions = bytearray(first.data), 0
        else:
            records, decisions = bytearray(first), 1
            while len(records) < BLOCK_BYTES and self._queue and isinstance(self._queue[0], bytes):
                records += self._queue.popleft()  # type: ignore[arg-type]
            np.frombuffer(records, self._dtype)["kind"] = DECISION_RECORD
        seal(records, size)
        return Block(memoryview(records), size, decisions)


class _Pieces(NamedTuple):
    """An event as records; a type of its own so that the queue can tell it from decisions."""

    data: bytes
