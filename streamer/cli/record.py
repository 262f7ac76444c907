"""`cellgate record`: the frames of live series into files."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamer.config import DEFAULT_RECORDING


def record_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="FILE.h5, DIR.zarr, or a folder for a file per series.")
    ],
    endpoint: Annotated[
        str, typer.Option("--from", metavar="ENDPOINT", help="The streamer's recording endpoint.")
    ] = DEFAULT_RECORDING,
    what: Annotated[
        Literal["all", "kept", "wanted", "sample"], typer.Option(help="Of what the streamer hands over, write these.")
    ] = "all",
    fraction: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of a sample: this share of the cells.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Of a sample: which ones.")] = 0,
    compression: Annotated[Literal["none", "gzip", "zstd"], typer.Option(help="How frames are packed.")] = "gzip",
    form: Annotated[
        Literal["h5", "zarr"], typer.Option("--format", help="Of the files in a folder; a file's name says it itself.")
    ] = "h5",
    once: Annotated[bool, typer.Option("--once", help="End with the first series.")] = False,
    name: Annotated[str, typer.Option(help="What the streamer calls this recorder.")] = "recorder",
    server_key: Annotated[
        Path | None, typer.Option("--server-key", metavar="FILE", help="The streamer's public CURVE key.")
    ] = None,
    secret_key: Annotated[
        Path | None, typer.Option("--secret-key", metavar="FILE", help="This recorder's own secret CURVE key.")
    ] = None,
) -> None:
    """Write the frames and decisions of live series to HDF5 or Zarr, a file per series, until SIGINT or SIGTERM.

    What it is too slow for is skipped by the streamer, and counted; decisions do not wait for it.
    """
    from streamer.recorder import Choice, How, Names, record  # the other commands need not load it

    names, how = Names(out, zarr=form == "zarr"), How(Choice(what, fraction, seed), compression, once)
    stopping: list[bool] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.append(True))
    terminal = sys.stderr.isatty()

    def announce(text: str) -> None:
        if terminal:
            typer.echo("\r\033[K", nl=False, err=True)
        typer.echo(text)
        sys.stdout.flush()

    def progress(text: str) -> None:
        if terminal:
            typer.echo(f"\r\033[K{text}", nl=False, err=True)

    record(
        endpoint,
        names,
        how,
        name=name,
        server_key=server_key,
        secret_key=secret_key,
        stop=lambda: bool(stopping),
        announce=announce,
        progress=progress,
    )
