"""Wake a polling thread from another one, through a file descriptor."""

from __future__ import annotations

import os


class Wakeup:
    """A file descriptor that becomes readable on `set` (from any thread) and stops being so on `clear`."""

    def __init__(self) -> None:
        # A counter in the kernel: one descriptor, and half the time of a pipe.
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        """Make the descriptor readable; never blocks, and does nothing once closed."""
        try:  # noqa: SIM105 - a context manager takes as long as the call itself
            os.eventfd_write(self._event, 1)
        except (OSError, ValueError):
            pass  # a full counter is readable already, and a closed one has nobody left to wake

    def clear(self) -> None:
        """Make the descriptor unreadable until the next `set`."""
        try:  # noqa: SIM105
            os.eventfd_read(self._event)
        except BlockingIOError:
            pass  # it is so already

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._event

    def close(self) -> None:
        """Free it."""
        event, self._event = self._event, -1
        if event >= 0:
            os.close(event)
