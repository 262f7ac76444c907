"""Wake a polling thread from another one, through a file descriptor."""

from __future__ import annotations

import contextlib
import os


class Wakeup:
    """A file descriptor that becomes readable on `set` (from any thread) and stops being so on `clear`."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """Make the descriptor readable; never blocks, and does nothing once closed."""
        # A full pipe is readable already, and a closed one has nobody left to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._write, b"\0")

    def clear(self) -> None:
        """Make the descriptor unreadable until the next `set`."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._read

    def close(self) -> None:
        """Free both ends."""
        read, write, self._read, self._write = self._read, self._write, -1, -1
        for descriptor in (read, write):
            if descriptor >= 0:
                os.close(descriptor)
