"""CURVE on loopback with real sockets: who has an authorised key gets through, nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from streamer.wire import End, decode_from_cytometer, encode, serve_curve, use_curve

PATIENCE_MS = 60_000  # bounds a hang; nothing is measured against it
SUCCEEDED = zmq.Event.HANDSHAKE_SUCCEEDED
FAILED = zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL


@dataclass
class Keys:
    """Key files: what `cellgate keys` writes."""

    public: Path
    secret: Path

    @classmethod
    def make(cls, directory: Path, name: str) -> Keys:
        directory.mkdir(exist_ok=True)
        return cls(*map(Path, zmq.auth.create_certificates(directory, name)))


@dataclass
class Server:
    """A ROUTER with CURVE, and what becomes of the handshakes with it."""

    context: zmq.Context[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    monitor: zmq.Socket[bytes]
    keys: Keys
    friend: Keys

    @property
    def endpoint(self) -> str:
        return bytes(self.socket.get(zmq.LAST_ENDPOINT)).decode()

    def next_handshake(self) -> int:
        assert self.monitor.poll(PATIENCE_MS), "no handshake took place"
        return int(recv_monitor_message(self.monitor)["event"])

    def receive(self) -> str:
        assert self.socket.poll(PATIENCE_MS), "nothing came through"
        message = decode_from_cytometer(self.socket.recv_multipart()[1])
        assert isinstance(message, End)
        return message.series

    def client(self, keys: Keys | None, server_public: Path) -> zmq.Socket[bytes]:
        """Connect a client that at once sends a message which names its key."""
        socket: zmq.Socket[bytes] = self.context.socket(zmq.DEALER)
        socket.linger = 0
        if keys:
            use_curve(socket, keys.secret, server_public)
        socket.connect(self.endpoint)
        socket.send(encode(End(keys.secret.stem if keys else "nobody", 0)))
        return socket


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    keys = Keys.make(tmp_path / "server", "server")
    friend = Keys.make(tmp_path / "friend", "friend")
    authorized = tmp_path / "authorized"
    authorized.mkdir()
    (authorized / friend.public.name).write_bytes(friend.public.read_bytes())
    with zmq.Context() as context:
        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        try:
            authenticator.configure_curve(domain="*", location=str(authorized))
            with context.socket(zmq.ROUTER) as socket:
                socket.linger = 0
                serve_curve(socket, keys.secret)
                socket.bind("tcp://127.0.0.1:*")
                with socket.get_monitor_socket(SUCCEEDED | FAILED) as monitor:
                    yield Server(context, socket, monitor, keys, friend)
                    socket.disable_monitor()
        finally:
            authenticator.stop()


def test_an_authorised_key_gets_through(server: Server) -> None:
    with server.client(server.friend, server.keys.public) as client:
        assert server.next_handshake() == SUCCEEDED
        assert server.receive() == "friend"
        client.send(encode(End("friend-again", 0)))
        assert server.receive() == "friend-again"


@pytest.mark.parametrize("who", ["stranger", "without keys", "with another server's key"])
def test_nobody_else_does(server: Server, tmp_path: Path, who: str) -> None:
    stranger = Keys.make(tmp_path / "stranger", "stranger")
    keys, server_public = {
        "stranger": (stranger, server.keys.public),
        "without keys": (None, server.keys.public),
        "with another server's key": (server.friend, stranger.public),
    }[who]
    with server.client(keys, server_public):
        assert server.next_handshake() & FAILED
        # What the refused one sent before would come first, had it come through.
        with server.client(server.friend, server.keys.public) as friend:
            while server.next_handshake() & FAILED:  # the refused one tries again and again
                pass
            assert server.receive() == "friend"
            friend.send(encode(End("last", 0)))
            assert server.receive() == "last"
            assert not server.socket.poll(0)
