"""`cellgate watch`: the dashboard kept up to date, or a line per second where there is no terminal for it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live

from streamer.observer._feed import SnapshotFeed
from streamer.observer._plain import plain_line
from streamer.observer._stop import Stop, stop_on_signals
from streamer.observer._view import render
from streamer.observer._window import SnapshotWindow

_REDRAW_S = 0.25
_LINE_S = 1.0


def watch(
    endpoint: str,
    *,
    plain: bool = False,
    seconds: float | None = None,
    server_key: Path | None = None,
    secret_key: Path | None = None,
    out: TextIO | None = None,
) -> None:
    """Show the streamer at `endpoint` until Ctrl-C, SIGTERM or the time is up.

    Parameters
    ----------
    endpoint
        Where the streamer publishes telemetry.
    plain
        One line of text per second. So it is anyway where `out` is no terminal, or one that has no UTF-8.
    seconds
        How long to watch; None without end.
    server_key, secret_key
        CURVE key files, see `SnapshotFeed`.
    out
        Where to write; standard output by default.

    Raises
    ------
    InputError
        An endpoint or key file that cannot be used.
    """
    stream = sys.stdout if out is None else out
    console = Console(file=stream)
    plain = plain or not console.is_terminal or console.is_dumb_terminal or not console.encoding.startswith("utf")
    with stop_on_signals() as stop, SnapshotFeed(endpoint, server_key=server_key, secret_key=secret_key) as feed:
        until = None if seconds is None else time.monotonic() + seconds
        if not plain:
            _live(feed, stop, until, console)
            return
        try:
            _lines(feed, stop, until, stream)
        except BrokenPipeError:
            # `| head` has seen enough. What is still buffered must not fail at exit.
            if stream is sys.stdout:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _live(feed: SnapshotFeed, stop: Stop, until: float | None, console: Console) -> None:
    window = SnapshotWindow()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            snapshot, age_s = feed.read()
            window.add(snapshot)
            live.update(render(snapshot, window.previous, age_s=age_s), refresh=True)
            if _over(stop, until, _REDRAW_S):
                return


def _lines(feed: SnapshotFeed, stop: Stop, until: float | None, stream: TextIO) -> None:
    window = SnapshotWindow(span_s=_LINE_S)
    # The first line waits for a first snapshot, so that it says something.
    feed.wait(_pause(until, _LINE_S))
    while True:
        snapshot, age_s = feed.read()
        window.add(snapshot)
        stream.write(plain_line(snapshot, window.previous, age_s=age_s) + "\n")
        stream.flush()
        if _over(stop, until, _LINE_S):
            return


def _over(stop: Stop, until: float | None, pause_s: float) -> bool:
    """Pause, and tell whether it is time to end."""
    return stop.wait(_pause(until, pause_s)) or (until is not None and time.monotonic() >= until)


def _pause(until: float | None, pause_s: float) -> float:
    return pause_s if until is None else min(pause_s, max(0.0, until - time.monotonic()))
