"""The journal's reading side: every record checked, damage told from a torn tail, nothing ever modified unasked."""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamer.journal._errors import JournalError
from streamer.journal._events import join_events
from streamer.journal._header import JournalHeader, read_header
from streamer.journal._records import DECISION_RECORD, EVENT_RECORD, Records, carried, checksums, record_dtype

CHECK_ROWS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Journal:
    """What a journal file holds.

    Attributes
    ----------
    decisions
        The decision records in the order of decision, `(n,)` of `record_dtype(len(header.classes))`; read-only. Where
        the events lie only at the ends of the file this is the file itself, mapped, and must not outlive it.
    events
        The events in order, as `JournalWriter.event` was given them, with `event` and `unix_ns`.
    torn_bytes
        Bytes behind the last good record: what was being written when the writer died.
    damaged
        Indices (among all records, from 0) of bad records that good ones follow.
    broken_events
        Events of which only pieces are left.
    good_bytes
        Length of the file without its torn tail.
    """

    path: Path
    header: JournalHeader
    decisions: Records
    events: list[dict[str, Any]]
    torn_bytes: int
    damaged: list[int]
    broken_events: int
    good_bytes: int

    @property
    def totals(self) -> dict[str, Any] | None:
        """The event that closes a series, None while it is missing."""
        return next((event for event in reversed(self.events) if event["event"] == "totals"), None)

    @property
    def complete(self) -> bool:
        """Whether the series was closed: its totals are there."""
        return self.totals is not None

    @property
    def intact(self) -> bool:
        """Whether all that is there is good. A torn tail does not count: it was never promised."""
        return not self.damaged and not self.broken_events


def read_journal(path: Path) -> Journal:
    """Read and check a journal; one that is still being written is read as far as it is.

    Raises
    ------
    JournalError
        The file cannot be read, is not a journal, or its header is cut short or damaged.
    """
    try:
        if not path.is_file():
            raise JournalError(path, "journal", "no such file" if not path.exists() else "no regular file", "a journal")
        with path.open("rb") as file:
            return _read(file, path)
    except (OSError, ValueError) as error:
        raise JournalError(path, "journal", str(error), "a file that can be read") from error


def cut_torn_tail(path: Path) -> int:
    """Cut what lies behind the last good record off the file, sync it, and return how many bytes that was.

    Raises
    ------
    JournalError
        As `read_journal`; or the journal is still being written.
    """
    read_journal(path)  # a foreign file is not even opened for writing
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            journal = _read(file, path)
            if journal.torn_bytes:
                os.ftruncate(file.fileno(), journal.good_bytes)
                os.fsync(file.fileno())
            return journal.torn_bytes
    except BlockingIOError:
        raise JournalError(path, "journal", "one that is still being written", "one whose writer has ended") from None
    except OSError as error:
        raise JournalError(path, "journal", str(error), "a file that can be cut") from error


def _read(file: BinaryIO, path: Path) -> Journal:
    header, start = read_header(file, path)
    size = os.fstat(file.fileno()).st_size
    dtype = record_dtype(len(header.classes))
    rows = max(0, size - start) // dtype.itemsize
    # Everything below is bounded by `size`, which the file system says and not the file.
    mapped = mmap.mmap(file.fileno(), start + rows * dtype.itemsize, access=mmap.ACCESS_READ)
    records = memoryview(mapped)[start:]
    kinds = _checked_kinds(records, dtype.itemsize)
    good = np.flatnonzero(kinds)
    end = int(good[-1]) + 1 if len(good) else 0
    events, broken = join_events(records, np.flatnonzero(kinds == EVENT_RECORD), dtype.itemsize, end)
    return Journal(
        path=path,
        header=header,
        decisions=_pick(np.frombuffer(records, dtype), np.flatnonzero(kinds == DECISION_RECORD)),
        events=events,
        torn_bytes=size - start - end * dtype.itemsize,
        damaged=np.flatnonzero(kinds[:end] == 0).tolist(),
        broken_events=broken,
        good_bytes=start + end * dtype.itemsize,
    )


def _checked_kinds(records: memoryview, record_bytes: int) -> NDArray[np.uint8]:
    """Return the kind of each record, 0 for one that is not good: a wrong CRC, or a kind there is not."""
    kinds = np.frombuffer(records, np.uint8)[::record_bytes].copy()
    kinds[kinds > EVENT_RECORD] = 0
    step = CHECK_ROWS * record_bytes
    for at in range(0, len(records), step):
        some = records[at : at + step]
        first = at // record_bytes
        kinds[first : first + CHECK_ROWS][checksums(some, record_bytes) != carried(some, record_bytes)] = 0
    return kinds


def _pick(records: Records, rows: NDArray[np.intp]) -> Records:
    """Return these rows, without copying where they lie side by side."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return records[rows[0] : rows[-1] + 1]
    picked = records[rows]
    picked.flags.writeable = False
    return picked
