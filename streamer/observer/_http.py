"""The observer's web server: `/metrics` for Prometheus, `/healthz` for whoever restarts things, `/` to find them."""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app

from engines.errors import InputError
from streamer.observer._feed import SnapshotFeed
from streamer.observer._health import complaints
from streamer.observer._metrics import SnapshotCollector

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_INDEX = b"""<!doctype html><title>Cellgate observer</title><h1>Cellgate observer</h1>
<p><a href="/metrics">/metrics</a> for Prometheus, <a href="/healthz">/healthz</a> for supervisors.</p>
"""


class ObserverServer(ThreadingMixIn, WSGIServer):
    """An HTTP server over a feed, a thread per request so that a slow scraper holds up no other.

    Parameters
    ----------
    feed
        What to serve.
    host, port
        Where to listen; port 0 takes a free one, and `url` says which.
    allow_remote
        Whether `host` may be an address that other machines reach.

    Raises
    ------
    InputError
        `host` is not loopback and that was not allowed, or the address cannot be listened on.
    """

    daemon_threads = True

    def __init__(self, feed: SnapshotFeed, host: str, port: int, *, allow_remote: bool = False) -> None:
        if not allow_remote and not _is_loopback(host):
            raise InputError("observer", "--http", host, "a loopback address; anything wider needs --allow-remote")
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise InputError("observer", "--http", f"{host}:{port}", f"a free address ({error.strerror})") from error
        self.set_app(make_app(feed))

    @property
    def url(self) -> str:
        """Where the server listens, as `http://HOST:PORT`."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind. Unlike the base class it asks no name server what the address is called, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


def make_app(feed: SnapshotFeed) -> WSGIApplication:
    """Return the WSGI application that serves this feed."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(feed))
    metrics: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]] = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", "/"), environ.get("REQUEST_METHOD")
        if method not in ("GET", "HEAD"):
            return _answer(start_response, "405 Method Not Allowed", "text/plain", b"GET only\n")
        if path == "/metrics":
            body = metrics({**environ, "REQUEST_METHOD": "GET"}, start_response)
        elif path == "/healthz":
            good, text = _health(feed)
            status = "200 OK" if good else "503 Service Unavailable"
            body = _answer(start_response, status, "application/json", text)
        elif path == "/":
            body = _answer(start_response, "200 OK", "text/html; charset=utf-8", _INDEX)
        else:
            body = _answer(start_response, "404 Not Found", "text/plain", b"/metrics or /healthz\n")
        return [] if method == "HEAD" else body

    return app


def _health(feed: SnapshotFeed) -> tuple[bool, bytes]:
    snapshot, age_s = feed.read()
    reasons = complaints(snapshot, age_s)
    report: dict[str, Any] = {"status": "failing" if reasons else "ok", "reasons": reasons}
    report["age_s"] = round(age_s, 3) if math.isfinite(age_s) else None
    for name in ("state", "series", "engine", "bundle", "bundle_sha256", "number"):
        report[name] = getattr(snapshot, name, None)
    return not reasons, msgspec.json.encode(report) + b"\n"


def _answer(start_response: StartResponse, status: str, kind: str, body: bytes) -> list[bytes]:
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(status, headers)
    return [body]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Handler(WSGIRequestHandler):
    """Log no requests, and let no idle connection hold a thread for ever."""

    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: a scrape every few seconds is not news."""
