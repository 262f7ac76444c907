"""The file of one series: what is joined, chosen and written, and an account that adds up."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.journal import Records, record_dtype
from streamer.recorder._about import about, account_of, codes
from streamer.recorder._choice import Choice
from streamer.recorder._columns import columns_of
from streamer.recorder._joiner import Decided, Joiner
from streamer.recorder._store import Compression, make_store
from streamer.wire import Handed, Recording, Taken

BUFFER_CELLS, BUFFER_BYTES, BUFFER_S = 4096, 8 << 20, 1.0
"""Cells are written when so many have come, or after so long."""


class SeriesFile:
    """A series while it is recorded.

    Attributes
    ----------
    handed
        What the streamer says of the series.
    taken
        What has become of the cells here.
    """

    def __init__(self, path: Path, recording: Recording, choice: Choice, compression: Compression) -> None:
        self.path, self.recording, self._choice = path, recording, choice
        self._offered = Choice(recording.what, recording.fraction, recording.seed)
        self._dtype = record_dtype(len(recording.classes))
        self._frame = np.dtype(recording.dtype)
        self._joiner = Joiner()
        self._ready: list[Decided] = []
        self._cells = self._bytes = 0
        self._write_at = 0.0
        self._received = 0
        self._earlier = recording.account.handed
        self.handed = recording.account
        self.taken = Taken(series=recording.series, dropped={})
        frames = np.zeros((0, *recording.shape), self._frame)
        columns = columns_of(np.zeros(0, self._dtype), recording)
        names = {"channels": recording.channels, "classes": recording.classes}
        attributes = about(recording, choice) | self.account()
        self._store = make_store(path, compression, names, frames, columns, attributes)

    def account(self) -> dict[str, int]:
        """Return what has become of the cells of the series: `offered` is the sum of all the others."""
        return account_of(self.handed, self.taken, self._earlier, self._received)

    def continues(self, recording: Recording) -> bool:
        """Take over what is said anew of the series; tell whether its cells still go into this file."""
        mine = self.recording
        same = ("series", "started_unix_ns", "shape", "dtype", "channels", "classes")
        if any(getattr(mine, name) != getattr(recording, name) for name in same):
            return False
        self.recording = recording
        self.hear(recording.account)
        return True

    def hear(self, handed: Handed) -> None:
        """Take note of what the streamer says; what it has handed over and has not come is lost."""
        self.handed = handed
        self.taken.lost = handed.handed - self._earlier - self._received

    def add(self, parts: list[bytes], n: int, handed: Handed) -> int:
        """Take the records, seqs and frames of a message; return their size in the streamer's buffer."""
        records, seqs, frames = parts
        self._received += n
        self.hear(handed)
        cell = int(np.prod(self.recording.shape)) * self._frame.itemsize
        if len(records) % self._dtype.itemsize or len(seqs) != n * 8 or len(frames) != n * cell:
            self._drop("damaged", n)
        else:
            self._join(
                np.frombuffer(records, self._dtype),
                np.frombuffer(seqs, "<u8"),
                np.frombuffer(frames, self._frame).reshape(n, *self.recording.shape),
            )
        return len(records) + len(frames)

    def due(self) -> bool:
        """Tell whether `write` has enough to do."""
        full = self._cells >= BUFFER_CELLS or self._bytes >= BUFFER_BYTES
        return full or (self._cells > 0 and time.monotonic() >= self._write_at)

    def write(self) -> None:
        """Write the cells that are ready.

        Raises
        ------
        OSError
            The disk takes no more; they are counted as dropped.
        """
        ready, cells = self._ready, self._cells
        self._ready, self._cells, self._bytes = [], 0, 0
        self.taken.recorded += cells
        try:
            if ready:
                records = np.concatenate([part.records for part in ready])
                frames = np.concatenate([part.frames for part in ready])
                self._store.append(frames, columns_of(records, self.recording))
            self._store.note(self.account())
        except (OSError, RuntimeError, ValueError) as error:  # h5py raises any of them for a disk that refuses
            self.taken.recorded -= cells
            self._drop("disk", cells)
            raise error if isinstance(error, OSError) else OSError(str(error)) from error

    def close(self, ended: str) -> None:
        """Write what is left, and how the series ended; raises as `write` does."""
        self._joiner.give_up()
        self._tell_undecided()
        self.write()
        self._store.close({**self.account(), **codes(self.recording), "ended": ended})

    def give_up(self) -> None:
        """Close the file of a disk that takes no more."""
        self._joiner.give_up()
        self._tell_undecided()
        self._drop("disk", self._cells)
        self._ready, self._cells = [], 0
        with suppress(OSError, RuntimeError, ValueError):  # then it stays as it was when last written to
            self._store.close({**self.account(), **codes(self.recording), "ended": "disk"})

    def _join(self, records: Records, seqs: NDArray[np.uint64], frames: NDArray[np.generic]) -> None:
        for records_, frames_ in self._joiner.join(records, seqs, frames):
            self._choose(records_, frames_)
        self._tell_undecided()

    def _choose(self, records: Records, frames: NDArray[np.generic]) -> None:
        asked = np.ones(len(records), np.bool_)
        for choice in (self._offered, self._choice):
            mask = choice.of(records["seq"], records["reason"])
            if mask is not None:
                asked &= mask
        if not asked.all():
            self.taken.not_asked += int(len(asked) - asked.sum())
            records, frames = records[asked], frames[asked]
        if len(records):
            if not self._cells:
                self._write_at = time.monotonic() + BUFFER_S
            self._ready.append(Decided(records, frames))
            self._cells += len(records)
            self._bytes += frames.nbytes

    def _tell_undecided(self) -> None:
        if self._joiner.dropped:
            self.taken.dropped["undecided"] = self._joiner.dropped

    def _drop(self, reason: str, n: int) -> None:
        self.taken.dropped[reason] = self.taken.dropped.get(reason, 0) + n
