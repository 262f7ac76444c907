"""Endpoints and who may reach them: local without more ado, anything wider only with CURVE keys."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import zmq
import zmq.auth

from engines.errors import InputError

MAX_PART_BYTES = 256 << 20
Z85_KEY = 40
_TCP = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*-]+):([0-9]{1,5}|\*)")


def check_endpoint(endpoint: str, field: str, *, curve: bool) -> None:
    """Refuse an endpoint that is malformed, or that other machines could reach while there are no CURVE keys.

    Raises
    ------
    InputError
        Naming the option (`field`), what it says and what is allowed.
    """
    if endpoint.startswith("ipc://") and len(endpoint) > len("ipc://"):
        return
    match = _TCP.fullmatch(endpoint)
    if match is None or (match[2] != "*" and not 0 < int(match[2]) < 65536):
        raise InputError("endpoint", field, endpoint, "ipc://PATH or tcp://HOST:PORT")
    if not curve and not _is_loopback(match[1]):
        raise InputError("endpoint", field, endpoint, "loopback or ipc; anything wider needs CURVE keys ([security])")


def serve_curve(socket: zmq.Socket[bytes], secret_key_file: Path) -> None:
    """Make `socket` a CURVE server with the key pair in this file (as `cellgate keys` writes it)."""
    public, secret = _read_keys(secret_key_file, "security.server_secret_key")
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = public, secret


def connect(
    socket: zmq.Socket[bytes], endpoint: str, field: str, server_key: Path | None, secret_key: Path | None
) -> None:
    """Connect a client's `socket`: with CURVE where its own secret key and the server's public key are given.

    Raises
    ------
    InputError
        The endpoint is malformed, or wider than this machine without keys; one key is given without the other, or
        cannot be used.
    """
    if (server_key is None) != (secret_key is None):
        given, lacking = ("server key", "secret key") if secret_key is None else ("secret key", "server key")
        raise InputError("keys", given, "given alone", f"the {lacking} beside it")
    check_endpoint(endpoint, field, curve=server_key is not None)
    if server_key is not None and secret_key is not None:
        use_curve(socket, secret_key, server_key)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise InputError("endpoint", field, endpoint, f"an address to connect to ({error.strerror})") from error


def use_curve(socket: zmq.Socket[bytes], secret_key_file: Path, server_public_key_file: Path) -> None:
    """Make `socket` a CURVE client: its own key pair, and the public key of the server it will talk to."""
    public, secret = _read_keys(secret_key_file, "client secret key")
    socket.curve_publickey, socket.curve_secretkey = public, secret
    server, _ = _load(server_public_key_file, "server public key")
    socket.curve_serverkey = server


def _read_keys(path: Path, field: str) -> tuple[bytes, bytes]:
    public, secret = _load(path, field)
    if secret is None:
        raise InputError(path, field, "a public key only", "a secret key file")
    return public, secret


def _load(path: Path, field: str) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise InputError(path, field, str(error), "a CURVE key file") from error
    if any(len(key) != Z85_KEY for key in (public, secret) if key is not None):
        raise InputError(path, field, "a key of another length", f"keys of {Z85_KEY} characters")
    return public, secret


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
