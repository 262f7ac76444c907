"""`cellgate run`: the streamer."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from streamer.config import load_config


def run_command(
    config: Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration (TOML).")],
    engine_name: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="Take this engine, or of several (A,B) the first that works."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the streamer until SIGINT or SIGTERM; it then decides what it has, writes the report and exits with 0.

    SIGUSR1 arms it, SIGUSR2 disarms it: disarmed it decides as always and keeps nothing.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    settings = load_config(config)
    if engine_name is not None:
        settings = msgspec.structs.replace(settings, engine=msgspec.structs.replace(settings.engine, name=engine_name))

    # Imported here so that a wrong configuration is told at once, and `cellgate --help` stays quick.
    from engines.bundle import load_bundle
    from streamer.loop import Streamer, engine_for

    bundle = load_bundle(settings.streamer.bundle)
    choice = engine_for(settings, bundle)
    logging.getLogger(__name__).log(logging.WARNING if choice.fell else logging.INFO, "engine: %s", choice.reason)
    engine = choice.engine
    section = settings.streamer

    def ready() -> None:
        typer.echo(
            f"ready: {engine.name}, bundle {bundle.manifest.name} {bundle.sha256[:12]}, "
            f"cells {section.cells}, decisions {section.decisions}, telemetry {section.telemetry}"
        )

    healthy = True
    try:
        streamer = Streamer(settings, engine, ready, names=choice.names)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: streamer.stop())
        signal.signal(signal.SIGUSR1, lambda *_: streamer.arm())
        signal.signal(signal.SIGUSR2, lambda *_: streamer.arm(False))
        healthy = streamer.run()
    finally:
        if healthy:
            engine.close()
    typer.echo("stopped" if healthy else "stopped, without an engine that hangs")
    if not healthy:
        sys.stdout.flush()
        os._exit(1)  # its thread would keep the process for ever
