"""The journal's file as its writer thread sees it: whole units go in, and after a fault none is lost or torn."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.journal._errors import JournalError


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes to append, made of whole units (the header, or records) which hold this many decisions each."""

    data: memoryview
    unit: int
    decisions: int

    @property
    def count(self) -> int:
        """Decisions in the block."""
        return len(self.data) // self.unit * self.decisions


class JournalFile:
    """A new file, locked for as long as it is open. Blocks are kept until they are synced.

    Keeping them is what makes a failed sync survivable: the kernel may drop the pages it could not write and report
    the next sync as fine, so everything since the last good sync is written again.

    Attributes
    ----------
    written, synced
        Decisions in the file, and on the disk. `written` falls back to `synced` when a sync fails.
    synced_bytes
        Bytes on the disk, the header included.

    Raises
    ------
    JournalError
        The file cannot be made; above all, there is one of that name.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o644)
        except FileExistsError:
            raise JournalError(
                path, "journal", "a file of that name", "a new name: journals are never reused"
            ) from None
        except (OSError, ValueError) as error:
            raise JournalError(path, "journal", str(error), "a file that can be created") from error
        with suppress(OSError):  # some network file systems have no locks; the lock only guards against --cut
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._directory: Path | None = path.parent  # None once the file's name is synced
        self._pending: deque[Block] = deque()
        self._unsynced: deque[Block] = deque()
        self._position = 0
        self.written = self.synced = self.synced_bytes = 0

    @property
    def pending(self) -> bool:
        """Whether blocks wait to be written."""
        return bool(self._pending)

    @property
    def durable(self) -> bool:
        """Whether everything put in is on the disk."""
        return not self._pending and not self._unsynced and self._directory is None

    def put(self, block: Block) -> None:
        """Take a block that `write` will append."""
        self._pending.append(block)

    def write(self) -> None:
        """Append what is pending. After an `OSError` the file ends with a whole unit and the rest is pending still."""
        while self._pending:
            block = self._pending.popleft()
            done = 0
            try:
                while done < len(block.data):
                    done += self._write_some(block.data[done:], self._position + done)
            except OSError:
                whole = done - done % block.unit
                self._pending.appendleft(Block(block.data[whole:], block.unit, block.decisions))
                if whole:
                    self._settle(Block(block.data[:whole], block.unit, block.decisions))
                with suppress(OSError):  # else the next write goes over the torn bytes
                    os.ftruncate(self._fd, self._position)
                raise
            self._settle(block)

    def sync(self) -> None:
        """Wait until what is written is on the disk, and the first time, the file's name too."""
        try:
            if self._unsynced:
                os.fdatasync(self._fd)
        except OSError:
            self._pending.extendleft(reversed(self._unsynced))
            self._unsynced.clear()
            self._position, self.written = self.synced_bytes, self.synced
            raise
        self._unsynced.clear()
        self.synced_bytes, self.synced = self._position, self.written
        if self._directory is not None:
            _sync_directory(self._directory)
            self._directory = None

    def close(self) -> None:
        """Give the file and its lock back. Nothing is written."""
        with suppress(OSError):
            os.close(self._fd)

    def _write_some(self, data: memoryview, at: int) -> int:
        # At an offset: a retry cannot land behind the torn bytes of the try before.
        done = os.pwrite(self._fd, data, at)
        if not done:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return done

    def _settle(self, block: Block) -> None:
        self._position += len(block.data)
        self.written += block.count
        self._unsynced.append(block)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
