"""`cellgate observe`: serve a streamer's metrics and health over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.errors import InputError


def observe_command(
    endpoint: Annotated[
        str, typer.Option("--from", metavar="ENDPOINT", help="Where the streamer publishes telemetry.")
    ] = "tcp://127.0.0.1:5703",
    http: Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Where to serve.")] = "127.0.0.1:9464",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Serve on an address that other machines reach.")
    ] = False,
    server_key: Annotated[
        Path | None, typer.Option("--server-key", metavar="FILE", help="The streamer's public CURVE key.")
    ] = None,
    secret_key: Annotated[
        Path | None, typer.Option("--secret-key", metavar="FILE", help="This observer's own secret CURVE key.")
    ] = None,
) -> None:
    """Serve /metrics for Prometheus and /healthz for supervisors, from a streamer's telemetry."""
    from streamer.observer import observe  # the other commands need not load a web server

    host, port = _host_and_port(http)
    keys = {"server_key": server_key, "secret_key": secret_key}
    observe(endpoint, host, port, allow_remote=allow_remote, announce=typer.echo, **keys)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError("observer", "--http", text, "HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
