"""Ending on Ctrl-C or SIGTERM without an exception in the middle of something."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stop:
    """Waits that end early once a stop was asked for."""

    def __init__(self, reader: socket.socket) -> None:
        self._reader = reader

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait this long, or without end for None; tell whether a stop was asked for."""
        return bool(select.select([self._reader], [], [], timeout_s)[0])


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into the end of `Stop.wait` while the block runs.

    Outside the main thread, where Python allows no handlers, signals are left alone.
    """
    # A byte through a socket pair: unlike an Event it takes no lock that the interrupted code may hold.
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def ask(_number: int, _frame: object) -> None:
        with suppress(BlockingIOError):  # full of bytes that say the same
            writer.send(b"x")

    with reader, writer:
        if threading.current_thread() is not threading.main_thread():
            yield Stop(reader)
            return
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield Stop(reader)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
