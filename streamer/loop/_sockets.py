"""The loop's sockets: bound, bounded, and closed to anyone beyond this machine without keys."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import zmq
from zmq.auth.thread import ThreadAuthenticator

from engines.errors import InputError
from streamer.config import Config
from streamer.loop._realtime import Realtime, foreign_threads
from streamer.wire import MAX_PART_BYTES, serve_curve

_DECISIONS_HWM = 1000
_CELLS_HWM = 1000
_TELEMETRY_HWM = 8


class Sockets:
    """The cells, decisions, control and (where asked for) recording ROUTERs and the telemetry PUB. A context manager.

    Parameters
    ----------
    realtime
        How their threads are scheduled.

    Raises
    ------
    InputError
        An endpoint cannot be bound, or the keys cannot be used.
    """

    def __init__(self, config: Config, realtime: Realtime) -> None:
        section, security = config.streamer, config.security
        self.context = zmq.Context()
        others = foreign_threads()
        self._authenticator: ThreadAuthenticator | None = None
        try:
            if security.authorized_keys is not None:
                self._authorize(Path(security.authorized_keys))
            self.cells = self._bind(zmq.ROUTER, section.cells, "streamer.cells", config)
            self.decisions = self._bind(zmq.ROUTER, section.decisions, "streamer.decisions", config)
            self.control = self._bind(zmq.ROUTER, section.control, "streamer.control", config)
            self.recording = None
            if config.recording.endpoint is not None:
                self.recording = self._bind(zmq.ROUTER, config.recording.endpoint, "recording.endpoint", config)
            self.telemetry = self._bind(zmq.PUB, section.telemetry, "streamer.telemetry", config)
            realtime.adopt(foreign_threads() - others)
        except BaseException:
            self.close(linger_ms=0)
            raise

    def _bind(self, kind: int, endpoint: str, field: str, config: Config) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self.context.socket(kind)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
        socket.setsockopt(zmq.RCVHWM, _CELLS_HWM)
        socket.setsockopt(zmq.SNDHWM, _TELEMETRY_HWM if kind == zmq.PUB else _DECISIONS_HWM)
        if kind == zmq.ROUTER:
            # A message that cannot be queued must be known to be lost, not vanish.
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            # A peer that reconnects under its old identity takes its place rather than being shut out.
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        if "[" in endpoint:
            socket.setsockopt(zmq.IPV6, 1)
        if config.security.server_secret_key is not None:
            serve_curve(socket, Path(config.security.server_secret_key))
        try:
            if endpoint.startswith("ipc://"):
                Path(endpoint.removeprefix("ipc://")).parent.mkdir(parents=True, exist_ok=True)
            socket.bind(endpoint)
        except (zmq.ZMQError, OSError) as error:
            socket.close(0)
            raise InputError("config", field, f"{endpoint} ({error})", "an endpoint that can be bound") from error
        return socket

    def _authorize(self, keys: Path) -> None:
        if not keys.is_dir():
            raise InputError("config", "security.authorized_keys", str(keys), "a directory of public key files")
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve(domain="*", location=str(keys))

    def close(self, linger_ms: int = 1000) -> None:
        """Close everything, giving what was sent last this long to leave."""
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self.context.destroy(linger_ms)

    def __enter__(self) -> Sockets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
