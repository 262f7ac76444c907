"""Which endpoints may be bound with and without keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engines.errors import InputError
from streamer.wire import check_endpoint, serve_curve, use_curve

LOCAL = [
    "ipc:///run/cellgate/cells",
    "ipc://cells",
    "ipc://@abstract",
    "tcp://127.0.0.1:5701",
    "tcp://127.8.9.10:1",
    "tcp://localhost:65535",
    "tcp://[::1]:5701",
    "tcp://127.0.0.1:*",
]
WIDER = [
    "tcp://0.0.0.0:5701",
    "tcp://*:5701",
    "tcp://192.168.1.7:5701",
    "tcp://[::]:5701",
    "tcp://[fe80::1]:5701",
    "tcp://[::ffff:127.0.0.1]:5701",
    "tcp://sorter.example:5701",
    "tcp://127.0.0.1.example:5701",
    "tcp://localhost.example:5701",
    "tcp://eth0:*",
]
MALFORMED = [
    "",
    "5701",
    "127.0.0.1:5701",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:",
    "tcp://:5701",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:5701/",
    "tcp://127.0.0.1:5701\n",
    "tcp://127.0.0.1:57 01",
    "tcp://127.0.0.1:५७०१",
    "tcp://::1:5701",
    "tcp://a;127.0.0.1:5701",
    "tcp://user@127.0.0.1:5701",
    "TCP://127.0.0.1:5701",
    "ipc://",
    "ipc:/run/cells",
    "inproc://cells",
    "udp://127.0.0.1:5701",
    "pgm://eth0;239.0.0.1:5701",
    "http://127.0.0.1:5701",
]


@pytest.mark.parametrize("curve", [False, True])
@pytest.mark.parametrize("endpoint", LOCAL)
def test_this_machine_needs_no_keys(endpoint: str, curve: bool) -> None:
    check_endpoint(endpoint, "streamer.cells", curve=curve)


@pytest.mark.parametrize("endpoint", WIDER)
def test_wider_needs_keys(endpoint: str) -> None:
    check_endpoint(endpoint, "streamer.cells", curve=True)
    with pytest.raises(InputError, match="CURVE") as caught:
        check_endpoint(endpoint, "streamer.cells", curve=False)
    assert caught.value.field == "streamer.cells"


@pytest.mark.parametrize("curve", [False, True])
@pytest.mark.parametrize("endpoint", MALFORMED)
def test_malformed_is_refused_with_or_without_keys(endpoint: str, curve: bool) -> None:
    with pytest.raises(InputError, match="tcp://HOST:PORT"):
        check_endpoint(endpoint, "streamer.cells", curve=curve)


@pytest.fixture
def socket() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        yield socket


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe", b'metadata\ncurve\n    public-key = "x"\n    secret-key = "y"\n']
)
def test_a_file_that_holds_no_key_is_named(socket: zmq.Socket[bytes], tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "server.key_secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"server\.key_secret"):
        serve_curve(socket, file)


def test_a_public_key_where_a_secret_one_is_needed_is_refused(socket: zmq.Socket[bytes], tmp_path: Path) -> None:
    public, secret = map(Path, zmq.auth.create_certificates(tmp_path, "server"))
    with pytest.raises(InputError, match="a public key only"):
        serve_curve(socket, public)
    with pytest.raises(InputError, match="a public key only"):
        use_curve(socket, public, public)
    serve_curve(socket, secret)
    assert socket.curve_server
