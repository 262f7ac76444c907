"""The observer process: one feed, one web server, until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from streamer.observer._feed import SnapshotFeed
from streamer.observer._http import ObserverServer
from streamer.observer._stop import stop_on_signals


def observe(
    endpoint: str,
    http_host: str,
    port: int,
    *,
    allow_remote: bool = False,
    server_key: Path | None = None,
    secret_key: Path | None = None,
    announce: Callable[[str], None] = lambda _text: None,
) -> None:
    """Serve the metrics and the health of the streamer at `endpoint` until SIGINT or SIGTERM.

    Parameters
    ----------
    endpoint
        Where the streamer publishes telemetry.
    http_host, port
        Where to serve; port 0 takes a free one.
    allow_remote
        Whether `http_host` may be an address that other machines reach.
    server_key, secret_key
        CURVE key files, see `SnapshotFeed`.
    announce
        Called once, with a line that says where the server listens.

    Raises
    ------
    InputError
        An endpoint, address or key file that cannot be used.
    """
    with (
        stop_on_signals() as stop,
        SnapshotFeed(endpoint, server_key=server_key, secret_key=secret_key) as feed,
        ObserverServer(feed, http_host, port, allow_remote=allow_remote) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="observer-http")
        thread.start()
        try:
            announce(f"metrics at {server.url}/metrics, health at {server.url}/healthz, from {endpoint}")
            stop.wait()
        finally:
            server.shutdown()
            thread.join()
