"""`cellgate watch`: a streamer live in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.errors import InputError


def watch_command(
    endpoint: Annotated[
        str, typer.Option("--from", metavar="ENDPOINT", help="Where the streamer publishes telemetry.")
    ] = "tcp://127.0.0.1:5703",
    plain: Annotated[bool, typer.Option("--plain", help="A line of text per second instead of a dashboard.")] = False,
    seconds: Annotated[float | None, typer.Option("--seconds", help="End after this time.")] = None,
    server_key: Annotated[
        Path | None, typer.Option("--server-key", metavar="FILE", help="The streamer's public CURVE key.")
    ] = None,
    secret_key: Annotated[
        Path | None, typer.Option("--secret-key", metavar="FILE", help="This viewer's own secret CURVE key.")
    ] = None,
) -> None:
    """Show a streamer's rates, latencies and account live in the terminal. Ctrl-C ends it."""
    from streamer.observer import watch  # the other commands need not load a dashboard

    if seconds is not None and not seconds > 0:
        raise InputError("watch", "--seconds", seconds, "a time above 0")
    watch(endpoint, plain=plain, seconds=seconds, server_key=server_key, secret_key=secret_key)
